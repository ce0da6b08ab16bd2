/** How much may wait at the keys of a node: readers, and writes with their values. */

/** Further ones are refused. */
const waitersMax = 65_536;
/** Of the values of writes. */
const bytesMax = 64 * 1024 * 1024;

interface Write {
  readonly value: Uint8Array | null;
}

export class WaitRoom {
  #waiters = 0;
  #bytes = 0;

  get waiters(): number {
    return this.#waiters;
  }

  /** @param write - undefined: a reader. @returns false if there is no room */
  enter(write?: Write): boolean {
    const bytes = bytesOf(write);
    if (this.#waiters >= waitersMax || this.#bytes + bytes > bytesMax) return false;
    this.#waiters++;
    this.#bytes += bytes;
    return true;
  }

  leave(write?: Write): void {
    this.#waiters--;
    this.#bytes -= bytesOf(write);
  }
}

function bytesOf(write: Write | undefined): number {
  return write?.value?.length ?? 0;
}
