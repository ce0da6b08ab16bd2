/**
 * Whose turn it is to change a key. Calls that read a key, change it and store it only if nobody came between would, if many of
 * one client did so at once, let all but one of them be in vain each time: so they wait for each other.
 *
 * Invariants:
 *  - Of the calls of a key the first has the turn, until it leaves; one that waits no longer leaves, too.
 *  - A key without such calls takes no memory.
 */
export class KeyTurns {
  readonly #last = new Map<string, Turn>();

  /** At the end of the line; it has the turn at once if there is nobody. `leave` must follow. */
  enter(key: string): Turn {
    const turn = new Turn(key, this.#last.get(key));
    this.#last.set(key, turn);
    return turn;
  }

  /** The next has the turn. A second time, nothing happens. */
  leave(turn: Turn): void {
    const { key, before } = turn;
    if (!turn.unlink() || this.#last.get(key) !== turn) return;
    if (before === undefined) this.#last.delete(key);
    else this.#last.set(key, before);
  }
}

/** One call's place in the line of a key. */
export class Turn {
  readonly key: string;
  #before: Turn | undefined;
  #after: Turn | undefined;
  #isOver = false;
  #begin: (() => void) | undefined;

  constructor(key: string, before: Turn | undefined) {
    this.key = key;
    this.#before = before;
    if (before !== undefined) before.#after = this;
  }

  /** Who is next before it in the line, if it is not its turn. */
  get before(): Turn | undefined {
    return this.#before;
  }

  /** Fulfilled when it is its turn. */
  begun(): Promise<void> {
    if (this.#before === undefined) return Promise.resolve();
    return new Promise((resolve) => (this.#begin = resolve));
  }

  /** Out of the line. @returns whether it was in it */
  unlink(): boolean {
    if (this.#isOver) return false;
    this.#isOver = true;
    const [before, after] = [this.#before, this.#after];
    this.#before = this.#after = undefined;
    if (before !== undefined) before.#after = after;
    if (after === undefined) return true;
    after.#before = before;
    if (before === undefined) after.#begin?.();
    return true;
  }
}
