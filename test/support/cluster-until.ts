/**
 * Waiting for what other processes do: never for a time that somebody guessed, but for a condition, with a deadline
 * that is generous because a test that passes never waits for it.
 */
import { setInterval } from 'node:timers/promises';
import { until } from './until.js';

const timeoutMsDefault = 20_000;

/**
 * @param what completes "not within 20000 ms: ..."
 * @returns the first answer that is none of false, null and undefined
 * @throws Error (rejects) after `timeoutMs`
 */
export function eventually<T>(
  what: string,
  condition: () => T | Promise<T>,
  timeoutMs = timeoutMsDefault,
): Promise<Exclude<T, false | null | undefined>> {
  return until(condition, { what, timeoutMs });
}

/** The promise's result. @throws Error (rejects) if it is not settled after `timeoutMs` */
export function within<T>(what: string, timeoutMs: number, promise: Promise<T>): Promise<T> {
  return new Promise((resolve, reject) => {
    const timer = setTimeout(() => {
      reject(new Error(`not within ${timeoutMs} ms: ${what}`));
    }, timeoutMs);
    promise.then(resolve, reject).finally(() => {
      clearTimeout(timer);
    });
  });
}

/** Fulfilled when `ms` have passed: for stretches of time, under load, that are themselves what is tested. */
export async function stretch(ms: number): Promise<void> {
  const endMs = performance.now() + ms;
  await eventually(`${ms} ms have passed`, () => performance.now() >= endMs, ms + timeoutMsDefault);
}

/** Calls `act` again and again, `everyMs` after it was called last or when that call has ended, until it answers false. */
export async function repeat(everyMs: number, act: () => Promise<boolean>): Promise<void> {
  if (!(await act())) return;
  for await (const _tick of setInterval(everyMs)) if (!(await act())) return;
}
