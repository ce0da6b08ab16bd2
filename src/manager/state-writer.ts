/**
 * Saves the manager's states one after the other (state-queue.ts). A failure is logged, now and then while it lasts, and tried again: until it succeeds nothing new is published,
 * and the cluster serves on under the map it has.
 */
import { setTimeout as pause } from 'node:timers/promises';
import type { Logger } from '../protocol/logger.js';
import type { ManagerState } from './core/state.js';
import { StateQueue } from './core/state-queue.js';
import type { MetadataStore } from './metadata-store.js';

const retryMsDefault = 200;
/** For the state being written at the end: a disk that hangs would be waited for for ever. */
const closeMsMax = 3000;
/** A full disk may stay full for hours: told at once, then every ten seconds, and when it is over. */
const failuresPerLogLine = 10_000 / retryMsDefault;

export class StateWriter {
  readonly #store: MetadataStore;
  readonly #log: Logger;
  readonly #onSaved: (serial: number) => void;
  readonly #onFailed: (error: unknown) => void;
  readonly #retryMs: number;
  #failures = 0;
  readonly #queue = new StateQueue();
  #writing: Promise<void> | null = null;
  #closed = false;

  /** @param retryMs - after a failure */
  constructor(
    store: MetadataStore,
    log: Logger,
    onSaved: (serial: number) => void,
    onFailed: (error: unknown) => void,
    retryMs = retryMsDefault,
  ) {
    this.#store = store;
    this.#log = log;
    this.#onSaved = onSaved;
    this.#onFailed = onFailed;
    this.#retryMs = retryMs;
  }

  write(state: ManagerState): void {
    if (this.#queue.offer(state)) this.#writing = this.#run();
  }

  async #run(): Promise<void> {
    while (!this.#closed) {
      const state = this.#queue.begin();
      if (state === null) break;
      try {
        await this.#store.save(state);
      } catch (error) {
        if (this.#failures++ % failuresPerLogLine === 0)
          this.#log.error(`cannot save the manager's state, trying again: ${String(error)}`);
        this.#onFailed(error);
        this.#queue.failed();
        await new Promise((resolve) => setTimeout(resolve, this.#retryMs));
        continue;
      }
      if (this.#failures > 0) this.#log.info("the manager's state can be saved again");
      this.#failures = 0;
      if (!this.#isClosed()) this.#onSaved(state.serial);
    }
    this.#writing = null;
  }

  #isClosed(): boolean {
    return this.#closed;
  }

  /** Waits for the state being written, but not for a disk that hangs; later ones are dropped. @returns whether none is being written */
  async close(withinMs = closeMsMax): Promise<boolean> {
    this.#closed = true;
    const saved = (this.#writing ?? Promise.resolve()).then(() => true);
    return Promise.race([saved, pause(withinMs, false, { ref: false })]);
  }
}
