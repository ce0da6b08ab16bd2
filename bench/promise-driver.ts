/** Drives any client that answers with promises: GTStore's own and those of the peers. */
import { Latencies, sampleEvery } from './driver.js';
import type { Driver, RunRequest } from './driver.js';
import { Random, chooser, keySource, makeValue, putDecider } from './workload.js';
import type { Workload } from './workload.js';

/** What is asked of a store. A rejection does not count as an operation, and is told of. */
export interface DrivenStore {
  put(key: string, value: string | Uint8Array): Promise<unknown>;
  /** Whatever it finds, or undefined or null. */
  get(key: string): Promise<unknown>;
}

const fillLanes = 256;
const failuresMax = 5000;

export class PromiseDriver implements Driver {
  completed = 0;
  readonly latencies = new Latencies();
  readonly failures: string[] = [];
  readonly #sessions: readonly DrivenStore[];
  readonly #workload: Workload;
  readonly #keyOf: (index: number) => string;
  readonly #value: string | Uint8Array;
  readonly #random = new Random(1);
  #sampleEvery = 1;
  #begun = 0;
  #isStopping = false;
  #lanes: Promise<void>[] = [];

  constructor(sessions: readonly DrivenStore[], workload: Workload) {
    this.#sessions = sessions;
    this.#workload = workload;
    this.#keyOf = keySource(workload);
    const text = makeValue(workload.valueBytes);
    this.#value = workload.isBinary ? Buffer.from(text) : text;
  }

  /** Stores every key, so that gets find something; and makes sure of one that they do. */
  async fill(): Promise<void> {
    let next = 0;
    const fillOn = async (store: DrivenStore): Promise<void> => {
      while (next < this.#workload.keyCount) await this.#store(store, this.#keyOf(next++));
    };
    const lanes = this.#workload.valueBytes > 64 * 1024 ? 1 : fillLanes;
    await Promise.all(Array.from({ length: lanes }, (_, lane) => fillOn(this.#session(lane))));
    const found = await this.#session(0).get(this.#keyOf(this.#workload.keyCount - 1));
    if (found === undefined || found === null) throw new Error('the store has not kept what was put');
  }

  /** Until it is stored. */
  async #store(store: DrivenStore, key: string): Promise<void> {
    for (;;) {
      try {
        await store.put(key, this.#value);
        return;
      } catch (error) {
        this.#failed(error);
      }
    }
  }

  start(request: RunRequest): void {
    this.#isStopping = false;
    this.#sampleEvery = sampleEvery(request.inFlight);
    const nextKey = chooser(request.pattern, this.#workload.keyCount, this.#random);
    const isPutNext = putDecider(request.putRatio, this.#random);
    this.#lanes = Array.from({ length: request.inFlight }, (_, lane) =>
      this.#lane(this.#session(lane), isPutNext, nextKey),
    );
  }

  async #lane(store: DrivenStore, isPutNext: () => boolean, nextKey: () => number): Promise<void> {
    while (!this.#isStopping) {
      const isPut = isPutNext();
      const key = this.#keyOf(nextKey());
      const startedAtMs = this.#begun++ % this.#sampleEvery === 0 ? performance.now() : 0;
      try {
        if (isPut) await store.put(key, this.#value);
        else await store.get(key);
      } catch (error) {
        this.#failed(error);
        continue;
      }
      this.completed++;
      if (startedAtMs !== 0) this.latencies.add(isPut, performance.now() - startedAtMs);
    }
  }

  /** @throws Error when it has become too many: something is wrong altogether */
  #failed(error: unknown): void {
    this.failures.push(String(error));
    if (this.failures.length > failuresMax) throw error;
  }

  #session(lane: number): DrivenStore {
    const store = this.#sessions[lane % this.#sessions.length];
    if (store === undefined) throw new Error('a client process without a session');
    return store;
  }

  async stop(): Promise<void> {
    this.#isStopping = true;
    await Promise.all(this.#lanes);
  }
}
