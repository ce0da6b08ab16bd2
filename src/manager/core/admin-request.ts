/** Reads what an administrator asks for; whatever came over the wire. */
import { mbPerSecondMax, rebalanceMeasures } from '../../protocol/admin.js';
import type { AdminRequest } from '../../protocol/admin.js';

const commands: readonly AdminRequest['command'][] = [
  'add-nodes',
  'start-node',
  'drain',
  'rebalance',
  'set-replicas',
  'restart-rolling',
  'accept-loss',
  'cancel',
  'progress',
  'hot',
];

/** @returns the request, or in one line what is wrong with it */
export function parseAdminRequest(json: string): AdminRequest | string {
  let request: unknown;
  try {
    request = JSON.parse(json);
  } catch {
    return 'the request is not valid JSON';
  }
  if (typeof request !== 'object' || request === null) return 'the request is no JSON object';
  return mistakeIn(request) ?? (request as AdminRequest);
}

type Fields = Partial<Record<string, unknown>>;

function mistakeIn(fields: Fields): string | null {
  const { command, mbPerSecond } = fields;
  const isRate = typeof mbPerSecond === 'number' && mbPerSecond > 0 && mbPerSecond <= mbPerSecondMax;
  if (mbPerSecond !== undefined && !isRate)
    return `mbPerSecond must be a number above 0, at most ${mbPerSecondMax}`;
  switch (command as AdminRequest['command']) {
    case 'add-nodes':
      return isCount(fields, 'count', 1);
    case 'hot':
      return isCount(fields, 'count', 1);
    case 'start-node':
    case 'drain':
      return isCount(fields, 'nodeId', 0);
    case 'set-replicas':
      return isCount(fields, 'replicas', 1);
    case 'rebalance':
      if (!rebalanceMeasures.some((measure) => measure === fields['by']))
        return `by must be one of ${rebalanceMeasures.join(', ')}`;
      return ['boolean', 'undefined'].includes(typeof fields['dryRun'])
        ? null
        : 'dryRun must be true or false';
    case 'restart-rolling':
    case 'accept-loss':
    case 'cancel':
    case 'progress':
      return null;
    default:
      return `there is no such command; there are ${commands.join(', ')}`;
  }
}

function isCount(fields: Fields, name: string, min: number): string | null {
  const value = fields[name];
  const isValid = typeof value === 'number' && Number.isSafeInteger(value) && value >= min;
  return isValid ? null : `${name} must be a whole number, at least ${min}`;
}
