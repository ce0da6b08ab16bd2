import { expect } from 'chai';
import { UsageError } from '../../src/shop/errors.js';
import { readCart } from '../../src/shop/invoice-cart.js';
import { NodeKiller } from '../../src/shop/node-killer.js';
import { replay } from '../../src/shop/replay.js';
import { RowGate } from '../../src/shop/row-gate.js';
import { type NodeStatus } from '../../src/shop/store.js';
import { FakeCluster } from '../support/fake-store.js';

const persistence = { forMs: 5_000, pauseMs: 1 };

const lines = Array.from({ length: 120 }, (_, index) => ({
  row: index + 1,
  invoice: String(Math.floor(index / 10)),
  stockCode: 'A',
  quantity: 1,
  unitPrice: '1',
}));

function node(id: number, more: Partial<NodeStatus> = {}): NodeStatus {
  return { id, host: '127.0.0.1', pid: 1000 + id, state: 'up', primarySlots: id, ...more };
}

describe('shop: ending nodes during a replay', () => {
  let cluster: FakeCluster;
  /** Rows in the carts when each node was ended. */
  let rowsAtKill: number[];
  let ended: number[];

  const rowsStored = (): number =>
    [...cluster.entries.values()].reduce((sum, { value }) => sum + (readCart(value)?.length ?? 0), 0);

  /** A cluster that heals, `looks` looks at its status after each kill, and has the node again later. */
  function endAndHealAfter(looks: number): (pid: number) => void {
    return (pid) => {
      rowsAtKill.push(rowsStored());
      ended.push(pid);
      const before = cluster.status;
      const without = before.nodes.map((each) =>
        each.pid === pid ? { ...each, state: 'down' as const } : each,
      );
      let left = looks;
      cluster.chooseFault = (operation) => {
        if (operation !== 'status') return undefined;
        left -= 1;
        // Nobody notices at first; then slots lack a replica; then they are whole without that node.
        if (left === Math.floor(looks / 2)) {
          cluster.status = { ...before, nodes: without, underReplicatedSlots: 5 };
        }
        if (left <= 0) cluster.status = { ...before, nodes: without };
        return undefined;
      };
    };
  }

  beforeEach(() => {
    cluster = new FakeCluster();
    cluster.status = { replicas: 3, underReplicatedSlots: 0, nodes: [1, 2, 3, 4, 5].map((id) => node(id)) };
    rowsAtKill = [];
    ended = [];
  });

  it('ends them spread over the rows, each when the cluster is whole again, while rows are under way', async () => {
    const outcome = await replay(lines, {
      clients: 4,
      connect: cluster.connect,
      persistence,
      kill: { count: 2, endProcess: endAndHealAfter(6), pollMs: 1 },
    });
    expect(outcome).to.include({ killed: 2, killProblem: undefined });
    expect(outcome.differences).to.deep.equal([]);
    expect(ended).to.deep.equal([1005, 1004]);
    expect(rowsAtKill[0]).to.be.within(40, 64);
    // Healing took longer than the rows would have: the last 20 waited for it.
    expect(rowsAtKill[1]).to.be.within(80, 110);
  });

  it('finishes the rows when the cluster does not heal, and says that it ended fewer', async () => {
    const outcome = await replay(lines, {
      clients: 4,
      connect: cluster.connect,
      persistence,
      kill: { count: 2, endProcess: endAndHealAfter(Infinity), pollMs: 1, healMs: 30 },
    });
    expect(outcome.killed).to.equal(1);
    expect(outcome.killProblem).to.equal('the cluster was not whole again within 0.03 s');
    expect(outcome.found.lines).to.equal(120);
  });

  it('finishes the rows when a process cannot be ended', async () => {
    const outcome = await replay(lines, {
      clients: 4,
      connect: cluster.connect,
      persistence,
      kill: {
        count: 1,
        endProcess: () => {
          throw new Error('kill EPERM');
        },
      },
    });
    expect(outcome).to.include({ killed: 0, killProblem: 'a node could not be ended: kill EPERM' });
    expect(outcome.found.lines).to.equal(120);
  });

  it('works with fewer rows than kills', async () => {
    for (const count of [1, 2, 5]) {
      for (const rows of [1, 2, 3]) {
        cluster.status = { ...cluster.status, nodes: [1, 2, 3, 4, 5].map((id) => node(id)) };
        const outcome = await replay(lines.slice(0, rows), {
          clients: 2,
          connect: cluster.connect,
          persistence,
          kill: {
            count,
            pollMs: 1,
            endProcess: (pid) => {
              cluster.status = {
                ...cluster.status,
                nodes: cluster.status.nodes.map((each) =>
                  each.pid === pid ? { ...each, pid: pid + 100 } : each,
                ),
              };
            },
          },
        });
        expect(outcome.killed, `${count} of ${rows}`).to.equal(count);
        expect(outcome.found.lines).to.equal(rows);
      }
    }
  });

  it('refuses a cluster whose nodes run elsewhere, or with one copy, before anything is written', async () => {
    const options = {
      clients: 2,
      connect: cluster.connect,
      persistence,
      kill: { count: 1, endProcess: () => expect.fail('it ended one') },
    };
    cluster.status = { ...cluster.status, nodes: [node(1, { host: '192.0.2.7' })] };
    expect(await replay(lines, options).catch((error: unknown) => error)).to.be.instanceOf(UsageError);
    cluster.status = { ...cluster.status, nodes: [node(1)], replicas: 1 };
    expect(await replay(lines, options).catch((error: unknown) => error)).to.be.instanceOf(UsageError);
    expect(cluster.entries.size).to.equal(0);
    expect(cluster.finalized).to.equal(cluster.opened);
  });

  it('never ends a process on another machine', async () => {
    cluster.status = {
      ...cluster.status,
      nodes: [node(9, { host: '192.0.2.7' }), node(1, { host: '::1' }), node(2, { state: 'down' })],
    };
    const killer = new NodeKiller(await cluster.connect(), {
      count: 1,
      rows: 1,
      endProcess: (pid) => ended.push(pid),
    });
    await killer.check();
    const gate = new RowGate(killer.firstLimit);
    const done = killer.run(gate);
    expect(await gate.begin()).to.be.true;
    gate.end();
    await done;
    expect(ended).to.deep.equal([1001]);
  });
});
