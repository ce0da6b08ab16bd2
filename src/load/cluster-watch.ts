/** Notices that the whole cluster has gone, so that nobody waits for the deadlines of all operations under way. */
import type { GTStoreClient } from '../client/index.js';

/** A whole cluster that is restarted within this time is just slow. */
const goneMsMin = 3_000;
const lookMs = 100;

export class ClusterWatch {
  readonly #store: GTStoreClient;
  readonly #down = new Set<number>();
  readonly #onGone: () => void;
  readonly #timer: NodeJS.Timeout;
  #downSinceMs = Infinity;
  isGone = false;

  /** @param onGone - called once, when no node has been reachable for three seconds */
  constructor(store: GTStoreClient, onGone: () => void) {
    this.#store = store;
    this.#onGone = onGone;
    store.on('node-down', this.#onDown).on('node-up', this.#onUp);
    this.#timer = setInterval(() => {
      this.#look();
    }, lookMs);
  }

  close(): void {
    clearInterval(this.#timer);
    this.#store.off('node-down', this.#onDown).off('node-up', this.#onUp);
  }

  readonly #onDown = (nodeId: number): void => {
    this.#down.add(nodeId);
  };

  readonly #onUp = (nodeId: number): void => {
    this.#down.delete(nodeId);
  };

  #look(): void {
    const nodes = this.#store.clusterMap?.nodes ?? [];
    if (!nodes.every(({ id }) => this.#down.has(id))) {
      this.#downSinceMs = Infinity;
      return;
    }
    const nowMs = performance.now();
    this.#downSinceMs = Math.min(this.#downSinceMs, nowMs);
    if (this.isGone || nowMs - this.#downSinceMs < goneMsMin) return;
    this.isGone = true;
    this.#onGone();
  }
}
