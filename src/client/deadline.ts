/** One deadline for a call of several steps. */
import { GTStoreError } from '../protocol/errors.js';
import type { WriteOutcome } from '../protocol/errors.js';
import { checkedTimeoutMs, checkOptions } from './arguments.js';
import type { OperationOptions } from './arguments.js';
import { withinMs } from './flow.js';

/** Options of the next step of a call: what is left of its deadline. @throws GTStoreError TIMEOUT if nothing is */
export type Remaining = () => OperationOptions & { readonly timeoutMs: number };

/**
 * @param outcome - of a call that writes, between two of its steps
 * @throws GTStoreError INVALID_ARGUMENT
 */
export function remainingOf(options: OperationOptions, defaultMs: number, outcome?: WriteOutcome): Remaining {
  checkOptions(options);
  const { signal } = options;
  const timeoutMs = checkedTimeoutMs(options.timeoutMs, defaultMs);
  const untilMs = performance.now() + timeoutMs;
  return () => {
    const leftMs = untilMs - performance.now();
    if (leftMs <= 0) throw tooLate(timeoutMs, outcome);
    return signal === undefined ? { timeoutMs: leftMs } : { timeoutMs: leftMs, signal };
  };
}

/**
 * What work of the caller's own comes to, in the time that is left. Not begun if there is none.
 * @throws GTStoreError (rejects) TIMEOUT, nothing applied; or what the work throws
 */
export async function inTime<T>(work: () => T | PromiseLike<T>, remaining: Remaining): Promise<T> {
  const { timeoutMs, signal } = remaining();
  const result = work();
  if (!isThenable(result)) return result;
  const late = (): GTStoreError => tooLate(timeoutMs, 'not-applied');
  return withinMs(Promise.resolve(result), timeoutMs, late, signal);
}

function isThenable<T>(result: T | PromiseLike<T>): result is PromiseLike<T> {
  return typeof (result as { readonly then?: unknown } | null | undefined)?.then === 'function';
}

function tooLate(timeoutMs: number, outcome: WriteOutcome | undefined): GTStoreError {
  const text = `not done within ${Math.ceil(timeoutMs)} ms`;
  return new GTStoreError('TIMEOUT', text, outcome === undefined ? {} : { outcome });
}
