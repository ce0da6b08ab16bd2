/**
 * The clock that all nodes and clients follow, and that ages of writes and tombstones are told by (PROTOCOL W10). It
 * goes on from where it was saved, should the host's be behind that when a manager is started again: a clock that was set
 * back in between would let writes in that are older than the tombstones that may have been dropped.
 */
import type { ManagerPorts } from './ports.js';

/** Saved at least as often: far less than lies between the age of a write and that of a tombstone. */
const savedEveryMs = 60_000;
const toldFromUs = 1_000_000;

export class ManagerClock {
  readonly #ports: ManagerPorts;
  /** Of the host's clock. */
  #aheadUs = 0;
  #savedAtMs = -Infinity;

  constructor(ports: ManagerPorts) {
    this.#ports = ports;
  }

  /** Microseconds since 1970, as the host saw it when the cluster was created. */
  get nowUs(): number {
    return this.#ports.clockUs() + this.#aheadUs;
  }

  /** @param savedUs - what it showed when it was saved last */
  restore(savedUs: number): void {
    this.#aheadUs = Math.max(0, savedUs - this.#ports.clockUs());
    if (this.#aheadUs < toldFromUs) return;
    const seconds = Math.round(this.#aheadUs / 1e6);
    this.#ports.log(
      'warn',
      `this host's clock is ${seconds} s behind the cluster's, which goes on by its own`,
    );
  }

  get isSaveDue(): boolean {
    return this.#ports.nowMs() - this.#savedAtMs >= savedEveryMs;
  }

  /** @returns what is to be saved, at once */
  saved(): number {
    this.#savedAtMs = this.#ports.nowMs();
    return this.nowUs;
  }
}
