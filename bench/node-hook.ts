/**
 * What the memory benchmarks load into the node processes (NODE_OPTIONS=--import): it notes the pauses of the garbage
 * collector and tells of them on a socket in the folder that the environment names. The store knows nothing of it.
 */
import { createServer } from 'node:net';
import { join } from 'node:path';
import { PerformanceObserver } from 'node:perf_hooks';
import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';

export const hookFolderName = 'GTSTORE_BENCH_HOOK_FOLDER';

export type HookCommand = 'forget' | 'pauses' | 'collect';

/** Milliseconds; of pauses since the last `forget`. */
export interface Pauses {
  readonly count: number;
  readonly longestMs: number;
  readonly totalMs: number;
}

export function hookSocket(folder: string, pid: number): string {
  return join(folder, `${pid}.sock`);
}

let pauses: Pauses = { count: 0, longestMs: 0, totalMs: 0 };

function note(durationMs: number): void {
  const { count, longestMs, totalMs } = pauses;
  pauses = {
    count: count + 1,
    longestMs: Math.max(longestMs, durationMs),
    totalMs: totalMs + durationMs,
  };
}

function obey(command: HookCommand): void {
  if (command === 'forget') pauses = { count: 0, longestMs: 0, totalMs: 0 };
  if (command !== 'collect') return;
  setFlagsFromString('--expose-gc');
  const collect = runInNewContext('gc') as () => void;
  // Twice: what the first finds dead may have kept memory outside the heap alive.
  collect();
  collect();
}

const folder = process.env[hookFolderName];
if (folder !== undefined) {
  new PerformanceObserver((list) => {
    for (const { duration } of list.getEntries()) note(duration);
  }).observe({ entryTypes: ['gc'] });
  createServer((socket) => {
    socket.on('error', () => undefined);
    socket.once('data', (command) => {
      obey(command.toString() as HookCommand);
      socket.end(JSON.stringify(pauses));
    });
  })
    .listen(hookSocket(folder, process.pid))
    .unref();
}
