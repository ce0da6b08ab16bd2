/**
 * The schedule of an open loop: operations are due at even intervals, whether the ones before have ended or not. A lane
 * that becomes free takes the next due time; if that has passed already, the wait for a free lane belongs to the
 * latency, which is measured from the due time (no coordinated omission).
 *
 * A lane that waits for its time is woken by a timer, and timers are coarse: up to `timerSlackMs` late it counts from
 * when it was woken, for that delay is ours and not the store's. Later than that, the process had no time for it,
 * perhaps because of the answers, and all of it counts.
 */

export const timerSlackMs = 2;

export class Pacer {
  readonly #stepMs: number;
  #dueMs = 0;
  #waiting: ((beganMs: number) => void)[] = [];
  #timer: NodeJS.Timeout | undefined;
  #isStopped = false;

  constructor(ratePerSecond: number) {
    this.#stepMs = 1000 / ratePerSecond;
  }

  /** @param phase - from 0 to below 1: where in its interval the first operation is due */
  start(nowMs: number, phase: number): void {
    this.#dueMs = nowMs + phase * this.#stepMs;
  }

  /** From when the next operation counts: a time at or before now, later by a promise, NaN once it is stopped. */
  next(nowMs: number): number | Promise<number> {
    if (this.#isStopped) return NaN;
    if (this.#waiting.length === 0 && this.#dueMs <= nowMs) return this.#take();
    return new Promise((resolve) => {
      this.#waiting.push(resolve);
      this.#wait(nowMs);
    });
  }

  /** Operations that were due before `endMs` and that no lane was free for. */
  backlog(endMs: number): number {
    return this.#dueMs >= endMs ? 0 : Math.ceil((endMs - this.#dueMs) / this.#stepMs);
  }

  stop(): void {
    this.#isStopped = true;
    clearTimeout(this.#timer);
    for (const resolve of this.#waiting) resolve(NaN);
    this.#waiting = [];
  }

  #take(): number {
    const dueMs = this.#dueMs;
    this.#dueMs += this.#stepMs;
    return dueMs;
  }

  #wait(nowMs: number): void {
    this.#timer ??= setTimeout(() => this.#wake(), Math.max(0, this.#dueMs - nowMs));
  }

  #wake(): void {
    this.#timer = undefined;
    const nowMs = performance.now();
    let woken = 0;
    while (woken < this.#waiting.length && this.#dueMs <= nowMs) {
      const dueMs = this.#take();
      this.#waiting[woken++]?.(nowMs - dueMs <= timerSlackMs ? nowMs : dueMs);
    }
    this.#waiting.splice(0, woken);
    if (this.#waiting.length > 0) this.#wait(nowMs);
  }
}
