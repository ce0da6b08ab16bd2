/**
 * The clocks of the manager's host: the monotonic one, and the one that ages and expiries are told by, which goes on from the
 * wall clock as it was at the start, whatever is done to that later (PROTOCOL W10).
 *
 * While the host is suspended the monotonic clock stands still; nodes and clients on other hosts count on. So then the second
 * one catches up with the wall clock. A step of the wall clock looks the same, and is followed, but never back.
 */
import { SampledClock } from '../transport/sampled-clock.js';

export class HostClock {
  readonly #clock = new SampledClock();
  /** By which the monotonic clock is behind. */
  #baseUs: number;
  readonly #onSuspended: () => void;

  /** @param onSuspended - nobody was heard meanwhile, and who has learnt from it how far its own clock is off must learn it anew */
  constructor(onSuspended: () => void) {
    this.#baseUs = this.#wallBaseUs;
    this.#onSuspended = onSuspended;
  }

  get #wallBaseUs(): number {
    return Date.now() * 1000 - this.#clock.nowMs * 1000;
  }

  /** Milliseconds of the monotonic clock, as of the last `sample`. */
  get nowMs(): number {
    return this.#clock.nowMs;
  }

  /** Microseconds since 1970. */
  get nowUs(): number {
    return Math.floor(this.#baseUs + this.#clock.nowMs * 1000);
  }

  /** Before anything is handled. */
  sample(): void {
    if (!this.#clock.sample()) return;
    this.#baseUs = Math.max(this.#baseUs, this.#wallBaseUs);
    this.#onSuspended();
  }
}
