/**
 * The clock that all nodes and clients follow, and that ages of writes and tombstones are told by (PROTOCOL W10). It
 * goes on from where it was saved, should the host's be behind that when a manager is started again: a clock that was set
 * back in between would let writes in that are older than the tombstones that may have been dropped.
 */
import type { ManagerPorts } from './ports.js';
import type { ManagerState } from './state.js';

/** Saved at least as often: far less than lies between the age of a write and that of a tombstone. */
const savedEveryMs = 60_000;

export class ManagerClock {
  readonly #ports: ManagerPorts;
  /** Of the host's clock. */
  #aheadUs = 0;
  #savedAtMs = -Infinity;
  #wasSuspended = false;

  constructor(ports: ManagerPorts) {
    this.#ports = ports;
  }

  /** Microseconds since 1970, as the host saw it when the cluster was created. */
  get nowUs(): number {
    return this.#ports.clockUs() + this.#aheadUs;
  }

  /**
   * @param clockUs - what it showed when it was saved last; since then it may have been told for as long as lies between
   *   two saves
   * @param clockAheadUs - by how much it was ahead of the host's then
   */
  restore({ clockUs: savedUs = 0, clockAheadUs = 0 }: Pick<ManagerState, 'clockUs' | 'clockAheadUs'>): void {
    const hostUs = this.#ports.clockUs();
    const behindUs = savedUs - hostUs;
    if (behindUs <= 0) return;
    // A host's clock that has gone on since tells how long ago that was; else each start would set this one further ahead.
    const hasGoneOn = hostUs >= savedUs - clockAheadUs;
    this.#aheadUs = Math.min(behindUs + savedEveryMs * 1000, hasGoneOn ? clockAheadUs : Infinity);
    const seconds = Math.round(this.#aheadUs / 1e6);
    this.#ports.log(
      'warn',
      `this host's clock is behind the cluster's: the cluster's goes on, ${seconds} s ahead of it; nothing need be done`,
    );
  }

  /** This host was suspended: its monotonic clock stood still, and the other one has caught up, which is to be saved soon. */
  onSuspended(): void {
    this.#wasSuspended = true;
    this.#savedAtMs = -Infinity;
  }

  /** Whether it was, since the last call. */
  takeSuspension(): boolean {
    const wasSuspended = this.#wasSuspended;
    this.#wasSuspended = false;
    return wasSuspended;
  }

  get isSaveDue(): boolean {
    return this.#ports.nowMs() - this.#savedAtMs >= savedEveryMs;
  }

  /** It is to be saved at once. */
  toSave(): Pick<ManagerState, 'clockUs' | 'clockAheadUs'> {
    this.#savedAtMs = this.#ports.nowMs();
    const ahead = this.#aheadUs === 0 ? {} : { clockAheadUs: this.#aheadUs };
    return { clockUs: this.nowUs, ...ahead };
  }
}
