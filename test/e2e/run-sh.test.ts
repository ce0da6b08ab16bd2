// ./run.sh and `gtstore start` as a user at a terminal meets them: the ready line, every way to end, and mistakes.
import { expect } from 'chai';
import { mkdtemp, rm } from 'node:fs/promises';
import { type AddressInfo, createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { GTStoreClient } from '../../src/client/index.js';
import { eventually } from '../support/cluster-until.js';
import { type Launched, type Result, gtstore, launcher, run, runScript, severally } from './command.js';

const small = ['-n', '3', '-k', '2'];
/** Where it does not matter how many there are. */
const tiny = ['-n', '1', '-k', '1'];

function portOf(url: string): string {
  return new URL(url).port;
}

/** One line on stderr that matches, and nothing on stdout. */
function expectMistake({ code, stdout, stderr }: Result, text: RegExp): void {
  expect(stderr).to.match(text);
  expect(stderr.trimEnd().split('\n'), stderr).to.have.length(1);
  expect(stdout).to.equal('');
  expect(code).to.equal(2);
}

describe('run.sh', function () {
  this.timeout(60_000);
  const launch = launcher();

  for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) {
    it(`prints one ready line, and ends all of it cleanly on ${signal}, exit 0`, async () => {
      const cluster = launch(runScript, [...small, '--port', '0']);
      const url = await cluster.ready();
      expect(cluster.stdout).to.equal(`GTStore ready: 3 nodes, 2 replicas, manager ${url}\n`);
      cluster.signal(signal);
      const { code, stdout, stderr } = await cluster.ended();
      expect(code, stderr).to.equal(0);
      expect(stdout.trimEnd().split('\n')).to.have.length(1);
      expect(stderr).not.to.match(/ (error|warn) /);
      expect(cluster.processes()).to.deep.equal([]);
    });
  }

  it('serves 7 nodes with 3 replicas without being told', async () => {
    const cluster = launch(runScript, ['--port', '0']);
    const url = await cluster.ready();
    expect(cluster.stdout).to.equal(`GTStore ready: 7 nodes, 3 replicas, manager ${url}\n`);
  });

  it('--help lists the options with their defaults and gives an example', async () => {
    const { code, stdout, stderr } = await run(runScript, ['--help']);
    expect(code).to.equal(0);
    expect(stderr).to.equal('');
    expect(stdout).to.match(/-n, --nodes\b.*default: 7/);
    expect(stdout).to.match(/-k, --replicas\b.*default: 3/);
    expect(stdout).to.match(/--port\b.*\n?.*default: 7400/);
    expect(stdout).to.include('gtstore start -n 7 -k 3');
    for (const option of [
      'host',
      'data-dir',
      'durability',
      'host-label',
      'partitioner',
      'max-key-bytes',
      'max-value-bytes',
      'max-memory',
      'lease-ms',
      'log-level',
    ]) {
      expect(stdout).to.include(`--${option}`);
    }
  });

  const mistakes: readonly (readonly [what: string, args: readonly string[], line: RegExp])[] = [
    // What depends on the cluster that is stored here is looked at once the port is taken.
    ['n below k', ['-n', '2', '-k', '3', '--port', '0'], /-n 2 -k 3.*give -n 3 or more, or -k 2/],
    ['n below the default k', ['-n', '2', '--port', '0'], /-n 2 -k 3/],
    ['no nodes', ['-n', '0', '-k', '0'], /-n .*whole number from 1/],
    ['a negative n', ['-n', '-1'], /-n .*whole number from 1/],
    ['half a node', ['-n', '2.5'], /-n .*not 2.5/],
    ['n in words', ['-n', 'seven'], /-n .*no number/],
    ['n missing', ['-n'], /'n' needs a value/],
    ['no replicas', ['-k', '0'], /-k .*whole number from 1/],
    ['an unknown option', ['--frobnicate'], /'frobnicate'.*--help/],
    ['an argument too many', ['seven'], /'seven'.*--help/],
    ['a port out of range', ['--port', '70000'], /--port .*0 to 65535.*70000/],
    ['a host that is not here', ['--host', '192.0.2.1', '--port', '0'], /192\.0\.2\.1/],
    ['a host that nobody can dial', ['--host', '0.0.0.0'], /--host .*dial/],
    ['a host without a name', ['--host', ''], /--host .*not empty/],
    ['a port without a number', ['--port', ''], /--port .*no number/],
    ['an unknown partitioner', ['--partitioner', 'md5'], /md5.*ascii-sum/],
    ['a lease of nothing', ['--lease-ms', '0'], /--lease-ms/],
    ['durability without a disk', ['--durability', 'always'], /--durability always .*--data-dir/],
    ['an unknown durability', ['--durability', 'some'], /some.*none.*interval.*always/],
    [
      'memory without a unit',
      ['--max-memory', '5'],
      /--max-memory must be a size from 1MB on, such as 512MB.*'5'/,
    ],
    ['memory that is no size', ['--max-memory', 'abc'], /--max-memory must be a size.*'abc'/],
    ['no memory', ['--max-memory', '0'], /--max-memory must be a size.*'0'/],
    ['memory for nothing', ['--max-memory', '100KB'], /--max-memory must be a size from 1MB on.*'100KB'/],
    ['a data directory without a name', ['--data-dir', ''], /--data-dir must name/],
  ];
  describe('told nonsense', () => {
    let results: readonly Result[] = [];
    before(async () => {
      results = await severally(
        mistakes.map(
          ([, args]) =>
            () =>
              run(runScript, args),
        ),
      );
    });
    for (const [index, [what, , line]] of mistakes.entries()) {
      it(`${what}: one line that says how to mend it, exit 2`, () => {
        expectMistake(results[index]!, line);
      });
    }
  });

  it('a busy port: one line that names it and the way out, exit 2; the cluster there goes on', async () => {
    const cluster = launch(runScript, [...tiny, '--port', '0']);
    const url = await cluster.ready();
    const port = portOf(url);
    const second = await run(runScript, [...tiny, '--port', port]);
    expectMistake(second, new RegExp(`port ${port}\\b.*in use.*--port`));
    const { code } = await run(gtstore, ['put', 'still', 'here', '--manager', url]);
    expect(code).to.equal(0);
  });

  it('two clusters at once know nothing of each other', async () => {
    const first = launch(runScript, [...tiny, '--port', '0']);
    const second = launch(runScript, [...tiny, '--port', '0']);
    const [firstUrl, secondUrl] = [await first.ready(), await second.ready()];
    expect(firstUrl).not.to.equal(secondUrl);
    await using store = new GTStoreClient({ manager: firstUrl });
    await using other = new GTStoreClient({ manager: secondUrl });
    await Promise.all([store.init(), other.init()]);
    await store.put('key', 'of the first');
    expect(await other.get('key')).to.equal(undefined);
    first.signal('SIGINT');
    expect((await first.ended()).code).to.equal(0);
    await other.put('key', 'of the second');
    expect(await other.get('key')).to.equal('of the second');
  });
});

