import { expect } from 'chai';
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { UsageError } from '../../src/shop/errors.js';
import { readCart } from '../../src/shop/invoice-cart.js';
import { NodeKiller } from '../../src/shop/node-killer.js';
import { isProcessOf } from '../../src/shop/node-process.js';
import { replay } from '../../src/shop/replay.js';
import { RowGate } from '../../src/shop/row-gate.js';
import { type NodeStatus } from '../../src/shop/store.js';
import { FakeCluster } from '../support/fake-store.js';
import { until } from '../support/until.js';

/** The processes of most tests are made up. */
const anyProcess = (): boolean => true;
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
      kill: { count: 2, isProcessOf: anyProcess, endProcess: endAndHealAfter(6), pollMs: 1 },
    });
    expect(outcome).to.include({ killed: 2, killProblem: undefined });
    expect(outcome.differences).to.deep.equal([]);
    expect(ended).to.deep.equal([1005, 1004]);
    expect(rowsAtKill[0]).to.be.within(40, 64);
    // Healing took longer than the rows would have: the last 20 waited for it.
    expect(rowsAtKill[1]).to.be.within(80, 110);
  });

  it('ends each node once as long as there are others, though one that came back has the most primaries', async () => {
    const comeBack = (pid: number): void => {
      ended.push(pid % 100);
      const { status } = cluster;
      const nodes = status.nodes.map((each) =>
        each.pid === pid ? { ...each, pid: pid + 100, primarySlots: 99 } : each,
      );
      cluster.status = { ...status, nodes };
    };
    const kill = { count: 7, isProcessOf: anyProcess, endProcess: comeBack, pollMs: 1 };
    await replay(lines, { clients: 4, connect: cluster.connect, persistence, kill });
    expect(ended).to.deep.equal([5, 4, 3, 2, 1, 1, 1]);
  });

  it('finishes the rows when the cluster does not heal, and says that it ended fewer', async () => {
    const outcome = await replay(lines, {
      clients: 4,
      connect: cluster.connect,
      persistence,
      kill: {
        count: 2,
        isProcessOf: anyProcess,
        endProcess: endAndHealAfter(Infinity),
        pollMs: 1,
        healMs: 30,
      },
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
        isProcessOf: anyProcess,
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
            isProcessOf: anyProcess,
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
      kill: { count: 1, isProcessOf: anyProcess, endProcess: () => expect.fail('it ended one') },
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
      isProcessOf: anyProcess,
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

  /** A killer of one node at half of 4 rows, when these are over: it has found the cluster whole and waits for one more. */
  async function killerInWait(): Promise<{ gate: RowGate; done: Promise<void>; looks: () => number }> {
    let looks = 0;
    cluster.chooseFault = (operation) => {
      if (operation === 'status') looks += 1;
      return undefined;
    };
    const endProcess = (pid: number): void => void ended.push(pid);
    const options = { count: 1, rows: 4, pollMs: 1, isProcessOf: anyProcess, endProcess };
    const killer = new NodeKiller(await cluster.connect(), options);
    const gate = new RowGate(killer.firstLimit);
    const done = killer.run(gate);
    for (let row = 0; row < 3; row += 1) expect(await gate.begin()).to.be.true;
    gate.end();
    gate.end();
    // Once it has seen it whole it lets all rows begin.
    expect(await gate.begin()).to.be.true;
    return { gate, done, looks: () => looks };
  }

  it('ends none after the replay was stopped', async () => {
    const { gate, done } = await killerInWait();
    gate.close();
    await done;
    expect(ended).to.deep.equal([]);
  });

  it('ends none either when the replay is stopped while it looks at the cluster', async () => {
    const { gate, done, looks } = await killerInWait();
    const before = looks();
    const { chooseFault } = cluster;
    cluster.chooseFault = (operation, key) => {
      if (looks() === before) gate.close();
      return chooseFault(operation, key);
    };
    gate.end();
    await done;
    expect({ ended, looks: looks() }).to.deep.equal({ ended: [], looks: before + 1 });
  });

  it('looks again when the row has ended that it waited for: a slot may lack a replica by then', async () => {
    const { gate, done, looks } = await killerInWait();
    const whole = cluster.status;
    cluster.status = { ...whole, underReplicatedSlots: 1 };
    const before = looks();
    gate.end();
    await until(() => looks() > before + 1);
    expect(ended).to.deep.equal([]);
    cluster.status = whole;
    await done;
    expect(ended).to.deep.equal([1005]);
  });

  it('never ends a process that is not that node, whatever its id and address say', async () => {
    const options = {
      clients: 2,
      connect: cluster.connect,
      persistence,
      kill: { count: 1, isProcessOf: () => false, endProcess: () => expect.fail('it ended one') },
    };
    expect(await replay(lines, options).catch((error: unknown) => error)).to.be.instanceOf(UsageError);
    const onlyThird = (each: NodeStatus): boolean => each.id === 3;
    const kill = { count: 1, isProcessOf: onlyThird, endProcess: endAndHealAfter(1) };
    expect(await replay(lines, { ...options, kill })).to.include({ killed: 1 });
    expect(ended).to.deep.equal([1003]);
  });
});

describe('shop: the process of a node', () => {
  const children: ChildProcess[] = [];
  afterEach(() => {
    for (const child of children.splice(0)) child.kill('SIGKILL');
  });

  /** The id of a process with these words on its command line. */
  async function processWith(...words: string[]): Promise<number> {
    const script = "process.stdout.write('up'); process.stdin.resume()";
    const child = spawn(process.execPath, ['-e', script, '--', ...words], {
      stdio: ['pipe', 'pipe', 'ignore'],
    });
    children.push(child);
    await once(child.stdout, 'data');
    return child.pid ?? 0;
  }

  before(function () {
    if (process.platform !== 'linux') this.skip();
  });

  it('is known by what it was started with', async () => {
    const forked = await processWith('/opt/gtstore/dist/cli/forked-node.js', '{"nodeId":3,"host":"::1"}');
    expect(isProcessOf({ id: 3, pid: forked })).to.be.true;
    expect(isProcessOf({ id: 4, pid: forked })).to.be.false;
    const byHand = await processWith('/opt/bin/gtstore', 'node', '--manager', '127.0.0.1:7400');
    expect(isProcessOf({ id: 4, pid: byHand })).to.be.true;
    const manager = await processWith('/opt/gtstore/dist/cli/main.js', 'start');
    expect(isProcessOf({ id: 4, pid: manager })).to.be.false;
    const other = await processWith('/opt/other/forked-node.js', 'no JSON');
    expect(isProcessOf({ id: 4, pid: other })).to.be.false;
  });

  it('is none of ours, or has gone', () => {
    expect(isProcessOf({ id: 0, pid: process.pid })).to.be.false;
    expect(isProcessOf({ id: 0, pid: 2 ** 30 })).to.be.false;
  });
});
