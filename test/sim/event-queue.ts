/** Events by virtual time; those of one time in the order they were added. A binary heap. */
interface Event {
  readonly atMs: number;
  readonly order: number;
  readonly run: () => void;
}

/** Some hundreds in the worst of schedules. */
const eventsAtOnceMax = 100_000;

export class EventQueue {
  readonly #heap: Event[] = [];
  #order = 0;
  /** Events run since the clock moved. */
  #atOnce = 0;
  nowMs = 0;

  get size(): number {
    return this.#heap.length;
  }

  after(delayMs: number, run: () => void): void {
    this.at(this.nowMs + delayMs, run);
  }

  at(atMs: number, run: () => void): void {
    const heap = this.#heap;
    const event = { atMs, order: ++this.#order, run };
    let i = heap.length;
    heap.push(event);
    while (i > 0) {
      const parent = (i - 1) >> 1;
      const above = heap[parent];
      if (above === undefined || !isBefore(event, above)) break;
      heap[i] = above;
      i = parent;
    }
    heap[i] = event;
  }

  /**
   * Runs the next event. @returns false if there is none, or none up to `untilMs`
   * @throws Error if events beget events, and time stands still
   */
  step(untilMs: number): boolean {
    const heap = this.#heap;
    const first = heap[0];
    if (first === undefined || first.atMs > untilMs) return false;
    const last = heap.pop();
    if (last !== undefined && heap.length > 0) this.#sink(last);
    this.#atOnce = first.atMs > this.nowMs ? 0 : this.#atOnce + 1;
    if (this.#atOnce > eventsAtOnceMax) throw new Error('time stands still: events without end');
    this.nowMs = Math.max(this.nowMs, first.atMs);
    first.run();
    return true;
  }

  #sink(event: Event): void {
    const heap = this.#heap;
    let i = 0;
    for (;;) {
      let child = 2 * i + 1;
      const left = heap[child];
      if (left === undefined) break;
      const right = heap[child + 1];
      let least = left;
      if (right !== undefined && isBefore(right, left)) {
        child++;
        least = right;
      }
      if (!isBefore(least, event)) break;
      heap[i] = least;
      i = child;
    }
    heap[i] = event;
  }
}

function isBefore(a: Event, b: Event): boolean {
  return a.atMs !== b.atMs ? a.atMs < b.atMs : a.order < b.order;
}
