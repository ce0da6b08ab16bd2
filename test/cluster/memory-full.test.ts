// Nodes that hold as much as they may: new values are refused, everything else goes on (PROTOCOL D4).
import { expect } from 'chai';
import type { GTStoreClient } from '../../src/client/index.js';
import { expectEntries, incarnations, useCluster } from '../support/cluster-fixture.js';
import { Ledger } from '../support/cluster-ledger.js';
import { eventually } from '../support/cluster-until.js';
import { failureOf } from '../support/store-error.js';

const MB = 2 ** 20;
const memoryBytesMax = 16 * MB;
const text = 'x'.repeat(10_000);
const valuesMax = (2 * memoryBytesMax) / text.length;

/** Stores `PREFIX-n` until all nodes refuse. @returns what was acknowledged */
async function fillUp(store: GTStoreClient, prefix: string): Promise<Map<string, string>> {
  const kept = new Map<string, string>();
  for (let n = 0; n < valuesMax; n++) {
    const key = `${prefix}-${n}`;
    const error = await failureOf(store.put(key, text));
    if (error === undefined) kept.set(key, text);
    else expect(error).to.include({ code: 'MEMORY_FULL' });
    // Once each replica has told so before it has stored anything.
    if (error?.outcome === 'not-applied') return kept;
  }
  throw new Error(`${valuesMax} values were taken`);
}

describe('nodes that hold as much as they may', function () {
  this.timeout(120_000);
  const fixture = useCluster({
    nodes: 3,
    replicas: 3,
    partitioner: 'fnv1a',
    memoryBytesMax,
    leaseMs: 5000,
    startTimeoutMs: 60_000,
  });
  const timesFull = (id: number): number => {
    const line = new RegExp(
      `node ${id}\\b.*memory: 16\\.\\d MB held, --max-memory is 16\\.0 MB: new values are refused`,
      'g',
    );
    return [...fixture.cluster.logs.matchAll(line)].length;
  };

  it('D4: values are refused, of new keys and old ones; reads and deletes go on, and deletes make room', async () => {
    const { cluster } = fixture;
    const store = await fixture.open();
    const before = incarnations(await cluster.status());
    const kept = await fillUp(store, 'first');
    expect(kept.size * text.length).to.be.within(memoryBytesMax * 0.8, memoryBytesMax);
    const refused = { code: 'MEMORY_FULL', outcome: 'not-applied', retryable: true };
    for (const call of [
      () => store.put('new', 1),
      () => store.put('first-0', text),
      () => store.increment('counter'),
      () => store.compareAndSet('new', null, 1),
      () => store.update('first-1', () => text),
    ])
      expect(await failureOf(call())).to.include(refused);
    expect((await failureOf(store.put('new', 1)))?.message).to.match(
      /^a replica of 'new' holds as much as it may in memory \(--max-memory; .* says node \d: delete keys, give it more, or add nodes; reads and deletes go on$/,
    );
    await expectEntries(await fixture.open({ readFrom: 'any' }), kept);
    const warning =
      /^node \d holds as much as --max-memory allows, or 15 GiB: values of its keys are refused \(MEMORY_FULL\)$/;
    await eventually('the status names a node', async () =>
      (await cluster.status()).warnings?.some((line) => warning.test(line)),
    );
    // The first one is enough, and the others may be a hair below.
    const told = [0, 1, 2].map(timesFull);
    expect(Math.max(...told)).to.equal(1);

    const deleted = [...kept.keys()].slice(0, kept.size / 4);
    for (const key of deleted) {
      expect(await store.delete(key)).to.equal(true);
      kept.delete(key);
    }
    expect(await store.put('new', 1)).to.have.property('version');
    expect(await store.increment('counter')).to.equal(1);
    expect(cluster.logs).to.match(
      /memory: 1\d\.\d MB held, --max-memory is 16\.0 MB: values are taken again/,
    );
    await expectEntries(store, kept);
    expect(await store.getMany(deleted)).to.deep.equal(deleted.map(() => undefined));
    await eventually('no node is full', async () => (await cluster.status()).warnings === undefined);
    expect(incarnations(await cluster.status())).to.equal(before);
  });

  it('D4: a node that dies while all are full is filled again by them, bounded as before, and no acknowledged write is lost', async () => {
    const { cluster } = fixture;
    const store = await fixture.open();
    const ledger = new Ledger([store, await fixture.open()], 'ledger', {
      keys: 20,
      counters: 4,
      onceWriters: 4,
      valueChars: text.length,
    });
    const kept = await fillUp(store, 'second');
    await eventually('the load is refused', () => ledger.failures.has('MEMORY_FULL not-applied'));
    await cluster.kill(1);
    await cluster.untilHealthy();
    // Deletes of the load may have made room meanwhile.
    for (const [key, value] of await fillUp(store, 'third')) kept.set(key, value);
    await ledger.stop();
    // Whose node dies may have to be told that nothing is left to prove what became of a delete or an increment.
    const expected = ['MEMORY_FULL not-applied', 'MEMORY_FULL unknown', 'OUTCOME_UNKNOWN unknown'];
    expect([...ledger.failures.keys()].filter((what) => !expected.includes(what))).to.deep.equal([]);
    for (const readFrom of ['primary', 'any'] as const) {
      const reader = await fixture.open({ readFrom });
      await expectEntries(reader, kept);
      await ledger.check(reader);
    }
    // All of them hold it: the one that was filled is the only one left.
    await cluster.killNodes([0, 2]);
    await expectEntries(await fixture.open(), kept);
  });
});
