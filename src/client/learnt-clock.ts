/**
 * The cluster's clock as a client knows it (W1): its own monotonic clock and an offset, told by greetings. A suspension of this
 * host, for which the own clock stood still, leaves it in doubt until somebody has told it anew. Even without that the two drift
 * apart, by 2 % at most: whoever has a client for weeks shall not be too late with his puts some day (W10).
 */
import { SampledClock } from '../transport/sampled-clock.js';
import { ManagerTime } from './core/manager-time.js';

export interface LearntClockListener {
  /** This host was suspended for so long, or its wall clock was set ahead by that. */
  suspended(ms: number): void;
  /** It is in doubt no longer. */
  learnt(): void;
  /** Nobody has told it for long. */
  stale(): void;
}

/** When somebody was asked for the time: with his answer that gives an offset. */
export interface Asked {
  readonly atMs: number;
  readonly suspensions: number;
}

/** The clock is known to within half of what a greeting took since it was dialled: longer, and it is dialled anew. */
const greetingMsMax = 1000;
/** On a way that is always so slow it is taken after all. */
const lateGreetingsMax = 2;
/** After so long it is asked for again: 12 s off at most. */
const freshMsDefault = 10 * 60_000;

export class LearntClock extends SampledClock {
  readonly #listener: LearntClockListener;
  readonly #freshMs: number;
  /** Or when it was found to be stale last. */
  #learntAtMs = this.nowMs;
  readonly #time = new ManagerTime(() => this.nowMs);
  #isDoubtful = false;
  /** How often this host was suspended. */
  #suspensions = 0;
  /** Greetings in a row that took long. */
  #lateGreetings = 0;

  constructor(listener: LearntClockListener, freshMs = freshMsDefault) {
    super();
    this.#listener = listener;
    this.#freshMs = freshMs;
  }

  get isKnown(): boolean {
    return this.#time.isKnown;
  }

  get isDoubtful(): boolean {
    return this.#isDoubtful;
  }

  /** Microseconds of the manager's clock as of the last `sample`, for versions. */
  get clockUs(): number {
    return this.#time.clockUs;
  }

  /** The same for times to live. */
  get lifeClockUs(): number {
    return this.#time.lifeClockUs;
  }

  /** Before anything is handled. */
  override sample(): boolean {
    const wasSuspended = super.sample();
    if (wasSuspended) {
      this.#suspensions++;
      this.#time.slept(this.aheadMs);
      this.#isDoubtful = this.isKnown;
      this.#listener.suspended(this.aheadMs);
    }
    if (this.nowMs - this.#learntAtMs > this.#freshMs) {
      this.#learntAtMs = this.nowMs;
      this.#listener.stale();
    }
    return wasSuspended;
  }

  asks(): Asked {
    this.sample();
    return { atMs: this.nowMs, suspensions: this.#suspensions };
  }

  /** @returns the offset in microseconds that this greeting tells; null: it may be too old, ask anew */
  offsetOf(clockUs: number, asked: Asked): number | null {
    this.sample();
    const ageMsMax = this.nowMs - asked.atMs;
    const wasSuspended = asked.suspensions !== this.#suspensions;
    if (wasSuspended || (ageMsMax > greetingMsMax && this.#lateGreetings < lateGreetingsMax)) {
      this.#lateGreetings++;
      return null;
    }
    // Where the way always takes so long, it is not to be dialled three times with every connection.
    if (ageMsMax <= greetingMsMax) this.#lateGreetings = 0;
    return this.#time.offsetOf(clockUs, ageMsMax);
  }

  learn(offsetUs: number): void {
    this.#time.learnt(offsetUs);
    this.#learntAtMs = this.nowMs;
    if (!this.#isDoubtful) return;
    this.#isDoubtful = false;
    this.#listener.learnt();
  }
}
