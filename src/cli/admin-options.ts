/** What the commands that change a cluster share: options, and how the manager is asked. */
import type { Argv } from 'yargs';
import type { GTStoreClient } from '../client/index.js';
import { mbPerSecondMax } from '../protocol/admin.js';
import type { AdminRequest, AdminResult } from '../protocol/admin.js';
import { UsageError, codeOf } from './exit.js';
import { jsonOption, managerOption, numberOperand, wholeNumber } from './options.js';

export interface AdminOptions {
  manager: string;
  json: boolean;
  wait: boolean;
}

export interface MoveOptions extends AdminOptions {
  'mb-per-second': number | undefined;
}

const mbPerSecondMin = 0.001;

export function adminOptions<T>(command: Argv<T>): Argv<T & AdminOptions> {
  return command
    .option('manager', managerOption)
    .option('json', { ...jsonOption, describe: 'Print JSON, one line a second while it goes on' })
    .option('wait', {
      type: 'boolean',
      default: true,
      describe: 'Follow it until it is done; --no-wait: return at once',
    });
}

/** The node that a command is about. */
export const nodeOperand = { ...numberOperand, describe: 'Its id, from gtstore status' } as const;

const nodeIdMax = 2 ** 31;

/** @throws UsageError unless it can be a node's id */
export function nodeIdOf(node: number): number {
  return wholeNumber('NODE', node, 0, nodeIdMax);
}

/** Of the commands that move slots. */
export function moveOptions<T>(command: Argv<T>): Argv<T & MoveOptions> {
  return adminOptions(command).option('mb-per-second', {
    type: 'number',
    requiresArg: true,
    describe: 'Most to copy in a second, about, in MB of 1,000,000 bytes',
    defaultDescription: 'as fast as reads and writes allow',
  });
}

/** As a field of the request. @throws UsageError */
export function speedOf(mbPerSecond: number | undefined): { mbPerSecond?: number } {
  if (mbPerSecond === undefined) return {};
  if (mbPerSecond >= mbPerSecondMin && mbPerSecond <= mbPerSecondMax) return { mbPerSecond };
  throw new UsageError(
    `--mb-per-second must be a number from ${mbPerSecondMin} to ${mbPerSecondMax}; leave it out for no limit`,
  );
}

export type Granted = Extract<AdminResult, { ok: true }>;

/** @throws Error with the manager's words if it refuses */
export async function order(store: GTStoreClient, request: AdminRequest): Promise<Granted> {
  let result: AdminResult;
  try {
    result = await store.admin(request);
  } catch (error) {
    if (codeOf(error) !== 'TIMEOUT' || !(error instanceof Error)) throw error;
    throw new Error(
      `the manager did not answer in time: whether it has begun is not known, see gtstore status`,
      {
        cause: error,
      },
    );
  }
  if (result.ok) return result;
  throw new Error(result.error);
}
