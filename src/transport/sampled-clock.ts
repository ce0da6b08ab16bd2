/**
 * The monotonic clock, read once for all that is done on one occasion: a chunk of messages, a tick. Whoever is called
 * by the event loop samples first.
 */
import { performance } from 'node:perf_hooks';

export class SampledClock {
  #nowMs = performance.now();

  /** Milliseconds, as of the last `sample`. */
  get nowMs(): number {
    return this.#nowMs;
  }

  sample(): void {
    this.#nowMs = performance.now();
  }
}