describe('gtstore start', function () {
  this.timeout(60_000);
  const launch = launcher();

  /** Launches and waits until the moment that `isReached` describes, before the cluster is ready. */
  async function interruptedWhen(isReached: (cluster: Launched) => boolean): Promise<Result> {
    const cluster = launch(gtstore, ['start', '-n', '7', '--port', '0', '--log-level', 'debug']);
    await eventually('the moment to interrupt', () => isReached(cluster));
    expect(cluster.stdout).to.equal('');
    cluster.signal('SIGINT');
    const result = await cluster.ended();
    expect(cluster.processes()).to.deep.equal([]);
    return result;
  }

  it('Ctrl-C while nodes are being forked ends all of them, exit 0', async function () {
    if (process.platform !== 'linux') this.skip();
    const { code, stdout, stderr } = await interruptedWhen((cluster) => cluster.processes().length > 1);
    expect(code, stderr).to.equal(0);
    expect(stdout).to.equal('');
  });

  it('Ctrl-C while nodes join ends all of them, exit 0', async () => {
    const { code, stderr } = await interruptedWhen((cluster) => cluster.stderr.includes('joins'));
    expect(code, stderr).to.equal(0);
  });

  it('a second Ctrl-C, while a node that hangs is waited for, kills at once, exit 130', async () => {
    const cluster = launch(gtstore, ['start', ...small, '--port', '0']);
    const url = await cluster.ready();
    await using store = new GTStoreClient({ manager: url });
    await store.init();
    const [node] = (await store.status()).nodes;
    process.kill(node!.pid, 'SIGSTOP');
    cluster.signal('SIGINT');
    await cluster.shows(/ending: SIGINT/);
    await eventually('the end', () => {
      cluster.signal('SIGINT');
      return cluster.code !== undefined;
    });
    expect(cluster.code).to.equal(130);
    await eventually('no process left', () => cluster.processes().length === 0);
  });

  it('a reader that has seen enough of its output does not end it', async () => {
    const cluster = launch(gtstore, ['start', ...tiny, '--port', '0']);
    const url = await cluster.ready();
    cluster.closeStdout();
    expect((await run(gtstore, ['put', 'key', 'value', '--manager', url])).code).to.equal(0);
    cluster.signal('SIGINT');
    expect((await cluster.ended()).code).to.equal(0);
  });

  it('a node that joined ends with the cluster, exit 0', async () => {
    const cluster = launch(gtstore, ['start', ...tiny, '--port', '0']);
    const node = launch(gtstore, ['node', '--manager', await cluster.ready()]);
    await node.shows(/incarnation/);
    cluster.signal('SIGINT');
    expect((await cluster.ended()).code).to.equal(0);
    const { code, stderr } = await node.ended();
    expect(code, stderr).to.equal(0);
    expect(stderr).to.match(/ended: by order of the manager/);
  });

  it('it ends with its stdin when asked to', async () => {
    const cluster = launch(gtstore, ['start', ...tiny, '--port', '0', '--end-with-stdin']);
    const { code } = await cluster.ended();
    expect(code).to.equal(0);
    expect(cluster.processes()).to.deep.equal([]);
  });

  for (const hasDataDir of [true, false]) {
    const where = hasDataDir ? 'in --data-dir' : 'in a directory for host and port';
    it(`M1: after kill -9 of the manager the same command takes over its nodes and their data, state ${where}`, async () => {
      const directory = await mkdtemp(join(tmpdir(), 'gtstore-e2e-'));
      const port = String(await freePort());
      const place = hasDataDir ? ['--data-dir', directory, '--durability', 'none'] : [];
      const command = ['start', ...small, '--port', port, ...place];
      const first = launch(gtstore, command, { env: { TMPDIR: directory } });
      const url = await first.ready();
      await using store = new GTStoreClient({ manager: url });
      await store.init();
      await store.put('kept', 'through it all');
      const before = await store.status();
      first.signal('SIGKILL');
      await eventually('the manager is gone', () => first.code !== undefined);
      expect(await store.get('kept')).to.equal('through it all');

      const wrong = await run(gtstore, [...command, '-n', '5'], { env: { TMPDIR: directory } });
      expectMistake(wrong, /3 nodes and 2 replicas.*-n 3 -k 2/);

      const second = launch(gtstore, command, { env: { TMPDIR: directory } });
      expect(await second.ready()).to.equal(url);
      const after = await eventually('the client has found the manager', () =>
        store.status().catch(() => undefined),
      );
      const lives = before.nodes.map(({ incarnation, pid }) => `${incarnation} ${pid}`);
      expect(after.nodes.map(({ incarnation, pid }) => `${incarnation} ${pid}`)).to.deep.equal(lives);
      expect(await store.get('kept')).to.equal('through it all');

      second.signal('SIGINT');
      const { code, stderr } = await second.ended();
      expect(code, stderr).to.equal(0);
      await eventually('no process left', () => first.processes().length === 0);
      await rm(directory, { recursive: true });
    });
  }

  it('after kill -9 of manager and nodes in memory the same command begins anew', async () => {
    const directory = await mkdtemp(join(tmpdir(), 'gtstore-e2e-'));
    const command = ['start', '--port', String(await freePort()), '--data-dir', directory];
    command.push('--durability', 'none');
    const first = launch(gtstore, [...command, ...small]);
    await first.ready();
    await first.dispose();
    const second = launch(gtstore, [...command, '-n', '2', '-k', '1']);
    await second.ready();
    second.signal('SIGTERM');
    expect((await second.ended()).code).to.equal(0);
    await rm(directory, { recursive: true });
  });

  /** One that was free a moment ago. */
  function freePort(): Promise<number> {
    const server = createServer();
    return new Promise((resolve, reject) => {
      server.once('error', reject);
      server.listen({ host: '127.0.0.1', port: 0 }, () => {
        const { port } = server.address() as AddressInfo;
        server.close(() => {
          resolve(port);
        });
      });
    });
  }
});
