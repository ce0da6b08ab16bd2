// `gtstore start --data-dir`: the cluster comes back from what its manager has stored, however it ended.
import { expect } from 'chai';
import { existsSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { mkdtemp, rename, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { GTStoreClient } from '../../src/client/index.js';
import type { ClusterStatus, NodeStatus } from '../../src/testing/index.js';
import { eventually } from '../support/cluster-until.js';
import { type Launched, type Result, gtstore, launcher, run } from './command.js';

/** As told to the nodes on their command lines. */
interface ToldToNode {
  readonly nodeId: number;
  readonly dataDir?: string;
  readonly durability: string;
  readonly hostLabel?: string;
  readonly memoryBytesMax?: number;
}

function toldTo(pid: number): ToldToNode {
  const words = readFileSync(`/proc/${pid}/cmdline`, 'utf8').split('\0');
  return JSON.parse(words.find((word) => word.startsWith('{')) ?? '') as ToldToNode;
}

function lifeOf({ id, incarnation, pid }: NodeStatus): string {
  return `${id} ${incarnation} ${pid}`;
}

describe('gtstore start --data-dir', function () {
  this.timeout(60_000);
  const launch = launcher();
  let directory = '';

  beforeEach(async () => {
    directory = await mkdtemp(join(tmpdir(), 'gtstore-e2e-'));
  });
  // Registered after the launcher's: by then nothing writes here.
  afterEach(() => rm(directory, { recursive: true, force: true }));

  function start(...args: string[]): Launched {
    return launch(gtstore, ['start', '--port', '0', '--data-dir', directory, ...args]);
  }

  async function storing<T>(url: string, act: (store: GTStoreClient) => Promise<T>): Promise<T> {
    await using store = new GTStoreClient({ manager: url });
    await store.init();
    return await act(store);
  }

  async function statusOf(cluster: Launched): Promise<ClusterStatus> {
    return storing(await cluster.ready(), (store) => store.status());
  }

  async function end(cluster: Launched): Promise<void> {
    cluster.signal('SIGTERM');
    const { code, stderr } = await cluster.ended();
    expect(code, stderr).to.equal(0);
    expect(cluster.processes()).to.deep.equal([]);
  }

  const stateFile = (): string => join(directory, 'manager-state.json');

  it('M7: after an orderly end it goes on with the same cluster, nodes, replicas and later epochs, unasked', async () => {
    const first = start('-n', '4', '-k', '2');
    const before = await statusOf(first);
    await end(first);
    expect(existsSync(stateFile())).to.equal(true);
    const second = start();
    expect(await second.ready()).to.match(/^gtstore:/);
    expect(second.stdout).to.match(/^GTStore ready: 4 nodes, 2 replicas,/);
    const after = await statusOf(second);
    expect(after.clusterId).to.equal(before.clusterId);
    expect(after.replicas).to.equal(2);
    expect(after.epoch).to.be.above(before.epoch);
    for (const { id, incarnation } of before.nodes) {
      expect(after.nodes.find((node) => node.id === id)?.incarnation).to.be.above(incarnation);
    }
    await end(second);
    const third = start('-n', '4', '-k', '2');
    expect((await statusOf(third)).clusterId).to.equal(before.clusterId);
  });

  it('M7: after kill -9 of manager and nodes it does so, too', async () => {
    const first = start('-n', '3', '-k', '3');
    const before = await statusOf(first);
    await first.dispose();
    const second = start();
    expect((await statusOf(second)).clusterId).to.equal(before.clusterId);
    await end(second);
  });

  it('M7: also without respawning it starts all of them, since they did not die under its eyes; later ones when told to', async () => {
    const first = start('-n', '2', '-k', '2');
    const before = await statusOf(first);
    await end(first);
    const again = start('--no-respawn');
    const { clusterId, nodes } = await statusOf(again);
    expect(clusterId).to.equal(before.clusterId);
    const url = await again.ready();
    const command = (...args: string[]): Promise<Result> => run(gtstore, [...args, '--manager', url]);
    expect((await command('put', 'kept', 'on its disk')).code).to.equal(0);
    const early = await command('start-node', '1');
    expect(early.stderr).to.match(/^gtstore: node 1 runs, .*\n$/);
    expect(early.code).to.equal(1);
    process.kill(nodes[1]!.pid, 'SIGKILL');
    await eventually('node 1 is down', async () => (await statusOf(again)).nodes[1]?.state === 'down');
    const { code, stdout, stderr } = await command('start-node', '1');
    expect(stderr).to.equal('');
    expect(stdout).to.equal('node 1 is up\n');
    expect(code).to.equal(0);
    await eventually('every slot is whole', async () => (await statusOf(again)).underReplicatedSlots === 0);
    expect((await command('get', 'kept')).stdout).to.equal('on its disk\n');
    await end(again);
  });

  it('D4: a limit of memory is kept for the next start and for nodes that are added, until another one is given', async () => {
    const keys = Array.from({ length: 60 }, (_, n) => `key-${n}`);
    const text = 'x'.repeat(100_000);
    /** @returns how many values there are when no more are taken */
    const fill = async (cluster: Launched): Promise<number> =>
      storing(await cluster.ready(), async (store) => {
        try {
          for (const key of keys) await store.put(key, text);
        } catch (error) {
          expect(error).to.include({ code: 'MEMORY_FULL', outcome: 'not-applied' });
        }
        return (await store.getMany(keys)).filter((value) => value !== undefined).length;
      });
    const first = start('-n', '1', '-k', '1', '--max-memory', '2MB');
    expect(await fill(first)).to.be.within(15, 21);
    await end(first);
    const again = start();
    expect(await fill(again), 'as stored').to.be.within(15, 21);
    const added = await run(gtstore, ['add-node', '--manager', await again.ready()]);
    expect(added.code, added.stderr).to.equal(0);
    const { nodes } = await statusOf(again);
    if (process.platform === 'linux')
      expect(nodes.map(({ pid }) => toldTo(pid).memoryBytesMax)).to.deep.equal([2 ** 21, 2 ** 21]);
    await end(again);
    const larger = start('--max-memory', '8MB');
    expect(await fill(larger)).to.equal(keys.length);
    await end(larger);
  });

  const misfits: readonly (readonly [args: readonly string[], line: RegExp])[] = [
    [['-n', '5'], /4 nodes and 2 replicas is stored in .*leave -n and -k away, or give -n 4 -k 2/],
    [['-k', '3'], /4 nodes and 2 replicas is stored in .*leave -n and -k away, or give -n 4 -k 2/],
    [['--durability', 'always'], /--durability interval, which stays.*leave --durability away/],
    [['--durability', 'none'], /--durability interval, which stays.*leave --durability away/],
  ];
  it('options that are not those of the stored cluster: one line that says how to mend it, exit 2', async () => {
    await end(await readied(start('-n', '4', '-k', '2')));
    const stored = readFileSync(stateFile());
    for (const [args, line] of misfits) {
      const result = await run(gtstore, ['start', '--port', '0', '--data-dir', directory, ...args]);
      expect(result.stderr).to.match(line);
      expect(result.stderr.trimEnd().split('\n')).to.have.length(1);
      expect(result.code).to.equal(2);
    }
    expect(readFileSync(stateFile())).to.deep.equal(stored);
  });

  it('two managers in one directory: the second is told so in one line, exit 2, and the first is not harmed', async () => {
    const first = start('-n', '2', '-k', '2');
    const { clusterId } = await statusOf(first);
    const { code, stdout, stderr } = await run(gtstore, ['start', '--port', '0', '--data-dir', directory]);
    expect(stderr).to.match(/^gtstore: another manager works in .*: end it, or give another --data-dir\n$/);
    expect({ code, stdout }).to.deep.equal({ code: 2, stdout: '' });
    await end(first);
    const next = start();
    expect((await statusOf(next)).clusterId).to.equal(clusterId);
  });

  it('with --durability none an orderly end leaves nothing to come back to', async () => {
    await end(await readied(start('-n', '3', '--durability', 'none')));
    expect(readdirSync(directory)).to.deep.equal([]);
    await end(await readied(start('-n', '2', '-k', '1')));
  });

  it('M7: a node whose directory cannot be used is told, again and again started, and keeps nobody from serving', async () => {
    const first = start('-n', '3', '-k', '2');
    const entries = Array.from({ length: 100 }, (_, n) => [`kept-${n}`, `value ${n}`] as const);
    const url = await first.ready();
    await storing(url, (store) => store.putMany(entries));
    await end(first);
    const own = join(directory, 'node-1');
    await rename(own, `${own}.away`);
    writeFileSync(own, 'no directory');
    const second = start();
    const again = await second.ready();
    expect(second.stdout).to.match(/^GTStore ready: 2 of 3 nodes, 2 replicas,/);
    expect(second.stderr).to.match(
      /error manager {2}node 1 ends as soon as it is started: .*mend \S+node-1, or/,
    );
    const read = await storing(again, (store) => store.getMany(entries.map(([key]) => key)));
    expect(read).to.deep.equal(entries.map(([, value]) => value));
    await storing(again, (store) => store.put('later', 'with two nodes'));
    await rm(own);
    await rename(`${own}.away`, own);
    await eventually('node 1 is back', async () => {
      const { nodes, underReplicatedSlots } = await storing(again, (store) => store.status());
      return underReplicatedSlots === 0 && nodes.every(({ state }) => state === 'up');
    });
    expect(await storing(again, (store) => store.get('later'))).to.equal('with two nodes');
    await end(second);
  });

  it('every node is told where to keep its data, how durable it is, and on which host it is', async function () {
    if (process.platform !== 'linux') this.skip();
    const cluster = start('-n', '2', '-k', '2', '--durability', 'always', '--host-label', 'rack 7');
    const { nodes } = await statusOf(cluster);
    for (const { id, pid } of nodes) {
      const { dataDir, durability, hostLabel } = toldTo(pid);
      expect(dataDir).to.equal(join(directory, `node-${id}`));
      expect(durability).to.equal('always');
      expect(hostLabel).to.equal('rack 7');
    }
    await end(cluster);
    const inMemory = launch(gtstore, ['start', '--port', '0', '-n', '1', '-k', '1']);
    for (const { pid } of (await statusOf(inMemory)).nodes) {
      expect(toldTo(pid)).to.include({ durability: 'none' }).and.not.have.any.keys('dataDir', 'hostLabel');
    }
  });

  it('M3: on another port it does not fork nodes a second time that still run', async function () {
    if (process.platform !== 'linux') this.skip();
    const first = start('-n', '2', '-k', '2');
    const url = await first.ready();
    await killed(first);
    const { code, stderr } = await run(gtstore, ['start', '--port', '0', '--data-dir', directory]);
    expect(stderr).to.match(new RegExp(`still run.*--port ${new URL(url).port} `));
    expect(code).to.equal(2);
  });

  for (const [what, damage] of [
    ['torn', (path: string) => writeFileSync(path, readFileSync(path).subarray(0, 99))],
    ['gone', (path: string) => rmSync(path)],
  ] as const) {
    it(`M7: a state file that is ${what} is told, and costs neither data, incarnations nor epochs`, async () => {
      const first = start('-n', '3');
      const url = await first.ready();
      await using store = new GTStoreClient({ manager: url });
      await store.init();
      await store.put('kept', 'in memory');
      const before = await store.status();
      await killed(first);
      damage(stateFile());
      const second = launch(gtstore, ['start', '--port', new URL(url).port, '--data-dir', directory]);
      await second.ready();
      expect(second.stderr).to.match(/error manager {2}\S+manager-state\.json .*using \S+\.previous/);
      const after = await statusOf(second);
      expect(after.nodes.map(lifeOf)).to.deep.equal(before.nodes.map(lifeOf));
      expect(after.epoch).to.be.at.least(before.epoch);
      expect(await store.get('kept')).to.equal('in memory');
      // New epochs are newer to everybody.
      process.kill(after.nodes[0]!.pid, 'SIGKILL');
      await eventually('node 0 lives again', async () => {
        const status = await store.status().catch(() => undefined);
        if (status === undefined) return false;
        const { epoch, nodes, underReplicatedSlots } = status;
        const isBack = nodes.every(({ state }) => state === 'up') && underReplicatedSlots === 0;
        return isBack && nodes[0]!.incarnation > before.nodes[0]!.incarnation && epoch > after.epoch;
      });
      expect(store.clusterMap?.epoch).to.be.above(after.epoch);
      expect(await store.get('kept')).to.equal('in memory');
      await end(second);
    });
  }

  it('a state that cannot be read at all: one line that says how to mend it, exit 1, nothing touched', async () => {
    await end(await readied(start('-n', '2', '-k', '2')));
    writeFileSync(stateFile(), 'torn');
    writeFileSync(`${stateFile()}.previous`, 'torn, too');
    const { code, stdout, stderr } = await run(gtstore, ['start', '--port', '0', '--data-dir', directory]);
    expect(stderr).to.match(/manager-state\.json is not valid JSON.*put back a good copy/);
    expect(stderr.trimEnd().split('\n')).to.have.length(1);
    expect(stdout).to.equal('');
    expect(code).to.equal(1);
    expect(readFileSync(stateFile(), 'utf8')).to.equal('torn');
  });

  it('D1: a further node without --data-dir is refused, in one line, exit 1; with it, it joins', async () => {
    const cluster = start('-n', '1', '-k', '1');
    const manager = await cluster.ready();
    const { code, stdout, stderr } = await run(gtstore, [
      'node',
      '--manager',
      manager,
      '--log-level',
      'error',
    ]);
    const fault = 'has no disk, and this cluster keeps its data on disks: start it with --data-dir';
    expect(stderr).to.equal(`gtstore: this node ${fault}\n`);
    expect([stdout, code]).to.deep.equal(['', 1]);
    expect(cluster.stderr).to.include(fault);
    const further = launch(gtstore, ['node', '--manager', manager, '--data-dir', join(directory, 'further')]);
    await eventually('it has joined', async () => (await statusOf(cluster)).nodes[1]?.state === 'up');
    further.signal('SIGTERM');
    expect((await further.ended()).code).to.equal(0);
  });

  /** Its nodes live on. */
  async function killed(cluster: Launched): Promise<void> {
    cluster.signal('SIGKILL');
    await eventually('the manager is gone', () => cluster.code !== undefined);
  }

  async function readied(cluster: Launched): Promise<Launched> {
    await cluster.ready();
    return cluster;
  }
});
