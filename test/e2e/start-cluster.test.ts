// `startCluster` of gtstore/testing: what it does to processes, and that nothing of them stays behind.
import { expect } from 'chai';
import { once } from 'node:events';
import { spawn } from 'node:child_process';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { GTStoreClient } from '../../src/client/index.js';
import { childrenOf, hasArgument, isRunning, sendSignal } from '../../src/testing/processes.js';
import { startCluster } from '../../src/testing/index.js';
import { nodeEntry } from '../../src/testing/manager-process.js';
import type { ClusterOptions, NodeStatus, TestCluster } from '../../src/testing/index.js';
import { eventually } from '../support/cluster-until.js';

const entry = fileURLToPath(new URL('../../src/testing/index.js', import.meta.url));

function pids(cluster: TestCluster): number[] {
  return cluster.nodes.map(({ pid }) => pid);
}

function node(cluster: TestCluster, id: number): NodeStatus {
  return cluster.nodes.find((each) => each.id === id)!;
}

/** Kills a node and stops its next life before anybody can have heard of it; its process id. */
async function forkedAndStopped(managerPid: number, nodePid: number): Promise<number> {
  const before = childrenOf(managerPid);
  sendSignal(nodePid, 'SIGKILL');
  const fresh = await eventually('it is forked anew', () =>
    childrenOf(managerPid).find((pid) => !before.includes(pid) && hasArgument(pid, nodeEntry)),
  );
  sendSignal(fresh, 'SIGSTOP');
  return fresh;
}

