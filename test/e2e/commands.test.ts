// Every gtstore command against a running cluster: what it prints, as text and as JSON, and its exit code.
import { expect } from 'chai';
import { execFileSync } from 'node:child_process';
import { closeSync, constants, mkdirSync, mkdtempSync, openSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type ClusterStatus, GTStoreClient, type HotSlot } from '../../src/client/index.js';
import { type TestCluster, startCluster } from '../../src/testing/index.js';
import { eventually, within } from '../support/cluster-until.js';
import { type Result, gtstore, launcher, run, severally } from './command.js';

/** The writing end of a pipe that somebody reads; null: nobody does yet. */
function openRead(pipe: string): number | null {
  try {
    return openSync(pipe, constants.O_WRONLY | constants.O_NONBLOCK);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENXIO') return null;
    throw error;
  }
}

describe('gtstore commands', function () {
  this.timeout(60_000);
  const launch = launcher();
  let cluster: TestCluster;
  /** It tries for seconds: begun before the other tests, which go on meanwhile. */
  let inVain: Promise<Result>;
  before(async () => {
    inVain = run(gtstore, ['status', '--manager', '127.0.0.1:1']);
    cluster = await startCluster({ nodes: 3, replicas: 2, keyBytesMax: 20, valueBytesMax: 1024 });
  });
  after(() => cluster.stop());

  function command(...args: string[]): Promise<Result> {
    return run(gtstore, args, { env: { GTSTORE_URL: cluster.url } });
  }

  async function expectOutput(args: readonly string[], stdout: string | RegExp): Promise<void> {
    const result = await command(...args);
    expect(result.stderr).to.equal('');
    if (typeof stdout === 'string') expect(result.stdout).to.equal(stdout);
    else expect(result.stdout).to.match(stdout);
    expect(result.code).to.equal(0);
  }

  async function expectFailure(args: readonly string[], code: number, stderr: RegExp): Promise<void> {
    expectFailed(await command(...args), code, stderr);
  }

  async function expectMistakes(
    cases: readonly (readonly [args: readonly string[], stderr: RegExp])[],
  ): Promise<void> {
    const results = await severally(
      cases.map(
        ([args]) =>
          () =>
            command(...args),
      ),
    );
    for (const [index, [, stderr]] of cases.entries()) expectFailed(results[index]!, 2, stderr);
  }

  function expectFailed(result: Result, code: number, stderr: RegExp): void {
    expect(result.stderr).to.match(stderr);
    expect(result.stderr.trimEnd().split('\n'), result.stderr).to.have.length(1);
    expect(result.stdout).to.equal('');
    expect(result.code).to.equal(code);
  }

  async function json(...args: string[]): Promise<unknown> {
    const { stdout, stderr } = await command(...args, '--json');
    expect(stdout.trimEnd().split('\n'), stderr).to.have.length(1);
    return JSON.parse(stdout);
  }

  it('put stores text, get prints it, delete deletes it once', async () => {
    await expectOutput(['put', 'greeting', 'hello world'], 'stored\n');
    await expectOutput(['get', 'greeting'], 'hello world\n');
    await expectOutput(['delete', 'greeting'], 'deleted\n');
    await expectFailure(['get', 'greeting'], 1, /^gtstore: no value for greeting$/m);
    await expectOutput(['delete', 'greeting'], 'absent\n');
  });

  it('digits, empty text and dashes stay what they are', async () => {
    const stored: readonly (readonly [options: readonly string[], key: string, value: string])[] = [
      [[], '007', '1e3'],
      [[], 'empty', ''],
      [[], '-', '-'],
      [['--'], '--key', '-v'],
      [[], 'Grüße', '💐'],
    ];
    await severally(
      stored.map(([before, key, value]) => async () => {
        await expectOutput(['put', ...before, key, value], 'stored\n');
        await expectOutput(['get', ...before, key], `${value}\n`);
      }),
    );
    expect(await json('get', '007')).to.have.property('value', '1e3');
  });

  it('--json-value stores what the JSON means; get prints it as JSON', async () => {
    await expectOutput(['put', 'cart', '{"apple": 2, "bags": [null, true]}', '--json-value'], 'stored\n');
    await expectOutput(['get', 'cart'], '{"apple":2,"bags":[null,true]}\n');
    await expectOutput(['put', 'count', '41', '--json-value'], 'stored\n');
    expect(await json('get', 'count')).to.have.property('value', 41);
    await expectFailure(['put', 'cart', '{apple', '--json-value'], 2, /no JSON.*\{apple/);
  });

  it('--ttl-ms lets a key vanish', async () => {
    await expectOutput(['put', 'seat', 'held', '--ttl-ms', '1'], 'stored\n');
    await eventually('the key has vanished', async () => (await command('get', 'seat')).code === 1);
    await expectFailure(['put', 'seat', 'held', '--ttl-ms', '0'], 2, /--ttl-ms/);
  });

  it('--json prints one object: version of put, value and version of get, whether delete found it', async () => {
    const put = (await json('put', 'doc', 'text')) as { version: object };
    expect(put).to.have.all.keys('version');
    expect(put.version).to.have.all.keys('hlc', 'clientId', 'seq', 'epoch');
    expect(await json('get', 'doc')).to.deep.equal({ value: 'text', version: put.version });
    expect(await json('delete', 'doc')).to.deep.equal({ existed: true });
    expect(await json('delete', 'doc')).to.deep.equal({ existed: false });
  });

  it('locate prints slot, primary and replicas: the sum of the bytes decides', async () => {
    const { slots } = await cluster.status();
    const sum = [...Buffer.from('greeting')].reduce((total, byte) => total + byte, 0);
    const slot = sum % slots;
    const primary = sum % 3;
    expect(await json('locate', 'greeting')).to.deep.equal({
      slot,
      primary,
      replicas: [primary, (primary + 1) % 3],
    });
    const { stdout } = await command('locate', 'greeting');
    expect(stdout).to.match(
      new RegExp(`^slot +${slot}\\nprimary +node ${primary} \\(127\\.0\\.0\\.1:\\d+\\)\\nreplicas +node `),
    );
  });

  it('status --json has exactly the fields that programs rely on', async () => {
    const status = (await json('status')) as ClusterStatus;
    expect(status).to.have.all.keys(
      ...['epoch', 'replicas', 'slots', 'partitioner', 'manager', 'nodes', 'underReplicatedSlots'],
    );
    expect(status.manager).to.have.all.keys('host', 'port', 'pid');
    expect(status).to.include({ replicas: 2, partitioner: 'ascii-sum', underReplicatedSlots: 0 });
    expect(status.nodes.map(({ id, state }) => `${id} ${state}`)).to.deep.equal(['0 up', '1 up', '2 up']);
    for (const node of status.nodes) {
      expect(node).to.have.all.keys(
        ...[
          'id',
          'incarnation',
          'host',
          'port',
          'pid',
          'state',
          'primarySlots',
          'replicaSlots',
          'keys',
          'bytes',
        ],
      );
      process.kill(node.pid, 0);
    }
    const sum = (field: 'primarySlots' | 'replicaSlots'): number =>
      status.nodes.reduce((total, node) => total + node[field], 0);
    expect(sum('primarySlots')).to.equal(status.slots);
    expect(sum('replicaSlots')).to.equal(2 * status.slots);
  });

  it('status prints a table with one row a node', async () => {
    const { stdout, code } = await command('status');
    expect(code).to.equal(0);
    expect(stdout)
      .to.include(cluster.url)
      .and.include('3 of 3 up')
      .and.include('every slot has all its replicas');
    const rows = stdout.trimEnd().split('\n').slice(-4);
    expect(rows[0]).to.match(/^node +state +address +pid/);
    for (const [index, row] of rows.slice(1).entries())
      expect(row).to.match(new RegExp(`^ +${index} +up +127\\.`));
  });

  it('limits are those of the cluster: over them is a mistake, exit 2', async () => {
    await expectFailure(['put', 'k'.repeat(21), 'v'], 2, /key.*21 bytes.*20/);
    await expectFailure(['get', 'k'.repeat(21)], 2, /key.*21 bytes.*20/);
    await expectFailure(['put', 'k', 'v'.repeat(1025)], 2, /value.*1024/);
    await expectFailure(['put', '', 'v'], 2, /key.*empty/);
  });

  it('mistakes on the command line: one line, exit 2', async () => {
    await expectMistakes([
      [[], /a command is missing.*start.*locate.*bench/],
      [['frobnicate'], /unknown command 'frobnicate'.*start/],
      [['get'], /an argument is missing.*gtstore get <key>/],
      [['put', 'k'], /an argument is missing.*gtstore put <key> <value>/],
      [['put', 'k', 'v', 'w'], /'w'/],
      [['get', 'k', '--verbose'], /'verbose'/],
      [['get', 'k', '--manager', 'nonsense'], /nonsense.*host:port/],
      [['node', '--manager', 'nonsense'], /nonsense/],
      [['node', '--data-dir', ''], /--data-dir must name/],
      [['node', '--max-memory', '5'], /--max-memory must be a size from 1MB on.*'5'/],
      [['import', ''], /FILE must name a file/],
    ]);
  });

  it('mistakes in commands that change the cluster: told before anything is asked, exit 2', async () => {
    await expectMistakes([
      [['add-node', '--count', '0'], /--count.*1 to 64/],
      [['drain'], /an argument is missing.*gtstore drain <node>/],
      [['drain', 'first'], /NODE must be a whole number/],
      [['drain', ''], /NODE must be a whole number/],
      [['drain', '1', '--mb-per-second', '0'], /--mb-per-second.*0\.001/],
      [['drain', '1', '--mb-per-second', 'fast'], /--mb-per-second/],
      [['rebalance', '--by', 'colour'], /--by "colour".*slots.*bytes.*load/],
      [['rebalance', '--speed', '1'], /'speed'/],
      [['set-replicas', '0'], /REPLICAS.*1 to 10/],
      [['set-replicas', '2.5'], /REPLICAS.*1 to 10/],
      [['restart'], /restart --rolling/],
      [['recover'], /recover --accept-loss/],
    ]);
  });

  it('status --hot names the slots that are asked most, as a table and in JSON', async () => {
    const store = new GTStoreClient({ manager: cluster.url });
    await store.init();
    try {
      const { slot, replicas } = await store.locate('hot');
      type Hot = { readonly hot: readonly HotSlot[] };
      const hottest = await eventually('the slot is the hottest', async () => {
        for (let i = 0; i < 200; i++) await Promise.all([store.put('hot', 'value'), store.get('hot')]);
        const [first] = ((await json('status', '--hot')) as Hot).hot;
        return first?.slot === slot && first.readsPerSecond > 10 ? first : undefined;
      });
      expect(hottest).to.have.all.keys(
        ...['slot', 'readsPerSecond', 'writesPerSecond', 'keys', 'bytes', 'replicas'],
      );
      expect(hottest.replicas).to.deep.equal(replicas);
      expect(hottest.writesPerSecond).to.be.above(10);
      expect(hottest.keys).to.be.at.least(1);
      const { stdout } = await command('status', '--hot');
      const table = stdout.split('\n').findIndex((line) => /^ *slot +reads\/s +writes\/s +keys/.test(line));
      expect(table).to.be.above(0);
      expect(stdout.split('\n')[table + 1]).to.match(new RegExp(`^ *${slot} .* ${replicas.join(' ')}$`));
    } finally {
      await store.finalize();
    }
  });

  it('recover --accept-loss has nothing to do in a cluster that is well', async () => {
    await expectOutput(
      ['recover', '--accept-loss'],
      'no slot waits for its data, or for a node that has been silent for 30 s\n',
    );
    expect(await json('recover', '--accept-loss')).to.deep.equal({ slots: 0 });
  });

  it('no cluster there: one line that says where it looked and what to do, exit 1', async () => {
    const result = await inVain;
    expect(result.code).to.equal(1);
    expect(result.stderr).to.match(/^gtstore: .*127\.0\.0\.1:1\b.*--manager.*\n$/);
  });

  it('the manager: --manager before GTSTORE_URL, with scheme or without', async () => {
    const address = cluster.url.replace('gtstore://', '');
    for (const manager of [address, cluster.url]) {
      const env = { GTSTORE_URL: '127.0.0.1:1' };
      expect((await run(gtstore, ['put', 'k', 'v', '--manager', manager], { env })).code).to.equal(0);
      expect((await run(gtstore, ['get', 'k'], { env: { GTSTORE_URL: manager } })).stdout).to.equal('v\n');
    }
  });

  it('each command has --help with an example', async () => {
    const grow = [
      'add-node',
      'start-node',
      'drain',
      'rebalance',
      'set-replicas',
      'restart',
      'cancel',
      'recover',
    ];
    const keep = ['snapshot', 'restore', 'export', 'import'];
    const first = ['start', 'node', 'status', 'put', 'get', 'delete', 'locate', 'bench'];
    const names = [...first, ...grow, ...keep];
    const results = await severally(names.map((name) => () => command(name, '--help')));
    for (const [index, name] of names.entries()) {
      const { code, stdout, stderr } = results[index]!;
      expect(code, name).to.equal(0);
      expect(stderr).to.equal('');
      expect(stdout).to.match(new RegExp(`Examples:\\n +gtstore ${name}\\b`));
      if (name !== 'start') expect(stdout).to.include('--manager').and.include('GTSTORE_URL');
    }
  });

  it('a further node whose disk hangs while it is opened ends on Ctrl-C', async function () {
    if (process.platform === 'win32') this.skip();
    const directory = mkdtempSync(join(tmpdir(), 'gtstore-hung-'));
    mkdirSync(join(directory, 'node'));
    // Whoever reads it waits for somebody who writes.
    const pipe = join(directory, 'node', 'CURRENT');
    execFileSync('mkfifo', [pipe]);
    const node = launch(gtstore, ['node', '--manager', cluster.url, '--data-dir', directory]);
    const file = await eventually('it reads from its disk', () => openRead(pipe));
    try {
      node.signal('SIGINT');
      await within('it ends', 10_000, node.ended());
    } finally {
      closeSync(file);
      rmSync(directory, { recursive: true });
    }
  });

  it('a further node joins, and leaves on Ctrl-C, exit 0', async () => {
    const node = launch(gtstore, ['node', '--manager', cluster.url]);
    const stateOfThird = async (): Promise<string | undefined> =>
      (await cluster.status()).nodes.find(({ id }) => id === 3)?.state;
    await eventually('node 3 is up', async () => (await stateOfThird()) === 'up');
    node.signal('SIGINT');
    const { code, stderr } = await node.ended();
    expect(code, stderr).to.equal(0);
    expect(node.processes()).to.deep.equal([]);
    await eventually('node 3 is down', async () => (await stateOfThird()) === 'down');
    await cluster.untilHealthy();
  });
});
