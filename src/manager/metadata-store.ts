/**
 * Where the manager keeps what it must know again after a restart. Every implementation keeps the contract of
 * test/support/metadata-store-contract.ts.
 */
import type { ManagerState } from './core/state.js';

export interface MetadataStore {
  /** Whether another manager process can load what this one saved. */
  readonly outlivesProcess: boolean;
  /**
   * The last state saved, or null. Never an older one: epochs and incarnations would be given out twice.
   * @throws if there is one that cannot be read
   */
  load(): Promise<ManagerState | null>;
  /**
   * When the promise is fulfilled the state survives this process, and the host if the state's durability asks for
   * it. Calls must not overlap.
   */
  save(state: ManagerState): Promise<void>;
  /** The cluster has ended in good order: there is nothing to come back to. */
  clear(): Promise<void>;
}

/** For a cluster that shall not outlive its manager. */
export class MemoryMetadataStore implements MetadataStore {
  readonly outlivesProcess = false;
  /** As text, so that nobody shares an object with whoever saved or loads. */
  #text: string | null = null;

  load(): Promise<ManagerState | null> {
    return Promise.resolve(this.#text === null ? null : (JSON.parse(this.#text) as ManagerState));
  }

  save(state: ManagerState): Promise<void> {
    this.#text = JSON.stringify(state);
    return Promise.resolve();
  }

  clear(): Promise<void> {
    this.#text = null;
    return Promise.resolve();
  }
}
