/**
 * The client of the throughput benchmark: the public client, promises and all.
 *
 *     store-client URL
 */
import { GTStoreClient } from '../src/client/index.js';
import { keyCount, Latencies, makeKeys, makeValue, Random, sampleEvery, serveRequests } from './workload.js';
import type { Driver } from './workload.js';

class StoreDriver implements Driver {
  completed = 0;
  readonly latencies = new Latencies();
  readonly #store: GTStoreClient;
  readonly #keys = makeKeys(keyCount);
  readonly #value = makeValue();
  readonly #random = new Random(1);
  #sampleEvery = 1;
  #begun = 0;
  #isStopping = false;
  #lanes: Promise<void>[] = [];

  constructor(store: GTStoreClient) {
    this.#store = store;
  }

  /** Gets shall find something. */
  async fill(): Promise<void> {
    await this.#store.putMany(this.#keys.map((key) => [key, this.#value] as const));
  }

  start(inFlight: number): void {
    this.#isStopping = false;
    this.#sampleEvery = sampleEvery(inFlight);
    this.#lanes = Array.from({ length: inFlight }, () => this.#lane());
  }

  async #lane(): Promise<void> {
    while (!this.#isStopping) {
      const isPut = ((this.#random.next() >>> 16) & 1) === 1;
      const key = this.#keys[this.#random.next() % keyCount] ?? '';
      const startedAtMs = this.#begun++ % this.#sampleEvery === 0 ? performance.now() : 0;
      if (isPut) await this.#store.put(key, this.#value);
      else await this.#store.get(key);
      this.completed++;
      if (startedAtMs !== 0) this.latencies.add(isPut, performance.now() - startedAtMs);
    }
  }

  async stop(): Promise<void> {
    this.#isStopping = true;
    await Promise.all(this.#lanes);
  }
}

const store = new GTStoreClient({ manager: process.argv[2] ?? '' });
await store.init();
const driver = new StoreDriver(store);
await driver.fill();
serveRequests(driver);
