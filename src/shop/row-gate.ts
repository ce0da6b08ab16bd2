/** Counts rows as they begin and end, holds workers back at a limit, and wakes who waits for a certain progress. */

interface Waiter {
  readonly isOver: () => boolean;
  readonly wake: () => void;
}

export class RowGate {
  #begun = 0;
  #ended = 0;
  #limit: number;
  #isClosed = false;
  #waiters: Waiter[] = [];

  /** @param limit how many rows may begin until `allow` says otherwise */
  constructor(limit = Infinity) {
    this.#limit = limit;
  }

  get ended(): number {
    return this.#ended;
  }

  get isClosed(): boolean {
    return this.#isClosed;
  }

  /** Waits until one more row may begin; false: no further row, the gate is closed. */
  async begin(): Promise<boolean> {
    while (!this.#isClosed && this.#begun >= this.#limit) {
      await this.#until(() => this.#begun < this.#limit);
    }
    if (this.#isClosed) return false;
    this.#begun += 1;
    return true;
  }

  end(): void {
    this.#ended += 1;
    this.#wake();
  }

  /** Raises the limit. */
  allow(limit: number): void {
    this.#limit = Math.max(this.#limit, limit);
    this.#wake();
  }

  /** Waits until that many rows have ended; false if the gate was closed before. */
  async reached(ended: number): Promise<boolean> {
    await this.#until(() => this.#ended >= ended);
    return this.#ended >= ended;
  }

  /** No further row begins; everyone who waits goes on. */
  close(): void {
    this.#isClosed = true;
    this.#wake();
  }

  async #until(isOver: () => boolean): Promise<void> {
    if (this.#isClosed || isOver()) return;
    await new Promise<void>((wake) => this.#waiters.push({ isOver, wake }));
  }

  #wake(): void {
    const waiters = this.#waiters;
    this.#waiters = [];
    for (const waiter of waiters) {
      if (this.#isClosed || waiter.isOver()) waiter.wake();
      else this.#waiters.push(waiter);
    }
  }
}
