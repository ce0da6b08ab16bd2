// gtstore snapshot, restore, export, import and start --snapshot-every as a user runs them.
import { expect } from 'chai';
import { existsSync, mkdtempSync, readFileSync, readdirSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { GTStoreClient } from '../../src/client/index.js';
import type { StoreValue } from '../../src/client/index.js';
import { toKeyBytes } from '../../src/protocol/partition.js';
import { type TestCluster, startCluster } from '../../src/testing/index.js';
import { eventually } from '../support/cluster-until.js';
import { useFolder } from '../support/snapshot-files.js';
import { type Launched, type Result, gtstore, launcher, run } from './command.js';

const hourMs = 3_600_000;
const odd: Readonly<Record<string, StoreValue>> = {
  text: 'hello',
  'Grüße 💐': '\u0000"\\\n\u2028',
  bytes: new Uint8Array([0, 1, 255]),
  numbers: [NaN, Infinity, -Infinity, -0, 5e-324, 2 ** 53],
  escapes: { $bytes: 'aGk=', $$number: { $number: 'NaN' }, '': null },
  yes: true,
};

async function contentOf(manager: string): Promise<Record<string, StoreValue>> {
  await using store = new GTStoreClient({ manager });
  await store.init();
  const found: Record<string, StoreValue> = {};
  for await (const [key, value] of store.entries()) found[key] = value;
  return found;
}

describe('gtstore snapshot, restore, export, import', function () {
  this.timeout(120_000);
  const launch = launcher();
  const newFolder = useFolder();
  let cluster: TestCluster;
  let other: TestCluster;
  before(async () => {
    cluster = await startCluster({ nodes: 3, replicas: 2 });
    other = await startCluster({ nodes: 2, replicas: 1 });
    await using store = new GTStoreClient({ manager: cluster.url });
    await store.init();
    await store.putMany(odd);
    await store.put('held', 'an hour', { ttlMs: hourMs });
  });
  after(async () => {
    await cluster.stop();
    await other.stop();
  });
  afterEach(async () => {
    await using store = new GTStoreClient({ manager: other.url });
    await store.init();
    for await (const [key] of store.entries()) await store.delete(key);
  });

  function command(args: readonly string[], input?: string): Promise<Result> {
    return run(gtstore, args, {
      env: { GTSTORE_URL: cluster.url },
      ...(input === undefined ? {} : { input }),
    });
  }

  function expectFailure({ code, stdout, stderr }: Result, expected: number, text: RegExp): void {
    expect(stderr).to.match(text);
    expect(stderr.trimEnd().split('\n'), stderr).to.have.length(1);
    expect(stdout).to.equal('');
    expect(code).to.equal(expected);
  }

  async function expectRestored(): Promise<void> {
    expect(await contentOf(other.url)).to.deep.equal({ ...odd, held: 'an hour' });
    await using store = new GTStoreClient({ manager: other.url });
    await store.init();
    for await (const { expiresAtMs } of store.storedEntries({ prefix: 'held' })) {
      expect(expiresAtMs).to.be.within(Date.now() + hourMs / 2, Date.now() + hourMs);
    }
  }

  it('a snapshot goes into another cluster; each prints one line, or one object', async () => {
    const folder = join(newFolder(), 'deep', 'monday');
    const saved = await command(['snapshot', '--to', folder, '--json']);
    expect(saved.stderr).to.equal('');
    expect(JSON.parse(saved.stdout)).to.include({ keys: 7, parts: 1, to: folder });
    const restored = await command(['restore', folder, '--manager', other.url]);
    expect(restored.stderr).to.equal('');
    expect(restored.stdout).to.match(/^restored 7 keys, \d+ B, from .*monday\n$/);
    await expectRestored();

    expectFailure(await command(['restore', folder]), 1, /not empty.*--overwrite/);
    const again = await command(['restore', folder, '--overwrite', '--json']);
    expect(JSON.parse(again.stdout)).to.include({ keys: 7, expired: 0, from: folder });
    expectFailure(await command(['snapshot', '--to', folder]), 2, /monday is not empty/);
  });

  it('what is no snapshot is refused', async () => {
    const folder = newFolder();
    expectFailure(await command(['restore', join(folder, 'nowhere')]), 2, /nowhere cannot be read/);
    expectFailure(
      await command(['restore', folder]),
      1,
      /holds no whole snapshot: manifest\.json is missing/,
    );
    writeFileSync(join(folder, 'manifest.json'), '{}');
    expectFailure(await command(['restore', folder]), 1, /manifest\.json is damaged/);
    expectFailure(await command(['restore', join(folder, 'manifest.json')]), 2, /is not a directory/);
    expectFailure(await command(['snapshot']), 2, /'?to'?/);
    expectFailure(await command(['snapshot', '--to', '']), 2, /--to '' names nothing; give a new directory/);
  });

  it('export | import carries every kind of value, through a pipe and through a file', async () => {
    const exported = await command(['export', '--json']);
    expect(JSON.parse(exported.stderr)).to.include({ keys: 7 });
    expect(exported.stdout.trimEnd().split('\n')).to.have.length(7);
    expect(exported.stdout).to.include('{"key":"text","value":"hello"}\n');
    const imported = await command(['import', '--manager', other.url], exported.stdout);
    expect(imported.stdout).to.match(/^stored 7 keys, \d+ B\n$/);
    await expectRestored();

    const file = join(newFolder(), 'keys.jsonl');
    writeFileSync(file, 'what was there before');
    expect((await command(['export', file])).stdout).to.match(/^wrote 7 keys, \d+ B, to .*keys\.jsonl\n$/);
    expect(readdirSync(join(file, '..'))).to.deep.equal(['keys.jsonl']);
    // Expiry is told by the client's clock, which each session sets by the manager's.
    const sorted = (text: string): string[] =>
      text
        .replace(/"expiresAt":"[^"]+"/, '')
        .split('\n')
        .sort();
    expect(sorted(readFileSync(file, 'utf8'))).to.deep.equal(sorted(exported.stdout));
    const fromFile = await command(['import', file, '--manager', other.url, '--json']);
    expect(JSON.parse(fromFile.stdout)).to.include({ keys: 7, expired: 0, bytes: statSync(file).size });
    await expectRestored();
  });

  it('a bad line: where, what, how to mend it, how many are stored; exit 1', async () => {
    const lines = ['{"key":"a","value":1}', '', '{"key":"b","value":2}', '{"key":"c","valu":3}', ''].join(
      '\n',
    );
    const result = await command(['import', '--manager', other.url], lines);
    expectFailure(
      result,
      1,
      /^gtstore: stdin:4: the field "valu" is unknown; a line is .*; 2 keys had been stored/,
    );
    expect(await contentOf(other.url)).to.deep.equal({ a: 1, b: 2 });
    const long = await command(
      ['import', '-', '--manager', other.url],
      `{"key":"${'k'.repeat(251)}","value":1}`,
    );
    expectFailure(
      long,
      1,
      /^gtstore: stdin:1: the key 'k{40}\.\.\.' has 251 bytes.*; 0 keys had been stored/,
    );
    expectFailure(await command(['import', '/nowhere/x']), 2, /\/nowhere\/x cannot be read/);
    const socket = join(newFolder(), 'socket');
    await using _server = createServer().listen(socket);
    expectFailure(await command(['import', socket]), 2, /socket cannot be read: ENXIO/);
    expectFailure(await command(['export', '/nowhere/x']), 2, /\/nowhere\/x cannot be written/);
  });

  it('later lines of a key win, and what has expired is not stored', async () => {
    const lines = Array.from({ length: 500 }, (_, n) => `{"key":"k","value":${n}}`);
    lines.push('{"key":"gone","value":1,"expiresAt":"2020-01-01T00:00:00.000Z"}');
    const result = await command(['import', '--manager', other.url], lines.join('\n'));
    expect(result.stdout).to.match(/^stored 500 keys, .*; 1 key had expired\n$/);
    expect(await contentOf(other.url)).to.deep.equal({ k: 499 });
  });

  it('a reader who has seen enough is no crash', async () => {
    const exporting = launch(gtstore, ['export', '--manager', cluster.url]);
    exporting.closeStdout();
    const { code, stderr } = await exporting.ended();
    expect(stderr).to.equal('');
    expect(code).to.equal(0);
  });
});

describe('Ctrl-C while keys are carried', function () {
  this.timeout(120_000);
  const launch = launcher();
  const newFolder = useFolder();
  const keyCount = 400;
  let cluster: TestCluster;
  let whole = '';
  // One node that holds still, and keeps its place meanwhile: whatever comes to its keys waits.
  before(async () => {
    cluster = await startCluster({ nodes: 2, replicas: 1, leaseMs: 60_000 });
    await using store = new GTStoreClient({ manager: cluster.url });
    await store.init();
    await store.putMany(Array.from({ length: keyCount }, (_, n) => [`key ${n}`, n] as const));
    whole = join(mkdtempSync(join(tmpdir(), 'gtstore-whole-')), 'snapshot');
    const { code, stderr } = await run(gtstore, ['snapshot', '--to', whole, '--manager', cluster.url]);
    expect(code, stderr).to.equal(0);
    for (let n = 0; n < keyCount; n++) await store.delete(`key ${n}`);
    await cluster.pause(1);
  });
  after(async () => {
    await cluster.stop();
    rmSync(dirname(whole), { recursive: true });
  });

  /** Interrupts it. @returns its one line on stderr */
  async function lastWordsOf(command: Launched): Promise<string> {
    command.signal('SIGINT');
    const { code, stdout, stderr } = await command.ended();
    expect(code, stderr).to.equal(130);
    expect(stdout).to.equal('');
    expect(command.processes()).to.deep.equal([]);
    return stderr;
  }

  /** Keys of the node that serves. */
  async function untilStored(): Promise<void> {
    await using store = new GTStoreClient({ manager: cluster.url });
    await store.init();
    const { clusterMap } = store;
    const found = Array.from({ length: keyCount }, (_, n) => `key ${n}`).filter(
      (key) => clusterMap?.slot(clusterMap.slotOf(toKeyBytes(key))).replicas[0] === 0,
    );
    await eventually('some keys are stored', async () => {
      const values = await store.getMany(found.slice(0, 20));
      return values.some((value) => value !== undefined);
    });
    for (const key of found) await store.delete(key);
  }

  for (const [name, args, line] of [
    [
      'snapshot',
      ['--to', 'out'],
      /^gtstore: stopped before the end: \d+ keys? had been saved, and are removed again; there is no snapshot in \S+out\n$/,
    ],
    [
      'export',
      ['out'],
      /^gtstore: stopped before the end: \d+ keys? had been read; \S+out is as it was before\n$/,
    ],
  ] as const) {
    it(`${name} says how far it was, and leaves nothing behind, exit 130`, async () => {
      const folder = newFolder();
      const path = args.map((each) => (each === 'out' ? join(folder, each) : each));
      const command = launch(gtstore, [name, ...path, '--manager', cluster.url]);
      await eventually('it has begun', () =>
        readdirSync(folder).some((each) => each.includes('.unfinished-')),
      );
      expect(await lastWordsOf(command)).to.match(line);
      expect(readdirSync(folder)).to.deep.equal([]);
    });
  }

  it('import from a pipe that stays open says how many keys are stored, exit 130', async () => {
    const input = Array.from({ length: keyCount }, (_, n) => `{"key":"key ${n}","value":${n}}\n`).join('');
    const command = launch(gtstore, ['import', '--manager', cluster.url], { input, isInputOpen: true });
    await untilStored();
    expect(await lastWordsOf(command)).to.match(
      /^gtstore: stopped before the end: [1-9]\d* keys? had been stored, and are there\n$/,
    );
  });

  it('restore says how many keys are stored, exit 130', async () => {
    const command = launch(gtstore, ['restore', whole, '--overwrite', '--manager', cluster.url]);
    await untilStored();
    expect(await lastWordsOf(command)).to.match(
      /^gtstore: stopped before the end: [1-9]\d* keys? had been stored, and are there\n$/,
    );
  });
});

describe('gtstore start --snapshot-every', function () {
  this.timeout(120_000);
  const launch = launcher();
  const newFolder = useFolder();

  it('takes snapshots, keeps as many as it shall, and goes on when one fails', async () => {
    const folder = join(newFolder(), 'snapshots');
    const flags = ['--snapshot-every', '1s', '--snapshot-dir', folder, '--snapshot-keep', '2'];
    const start = launch(gtstore, ['start', '-n', '2', '-k', '1', '--port', '0', ...flags]);
    const url = await start.ready();
    expect((await run(gtstore, ['put', 'k', 'v', '--manager', url])).stdout).to.equal('stored\n');
    await start.shows(/snapshot \S+: 1 key, 3 B, .*; old ones removed: 1/);
    const whole = readdirSync(folder).filter((name) => existsSync(join(folder, name, 'manifest.json')));
    expect(whole.length).to.be.within(2, 3);

    rmSync(folder, { recursive: true });
    writeFileSync(folder, 'in the way');
    await start.shows(/error.*no snapshot in .*the next one is tried in time/);
    expect((await run(gtstore, ['get', 'k', '--manager', url])).stdout).to.equal('v\n');
    rmSync(folder);
    await eventually(
      'a snapshot again',
      () => existsSync(folder) && readdirSync(folder).some((each) => each.endsWith('Z')),
    );

    start.signal('SIGINT');
    expect((await start.ended()).code).to.equal(0);
    expect(readdirSync(folder).filter((name) => name.includes('unfinished'))).to.deep.equal([]);
    expect(start.processes()).to.deep.equal([]);
  });

  it('half of the options, or a time that is none, is a mistake, exit 2', async () => {
    for (const flags of [
      ['--snapshot-every', '1h'],
      ['--snapshot-dir', newFolder()],
      ['--snapshot-every', 'often', '--snapshot-dir', newFolder()],
    ]) {
      const { code, stderr } = await run(gtstore, ['start', '--port', '0', ...flags]);
      expect(stderr).to.match(/^gtstore: --snapshot-\w+ .*\n$/);
      expect(code).to.equal(2);
    }
  });
});
