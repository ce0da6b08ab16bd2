/**
 * The monotonic clock, read once for all that is done on one occasion: a chunk of messages, a tick. Whoever is called
 * by the event loop samples first.
 *
 * The monotonic clock stands still while the host is suspended (a laptop's lid, a paused virtual machine), the wall
 * clock does not: `sample` tells when the latter ran ahead. A step of the wall clock looks the same, so whoever is
 * told may only give something up, never gain by it.
 */
import { Date, monotonicMs } from './real-time.js';

const suspensionMsMin = 200;

export class SampledClock {
  #nowMs = monotonicMs();
  #wallMs = Date.now();
  #aheadMs = 0;

  /** Milliseconds, as of the last `sample`. */
  get nowMs(): number {
    return this.#nowMs;
  }

  /** By how much more the wall clock had gone on at the last `sample`: for how long the host was suspended, if it was. */
  get aheadMs(): number {
    return this.#aheadMs;
  }

  /** @returns whether the host seems to have been suspended since the last call. */
  sample(): boolean {
    const elapsedMs = -this.#nowMs + (this.#nowMs = monotonicMs());
    const wallElapsedMs = -this.#wallMs + (this.#wallMs = Date.now());
    this.#aheadMs = wallElapsedMs - elapsedMs;
    return this.#aheadMs > suspensionMsMin;
  }
}
