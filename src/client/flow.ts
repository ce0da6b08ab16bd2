/** Small helpers for doing several things at once, or a little later. */
import { abortedError, forgetAbort, onAbort } from './abort-watch.js';

const conflictPauseMsMax = 32;

/** Fulfilled after so many milliseconds. */
export function pause(ms: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, ms));
}

/** How long to wait after so many lost races for one key: longer each time, and by chance. */
export function conflictPauseMs(conflicts: number): number {
  return Math.random() * Math.min(conflictPauseMsMax, 2 ** conflicts);
}

/** Fulfilled when it is time to try again after so many conflicts. */
export function pauseAfter(conflicts: number): Promise<void> {
  return pause(conflictPauseMs(conflicts));
}

/**
 * Applies `act` to all items, at most `window` at a time, and gives the results in order. After the first error no more
 * are begun.
 * @throws (rejects) the first error, when all that were begun have ended
 */
export async function mapInWindow<T, R>(
  items: Iterable<T>,
  window: number,
  act: (item: T) => Promise<R>,
): Promise<R[]> {
  const results: R[] = [];
  const errors: unknown[] = [];
  const iterator = items[Symbol.iterator]();
  let count = 0;
  const work = async (): Promise<void> => {
    while (errors.length === 0) {
      const next = iterator.next();
      if (next.done === true) return;
      const index = count++;
      results[index] = await act(next.value);
    }
  };
  const keepError = (error: unknown): void => {
    errors.push(error);
  };
  await Promise.all(Array.from({ length: window }, () => work().catch(keepError)));
  if (errors.length === 0) return results;
  iterator.return?.();
  throw errors[0];
}

/**
 * The result of the promise, if it has one within so many milliseconds.
 * @throws (rejects) what `late` makes otherwise; when the signal is aborted before that, TIMEOUT
 */
export async function withinMs<T>(
  promise: Promise<T>,
  ms: number,
  late: () => Error,
  signal?: AbortSignal,
): Promise<T> {
  const { promise: lateness, reject } = withReject();
  const timer = setTimeout(() => {
    reject(late());
  }, ms);
  const abort = (): void => {
    if (signal !== undefined) reject(abortedError(signal, 'the call was aborted'));
  };
  if (signal?.aborted === true) abort();
  else if (signal !== undefined) onAbort(signal, abort);
  try {
    return await Promise.race([promise, lateness]);
  } finally {
    clearTimeout(timer);
    if (signal !== undefined) forgetAbort(signal, abort);
  }
}

function withReject(): { promise: Promise<never>; reject: (error: Error) => void } {
  let reject: (error: Error) => void = () => undefined;
  const promise = new Promise<never>((_resolve, fail) => {
    reject = fail;
  });
  return { promise, reject };
}
