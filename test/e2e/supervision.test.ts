// ./run.sh looks after its manager: killed or crashed, it comes back to its nodes; asked to end, everything ends.
import { expect } from 'chai';
import { readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { GTStoreClient } from '../../src/client/index.js';
import type { ClusterStatus } from '../../src/testing/index.js';
import { expectEntries, fill, incarnations, keysWhere, nodeOf } from '../support/cluster-fixture.js';
import { Increments, Load } from '../support/cluster-load.js';
import { eventually } from '../support/cluster-until.js';
import { type Launched, launcher, run, runScript } from './command.js';

/** Long leases: on a busy machine nobody shall be taken for silent. */
const small = ['-n', '3', '-k', '3', '--port', '0', '--lease-ms', '5000'];

const statusMsMax = 1000;

function pids({ nodes }: ClusterStatus): string {
  return nodes.map(({ id, pid }) => `${id}:${pid}`).join(' ');
}

describe('run.sh and its manager', function () {
  this.timeout(90_000);
  const launch = launcher();

  /** undefined: the manager does not answer. */
  async function statusOf(url: string): Promise<ClusterStatus | undefined> {
    await using store = new GTStoreClient({ manager: url });
    store.on('error', () => undefined);
    try {
      await store.init({ timeoutMs: statusMsMax });
      return await store.status();
    } catch {
      return undefined;
    }
  }

  /** Waits for the status of another manager than the one that was killed. */
  function statusOfNext(url: string, killed: number): Promise<ClusterStatus> {
    return eventually('another manager answers', async () => {
      const status = await statusOf(url);
      return status !== undefined && status.manager.pid !== killed ? status : undefined;
    });
  }

  async function begun(url: string): Promise<ClusterStatus> {
    const status = await statusOf(url);
    if (status === undefined) throw new Error('the manager does not answer');
    return status;
  }

  async function expectEnd(cluster: Launched, signal: NodeJS.Signals): Promise<void> {
    cluster.signal(signal);
    const { code, stderr } = await cluster.ended();
    expect(code, stderr).to.equal(0);
    expect(cluster.processes()).to.deep.equal([]);
  }

  it('M8: kill -9 of the manager under load fails no operation, and it comes back on its port to the same nodes', async () => {
    const cluster = launch(runScript, small);
    const url = await cluster.ready();
    await using store = new GTStoreClient({ manager: url });
    await store.init();
    const load = new Load(
      store,
      keysWhere(store, 'load', 10, () => true),
    );
    const increments = new Increments(store, 'sum');
    const before = await begun(url);
    let { pid } = before.manager;
    for (let life = 1; life <= 3; life++) {
      await load.untilWrites(50);
      process.kill(pid, 'SIGKILL');
      const after = await statusOfNext(url, pid);
      expect(after.epoch).to.be.at.least(before.epoch);
      expect(pids(after)).to.equal(pids(before));
      expect(incarnations(after)).to.equal(incarnations(before));
      ({ pid } = after.manager);
    }
    await load.untilWrites(50);
    expect(await increments.stop()).to.equal(0);
    expect((await load.stop()).failures).to.deep.equal([]);
    // It is no mere shadow: it knows its nodes' processes.
    process.kill(nodeOf(before, 1).pid, 'SIGKILL');
    await eventually('node 1 lives again', async () => {
      const status = await statusOf(url);
      return status !== undefined && nodeOf(status, 1).incarnation > nodeOf(before, 1).incarnation;
    });
    expect(cluster.stdout.trimEnd().split('\n'), 'one ready line').to.have.length(1);
    expect(cluster.stderr).to.match(/error run {6}the manager has crashed \(SIGKILL\); starting it again/);
    await expectEnd(cluster, 'SIGINT');
  });

  it('M3, M8: a node that is killed while the manager is away is replaced when it is back', async () => {
    const cluster = launch(runScript, small);
    const url = await cluster.ready();
    await using store = new GTStoreClient({ manager: url });
    await store.init();
    const entries = await fill(store, 'kept', 300);
    const before = await begun(url);
    process.kill(before.manager.pid, 'SIGKILL');
    process.kill(nodeOf(before, 0).pid, 'SIGKILL');
    const after = await eventually('node 0 lives again, and every slot is whole', async () => {
      const status = await statusOf(url);
      const isWhole = status?.underReplicatedSlots === 0 && status.nodes.every(({ state }) => state === 'up');
      return isWhole && nodeOf(status, 0).incarnation > nodeOf(before, 0).incarnation ? status : undefined;
    });
    expect(after.epoch).to.be.above(before.epoch);
    expect(nodeOf(after, 1).pid).to.equal(nodeOf(before, 1).pid);
    await expectEntries(store, entries);
    await expectEnd(cluster, 'SIGTERM');
  });

  it('an end that is asked for while the manager is away ends the nodes, too', async () => {
    const cluster = launch(runScript, small);
    const url = await cluster.ready();
    const { manager } = await begun(url);
    process.kill(manager.pid, 'SIGKILL');
    await cluster.shows(/starting it again/);
    await expectEnd(cluster, 'SIGINT');
  });

  /** Presses Ctrl-C again and again. */
  async function interrupted(cluster: Launched): Promise<void> {
    await eventually('the end', () => {
      cluster.signal('SIGINT');
      return cluster.code !== undefined;
    });
    expect(cluster.code, cluster.stderr).to.be.oneOf([0, 130]);
    await eventually('no process left', () => cluster.processes().length === 0);
  }

  it('Ctrl-C again and again while a manager is being started again leaves no node behind', async () => {
    const cluster = launch(runScript, small);
    const { manager } = await begun(await cluster.ready());
    process.kill(manager.pid, 'SIGKILL');
    await cluster.shows(/starting it again/);
    await interrupted(cluster);
  });

  it('a second Ctrl-C leaves no state of a run without a port behind; a -- at the end changes nothing', async () => {
    const directory = await mkdtemp(join(tmpdir(), 'gtstore-e2e-'));
    const cluster = launch(runScript, [...small, '--'], { env: { TMPDIR: directory } });
    const { nodes } = await begun(await cluster.ready());
    expect(readdirSync(directory).join(' ')).to.match(/^gtstore-run-\w+$/);
    process.kill(nodes[0]!.pid, 'SIGSTOP');
    await interrupted(cluster);
    expect(cluster.code).to.equal(130);
    expect(readdirSync(directory)).to.deep.equal([]);
    await rm(directory, { recursive: true });
  });

  it('a manager that is asked to end itself is not started again', async () => {
    const cluster = launch(runScript, small);
    const { manager } = await begun(await cluster.ready());
    process.kill(manager.pid, 'SIGTERM');
    const { code, stderr } = await cluster.ended();
    expect(code, stderr).to.equal(0);
    expect(stderr).not.to.match(/starting it again/);
    expect(cluster.processes()).to.deep.equal([]);
  });

  it('if whoever looks after the manager is killed, the manager goes on, and ends all when asked to', async () => {
    const cluster = launch(runScript, small);
    const url = await cluster.ready();
    cluster.signal('SIGKILL');
    await cluster.shows(/going on without it: kill \d+ ends the cluster/).catch(() => undefined);
    const { manager } = await begun(url);
    process.kill(manager.pid, 'SIGTERM');
    await eventually('nothing is left', () => cluster.processes().length === 0);
  });

  it('a start that fails is not tried again, exit 2 or 1', async () => {
    const cluster = launch(runScript, small);
    const { port } = new URL(await cluster.ready());
    const busy = await run(runScript, ['-n', '3', '--port', port]);
    expect(busy.stderr).to.match(new RegExp(`port ${port}\\b.*in use`));
    expect(busy.code).to.equal(2);
    const directory = await mkdtemp(join(tmpdir(), 'gtstore-e2e-'));
    writeFileSync(join(directory, 'manager-state.json'), 'torn');
    const torn = await run(runScript, ['--port', '0', '--data-dir', directory]);
    expect(torn.stderr.trimEnd().split('\n'), torn.stderr).to.have.length(1);
    expect(torn.code).to.equal(1);
    await rm(directory, { recursive: true });
  });

  it('a damaged state file does not keep it from coming back with --data-dir, nor do options it was created with', async () => {
    const directory = await mkdtemp(join(tmpdir(), 'gtstore-e2e-'));
    const cluster = launch(runScript, [...small, '--data-dir', directory, '--durability', 'always']);
    const url = await cluster.ready();
    const before = await begun(url);
    const path = join(directory, 'manager-state.json');
    // The manager is stopped meanwhile, so that it does not save in between.
    process.kill(before.manager.pid, 'SIGSTOP');
    writeFileSync(path, readFileSync(path).subarray(0, 500));
    process.kill(before.manager.pid, 'SIGKILL');
    const after = await statusOfNext(url, before.manager.pid);
    expect(incarnations(after)).to.equal(incarnations(before));
    expect(readdirSync(directory).filter((name) => name.includes('damaged'))).to.have.length(1);
    await expectEnd(cluster, 'SIGINT');
    await rm(directory, { recursive: true });
  });
});
