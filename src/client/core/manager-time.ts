/**
 * The manager's clock as a client knows it: its own monotonic clock, and how far apart they were when the manager greeted it (W1, W11).
 *
 * While the client's host is suspended its monotonic clock stands still. How far it is behind then is told by the next greeting. A
 * new version waits for that (W10): it might be refused as too old. The end of a value's life may not come early
 * by all the time that the host was suspended: a lock taken then would be told to be held, and be free *[found]*. So
 * lives are counted from where the wall clock says that the manager's is. If that was only set ahead, they last longer.
 */
export class ManagerTime {
  readonly #nowMs: () => number;
  #offsetUs: number | null = null;
  /** By which the wall clock ran ahead since. */
  #sleptUs = 0;

  /** @param nowMs milliseconds of this host's monotonic clock */
  constructor(nowMs: () => number) {
    this.#nowMs = nowMs;
  }

  get isKnown(): boolean {
    return this.#offsetUs !== null;
  }

  /** Microseconds by which it is ahead of the own one, as a greeting tells it, to a dial `ageMs` ago. */
  offsetOf(clockUs: number, ageMs: number): number {
    return clockUs + (ageMs / 2 - this.#nowMs()) * 1000;
  }

  learnt(offsetUs: number): void {
    this.#offsetUs = offsetUs;
    this.#sleptUs = 0;
  }

  /** This host was suspended. */
  slept(forMs: number): void {
    this.#sleptUs += forMs * 1000;
  }

  /** Microseconds, for versions. */
  get clockUs(): number {
    return Math.floor(this.#nowMs() * 1000 + (this.#offsetUs ?? 0));
  }

  /** Microseconds, for times to live. */
  get lifeClockUs(): number {
    return this.clockUs + Math.floor(this.#sleptUs);
  }
}
