/**
 * The load under which nodes are killed and paused: 16 clients, each with keys of its own, writing and reading them
 * in turn, one operation at a time. Since nobody else writes those keys, each read must give what its
 * client wrote last and was told to be stored, or, of a write whose outcome it could not learn, either.
 */
import { GTStoreClient } from '../src/client/index.js';
import type { ClusterMap } from '../src/protocol/cluster-map.js';
import { makeKeys } from './workload.js';

const clientCount = 16;

/** What the only writer of a key knows of it. */
interface Known {
  readonly key: string;
  /** The value last acknowledged. */
  stored: number;
  /** The value last sent. */
  sent: number;
}

/** One slot as its client sees it. */
export interface Place {
  readonly store: GTStoreClient;
  readonly slot: number;
  /** Written all the time. */
  readonly busy: Known;
  /** Written just before an outage and read after it. */
  readonly kept: Known;
  /** Written at the moment of the outage. */
  readonly probe: Known;
}

export class Shoppers implements AsyncDisposable {
  /** One for each slot. */
  readonly places: readonly Place[];
  /** Reads that gave something else than they should. */
  readonly wrong: string[] = [];
  /** Calls that failed: none is expected to. */
  readonly failed: string[] = [];
  /** Longest that one operation of the load took since `resetWorst`, milliseconds. */
  worstMs = 0;
  readonly #stores: readonly GTStoreClient[];
  /** What each client is at. */
  readonly #turns = new Map<GTStoreClient, Promise<void>>();
  #isStopping = false;
  #load: Promise<unknown> = Promise.resolve();

  private constructor(stores: readonly GTStoreClient[], places: readonly Place[]) {
    this.#stores = stores;
    this.places = places;
  }

  static async start(url: string): Promise<Shoppers> {
    const stores = Array.from({ length: clientCount }, () => new GTStoreClient({ manager: url }));
    await Promise.all(stores.map((store) => store.init()));
    const [first] = stores;
    if (first?.clusterMap === undefined) throw new Error('a client without a map');
    const places = keysBySlot(first.clusterMap).map(([busy, kept, probe], slot) => {
      const store = stores[slot % clientCount] ?? first;
      return { store, slot, busy: unwritten(busy), kept: unwritten(kept), probe: unwritten(probe) };
    });
    const shoppers = new Shoppers(stores, places);
    await Promise.all(places.map(({ store, busy }) => shoppers.write(store, busy)));
    shoppers.#load = Promise.all(stores.map((store) => shoppers.#shop(store)));
    return shoppers;
  }

  get map(): ClusterMap | undefined {
    return this.#stores[0]?.clusterMap;
  }

  get stores(): readonly GTStoreClient[] {
    return this.#stores;
  }

  async #shop(store: GTStoreClient): Promise<void> {
    const own = this.places.filter((place) => place.store === store);
    for (let turn = 0; !this.#isStopping; turn++) {
      const place = own[turn % own.length];
      if (place === undefined) return;
      const turnEnd = this.#visit(place);
      this.#turns.set(store, turnEnd);
      await turnEnd;
    }
  }

  async #visit({ store, busy }: Place): Promise<void> {
    const startedAtMs = performance.now();
    await this.write(store, busy);
    const writtenAtMs = performance.now();
    await this.check(store, busy);
    this.worstMs = Math.max(this.worstMs, writtenAtMs - startedAtMs, performance.now() - writtenAtMs);
  }

  /** Fulfilled when every client has ended what it is at now: only then does `worstMs` know how long that took. */
  async turnsEnded(): Promise<void> {
    await Promise.all(this.#turns.values());
  }

  resetWorst(): void {
    this.worstMs = 0;
  }

  async write(store: GTStoreClient, known: Known): Promise<void> {
    const value = ++known.sent;
    try {
      await store.put(known.key, value);
    } catch (error) {
      this.failed.push(`put ${known.key}: ${String(error)}`);
      return;
    }
    known.stored = value;
  }

  /** Reads what nobody writes meanwhile; absent counts as 0. */
  async check(store: GTStoreClient, known: Known): Promise<void> {
    const { stored } = known;
    try {
      const found = await store.get(known.key);
      const value = typeof found === 'number' ? found : 0;
      if (value >= stored && value <= known.sent) return;
      this.wrong.push(`${known.key} is ${JSON.stringify(found)}, acknowledged was ${stored}`);
    } catch (error) {
      this.failed.push(`get ${known.key}: ${String(error)}`);
    }
  }

  /** Ends the load and reads everything once more. */
  async finish(): Promise<void> {
    this.#isStopping = true;
    await this.#load;
    await Promise.all(
      this.places.flatMap(({ store, busy, kept, probe }) =>
        [busy, kept, probe].map((known) => this.check(store, known)),
      ),
    );
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#isStopping = true;
    await Promise.all(this.#stores.map((store) => store.finalize()));
  }
}

/** So many keys for every slot. */
const keysPerSlot = 3;

function keysBySlot(map: ClusterMap): string[][] {
  const bySlot = map.slots.map((): string[] => []);
  let missing = bySlot.length * keysPerSlot;
  for (let seed = 1; missing > 0; seed++) {
    for (const key of makeKeys(10_000, seed)) {
      const keys = bySlot[map.slotOf(key)];
      if (keys === undefined || keys.length >= keysPerSlot) continue;
      keys.push(key);
      missing--;
    }
  }
  return bySlot;
}

function unwritten(key = ''): Known {
  return { key, stored: 0, sent: 0 };
}
