/**
 * Large values are written a few at a time. All of them at once would be on their way no sooner: they fill the buffers of sockets and
 * keep the cores of nodes busy one after the other, and whatever is small waits behind them, this client's requests and others'.
 *
 * A write counts from when it is sent until it is decided, and for `msMax` at most: how long a disk, a long line or a node that
 * has stopped takes is nothing that others should wait for. What finds no room waits as it does for a full connection, sent to nobody.
 */
import type { Operation } from './operation.js';

export interface LargeWriteLimits {
  /** A value of so many bytes is large. */
  readonly bytesMin: number;
  /** Once so many are under way none is added. How large the next one is does not matter: it would never have its turn among smaller ones. */
  readonly bytesEnough: number;
  readonly msMax: number;
}

/** Two of the largest that the defaults of a cluster allow. */
export const largeWriteLimits: LargeWriteLimits = { bytesMin: 65_536, bytesEnough: 2_000_000, msMax: 50 };

export class LargeWrites {
  readonly #limits: LargeWriteLimits;
  readonly #retry: () => void;
  #bytes = 0;
  /** Some have been counted off. */
  #hasRoom = false;

  /** @param retry to be called when there is room for those that have been turned away */
  constructor(limits: LargeWriteLimits, retry: () => void) {
    this.#limits = limits;
    this.#retry = retry;
  }

  /**
   * @param isTurn for one that asks for its turn among puts (RMW7), whether there is room or not: puts of this client may be what
   *   waits for the end of that turn, and keep the room meanwhile
   * @returns false: there is no room for it now; otherwise it counts, if it is large
   */
  admit(operation: Operation, isTurn = false): boolean {
    const bytes = operation.payload?.length ?? 0;
    if (bytes < this.#limits.bytesMin || operation.largeBytes > 0) return true;
    if (!isTurn && this.#bytes >= this.#limits.bytesEnough) {
      operation.waitsForLarge = true;
      return false;
    }
    this.#bytes += bytes;
    operation.largeBytes = bytes;
    return true;
  }

  /** It counts no longer. */
  ended(operation: Operation): void {
    if (operation.largeBytes === 0) return;
    this.#bytes -= operation.largeBytes;
    operation.largeBytes = 0;
    this.#hasRoom = true;
  }

  /** Call now and then. */
  look(operation: Operation, nowMs: number): void {
    if (operation.largeBytes > 0 && nowMs - operation.sentMs >= this.#limits.msMax) this.ended(operation);
  }

  /** Those that have been turned away have their turn before what the caller begins next. */
  useRoom(): void {
    if (!this.#hasRoom) return;
    this.#hasRoom = false;
    this.#retry();
  }
}
