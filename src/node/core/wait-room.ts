/** How much may wait at the keys of a node: readers, and conditional writes with their values. */
import type { Condition } from './key-work.js';

/** Further ones are refused. */
const waitersMax = 65_536;
/** Of the values of conditional writes. */
const bytesMax = 64 * 1024 * 1024;

export class WaitRoom {
  #waiters = 0;
  #bytes = 0;

  get waiters(): number {
    return this.#waiters;
  }

  /** @param condition - undefined: a reader. @returns false if there is no room */
  enter(condition?: Condition): boolean {
    const bytes = bytesOf(condition);
    if (this.#waiters >= waitersMax || this.#bytes + bytes > bytesMax) return false;
    this.#waiters++;
    this.#bytes += bytes;
    return true;
  }

  leave(condition?: Condition): void {
    this.#waiters--;
    this.#bytes -= bytesOf(condition);
  }
}

function bytesOf(condition: Condition | undefined): number {
  return condition?.value?.length ?? 0;
}