describe('startCluster', function () {
  this.timeout(60_000);
  const clusters: TestCluster[] = [];
  afterEach(async () => {
    for (const cluster of clusters.splice(0)) await cluster.stop();
  });

  async function start(options: ClusterOptions): Promise<TestCluster> {
    const cluster = await startCluster(options);
    clusters.push(cluster);
    return cluster;
  }

  it('a manager that does not answer is named', async () => {
    const cluster = await start({ nodes: 1 });
    await cluster.killManager();
    const failure: unknown = await cluster.status().catch((error: unknown) => error);
    expect(String(failure)).to.equal(`Error: not within 2000 ms: an answer of the manager at ${cluster.url}`);
  });

  it('kill, restart, pause, resume do so to the one process of the node', async () => {
    const cluster = await start({ nodes: 4, replicas: 2 });
    expect(cluster.nodes.map(({ id, state }) => `${id} ${state}`)).to.deep.equal([
      '0 up',
      '1 up',
      '2 up',
      '3 up',
    ]);
    const [first, second, third, fourth] = pids(cluster);

    await cluster.kill(0);
    expect(isRunning(first!)).to.equal(false);
    await cluster.untilHealthy();
    expect(node(cluster, 0).pid).not.to.equal(first);

    const { incarnation } = node(cluster, 1);
    await cluster.restart(1);
    expect(isRunning(second!)).to.equal(false);
    expect(node(cluster, 1).incarnation).to.be.above(incarnation);
    expect(node(cluster, 1).state).to.equal('up');

    await cluster.pause(2);
    await eventually('the silence is noticed', async () => {
      await cluster.status();
      return node(cluster, 2).state !== 'up';
    });
    await cluster.resume(2);
    await cluster.untilHealthy();
    expect(node(cluster, 2).pid).to.equal(third);
    expect(node(cluster, 3).pid).to.equal(fourth);
    expect(cluster.logs).to.match(/node 0: joins/);
  });

  it('restart waits for the next life of a node that has just died, too', async () => {
    const cluster = await start({ nodes: 3, replicas: 2 });
    const { incarnation, pid } = node(cluster, 0);
    sendSignal(pid, 'SIGKILL');
    await eventually('it is gone', () => !isRunning(pid));
    await cluster.restart(0);
    expect(node(cluster, 0).state).to.equal('up');
    expect(node(cluster, 0).incarnation).to.be.above(incarnation);
  });

  it('the manager dies and comes back on the same port, to the same nodes', async () => {
    const cluster = await start({ nodes: 3, replicas: 2 });
    await using store = new GTStoreClient({ manager: cluster.url });
    await store.init();
    await store.put('key', 'value');
    const before = pids(cluster);
    await cluster.killManager();
    expect(await store.get('key')).to.equal('value');
    const { url } = cluster;
    await cluster.restartManager();
    expect(cluster.url).to.equal(url);
    expect(pids(cluster)).to.deep.equal(before);
    await cluster.pauseManager();
    expect(await store.get('key')).to.equal('value');
    await cluster.resumeManager();
    await cluster.untilHealthy();
    expect(pids(cluster)).to.deep.equal(before);
  });

  it('collects what a node writes after the manager that forked it has gone, and its successor, too', async () => {
    const cluster = await start({ nodes: 2 });
    const lost = (): number => cluster.logs.match(/node 0 +manager lost/g)?.length ?? 0;
    await cluster.killManager();
    await eventually('the node tells of its loss', () => lost() === 1);
    await cluster.restartManager();
    await cluster.killManager();
    await eventually('it tells of the next one', () => lost() === 2);
  });

  it('a node that is not respawned stays down until it is started again', async () => {
    const cluster = await start({ nodes: 3, replicas: 2, respawn: false });
    await cluster.kill(1);
    await eventually('the others have taken over', async () => {
      const { underReplicatedSlots } = await cluster.status();
      return node(cluster, 1).state === 'down' && underReplicatedSlots === 0;
    });
    await cluster.restart(1);
    await cluster.untilHealthy();
    expect(node(cluster, 1).state).to.equal('up');
  });

  it('stop ends paused nodes, a paused manager and the nodes of a dead one, and may be called again', async () => {
    const one = await start({ nodes: 3 });
    await one.pause(1);
    await one.pauseManager();
    await one.stop();
    expect(pids(one).filter(isRunning)).to.deep.equal([]);
    await one.stop();

    const two = await start({ nodes: 3 });
    await two.pause(1);
    await two.killManager();
    expect(pids(two).filter(isRunning)).to.have.length(3);
    await two.stop();
    expect(pids(two).filter(isRunning)).to.deep.equal([]);
  });

  it('stop ends a node, too, that the manager had only just forked when it was killed', async function () {
    // Elsewhere nobody tells whose children processes are.
    if (process.platform !== 'linux') this.skip();
    const cluster = await start({ nodes: 3 });
    const { manager } = await cluster.status();
    const fresh = await forkedAndStopped(manager.pid, node(cluster, 0).pid);
    try {
      await cluster.killManager();
      expect(isRunning(fresh)).to.equal(true);
      await cluster.stop();
      expect(isRunning(fresh)).to.equal(false);
    } finally {
      sendSignal(fresh, 'SIGKILL');
    }
  });

  it('a cluster that cannot start says why, at once', async function () {
    // Far less than it would be waited for.
    this.timeout(10_000);
    await startCluster({ nodes: 2, replicas: 3 }).then(
      () => expect.fail('started'),
      (error: unknown) => expect(String(error)).to.match(/2.*3 copies need 3 nodes/),
    );
  });

  it('a process that ends without stop ends those nodes, too, that the manager has just forked', async function () {
    if (process.platform !== 'linux') this.skip();
    const script = `
      import { startCluster } from ${JSON.stringify(entry)};
      const cluster = await startCluster({ nodes: 2 });
      const { manager } = await cluster.status();
      console.log(JSON.stringify([manager.pid, cluster.nodes[0].pid]));
      process.stdin.once('data', () => process.exit(0));`;
    const child = spawn(process.execPath, ['--input-type=module', '-e', script], {
      stdio: ['pipe', 'pipe', 'ignore'],
    });
    const [chunk] = (await once(child.stdout.setEncoding('utf8'), 'data')) as [string];
    const [managerPid = 0, nodePid = 0] = JSON.parse(chunk) as number[];
    const fresh = await forkedAndStopped(managerPid, nodePid);
    try {
      child.stdin.end('now');
      await once(child, 'exit');
      await eventually('the node is gone', () => !isRunning(fresh));
    } finally {
      sendSignal(fresh, 'SIGKILL');
    }
  });

  for (const end of ['process.exit(0)', "process.kill(process.pid, 'SIGKILL')", 'throw new Error()']) {
    it(`nothing stays behind when the test's process ends by ${end}`, async () => {
      const script = `
        import { startCluster } from ${JSON.stringify(entry)};
        const cluster = await startCluster({ nodes: 2 });
        console.log(JSON.stringify(cluster.nodes.map((node) => node.pid)));
        process.stdin.once('data', () => { ${end}; });`;
      const directory = await mkdtemp(join(tmpdir(), 'gtstore-e2e-'));
      const child = spawn(process.execPath, ['--input-type=module', '-e', script], {
        env: { ...process.env, TMPDIR: directory },
        stdio: ['pipe', 'pipe', 'ignore'],
      });
      const [chunk] = (await once(child.stdout.setEncoding('utf8'), 'data')) as [string];
      const nodePids = JSON.parse(chunk) as number[];
      expect(nodePids.filter(isRunning)).to.have.length(2);
      child.stdin.end('now');
      await once(child, 'exit');
      await eventually('the nodes are gone', () => nodePids.every((pid) => !isRunning(pid)));
      await rm(directory, { recursive: true, maxRetries: 5 });
    });
  }
});
