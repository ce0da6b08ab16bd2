// Administrators at work on a cluster that is used: it grows, shrinks, is balanced and restarted, and nobody notices.
import { expect } from 'chai';
import type { AdminRequest, GTStoreClient, TaskProgress } from '../../src/client/index.js';
import type { ClusterStatus } from '../../src/testing/index.js';
import { isRunning } from '../../src/testing/processes.js';
import {
  expectEntries,
  fill,
  keysWhere,
  nodeOf,
  untilStatus,
  useCluster,
} from '../support/cluster-fixture.js';
import { Load } from '../support/cluster-load.js';
import { eventually } from '../support/cluster-until.js';

const nodeCount = 7;
const replicas = 3;
const options = { nodes: nodeCount, replicas, partitioner: 'fnv1a', leaseMs: 5000 };
const taskMsMax = 60_000;

async function accepted(store: GTStoreClient, request: AdminRequest) {
  const result = await store.admin(request);
  if (!result.ok) throw new Error(`${request.command}: ${result.error}`);
  return result;
}

async function refusal(store: GTStoreClient, request: AdminRequest): Promise<string> {
  const result = await store.admin(request);
  return result.ok ? '' : result.error;
}

function untilDone(store: GTStoreClient): Promise<TaskProgress> {
  return eventually(
    'the task is done',
    async () => {
      const { task } = await accepted(store, { command: 'progress' });
      return task?.state === 'done' ? task : undefined;
    },
    taskMsMax,
  );
}

/** The difference between the most and the least. */
function spread({ nodes }: ClusterStatus, of: 'primarySlots' | 'replicaSlots'): number {
  const counts = nodes.map((node) => node[of]);
  return Math.max(...counts) - Math.min(...counts);
}

describe('growing, shrinking and restarting online', function () {
  this.timeout(3 * taskMsMax);
  const fixture = useCluster(options);
  let entries: ReadonlyMap<string, string> | undefined;
  let turn = 0;

  /** While it runs, clients read and write; none of their calls may fail. */
  async function whileUsed(act: (store: GTStoreClient) => Promise<void>): Promise<void> {
    const store = await fixture.open();
    entries ??= await fill(store, 'kept', 2000);
    const load = new Load(
      store,
      keysWhere(store, `used-${++turn}`, 8, () => true),
    );
    await act(store);
    const report = await load.stop();
    expect(report.failures).to.deep.equal([]);
    await fixture.cluster.untilHealthy();
    await expectEntries(store, entries);
  }

  it('M9: an eighth node takes its share, an eighth of all replicas, and nothing else moves', () =>
    whileUsed(async (store) => {
      const { cluster } = fixture;
      const { nodeIds } = await accepted(store, { command: 'add-nodes', count: 1 });
      expect(nodeIds).to.deep.equal([nodeCount]);
      await untilStatus(cluster, 'the new node is up', ({ nodes }) => nodes[nodeCount]?.state === 'up');
      expect(nodeOf(await cluster.status(), nodeCount).replicaSlots).to.equal(0);
      const { moves = [] } = await accepted(store, { command: 'rebalance', by: 'slots', dryRun: true });
      const places = (await cluster.status()).slots * replicas;
      expect(moves.length).to.be.within(1, places / (nodeCount + 1) + nodeCount + 1);
      expect(new Set(moves.map(({ to }) => to))).to.deep.equal(new Set([nodeCount]));
      expect(nodeOf(await cluster.status(), nodeCount).replicaSlots, 'after a dry run').to.equal(0);
      await accepted(store, { command: 'rebalance', by: 'slots' });
      await untilDone(store);
      const status = await cluster.untilHealthy();
      expect(spread(status, 'replicaSlots')).to.be.at.most(1);
      expect(spread(status, 'primarySlots')).to.be.at.most(1);
    }));

  it('M9: a drain goes on although the manager is killed in the middle of it; the node ends and stays away', () =>
    whileUsed(async (store) => {
      const { cluster } = fixture;
      const { pid } = nodeOf(await cluster.status(), 2);
      await accepted(store, { command: 'drain', nodeId: 2, mbPerSecond: 100 });
      expect(await refusal(store, { command: 'restart-rolling' })).to.match(/a drain is under way/);
      await cluster.killManager();
      await cluster.restartManager();
      const again = await fixture.open();
      await untilDone(again);
      const status = await untilStatus(cluster, 'the node is gone', ({ nodes }) =>
        nodes.every(({ id }) => id !== 2),
      );
      expect(status.nodes.map(({ id }) => id)).to.deep.equal([0, 1, 3, 4, 5, 6, 7]);
      expect(spread(status, 'replicaSlots')).to.be.at.most(2);
      await eventually('its process has ended', () => !isRunning(pid));
      expect(await refusal(again, { command: 'drain', nodeId: 2 })).to.match(/there is no node 2/);
    }));

  it('M9: a rebalancing goes on although who gives and who takes is killed in the middle of it', () =>
    whileUsed(async (store) => {
      const { cluster } = fixture;
      const { nodeIds = [] } = await accepted(store, { command: 'add-nodes', count: 1 });
      const [added = -1] = nodeIds;
      await untilStatus(cluster, 'the new node is up', ({ nodes }) =>
        nodes.some(({ id, state }) => id === added && state === 'up'),
      );
      await accepted(store, { command: 'rebalance', by: 'slots' });
      await Promise.all([cluster.kill(added), cluster.kill(0)]);
      await untilDone(store);
      const status = await cluster.untilHealthy();
      expect(status.nodes.map(({ id }) => id)).to.include(added);
      await untilStatus(cluster, 'all nodes carry the same', (now) =>
        [spread(now, 'replicaSlots'), spread(now, 'primarySlots')].every((difference) => difference <= 1),
      );
    }));

  it('M9: the number of replicas is raised and lowered', () =>
    whileUsed(async (store) => {
      const { cluster } = fixture;
      expect(await refusal(store, { command: 'set-replicas', replicas: 9 })).to.match(
        /need at least 9 nodes/,
      );
      for (const wanted of [4, replicas]) {
        await accepted(store, { command: 'set-replicas', replicas: wanted });
        await untilDone(store);
        const status = await cluster.untilHealthy();
        expect(status.replicas).to.equal(wanted);
        const held = status.nodes.reduce((sum, { replicaSlots }) => sum + replicaSlots, 0);
        expect(held).to.equal(wanted * status.slots);
      }
    }));

  it('M9: all nodes are restarted one after the other, and no operation fails', () =>
    whileUsed(async (store) => {
      const { cluster } = fixture;
      const before = await cluster.status();
      await accepted(store, { command: 'restart-rolling' });
      let fewest = Infinity;
      const { done, total } = await eventually(
        'all nodes are restarted',
        async () => {
          const { clusterMap } = store;
          fewest = Math.min(fewest, ...(clusterMap?.slots.map((slot) => slot.replicas.length) ?? []));
          const { task } = await accepted(store, { command: 'progress' });
          return task?.state === 'done' ? task : undefined;
        },
        taskMsMax,
      );
      expect([done, total]).to.deep.equal([before.nodes.length, before.nodes.length]);
      expect(fewest).to.equal(replicas - 1);
      const after = await cluster.untilHealthy();
      for (const { id, pid } of before.nodes)
        expect(nodeOf(after, id).pid, `process of node ${id}`).not.to.equal(pid);
    }));
});
