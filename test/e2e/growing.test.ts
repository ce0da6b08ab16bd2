// Growing and shrinking as an operator does it: nodes come and go, replicas change, every node is restarted, and each
// command is followed until it is done.
import { expect } from 'chai';
import {
  type ClusterStatus,
  GTStoreClient,
  type SlotMove,
  type TaskProgress,
} from '../../src/client/index.js';
import { type TestCluster, startCluster } from '../../src/testing/index.js';
import { eventually, stretch } from '../support/cluster-until.js';
import { type Launched, type Result, gtstore, launcher, run } from './command.js';

const keyCount = 200;
const valueBytes = 4096;
/** Slow enough to be met under way: the smallest task copies some 500 kB. */
const slowly = ['--mb-per-second', '0.1'];
/** For tasks that are not waited for. */
const verySlowly = ['--mb-per-second', '0.02'];

describe('growing and shrinking', function () {
  this.timeout(120_000);
  const launch = launcher();
  let cluster: TestCluster;
  let store: GTStoreClient;

  beforeEach(async () => {
    cluster = await startCluster({ nodes: 3, replicas: 2 });
    store = new GTStoreClient({ manager: cluster.url });
    await store.init();
    await store.putMany(Array.from({ length: keyCount }, (_, i) => [`key ${i * 7}`, valueOf(i)] as const));
  });
  afterEach(async () => {
    await store.finalize();
    await cluster.stop();
  });

  const valueOf = (i: number): Uint8Array => new Uint8Array(valueBytes).fill(i % 256);
  const env = (): { env: { GTSTORE_URL: string } } => ({ env: { GTSTORE_URL: cluster.url } });
  const command = (...args: string[]): Promise<Result> => run(gtstore, args, env());
  const begin = (...args: string[]): Launched => launch(gtstore, args, env());

  async function succeeds(...args: string[]): Promise<string> {
    const { code, stdout, stderr } = await command(...args);
    expect(stderr, args.join(' ')).to.equal('');
    expect(code).to.equal(0);
    return stdout;
  }

  async function fails(args: readonly string[], text: RegExp): Promise<void> {
    const { code, stdout, stderr } = await command(...args);
    expect(stderr).to.match(text);
    expect(stderr.trimEnd().split('\n'), stderr).to.have.length(1);
    expect(stdout).to.equal('');
    expect(code).to.equal(1);
  }

  /** Lines of JSON: those of a task, the last of which says that it is done. */
  function progressOf(stdout: string): TaskProgress[] {
    const lines = stdout.trimEnd().split('\n');
    const all = lines.map((line) => JSON.parse(line) as TaskProgress);
    for (const progress of all)
      expect(progress).to.have.all.keys('task', 'state', 'done', 'total', 'bytesDone', 'bytesTotal');
    expect(all.pop()).to.include({ state: 'done' });
    for (const { state } of all) expect(state).to.equal('running');
    return lines.map((line) => JSON.parse(line) as TaskProgress);
  }

  async function expectAllKeys(): Promise<void> {
    const values = await store.getMany(Array.from({ length: keyCount }, (_, i) => `key ${i * 7}`));
    expect(values.filter((value) => value === undefined)).to.deep.equal([]);
    expect(values[3]).to.deep.equal(valueOf(3));
  }

  const replicaSlots = ({ nodes }: ClusterStatus, id: number): number =>
    nodes.find((node) => node.id === id)?.replicaSlots ?? 0;

  async function noTask(): Promise<void> {
    await eventually('no task is under way', async () => {
      const answer = await store.admin({ command: 'progress' });
      return answer.ok && answer.task?.state !== 'running';
    });
  }

  /** Nodes tell of their slots about every second. */
  async function loadsKnown(): Promise<void> {
    await eventually('the manager knows what the slots hold', async () => {
      const answer = await store.admin({ command: 'hot', count: 1000 });
      const known = answer.ok ? (answer.hot ?? []).reduce((sum, { keys }) => sum + keys, 0) : 0;
      return known === keyCount;
    });
  }

  it('add-node waits until the nodes are up, and says what to do next; rebalance gives them their share; nothing is lost', async () => {
    expect(JSON.parse(await succeeds('add-node', '--count', '2', '--json'))).to.deep.equal({
      ...{ state: 'done', nodeIds: [3, 4] },
    });
    const before = await cluster.status();
    expect(before.nodes.map(({ id, state }) => `${id} ${state}`).slice(3)).to.deep.equal(['3 up', '4 up']);
    expect(replicaSlots(before, 3)).to.equal(0);

    const { moves } = JSON.parse(await succeeds('rebalance', '--dry-run', '--json')) as { moves: SlotMove[] };
    expect(new Set(moves.map(({ to }) => to))).to.deep.equal(new Set([3, 4]));
    expect(await succeeds('rebalance', '--dry-run')).to.match(
      /^\d+ moves\n\nslot +from node +to node\n +\d+/,
    );
    expect((await cluster.status()).epoch).to.equal(before.epoch);

    expect(await succeeds('rebalance')).to.match(
      /^(rebalancing: .*\n)*rebalanced by slots, \d+ slots moved\n$/,
    );
    const after = await cluster.status();
    const share = (2 * after.slots) / 5;
    for (const { id } of after.nodes) expect(replicaSlots(after, id)).to.be.within(share - 2, share + 2);
    await expectAllKeys();
    expect(await succeeds('rebalance')).to.equal('nothing to move: slots are even\n');
    expect(await succeeds('add-node')).to.equal(
      'node 5 is up and holds nothing yet: gtstore rebalance moves slots to new nodes\n',
    );
    const added = JSON.parse(await succeeds('add-node', '--json', '--no-wait')) as object;
    expect(added).to.deep.equal({ state: 'running', nodeIds: [6] });
  });

  it('set-replicas tells how far it is, one line of JSON after the other', async () => {
    const progress = progressOf(await succeeds('set-replicas', '3', '--json', '--mb-per-second', '0.5'));
    expect(progress.length).to.be.above(2);
    const { slots, replicas, underReplicatedSlots } = await cluster.status();
    expect({ replicas, underReplicatedSlots }).to.deep.equal({ replicas: 3, underReplicatedSlots: 0 });
    expect(progress.at(-1)).to.include({ task: 'set-replicas', done: slots, total: slots });
    expect(await succeeds('set-replicas', '1')).to.match(/every key has 1 copy, \d+ slots changed\n$/);
    await expectAllKeys();
  });

  it('drain empties a node, which leaves; fewer nodes than replicas are refused', async () => {
    const stdout = await succeeds('drain', '1');
    expect(stdout).to.match(/node 1 is drained, \d+ slots moved, and has left the cluster\n$/);
    await expectAllKeys();
    const status = await cluster.status();
    expect(replicaSlots(status, 1)).to.equal(0);
    expect(status.underReplicatedSlots).to.equal(0);
    await fails(['drain', '0'], /^gtstore: .*too few.*add nodes/);
    await fails(['drain', '77'], /^gtstore: there is no node 77/);
    await fails(['set-replicas', '3'], /^gtstore: 3 replicas need/);
  });

  it('Ctrl-C ends the following, not the task; status shows it; a second task is refused meanwhile', async () => {
    const drain = begin('drain', '2', ...slowly);
    await drain.shows(/draining: \d+ of \d+ slots/);
    drain.signal('SIGINT');
    const { code, stderr } = await drain.ended();
    expect(code).to.equal(130);
    expect(stderr).to.match(/^gtstore: .*the task goes on.*gtstore status\n$/);
    expect((await command('status')).stdout).to.match(/^task +draining: \d+ of \d+ slots/m);
    await fails(['rebalance'], /^gtstore: a drain is under way/);
    await noTask();
    expect(replicaSlots(await cluster.status(), 2)).to.equal(0);
  });

  it('--no-wait returns at once; cancel ends the task where it is, and says so to whoever follows', async () => {
    await loadsKnown();
    await fails(['cancel'], /^gtstore: no task is under way\n$/);
    expect(await succeeds('drain', '2', '--no-wait', ...verySlowly)).to.match(
      /^begun; draining: 0 of \d+ slots, /,
    );
    const answer = await store.admin({ command: 'progress' });
    expect(answer).to.have.nested.property('task.state', 'running');
    expect(await succeeds('cancel')).to.match(/^cancelled; draining: \d+ of \d+ slots, /);
    expect((await command('status')).stdout).not.to.match(/^task /m);
    const drain = begin('drain', '2', ...verySlowly);
    await drain.shows(/draining: \d+ of \d+ slots/);
    expect(JSON.parse(await succeeds('cancel', '--json'))).to.include({ task: 'drain', state: 'cancelled' });
    const { code, stderr } = await drain.ended();
    expect(stderr).to.match(/^gtstore: somebody has cancelled it; draining: \d+ of \d+ slots, .*\n$/);
    expect(code).to.equal(1);
    expect(replicaSlots(await cluster.status(), 2)).to.be.above(0);
    await expectAllKeys();
  });

  it('--mb-per-second is kept to, about', async () => {
    await loadsKnown();
    const startedAtMs = performance.now();
    const last = progressOf(await succeeds('drain', '2', '--json', '--mb-per-second', '0.15')).at(-1);
    const seconds = (performance.now() - startedAtMs) / 1000;
    const bytes = last?.bytesTotal ?? 0;
    expect(bytes).to.be.above(200_000);
    // A quarter of a second's worth may be saved up by each of two learners.
    expect(bytes / 150_000, `${bytes} bytes in ${seconds} s`).to.be.below(seconds + 1);
  });

  it('restart --rolling restarts every node; a manager that dies meanwhile goes on with it', async () => {
    const pids = (await cluster.status()).nodes.map(({ pid }) => pid);
    const restart = begin('restart', '--rolling', '--json');
    await restart.shows(/"done":1/);
    await cluster.killManager();
    await restart.shows(/the manager does not answer/);
    await cluster.restartManager();
    const { code, stdout, stderr } = await restart.ended();
    expect(stderr).to.match(/the manager is back/);
    expect(code).to.equal(0);
    expect(progressOf(stdout).at(-1)).to.include({ task: 'restart-rolling', done: 3, total: 3 });
    for (const { pid, state } of (await cluster.untilHealthy()).nodes) {
      expect(state).to.equal('up');
      expect(pids).not.to.include(pid);
    }
    await expectAllKeys();
  });

  it('M3: a node that no manager forked is not taken for dead by a restarted one that cannot see its process', async () => {
    const node = begin('node', '--manager', cluster.url);
    await eventually('it is up', async () => (await cluster.status()).nodes[3]?.state === 'up');
    const before = (await cluster.status()).nodes[3];
    await cluster.killManager();
    await cluster.restartManager();
    // It looks for the processes of its nodes every 50 ms.
    await stretch(1000);
    const after = (await cluster.untilHealthy()).nodes[3];
    expect(after).to.include({ incarnation: before?.incarnation, pid: before?.pid, state: 'up' });
    await expectAllKeys();
    node.signal('SIGTERM');
    await node.ended();
  });
});
