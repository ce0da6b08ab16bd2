/**
 * What `gtstore start --snapshot-every` forks: takes one snapshot and says how it went. It is a process of its own, and a
 * patient one, so that the manager is never late for it. When the command ends, it ends, too, and leaves nothing behind.
 */
import { setPriority } from 'node:os';
import { GTStoreClient } from '../client/index.js';
import { takeSnapshot } from '../snapshot/index.js';
import { exitFailed, exitUsage, guardProcess } from './exit.js';

/** Its only argument, in JSON. */
export interface SnapshotOrder {
  readonly manager: string;
  readonly to: string;
}

/** What it says before it ends. */
export interface SnapshotReport {
  /** What went wrong; the rest is of no meaning then. */
  readonly problem: string | undefined;
  readonly keys: number;
  readonly bytes: number;
}

/** Leaves the processor to the nodes when there is not enough of it. */
const niceness = 10;

guardProcess((text) => {
  process.stderr.write(`gtstore: snapshot process ${process.pid}: ${text}\n`);
});
const [, , json] = process.argv;
if (json === undefined || process.send === undefined) {
  process.stderr.write(
    'gtstore: this file is run by gtstore start; to take a snapshot, run gtstore snapshot\n',
  );
  process.exit(exitUsage);
}
const { manager, to } = JSON.parse(json) as SnapshotOrder;
const store = new GTStoreClient({ manager });
// Failures reach the walk that meets them.
store.on('error', () => undefined);
const stop = new AbortController();
const end = (): void => {
  stop.abort();
  void store.finalize();
};
for (const signal of ['SIGINT', 'SIGHUP'] as const) process.on(signal, () => undefined);
process.once('SIGTERM', end);
process.once('disconnect', end);

function report(outcome: Partial<SnapshotReport>): void {
  const whole: SnapshotReport = { problem: undefined, keys: 0, bytes: 0, ...outcome };
  process.send?.(whole, undefined, undefined, () =>
    process.exit(outcome.problem === undefined ? 0 : exitFailed),
  );
}

try {
  setPriority(niceness);
  await store.init();
  const { keys, bytes } = await takeSnapshot(store, to, { signal: stop.signal });
  report({ keys, bytes });
} catch (error) {
  // With the channel gone there is nobody left to tell.
  if (!process.connected) process.exit(exitFailed);
  report({ problem: error instanceof Error ? error.message : String(error) });
}
