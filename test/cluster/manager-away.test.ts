// The manager killed, stopped and started again, with and without nodes that fail meanwhile.
import { expect } from 'chai';
import type { GTStoreClient } from '../../src/client/index.js';
import {
  expectEntries,
  fill,
  incarnations,
  keysWhere,
  mapOf,
  nodeOf,
  useCluster,
} from '../support/cluster-fixture.js';
import { codeOf, Increments, Load } from '../support/cluster-load.js';
import type { LoadReport } from '../support/cluster-load.js';
import { eventually, stretch } from '../support/cluster-until.js';

const leaseMs = 1500;
/** Connections that are silent for longer are given up: a pause beyond it costs the nodes theirs to the manager. */
const silenceMs = 3000;

describe('a manager that is away', function () {
  this.timeout(60_000);
  const fixture = useCluster({ nodes: 5, replicas: 3, partitioner: 'fnv1a', leaseMs });

  function startLoad(store: GTStoreClient, name: string): Load {
    return new Load(
      store,
      keysWhere(store, `${name}-load`, 10, () => true),
    );
  }

  /** Nobody noticed: nothing failed, and nothing waited for a lease. */
  function expectUnnoticed(report: LoadReport): void {
    expect(report.failures).to.deep.equal([]);
    expect(report.slowestMs, 'the slowest call').to.be.below(leaseMs);
    expect(report.p99Ms, 'one call of a hundred').to.be.below(leaseMs / 5);
  }

  it('M8: killed while no node fails, it is missed by no read and no write, and finds all as it left it', async () => {
    const { cluster } = fixture;
    const store = await fixture.open();
    const load = startLoad(store, 'killed');
    const increments = new Increments(store, 'killed-sum');
    await load.untilWrites(100);
    const before = await cluster.status();
    await cluster.killManager();
    const newcomer = fixture.open({ timeoutMs: 500 });
    expect(await codeOf(newcomer)).to.equal('UNAVAILABLE');
    expect(await codeOf(store.locate('killed'))).to.equal('UNAVAILABLE');
    await stretch(2.5 * leaseMs);
    await load.untilWrites(100);
    await cluster.restartManager();
    await load.untilWrites(100);
    const report = await load.stop();
    expectUnnoticed(report);
    expect(await increments.stop()).to.equal(0);
    const after = await cluster.untilHealthy();
    expect(incarnations(after)).to.equal(incarnations(before));
    expect(after.epoch).to.be.at.least(before.epoch);
    expect(after.clusterId).to.equal(before.clusterId);
    // It does its work again.
    await cluster.restart(0);
    await cluster.untilHealthy();
    expect((await cluster.status()).epoch).to.be.above(before.epoch);
  });

  it('M8: stopped for longer than leases and connections last, it is missed by nobody, either', async () => {
    const { cluster } = fixture;
    const store = await fixture.open();
    const load = startLoad(store, 'stopped');
    await load.untilWrites(100);
    const before = await cluster.status();
    await cluster.pauseManager();
    await stretch(silenceMs + leaseMs);
    await cluster.resumeManager();
    await stretch(leaseMs);
    const report = await load.stop();
    expectUnnoticed(report);
    const after = await cluster.untilHealthy();
    expect(incarnations(after)).to.equal(incarnations(before));
  });

  it('M1, M3, M8: a node killed while it is away is replaced when it is back, and no acknowledged write is lost', async () => {
    const { cluster } = fixture;
    const store = await fixture.open();
    const entries = await fill(store, 'both', 500);
    const before = await cluster.status();
    const load = startLoad(store, 'both');
    await load.untilWrites(50);
    await cluster.killManager();
    await cluster.kill(1);
    await stretch(leaseMs / 2);
    await cluster.restartManager();
    const after = await cluster.untilHealthy();
    expect(after.epoch).to.be.above(before.epoch);
    expect(nodeOf(after, 1).incarnation).to.be.above(nodeOf(before, 1).incarnation);
    const report = await load.stop();
    expect(report.failures).to.deep.equal([]);
    await expectEntries(store, entries);
    for (const { id, incarnation } of before.nodes) {
      if (id !== 1) expect(nodeOf(after, id).incarnation, `incarnation of node ${id}`).to.equal(incarnation);
    }
  });

  it('M1, M3, M8: a node killed while it stands still is replaced when it goes on', async () => {
    const { cluster } = fixture;
    const store = await fixture.open();
    const entries = await fill(store, 'still', 500);
    const before = await cluster.status();
    const load = startLoad(store, 'still');
    await load.untilWrites(50);
    await cluster.pauseManager();
    await cluster.kill(2);
    await stretch(leaseMs * 1.2);
    await cluster.resumeManager();
    const after = await cluster.untilHealthy();
    expect(nodeOf(after, 2).incarnation).to.be.above(nodeOf(before, 2).incarnation);
    const report = await load.stop();
    expect(report.failures).to.deep.equal([]);
    await expectEntries(store, entries);
  });

  it('M5, M8: a manager killed while a learner copies lets it finish when it is back', async () => {
    const { cluster } = fixture;
    const store = await fixture.open();
    const entries = await fill(store, 'learn', 2000, (n) => `${n} `.repeat(400));
    const load = startLoad(store, 'learn');
    const { epoch } = mapOf(store);
    await cluster.kill(3);
    await eventually('node 3 learns', () => {
      const map = mapOf(store);
      return map.epoch > epoch && map.slots.some(({ learners }) => learners.includes(3));
    });
    await cluster.killManager();
    await cluster.restartManager();
    await cluster.untilHealthy();
    const report = await load.stop();
    expect(report.failures).to.deep.equal([]);
    await expectEntries(store, entries);
  });

  it('M7, M8: a manager killed again and again as soon as it is back evicts nobody', async () => {
    const { cluster } = fixture;
    const store = await fixture.open();
    const load = startLoad(store, 'storm');
    const before = await cluster.status();
    let { epoch } = before;
    for (let life = 0; life < 4; life++) {
      await cluster.restartManager();
      const status = await cluster.status();
      expect(status.epoch).to.be.at.least(epoch);
      ({ epoch } = status);
    }
    const report = await load.stop();
    expectUnnoticed(report);
    expect(incarnations(await cluster.untilHealthy())).to.equal(incarnations(before));
  });
});

describe('a manager that is back', function () {
  this.timeout(60_000);
  const longLeaseMs = 10_000;
  const fixture = useCluster({ nodes: 5, replicas: 3, partitioner: 'fnv1a', leaseMs: longLeaseMs });

  it('M8: a node killed then is replaced at once: nobody waits for promises of the time without manager to run out', async () => {
    const { cluster } = fixture;
    const store = await fixture.open();
    const load = new Load(
      store,
      keysWhere(store, 'load', 10, () => true),
    );
    await load.untilWrites(50);
    await cluster.killManager();
    // They ask each other as soon as they have lost it.
    await load.untilWrites(50);
    await cluster.restartManager();
    await cluster.kill(1);
    await cluster.untilHealthy();
    await load.untilWrites(100);
    const report = await load.stop();
    expect(report.failures).to.deep.equal([]);
    expect(report.slowestMs, 'the slowest call').to.be.below(longLeaseMs / 2);
  });
});
