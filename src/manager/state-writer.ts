/**
 * Saves the manager's states one after the other; of those that come while one is being written only the newest is
 * kept. A failure is logged and tried again: until it succeeds nothing new is published, and the cluster serves on
 * under the map it has.
 */
import type { Logger } from '../protocol/logger.js';
import type { ManagerState } from './core/state.js';
import type { MetadataStore } from './metadata-store.js';

const retryMs = 200;

export class StateWriter {
  readonly #store: MetadataStore;
  readonly #log: Logger;
  readonly #onSaved: (serial: number) => void;
  #next: ManagerState | null = null;
  #writing: Promise<void> | null = null;
  #closed = false;

  constructor(store: MetadataStore, log: Logger, onSaved: (serial: number) => void) {
    this.#store = store;
    this.#log = log;
    this.#onSaved = onSaved;
  }

  write(state: ManagerState): void {
    this.#next = state;
    this.#writing ??= this.#run();
  }

  async #run(): Promise<void> {
    while (this.#next !== null && !this.#closed) {
      const state = this.#next;
      this.#next = null;
      try {
        await this.#store.save(state);
      } catch (error) {
        this.#log.error(`cannot save the manager's state, trying again: ${String(error)}`);
        this.#next ??= state;
        await new Promise((resolve) => setTimeout(resolve, retryMs));
        continue;
      }
      if (!this.#isClosed()) this.#onSaved(state.serial);
    }
    this.#writing = null;
  }

  #isClosed(): boolean {
    return this.#closed;
  }

  /** Waits for the state being written; later ones are dropped. */
  async close(): Promise<void> {
    this.#closed = true;
    await this.#writing;
  }
}
