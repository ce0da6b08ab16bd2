// Nodes killed with SIGKILL, one by one, two at once, in the middle of a copy or a failover, again and again.
import { expect } from 'chai';
import type { ClusterMap, GTStoreClient } from '../../src/client/index.js';
import {
  expectEntries,
  fill,
  keysWhere,
  mapOf,
  nodeOf,
  slotOf,
  untilStatus,
  useCluster,
} from '../support/cluster-fixture.js';
import { Increments, Load } from '../support/cluster-load.js';
import { eventually } from '../support/cluster-until.js';

// A long lease: here nodes die and are seen to, and on a busy machine none shall be lost besides.
const options = { nodes: 7, replicas: 3, partitioner: 'fnv1a', leaseMs: 5000 };
/** A write that meets a failure is late; by how much at most, on a busy machine. */
const lateMsMax = 6000;

/** Which nodes hold which slots, in order. */
function placement(map: ClusterMap): string {
  return map.slots.map((slot) => slot.replicas.join(',')).join(' ');
}

describe('nodes that are killed', function () {
  this.timeout(60_000);
  const fixture = useCluster(options);

  async function healthy(store: GTStoreClient): Promise<void> {
    const { epoch } = await fixture.cluster.untilHealthy();
    await eventually('the client has the map of the healed cluster', () => mapOf(store).epoch >= epoch);
  }

  it('M3, M5, M6: each in turn comes back as a new incarnation on its old slots, and no acknowledged write is lost', async () => {
    const { cluster } = fixture;
    const store = await fixture.open();
    const entries = await fill(store, 'turn', 700);
    const load = new Load(
      store,
      keysWhere(store, 'turn-load', 8, () => true),
    );
    const before = await cluster.status();
    const placementBefore = placement(mapOf(store));
    for (const { id } of before.nodes) {
      await cluster.restart(id);
      await cluster.untilHealthy();
    }
    const report = await load.stop();
    await healthy(store);
    expect(report.failures).to.deep.equal([]);
    expect(report.slowestMs).to.be.below(lateMsMax);
    expect(placement(mapOf(store))).to.equal(placementBefore);
    const after = await cluster.status();
    for (const { id, incarnation, primarySlots, replicaSlots } of before.nodes) {
      const now = nodeOf(after, id);
      expect(now.incarnation, `incarnation of node ${id}`).to.be.above(incarnation);
      expect(now).to.include({ primarySlots, replicaSlots });
    }
    // All that is left of the first write has been copied by now.
    await expectEntries(store, entries);
  });

  it('M3, M5: K-1 killed at once lose no acknowledged write, and the writes under way are late at worst', async () => {
    const { cluster } = fixture;
    const store = await fixture.open();
    const entries = await fill(store, 'pair', 700);
    for (const [first, second] of [
      [0, 1],
      [3, 4],
    ] as const) {
      const load = new Load(
        store,
        keysWhere(
          store,
          `pair-${first}`,
          8,
          (slot) => slot.replicas.includes(first) && slot.replicas.includes(second),
        ),
      );
      await load.untilWrites(50);
      await Promise.all([cluster.kill(first), cluster.kill(second)]);
      await load.untilWrites(50);
      await healthy(store);
      const report = await load.stop();
      expect(report.failures).to.deep.equal([]);
      expect(report.slowestMs).to.be.below(lateMsMax);
      await expectEntries(store, entries);
    }
  });

  it('W7: a stream of writes to a key whose primary is killed meets no error', async () => {
    const { cluster } = fixture;
    const [store, reader] = [await fixture.open(), await fixture.open({ readFrom: 'any' })];
    const key = 'stream-0';
    const primary = (await store.locate(key)).primary ?? -1;
    expect(slotOf(store, key).replicas[0]).to.equal(primary);
    const keys = keysWhere(store, 'stream', 12, (slot) => slot.replicas[0] === primary);
    expect(keys[0]).to.equal(key);
    const load = new Load(store, keys, { reader });
    const conditional = new Increments(store, `${key}-conditional`);
    await load.untilWrites(100);
    await cluster.kill(primary);
    await load.untilWrites(100);
    await healthy(store);
    const report = await load.stop();
    expect(report.failures).to.deep.equal([]);
    expect(report.slowestMs).to.be.below(lateMsMax);
    expect(await conditional.stop()).to.be.at.most(1);
  });

  it('M5: a learner killed while it copies, then the node it copies from, lose nothing', async () => {
    const { cluster } = fixture;
    const store = await fixture.open();
    const entries = await fill(store, 'copy', 4000, (n) => `${n} `.repeat(800));
    const load = new Load(
      store,
      keysWhere(store, 'copy-load', 8, (slot) => slot.replicas.includes(2)),
    );
    const learns = (id: number) => (): boolean =>
      mapOf(store).slots.some((slot) => slot.learners.includes(id));
    await cluster.kill(2);
    await eventually('node 2 is a learner', learns(2));
    await cluster.kill(2);
    await eventually('node 2 is no learner', () => !learns(2)());
    await eventually('node 2 is a learner again', learns(2));
    const source = mapOf(store).slots.find((slot) => slot.learners.includes(2))?.replicas[0] ?? -1;
    await cluster.kill(source);
    await healthy(store);
    const report = await load.stop();
    expect(report.failures).to.deep.equal([]);
    expect(report.slowestMs).to.be.below(lateMsMax);
    await expectEntries(store, entries);
  });

  it('M3, M5: a node killed while another is being replaced loses nothing', async () => {
    const { cluster } = fixture;
    const store = await fixture.open();
    const entries = await fill(store, 'again', 1500);
    const load = new Load(
      store,
      keysWhere(store, 'again-load', 8, ({ replicas: ids }) => ids.includes(5) && ids.includes(6)),
    );
    await load.untilWrites(20);
    const { epoch } = mapOf(store);
    const moved = eventually('the map moves on', () => mapOf(store).epoch > epoch);
    const killed = cluster.kill(5);
    await moved;
    await Promise.all([killed, cluster.kill(6)]);
    await healthy(store);
    const report = await load.stop();
    expect(report.failures).to.deep.equal([]);
    expect(report.slowestMs).to.be.below(lateMsMax);
    await expectEntries(store, entries);
  });

  it('M3: a node killed again and again as soon as it is back harms nobody else', async () => {
    const { cluster } = fixture;
    const store = await fixture.open();
    const load = new Load(
      store,
      keysWhere(store, 'storm', 8, (slot) => slot.replicas.includes(4)),
    );
    const others = (await cluster.status()).nodes.filter(({ id }) => id !== 4);
    let { incarnation } = nodeOf(await cluster.status(), 4);
    for (let life = 0; life < 3; life++) {
      await cluster.kill(4);
      const seen = incarnation;
      const status = await untilStatus(
        cluster,
        'node 4 lives again',
        (now) => nodeOf(now, 4).incarnation > seen,
      );
      ({ incarnation } = nodeOf(status, 4));
    }
    await healthy(store);
    const report = await load.stop();
    expect(report.failures).to.deep.equal([]);
    expect(report.slowestMs).to.be.below(lateMsMax);
    const { nodes: now } = await cluster.status();
    for (const { id, incarnation: life } of others) {
      expect(now.find((node) => node.id === id)).to.include({ incarnation: life, state: 'up' });
    }
  });
});
