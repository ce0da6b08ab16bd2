/**
 * States on their way to the disk, one at a time. Of those that come while one is being written only the newest is kept: each holds
 * all that the ones before it held. One that could not be saved is tried again, unless a newer one has come.
 */
import type { ManagerState } from './state.js';

export class StateQueue {
  #writing: ManagerState | null = null;
  #next: ManagerState | null = null;

  /** @returns whether nothing is being written: `begin` */
  offer(state: ManagerState): boolean {
    this.#next = state;
    return this.#writing === null;
  }

  /** The state to be written now; null: none is left. */
  begin(): ManagerState | null {
    this.#writing = this.#next;
    this.#next = null;
    return this.#writing;
  }

  /** What was begun is not saved. */
  failed(): void {
    this.#next ??= this.#writing;
  }
}
