/** Many calls may share one AbortSignal: it gets one listener, however many of them are under way (Node warns at 11). */
import { GTStoreError } from '../protocol/errors.js';

class AbortWatch {
  readonly #signal: AbortSignal;
  readonly #acts = new Set<() => void>();

  constructor(signal: AbortSignal) {
    this.#signal = signal;
    signal.addEventListener('abort', this.#aborted);
  }

  add(act: () => void): void {
    this.#acts.add(act);
  }

  remove(act: () => void): void {
    this.#acts.delete(act);
    if (this.#acts.size === 0) this.#end();
  }

  readonly #aborted = (): void => {
    this.#end();
    for (const act of this.#acts) act();
  };

  #end(): void {
    watches.delete(this.#signal);
    this.#signal.removeEventListener('abort', this.#aborted);
  }
}

const watches = new WeakMap<AbortSignal, AbortWatch>();

/** Calls `act` when the signal is aborted, unless `forgetAbort` comes first. */
export function onAbort(signal: AbortSignal, act: () => void): void {
  let watch = watches.get(signal);
  if (watch === undefined) watches.set(signal, (watch = new AbortWatch(signal)));
  watch.add(act);
}

export function forgetAbort(signal: AbortSignal, act: () => void): void {
  watches.get(signal)?.remove(act);
}

/** Of a call that has changed nothing so far. */
export function abortedError(signal: AbortSignal, text: string): GTStoreError {
  return new GTStoreError('TIMEOUT', text, {
    cause: signal.reason,
    outcome: 'not-applied',
    isAborted: true,
  });
}
