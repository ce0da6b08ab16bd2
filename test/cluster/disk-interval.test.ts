// What may be lost, and what may not, when writes are acknowledged before they are on the disk (`--durability interval`).
import { expect } from 'chai';
import type { GTStoreClient } from '../../src/client/index.js';
import { useCluster } from '../support/cluster-fixture.js';
import { Ledger, longValue } from '../support/cluster-ledger.js';
import { eventually } from '../support/cluster-until.js';

// A long lease: on a busy machine no node shall be lost besides.
const options = {
  nodes: 4,
  replicas: 3,
  partitioner: 'fnv1a',
  durability: 'interval',
  leaseMs: 3000,
  startTimeoutMs: 60_000,
} as const;
const lostMsMax = 1000;
const lanes = 16;
const valueChars = 500;

interface Put {
  readonly key: string;
  readonly value: string;
  readonly acknowledgedMs: number;
}

/** Puts one new key after the other, until a put fails. */
class Stream {
  readonly acknowledged: Put[] = [];
  readonly #ended: Promise<unknown>;

  constructor(store: GTStoreClient, prefix: string) {
    this.#ended = Promise.all(
      Array.from({ length: lanes }, async (_, lane) => {
        for (let n = 0; await this.#put(store, `${prefix}-${lane}-${n}`); n++);
      }),
    );
  }

  async #put(store: GTStoreClient, key: string): Promise<boolean> {
    const value = longValue(key, 1, valueChars);
    try {
      await store.put(key, value);
    } catch {
      return false;
    }
    this.acknowledged.push({ key, value, acknowledgedMs: performance.now() });
    return true;
  }

  async ended(): Promise<void> {
    await this.#ended;
  }
}

describe('a cluster with --durability interval', function () {
  this.timeout(120_000);
  const fixture = useCluster(options);

  it('M5, D2: one node killed, again and again, loses no acknowledged write', async () => {
    const { cluster } = fixture;
    const stores = [await fixture.open(), await fixture.open()];
    const ledger = new Ledger(stores, 'one', { keys: 40, counters: 4 });
    for (const id of [0, 2]) {
      await ledger.untilAcknowledged(300);
      await cluster.restart(id);
      await cluster.untilHealthy();
    }
    await ledger.stop();
    await ledger.check(await fixture.open());
  });

  it('D3: everything killed at one moment loses at most what was acknowledged in the last second', async () => {
    const { cluster } = fixture;
    const store = await fixture.open({ timeoutMs: 2000 });
    const stream = new Stream(store, 'last');
    const startMs = performance.now();
    await eventually(
      'a few seconds of writes',
      () => performance.now() - startMs > 3 * lostMsMax && stream.acknowledged.length > 1000,
    );
    const killedMs = performance.now();
    await cluster.killAll();
    await stream.ended();
    await cluster.restartManager();
    await cluster.untilHealthy();
    const reader = await fixture.open();
    const values = await reader.getMany(stream.acknowledged.map(({ key }) => key));
    const wrong = stream.acknowledged.filter(
      ({ value }, i) => values[i] !== undefined && values[i] !== value,
    );
    expect(wrong).to.deep.equal([]);
    const lost = stream.acknowledged.filter((_, i) => values[i] === undefined);
    const tooOld = lost.filter(({ acknowledgedMs }) => acknowledgedMs < killedMs - lostMsMax);
    expect(tooOld).to.deep.equal([]);
    expect(lost.length).to.be.below(stream.acknowledged.length / 2);
  });
});
