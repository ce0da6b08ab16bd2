/** What the commands share that go through all keys: they can be stopped, say how far they are, and how it ended. */
import type { GTStoreClient } from '../client/index.js';
import type { IncompleteError } from '../snapshot/index.js';
import { type ProgressBar, progressBar } from '../terminal/progress-bar.js';
import { exitCodeOf, oneLine, UsageError } from './exit.js';
import { withoutMark } from './options.js';
import { formatBytes } from './bytes.js';
import { StopRequest } from './stop-request.js';
import { withClient } from './with-client.js';

/** How far it is, for whoever stops it; keys that were stored when it failed are told in any case. */
export interface Reached {
  text: () => string;
}

/** A session with the store that Ctrl-C ends: then what is under way fails, and `work` cleans up. */
export async function withTransfer(
  manager: string,
  work: (store: GTStoreClient, stop: StopRequest, reached: Reached) => Promise<void>,
): Promise<void> {
  const stop = new StopRequest();
  const reached: Reached = { text: () => 'nothing had been done' };
  await withClient(manager, async (store) => {
    stop.signal.addEventListener('abort', () => void store.finalize());
    try {
      stop.signal.throwIfAborted();
      await work(store, stop, reached);
    } catch (error) {
      if (!stop.signal.aborted) throw error;
      const rest = isIncomplete(error)
        ? `${keyCount(error.stored)} had been stored, and ${error.stored === 1 ? 'is' : 'are'} there`
        : reached.text();
      process.stderr.write(`gtstore: stopped before the end: ${rest}\n`);
      process.exitCode = exitCodeOf(await stop.requested);
    }
  });
}

/** By its shape: the class would bring the whole client into commands that need none. */
function isIncomplete(error: unknown): error is IncompleteError {
  return error instanceof Error && 'stored' in error;
}

/** About how many keys the cluster has: as its nodes counted last. 0: not known. */
export async function countKeys(store: GTStoreClient): Promise<number> {
  if (!process.stderr.isTTY) return 0;
  try {
    const { nodes, replicas } = await store.status();
    return Math.ceil(nodes.reduce((sum, { keys }) => sum + keys, 0) / replicas);
  } catch {
    // The manager is away: the keys are there all the same, and only the bar is not.
    return 0;
  }
}

/** A bar on stderr, if that is a terminal and the total is known, at least about. */
export function transferBar(label: string, total: number): ProgressBar {
  if (total === 0) return { show: () => undefined, clear: () => undefined };
  const bar = progressBar(process.stderr, label, total);
  return {
    show: (done, note) => {
      bar.show(Math.min(done, total), note);
    },
    clear: () => {
      bar.clear();
    },
  };
}

/** Counts the time of a command, for its last line. */
export function stopwatch(): () => number {
  const startedAtMs = performance.now();
  return () => Math.round(performance.now() - startedAtMs) / 1000;
}

/** `1,234 keys`. */
export function keyCount(keys: number): string {
  return `${keys.toLocaleString('en')} ${keys === 1 ? 'key' : 'keys'}`;
}

/** `1,234 keys, 5.6 MiB`. */
export function amount(keys: number, bytes: number): string {
  return `${keyCount(keys)}, ${formatBytes(bytes)}`;
}

/** What has not been stored because its time is over. */
export function expiredNote(expired: number): string {
  return expired === 0 ? '' : `; ${keyCount(expired)} had expired`;
}

/** `--skip-unreadable`, of a restore and of an export. */
export const skipUnreadableOption = {
  type: 'boolean',
  default: false,
  describe: 'Leave out keys with a value that no gtstore has stored, and name them on stderr',
} as const;

/** Counts what is left out, and names it. */
export class Unreadable {
  count = 0;

  readonly tell = (error: Error): void => {
    this.count++;
    process.stderr.write(`gtstore: left out: ${oneLine(error.message)}\n`);
  };

  /** For the last line. */
  get note(): string {
    return this.count === 0 ? '' : `; ${keyCount(this.count)} could not be read`;
  }
}

/** A file to read or write; `-` or none: stdin or stdout. */
export const fileOperand = {
  type: 'string',
  coerce: (text: string | undefined) => {
    if (text === undefined) return undefined;
    const file = withoutMark(text);
    if (file === '') throw new UsageError('FILE must name a file; - or none: stdin or stdout');
    return file === '-' ? undefined : file;
  },
} as const;

/** What to say of a path that the system does not let us use. */
export function systemText(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}
