// `./run.sh --data-dir D --durability always` as a user runs it: what was put is there after kill -9 and after Ctrl-C.
import { expect } from 'chai';
import { cpSync, rmSync } from 'node:fs';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { GTStoreClient } from '../../src/client/index.js';
import { type Launched, gtstore, launcher, run, runScript } from './command.js';

describe('a cluster with --data-dir and --durability', function () {
  this.timeout(120_000);
  const launch = launcher();
  let directory = '';

  beforeEach(async () => {
    directory = await mkdtemp(join(tmpdir(), 'gtstore-e2e-'));
  });
  // Registered after the launcher's: by then nothing writes here.
  afterEach(() => rm(directory, { recursive: true, force: true }));

  /** Where it does not matter how many there are. */
  const two = ['-n', '2', '-k', '2'];

  function start(dataDir: string, ...args: string[]): Launched {
    return launch(runScript, ['--port', '0', '--data-dir', dataDir, ...args]);
  }

  async function put(url: string, key: string, value: string): Promise<void> {
    const { code, stderr } = await run(gtstore, ['put', key, value, '--manager', url]);
    expect(code, stderr).to.equal(0);
  }

  async function get(url: string, key: string): Promise<string> {
    const { code, stdout, stderr } = await run(gtstore, ['get', key, '--manager', url]);
    expect(code, stderr).to.equal(0);
    return stdout.trimEnd();
  }

  async function interrupt(cluster: Launched): Promise<void> {
    cluster.signal('SIGINT');
    const { code, stderr } = await cluster.ended();
    expect(code, stderr).to.be.oneOf([0, 130]);
    expect(cluster.processes()).to.deep.equal([]);
  }

  it('D1: kill -9 of the whole process tree right after a put: started again, it is there', async function () {
    if (process.platform !== 'linux') this.skip();
    const first = start(directory, '-n', '3', '-k', '3', '--durability', 'always');
    await put(await first.ready(), 'kept', 'on three disks');
    await first.dispose();
    const second = start(directory, '--durability', 'always');
    const url = await second.ready();
    expect(await get(url, 'kept')).to.equal('on three disks');
    await put(url, 'kept', 'changed');
    await interrupt(second);
  });

  for (const durability of ['interval', 'always']) {
    it(`after Ctrl-C all that was put is there again, with ${durability}`, async () => {
      const first = start(directory, ...two, '--durability', durability);
      await put(await first.ready(), 'kept', 'in good order');
      await interrupt(first);
      const second = start(directory);
      expect(await get(await second.ready(), 'kept')).to.equal('in good order');
      await interrupt(second);
    });
  }

  it('a node that takes long to save what it acknowledged is waited for at the end, and nothing is lost', async () => {
    const first = start(directory, '-n', '1', '-k', '1', '--durability', 'interval');
    await using store = new GTStoreClient({ manager: await first.ready() });
    await store.init();
    const entries = Array.from({ length: 2000 }, (_, n) => [`kept-${n}`, `value ${n}`] as const);
    const [node] = (await store.status()).nodes;
    await Promise.all(entries.map(([key, value]) => store.put(key, value)));
    // As if its disk took no more.
    process.kill(node!.pid, 'SIGSTOP');
    first.signal('SIGTERM');
    await first.shows(/waiting for nodes 0 to save what they have, and end: 4 s of|killing/);
    process.kill(node!.pid, 'SIGCONT');
    const { code, stderr } = await first.ended();
    expect(code, stderr).to.equal(0);
    expect(stderr).not.to.match(/killing/);
    const second = start(directory);
    await using reader = new GTStoreClient({ manager: await second.ready() });
    await reader.init();
    const values = await reader.getMany(entries.map(([key]) => key));
    expect(values).to.deep.equal(entries.map(([, value]) => value));
  });

  it("a node's directory that is of another cluster: one line says whose it is, and nothing of it is touched", async () => {
    const [ours, theirs] = [join(directory, 'ours'), join(directory, 'theirs')];
    for (const each of [ours, theirs]) {
      const cluster = start(each, ...two);
      await put(await cluster.ready(), 'kept', each);
      await interrupt(cluster);
    }
    rmSync(join(ours, 'node-1'), { recursive: true });
    cpSync(join(theirs, 'node-1'), join(ours, 'node-1'), { recursive: true });
    const mixed = start(ours);
    await mixed.shows(
      /error node 1 .*node-1 holds the data of another cluster, \w+: give another --data-dir/,
    );
    await mixed.dispose();
    // Moved back to where it belongs it is as good as before.
    rmSync(join(theirs, 'node-1'), { recursive: true });
    cpSync(join(ours, 'node-1'), join(theirs, 'node-1'), { recursive: true });
    const again = start(theirs);
    expect(await get(await again.ready(), 'kept')).to.equal(theirs);
    await interrupt(again);
  });
});
