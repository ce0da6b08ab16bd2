// Nodes stopped in their tracks with SIGSTOP: shorter than their lease, longer than it, all at once.
import { expect } from 'chai';
import type { GTStoreClient } from '../../src/client/index.js';
import {
  expectEntries,
  fill,
  incarnations,
  keysWhere,
  mapOf,
  nodeOf,
  slotOf,
  untilStatus,
  useCluster,
} from '../support/cluster-fixture.js';
import { Load } from '../support/cluster-load.js';
import { RawNode } from '../support/cluster-raw.js';
import type { RawAnswer } from '../support/cluster-raw.js';
import { eventually, repeat, stretch } from '../support/cluster-until.js';

/** Well below the lease, even when the last heart-beat was some time ago and the machine is busy. */
const shortPauseMs = 500;
const options = { nodes: 5, replicas: 3, leaseMs: 2500, partitioner: 'fnv1a' };

describe('nodes that are paused', function () {
  this.timeout(60_000);
  const fixture = useCluster(options);

  it('M3: a pause shorter than the lease evicts nobody and loses nothing', async () => {
    const { cluster } = fixture;
    const store = await fixture.open();
    const load = new Load(
      store,
      keysWhere(store, 'short', 8, (slot) => slot.replicas.includes(1)),
    );
    await load.untilWrites(50);
    const before = await cluster.status();
    for (const id of [1, 2, 1]) {
      await cluster.pause(id);
      await stretch(shortPauseMs);
      await cluster.resume(id);
      await load.untilWrites(20);
    }
    const report = await load.stop();
    const after = await cluster.untilHealthy();
    expect(report.failures).to.deep.equal([]);
    expect(incarnations(after)).to.equal(incarnations(before));
    expect(after.epoch).to.equal(before.epoch);
  });

  it('M1, R1, R4, M6: a node paused beyond its lease answers nobody with old data, and joins anew', async () => {
    const { cluster } = fixture;
    const store = await fixture.open();
    const any = await fixture.open({ readFrom: 'any' });
    const before = await cluster.status();
    const victim = 2;
    const asPrimary = keysWhere(store, 'p', 20, ({ replicas }) => replicas[0] === victim);
    const asBackup = keysWhere(store, 'b', 20, ({ replicas }) => replicas.lastIndexOf(victim) > 0);
    const keys = [...asPrimary, ...asBackup];
    await store.putMany(keys.map((key) => [key, 'old'] as const));
    const raw = await RawNode.open(nodeOf(before, victim));
    expect((await Promise.all(keys.map((key) => raw.get(key)))).map(({ value }) => value)).to.deep.equal(
      keys.map(() => 'old'),
    );

    await cluster.pause(victim);
    // Concurrent with what follows, it may say anything; but what waits behind it is read before the manager's words.
    void raw.get(keys[0] ?? '');
    // Both end only when the map has moved on without the node.
    const [deleted, overwritten] = [keys.filter((_, i) => i % 2 === 0), keys.filter((_, i) => i % 2 === 1)];
    await Promise.all([
      ...overwritten.map((key) => store.put(key, 'new')),
      ...deleted.map(async (key) => expect(await store.delete(key)).to.equal(true)),
    ]);
    expect(slotOf(store, keys[0] ?? '').replicas).not.to.include(victim);

    // They wait in the socket's buffer: the first thing the node sees when it goes on.
    const waiting = keys.map((key) => raw.get(key));
    const expected = (key: string): string | undefined => (deleted.includes(key) ? undefined : 'new');
    const wrongly = (answers: readonly RawAnswer[]): readonly RawAnswer[] =>
      answers.filter(({ key, served, value }) => served && value !== expected(key));
    const reading = readAgainAndAgain(any, keys, expected);
    await cluster.resume(victim);
    expect(wrongly(await Promise.all(waiting))).to.deep.equal([]);
    let served = 0;
    await eventually('the node serves again', async () => {
      const answers = await Promise.all(keys.map((key) => raw.get(key)));
      expect(wrongly(answers)).to.deep.equal([]);
      served = answers.filter((answer) => answer.served).length;
      return served === keys.length;
    });
    raw.close();
    const after = await cluster.untilHealthy();
    expect(nodeOf(after, victim).incarnation).to.be.above(nodeOf(before, victim).incarnation);
    expect(nodeOf(after, victim).pid).to.equal(nodeOf(before, victim).pid);
    expect(await reading.stop()).to.be.above(0);
  });

  it('a walk through all keys goes on at other replicas, though its deadline is shorter than a node may be silent', async () => {
    const { cluster } = fixture;
    const store = await fixture.open();
    const entries = await fill(store, 'walked', 300);
    for (const timeoutMs of [10_000, 900]) {
      await cluster.pause(1);
      let met = 0;
      for await (const [key] of store.entries({ prefix: 'walked', timeoutMs })) if (entries.has(key)) met++;
      expect(met).to.equal(entries.size);
      await cluster.resume(1);
      await cluster.untilHealthy();
    }
  });

  it('M1, M3: K-1 nodes paused beyond their leases cost time, no write and no answer', async () => {
    const { cluster } = fixture;
    const store = await fixture.open();
    const any = await fixture.open({ readFrom: 'any' });
    const entries = await fill(store, 'two', 500);
    const load = new Load(
      store,
      keysWhere(store, 'two-load', 8, ({ replicas }) => replicas.includes(3) && replicas.includes(4)),
      { reader: any },
    );
    await load.untilWrites(50);
    await Promise.all([cluster.pause(3), cluster.pause(4)]);
    await untilStatus(
      cluster,
      'both are out of the map',
      (status) => nodeOf(status, 3).state === 'down' && nodeOf(status, 4).state === 'down',
    );
    await load.untilWrites(50);
    await Promise.all([cluster.resume(3), cluster.resume(4)]);
    await cluster.untilHealthy();
    const report = await load.stop();
    expect(report.failures).to.deep.equal([]);
    await expectEntries(any, entries);
  });

  it('M6: K-1 nodes paused beyond their leases, and then the last replica killed: what was written before is still there', async () => {
    const { cluster } = fixture;
    const store = await fixture.open();
    const entries = await fill(store, 'kept', 6000, (n) => `${n}`.repeat(2000));
    await cluster.untilHealthy();
    const joined = (): number => cluster.logs.split(/node [34]: joins as incarnation/).length;
    await Promise.all([cluster.pause(3), cluster.pause(4)]);
    const before = joined();
    await untilStatus(
      cluster,
      'both are out of the map',
      (status) => nodeOf(status, 3).state === 'down' && nodeOf(status, 4).state === 'down',
    );
    await Promise.all([cluster.resume(3), cluster.resume(4)]);
    // Of slots that 2, 3 and 4 share, node 2 has the only full replica, and the others have hardly begun to be filled.
    await eventually('both have come back', () => joined() === before + 2);
    await cluster.kill(2);
    await cluster.untilHealthy();
    await expectEntries(store, entries);
  });

  it('M1, M3: a whole cluster that slept beyond all leases, its manager too, wakes with all its data', async () => {
    const { cluster } = fixture;
    const store = await fixture.open();
    const entries = await fill(store, 'sleep', 500);
    const ids = (await cluster.status()).nodes.map(({ id }) => id);
    for (const id of ids) await cluster.pause(id);
    await cluster.pauseManager();
    await stretch(options.leaseMs * 1.3);
    const late = store.put('sleep-late', 'written while all slept');
    await cluster.resumeManager();
    for (const id of ids) await cluster.resume(id);
    await late;
    const { epoch } = await cluster.untilHealthy();
    await eventually('the client has that map', () => mapOf(store).epoch >= epoch);
    await expectEntries(store, entries);
    expect(await store.get('sleep-late')).to.equal('written while all slept');
  });

  /** Reads all the keys again and again; wrong answers make `stop` reject. @returns by `stop`: how often */
  function readAgainAndAgain(
    store: GTStoreClient,
    keys: readonly string[],
    expected: (key: string) => string | undefined,
  ): { stop(): Promise<number> } {
    let isStopping = false;
    let rounds = 0;
    const run = repeat(5, async () => {
      expect(await store.getMany(keys)).to.deep.equal(keys.map(expected));
      rounds++;
      return !isStopping;
    });
    run.catch(() => undefined);
    return {
      stop: async () => {
        isStopping = true;
        await run;
        return rounds;
      },
    };
  }
});
