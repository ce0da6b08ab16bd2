/** One deadline for a call of several steps. */
import { GTStoreError } from '../protocol/errors.js';
import type { WriteOutcome } from '../protocol/errors.js';
import { clearTimeout, monotonicMs, setTimeout } from '../transport/real-time.js';
import { abortedError, forgetAbort, onAbort } from './abort-watch.js';
import { checkedSignal, checkedTimeoutMs, checkOptions } from './arguments.js';
import type { OperationOptions } from './arguments.js';

/** Options of the next step of a call: what is left of its deadline. */
export type Left = OperationOptions & { readonly timeoutMs: number };
/** @throws GTStoreError TIMEOUT if nothing is left */
export type Remaining = () => Left;

/**
 * @param outcome - of a call that writes, between two of its steps
 * @throws GTStoreError INVALID_ARGUMENT
 */
export function remainingOf(options: OperationOptions, defaultMs: number, outcome?: WriteOutcome): Remaining {
  checkOptions(options);
  const signal = checkedSignal(options.signal);
  const timeoutMs = checkedTimeoutMs(options.timeoutMs, defaultMs);
  const untilMs = monotonicMs() + timeoutMs;
  return () => {
    const leftMs = untilMs - monotonicMs();
    if (leftMs <= 0) throw tooLate(timeoutMs, outcome);
    return signal === undefined ? { timeoutMs: leftMs } : { timeoutMs: leftMs, signal };
  };
}

/**
 * What the promise comes to, in the time that is left to a call that writes, between two of its steps.
 * @param closing - aborted when the client is closed
 * @param waitsFor - for the caller, should it take too long
 * @throws GTStoreError (rejects) with nothing applied: TIMEOUT, also when the call is aborted; CLOSED. Or what the promise is
 *   rejected with
 */
export function inTime<T>(
  promise: PromiseLike<T>,
  { timeoutMs, signal }: Left,
  closing: AbortSignal,
  waitsFor: string,
): Promise<T> {
  return new Promise((resolve, reject) => {
    const timer = setTimeout(() => {
      end(() => {
        const text = `waited for ${waitsFor} for all of the ${Math.ceil(timeoutMs)} ms that were left`;
        reject(new GTStoreError('TIMEOUT', text, { outcome: 'not-applied' }));
      });
    }, timeoutMs);
    const abort = (): void => {
      end(() => {
        reject(
          closing.aborted || signal === undefined
            ? closedError()
            : abortedError(signal, 'the call was aborted'),
        );
      });
    };
    const end = (settle: () => void): void => {
      clearTimeout(timer);
      forgetAbort(closing, abort);
      if (signal !== undefined) forgetAbort(signal, abort);
      settle();
    };
    onAbort(closing, abort);
    if (signal !== undefined) onAbort(signal, abort);
    if (closing.aborted || signal?.aborted === true) abort();
    promise.then(
      (result) => {
        end(() => {
          resolve(result);
        });
      },
      (error: unknown) => {
        end(() => {
          // eslint-disable-next-line @typescript-eslint/prefer-promise-reject-errors -- whatever the caller's function threw
          reject(error);
        });
      },
    );
  });
}

/** Of a call that has changed nothing so far. */
export function closedError(): GTStoreError {
  return new GTStoreError('CLOSED', 'the client was closed', { outcome: 'not-applied' });
}

/** Of a call that was not begun. */
export function queueFullError(): GTStoreError {
  const text = 'too many operations are under way; wait for some to end';
  return new GTStoreError('QUEUE_FULL', text, { outcome: 'not-applied' });
}

function tooLate(timeoutMs: number, outcome: WriteOutcome | undefined): GTStoreError {
  const text = `not done within ${Math.ceil(timeoutMs)} ms`;
  return new GTStoreError('TIMEOUT', text, outcome === undefined ? {} : { outcome });
}
