/** Processes by their ids, and waiting for what they do. */
import { readFileSync } from 'node:fs';
// Not the global ones: a test may have put fakes in their place.
import { clearTimeout, setTimeout } from 'node:timers';
import { setTimeout as pause } from 'node:timers/promises';

/** Sends a signal; @returns false if there is no such process. */
export function sendSignal(pid: number, signal: NodeJS.Signals | 0): boolean {
  // 0 and negative numbers mean whole groups.
  if (!(pid > 0)) return false;
  try {
    process.kill(pid, signal);
    return true;
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ESRCH') return false;
    throw error;
  }
}

/** A process that has ended but that nobody has asked about yet (a zombie) does not run. */
export function isRunning(pid: number): boolean {
  if (!sendSignal(pid, 0)) return false;
  return stateOf(pid) !== 'Z';
}

/** Stopped by SIGSTOP, where the system tells; else true, since the signal was sent. */
export function isPaused(pid: number): boolean {
  const state = stateOf(pid);
  return state === undefined || state === 'T';
}

/** The letter in /proc/PID/stat, after the command in parentheses. */
function stateOf(pid: number): string | undefined {
  return /^.*\) (\w)/s.exec(readProc(pid, 'stat') ?? '')?.[1];
}

/** Whether the process was started with `argument` on its command line; true where the system does not tell. */
export function hasArgument(pid: number, argument: string): boolean {
  return readProc(pid, 'cmdline')?.split('\0').includes(argument) ?? process.platform !== 'linux';
}

/** Where the system tells, those that the process has forked and that still run. */
export function childrenOf(pid: number): number[] {
  if (!(pid > 0)) return [];
  return (readProc(pid, `task/${pid}/children`) ?? '')
    .split(' ')
    .map(Number)
    .filter((each) => each > 0);
}

function readProc(pid: number, file: string): string | undefined {
  if (process.platform !== 'linux') return undefined;
  try {
    return readFileSync(`/proc/${pid}/${file}`, 'utf8');
  } catch {
    return undefined;
  }
}

const pollMsDefault = 5;

/**
 * Asks again and again until the answer is neither false nor undefined.
 * @param what - completes "not within 5000 ms: ..."
 * @throws Error (rejects) after `timeoutMs`
 */
export async function until<T>(
  what: string,
  timeoutMs: number,
  condition: () => T | Promise<T>,
  pollMs = pollMsDefault,
): Promise<Exclude<T, false | undefined>> {
  const endMs = performance.now() + timeoutMs;
  for (;;) {
    const answer = await condition();
    if (answer !== false && answer !== undefined) return answer as Exclude<T, false | undefined>;
    if (performance.now() > endMs) throw new Error(`not within ${timeoutMs} ms: ${what}`);
    await pause(pollMs);
  }
}

/**
 * What the promise comes to, unless that takes too long.
 * @param what - completes "not within 5000 ms: ..."
 */
export function withinMs<T>(what: string, timeoutMs: number, promise: Promise<T>): Promise<T> {
  return new Promise((resolve, reject) => {
    const timer = setTimeout(() => {
      reject(new Error(`not within ${timeoutMs} ms: ${what}`));
    }, timeoutMs);
    promise.then(resolve, reject).finally(() => {
      clearTimeout(timer);
    });
  });
}
