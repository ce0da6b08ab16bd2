// gtstore bench against a real cluster: what it prints, what it leaves behind, and how it ends before its time.
import { expect } from 'chai';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { GTStoreClient } from '../../src/client/index.js';
import type { LoadDocument } from '../../src/load/result.js';
import { type TestCluster, startCluster } from '../../src/testing/index.js';
import { eventually } from '../support/cluster-until.js';
import { type Result, gtstore, launcher, run, severally } from './command.js';

const brief = ['--seconds', '0.5', '--warm-up', '0.1', '--keys', '500'];

/** Values as they are filled in are all a's: another one says that the workload is under way. */
async function underWay(manager: string): Promise<void> {
  await using store = new GTStoreClient({ manager });
  await store.init();
  await eventually('the workload is under way', async () => {
    for await (const [, value] of store.entries({ prefix: 'bench:' })) {
      if (typeof value === 'string' && !value.startsWith('a')) return true;
    }
    return false;
  });
}

describe('gtstore bench', function () {
  this.timeout(60_000);
  const launch = launcher();
  let cluster: TestCluster;
  let folder: string;
  /** It tries for seconds: begun before the other tests, which go on meanwhile. */
  let inVain: Promise<Result>;
  before(async () => {
    inVain = run(gtstore, ['bench', '--manager', '127.0.0.1:1']);
    folder = mkdtempSync(join(tmpdir(), 'gtstore-bench-'));
    cluster = await startCluster({ nodes: 3, replicas: 2, keyBytesMax: 24, valueBytesMax: 1024 });
  });
  after(async () => {
    rmSync(folder, { recursive: true });
    await cluster.stop();
  });

  function bench(...args: string[]): Promise<Result> {
    return run(gtstore, ['bench', ...args], { env: { GTSTORE_URL: cluster.url } });
  }

  async function keysLeft(prefix = 'bench:'): Promise<string[]> {
    await using store = new GTStoreClient({ manager: cluster.url });
    await store.init();
    const keys: string[] = [];
    for await (const [key] of store.entries({ prefix })) keys.push(key);
    return keys;
  }

  async function hasKeys(): Promise<boolean> {
    await using store = new GTStoreClient({ manager: cluster.url });
    await store.init();
    for await (const _entry of store.entries({ prefix: 'bench:' })) return true;
    return false;
  }

  async function documentOf(...args: string[]): Promise<LoadDocument> {
    const { stdout, stderr, code } = await bench(...args, '--json');
    expect(stderr).to.equal('');
    expect(code).to.equal(0);
    expect(stdout.trimEnd().split('\n')).to.have.length(1);
    return JSON.parse(stdout) as LoadDocument;
  }

  it('--json: one object with the figures; no bench key is left, and no other is touched', async () => {
    await using store = new GTStoreClient({ manager: cluster.url });
    await store.init();
    await store.put('bench', 'mine');
    const document = await documentOf(...brief);
    expect(document.operations).to.be.above(100);
    expect(document.opsPerSecondEach).to.have.length(1);
    expect(document.measuredSeconds).to.be.closeTo(0.5, 0.05);
    expect(document).to.deep.include({ errors: {}, absent: 0, unfinished: 0, endedEarly: null, keysLeft: 0 });
    expect(document.keysDeleted).to.equal(500);
    expect(document.latencyUs).to.have.all.keys('get', 'put');
    const { p50, p99, max, count } = document.latencyUs.get!;
    expect(p50).to.be.above(0).and.at.most(p99);
    expect(p99).to.be.at.most(max);
    expect(count).to.be.above(0);
    expect(document.nodes.map(({ id }) => id)).to.deep.equal([0, 1, 2]);
    expect(document.nodes.reduce((sum, { primaryKeys }) => sum + primaryKeys, 0)).to.equal(500);
    expect(document.nodes.reduce((sum, { replicaKeys }) => sum + replicaKeys, 0)).to.equal(1000);
    expect(await keysLeft()).to.deep.equal([]);
    expect(await store.get('bench')).to.equal('mine');
  });

  for (const letter of ['A', 'b', 'ycsb-c', 'd', 'E', 'YCSB-F']) {
    it(`--workload ${letter} runs, two clients in two processes, and cleans up`, async () => {
      const spread = ['--clients', '2', '--processes', '2', '--in-flight', '8'];
      const document = await documentOf(...brief, ...spread, '--workload', letter, '--read-from', 'any');
      expect(document.workload.name).to.match(/^ycsb-[a-f]$/);
      expect(Object.keys(document.latencyUs).sort()).to.deep.equal(Object.keys(document.workload.mix).sort());
      expect(document).to.deep.include({ errors: {}, absent: 0, endedEarly: null, keysLeft: 0 });
      expect(document.keysDeleted).to.be.at.least(500);
      expect(await keysLeft()).to.deep.equal([]);
    });
  }

  it('a table by default; --report writes the page; --keep keeps, and the next run cleans up', async () => {
    const file = join(folder, 'out.html');
    const kept = await bench(...brief, '--keep', '--report', file, '--prefix', 'b:', '--workload', 'e');
    expect(kept.stderr).to.equal('');
    expect(kept.code).to.equal(0);
    for (const text of [
      /^op\/s +[\d,]+, by the second/m,
      /^latency, ms +count +p50 +p90 +p99 +p99\.9 +max$/m,
    ]) {
      expect(kept.stdout).to.match(text);
    }
    expect(kept.stdout)
      .to.match(/^failed operations: none$/m)
      .and.match(/^node +primary of keys/m);
    expect(kept.stdout)
      .to.match(/no ordered range scan/)
      .and.match(/as --keep says/);
    expect(readFileSync(file, 'utf8'))
      .to.match(/^<!doctype html>[^]*<\/html>\n$/)
      .and.include('ycsb-e');
    const left = await keysLeft('b:');
    expect(left).to.have.length.at.least(500);
    // The same names again: those filled in are deleted, those that workload E has inserted are beyond them.
    expect((await documentOf(...brief, '--prefix', 'b:')).keysDeleted).to.equal(500);
    expect(await keysLeft('b:')).to.have.length(left.length - 500);
  });

  it('--rate: about as many as asked for, not more', async () => {
    const document = await documentOf(...brief, '--rate', '400', '--in-flight', '4');
    expect(document.load.ratePerSecond).to.equal(400);
    expect(document.operations + document.notBegun).to.be.within(180, 210);
  });

  it('Ctrl-C in the middle: what was measured so far, no key left, no process left, exit 130', async () => {
    const command = launch(
      gtstore,
      ['bench', '--seconds', '600', '--warm-up', '0', '--json', '--keys', '2000'],
      {
        env: { GTSTORE_URL: cluster.url },
      },
    );
    await underWay(cluster.url);
    command.signal('SIGINT');
    const { code, stdout, stderr } = await command.ended();
    expect(code, stderr).to.equal(130);
    expect(stderr).to.equal('');
    const document = JSON.parse(stdout) as LoadDocument;
    expect(document).to.include({ endedEarly: 'interrupted', keysLeft: 0, keysDeleted: 2000 });
    expect(document.measuredSeconds).to.be.above(0).and.below(60);
    expect(document.operations).to.be.above(0);
    expect(await keysLeft()).to.deep.equal([]);
    expect(command.processes()).to.deep.equal([]);
  });

  it('Ctrl-C while keys are being stored: they are deleted, and it says so', async () => {
    const command = launch(gtstore, ['bench', '--keys', '1000000'], { env: { GTSTORE_URL: cluster.url } });
    await eventually('the first keys', hasKeys);
    command.signal('SIGTERM');
    const { code, stdout, stderr } = await command.ended();
    expect(stderr).to.equal('gtstore: stopped before anything was measured\n');
    expect(stdout).to.equal('');
    expect(code).to.equal(143);
    expect(await keysLeft()).to.deep.equal([]);
    expect(command.processes()).to.deep.equal([]);
  });

  const mistakes: [args: string[], message: RegExp][] = [
    [['--workload', 'g'], /--workload must be one of ycsb-a to ycsb-f.*'g'/],
    [['--workload', 'a', '--get-ratio', '0.5'], /--get-ratio: ycsb-a has its own mix/],
    [['--get-ratio', '1.5'], /--get-ratio must be from 0 to 1, not 1\.5/],
    [['--get-ratio', 'half'], /--get-ratio .*no number/],
    [['--distribution', 'normal'], /normal.*"uniform"/],
    [['--keys', '0'], /--keys must be a whole number from 1/],
    [['--clients', '1.5'], /--clients must be a whole number/],
    [['--clients', '2', '--processes', '3'], /--processes 3.*--clients 3/],
    [['--in-flight', '0'], /--in-flight/],
    [['--in-flight', '512', '--workload', 'e'], /--in-flight 512.*163 or less/],
    [['--seconds', '0'], /--seconds must be from 0\.1/],
    [['--warm-up', '-1'], /--warm-up/],
    [['--rate', '0'], /--rate/],
    [['--prefix', ''], /--prefix must not be empty/],
    [['--read-from', 'nowhere'], /nowhere/],
    [['--report', '/nonexistent/out.html'], /--report .*cannot be written/],
    [['--report', 'README.md/out.html'], /--report .*cannot be written/],
    [['--clients', '1000', '--in-flight', '16384'], /--clients 1000 .*at most 1000000/],
    [['--frobnicate'], /frobnicate/],
    // What only the cluster knows.
    [['--key-bytes', '25'], /--key-bytes 25.*at most 24/],
    [['--key-bytes', '8'], /--key-bytes 8: 10000 keys.*at least 9/],
    [['--value-bytes', '1024'], /--value-bytes 1024 are 1027 as stored.*at most 1024/],
  ];
  describe('told nonsense', () => {
    let results: readonly Result[] = [];
    before(async () => {
      results = await severally(
        mistakes.map(
          ([args]) =>
            () =>
              bench(...args),
        ),
      );
    });
    for (const [index, [args, message]] of mistakes.entries()) {
      it(`${args.join(' ')}: one line, exit 2`, () => {
        const { code, stdout, stderr } = results[index]!;
        expect(stderr).to.match(message);
        expect(stderr.trimEnd().split('\n'), stderr).to.have.length(1);
        expect(stdout).to.equal('');
        expect(code).to.equal(2);
      });
    }
    it('nothing was stored', async () => {
      expect(await keysLeft()).to.deep.equal([]);
    });
  });

  it('no cluster there: one line, exit 1', async () => {
    const { code, stderr } = await inVain;
    expect(code).to.equal(1);
    expect(stderr).to.match(/^gtstore: .*127\.0\.0\.1:1\b.*\n$/);
  });

  it('a node that is killed meanwhile costs time, not operations', async () => {
    const command = launch(
      gtstore,
      ['bench', '--seconds', '3', '--warm-up', '0', '--json', '--in-flight', '8', '--keys', '10000'],
      {
        env: { GTSTORE_URL: cluster.url },
      },
    );
    await underWay(cluster.url);
    await cluster.kill(1);
    const { code, stdout, stderr } = await command.ended();
    expect(stderr).to.equal('');
    expect(code).to.equal(0);
    expect(JSON.parse(stdout)).to.deep.include({ errors: {}, absent: 0, unfinished: 0, keysLeft: 0 });
    await cluster.untilHealthy();
    expect(await keysLeft()).to.deep.equal([]);
  });

  it('a cluster that goes away: what was measured, one line, exit 1', async () => {
    const passing = await startCluster({ nodes: 2, replicas: 1 });
    const command = launch(
      gtstore,
      ['bench', '--seconds', '600', '--warm-up', '0', '--json', '--keys', '100'],
      {
        env: { GTSTORE_URL: passing.url },
      },
    );
    try {
      await underWay(passing.url);
    } finally {
      await passing.stop();
    }
    const { code, stdout, stderr } = await command.ended();
    expect(stderr).to.match(/^gtstore: the cluster has gone.*\n$/);
    expect(code).to.equal(1);
    expect(JSON.parse(stdout)).to.include({ endedEarly: 'cluster-gone' });
  });
});
