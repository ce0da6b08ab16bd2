/**
 * The manager's clock, which tells the age of writes, tombstones and values (W1, W10), estimated from its answers. An
 * answer that took a round trip of `r` tells it to within `r / 2` (Cristian, *Probabilistic clock synchronization*, 1989).
 * A node that was stopped finds answers that lay there all the while: of two estimates the closer one counts. And as that clock
 * never goes back, no answer sets the estimate back by more than both may be off.
 */
import { clockDriftRatio } from '../../protocol/settings.js';

export class ClusterClock {
  readonly #nowMs: () => number;
  #offsetUs: number | null = null;
  #errorUs = 0;
  #sampledMs = 0;
  #isDoubtful = true;

  /** @param nowMs milliseconds of this host's monotonic clock */
  constructor(nowMs: () => number) {
    this.#nowMs = nowMs;
  }

  /** Without it there is no age and no expiry, hence no service. */
  get isKnown(): boolean {
    return this.#offsetUs !== null;
  }

  /** Known, and the own clock has not stood still since. */
  get isSure(): boolean {
    return this.isKnown && !this.#isDoubtful;
  }

  /** Microseconds, estimated. */
  nowUs(): number {
    return Math.floor(this.#nowMs() * 1000 + (this.#offsetUs ?? 0));
  }

  /** Microseconds by which the estimate was off at most when it was made. */
  get errorUs(): number {
    return this.#errorUs;
  }

  /** An answer has come that names the manager's clock, to a question sent at `sentMs` of the own one. */
  answered(sentMs: number, clockUs: number): void {
    const nowMs = this.#nowMs();
    const errorUs = ((nowMs - sentMs) / 2) * 1000;
    const grownUs = (nowMs - this.#sampledMs) * 1000 * clockDriftRatio;
    if (!this.#isDoubtful && errorUs > this.#errorUs + grownUs) return;
    const leastUs = (this.#offsetUs ?? -Infinity) - this.#errorUs - grownUs - errorUs;
    this.#offsetUs = Math.max(clockUs + errorUs - nowMs * 1000, leastUs);
    this.#errorUs = errorUs;
    this.#isDoubtful = false;
    this.#sampledMs = nowMs;
  }

  /** The own clock seems to have stood still: the next answer counts, however long it took. */
  doubt(): void {
    this.#isDoubtful = true;
  }
}
