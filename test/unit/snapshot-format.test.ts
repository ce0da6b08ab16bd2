// The directory that a snapshot is: what is written is read back, and anything else is refused in one line.
import { expect } from 'chai';
import { execFileSync } from 'node:child_process';
import {
  closeSync,
  cpSync,
  mkdirSync,
  openSync,
  readFileSync,
  readSync,
  readdirSync,
  rmSync,
  symlinkSync,
  truncateSync,
  writeFileSync,
  writeSync,
} from 'node:fs';
import { dirname, join } from 'node:path';
import { decodeValue } from '../../src/protocol/value-codec.js';
import { SnapshotError } from '../../src/snapshot/errors.js';
import { formatManifest, parseManifest } from '../../src/snapshot/manifest.js';
import { openSnapshot, readRecords } from '../../src/snapshot/read-snapshot.js';
import { placeProblem, takeSnapshot } from '../../src/snapshot/take-snapshot.js';
import { type Listed, entry, failureOf, storeOf, useFolder } from '../support/snapshot-files.js';
import { useSmallFileSystems } from '../support/small-file-system.js';

/** Of file systems; none where the system does not tell. */
function mountPoints(): string[] {
  if (process.platform !== 'linux') return [];
  const lines = readFileSync('/proc/self/mounts', 'utf8').split('\n');
  return lines.map((line) => line.split(' ')[1] ?? '').filter((path) => path !== '');
}

function readdirOf(path: string): string[] | undefined {
  try {
    return readdirSync(path);
  } catch {
    // Of another user, or a file.
    return undefined;
  }
}

const entries = [
  entry('plain', 'text'),
  entry('Grüße 💐', { list: [1, -0, NaN, null], bytes: new Uint8Array([0, 255]) }),
  entry('held', true, 1_800_000_000_123),
  entry('k'.repeat(250), 'v'.repeat(900)),
  // More than fits into a block.
  ...Array.from({ length: 3 }, (_, n) => entry(`large-${n}`, String(n).repeat(150_000))),
  ...Array.from({ length: 10 }, (_, n) => entry(`key-${n}`, n)),
];
const part = 'part-0001.gts';

/** Around what is small and matters, and here and there: the heads of both blocks, records, values, the end. */
function offsetsOf(bytes: Buffer): number[] {
  const secondHead = 8 + 8 + bytes.readUInt32BE(8);
  return Array.from({ length: bytes.length }, (_, at) => at).filter(
    (at) => at < 100 || Math.abs(at - secondHead) < 24 || bytes.length - at < 100 || at % 10_007 === 0,
  );
}

async function contentOf(directory: string): Promise<Listed[]> {
  const listed: Listed[] = [];
  for await (const block of readRecords(await openSnapshot(directory))) {
    for (const { key, valueBytes, expiresAtMs } of block)
      listed.push({ key, value: decodeValue(valueBytes), expiresAtMs });
  }
  return listed;
}

async function expectRefusal(directory: string, text = /./, what = ''): Promise<void> {
  const error = await failureOf(contentOf(directory));
  expect(error, what).to.be.instanceOf(SnapshotError);
  expect(error.message, what).to.match(text).and.not.include('\n');
}

describe('the format of snapshots', () => {
  const newFolder = useFolder();
  let whole: string;
  beforeEach(async () => {
    whole = join(newFolder(), 'whole');
    await takeSnapshot(storeOf(entries), whole);
  });

  it('what was listed comes back: keys, values of all kinds, expiry', async () => {
    const listed = entries.map(({ key, value, expiresAtMs }) => ({ key, value, expiresAtMs }));
    expect(await contentOf(whole)).to.deep.equal(listed);
  });

  it('the manifest has counts, bytes, extremes, sums, the cluster, times', async () => {
    const { manifest } = await openSnapshot(whole);
    expect(manifest.parts).to.have.length(1);
    const bytes = entries.reduce(
      (sum, { key, valueBytes }) => sum + Buffer.byteLength(key) + valueBytes.length,
      0,
    );
    expect(manifest).to.deep.include({
      keys: entries.length,
      bytes,
      longestKeyBytes: 250,
      largestValueBytes: 150_005,
    });
    expect(manifest.source).to.deep.equal({
      ...{ clusterId: 'c', epoch: 4, replicas: 3, slotCount: 7 },
      ...{ partitioner: 'ascii-sum', keyBytesMax: 250, valueBytesMax: 1000 },
    });
    expect(Date.parse(manifest.finishedAt)).to.be.at.least(Date.parse(manifest.startedAt));
    expect(readdirSync(whole)).to.have.members(['manifest.json', ...manifest.parts.map(({ name }) => name)]);
  });

  it('parts are of bounded size, and all are read', async () => {
    const large = Array.from({ length: 100 }, (_, n) => entry(`large-${n}`, 'x'.repeat(100_000)));
    const folder = join(newFolder(), 'large');
    const { parts, keys } = await takeSnapshot(storeOf(large), folder, { partBytesAimed: 1_000_000 });
    expect(parts.length).to.be.within(8, 11);
    for (const { bytes } of parts) expect(bytes).to.be.below(1_400_000);
    expect(keys).to.equal(100);
    expect(await contentOf(folder)).to.have.length(100);
  });

  it('an empty cluster makes a snapshot without parts', async () => {
    const folder = join(newFolder(), 'empty');
    expect((await takeSnapshot(storeOf([]), folder)).parts).to.deep.equal([]);
    expect(await contentOf(folder)).to.deep.equal([]);
  });

  it('a part that was cut off, at whatever byte, is refused', async () => {
    const file = join(whole, part);
    const bytes = readFileSync(file);
    const manifestFile = join(whole, 'manifest.json');
    const text = readFileSync(manifestFile, 'utf8');
    const { manifest } = await openSnapshot(whole);
    for (const length of offsetsOf(bytes).reverse()) {
      truncateSync(file, length);
      await expectRefusal(whole, /part-0001\.gts is damaged: it has \d+ bytes/, `${length} bytes`);
      // Nor is it the length alone that tells.
      const parts = manifest.parts.map((each) => ({ ...each, bytes: length }));
      writeFileSync(manifestFile, formatManifest({ ...manifest, parts }));
      await expectRefusal(whole, /part-0001\.gts is damaged/, `${length} bytes, as the manifest says`);
      writeFileSync(manifestFile, text);
    }
  });

  it('a manifest that was cut off, at whatever byte, is refused', async () => {
    const file = join(whole, 'manifest.json');
    for (let length = readFileSync(file).length - 2; length >= 0; length -= 3) {
      truncateSync(file, length);
      await expectRefusal(whole, /manifest\.json is damaged/, `${length} bytes`);
    }
  });

  it('a flipped bit of a part, wherever it is, is found', async () => {
    const file = openSync(join(whole, part), 'r+');
    for (const at of offsetsOf(readFileSync(file))) {
      const byte = Buffer.alloc(1);
      readSync(file, byte, 0, 1, at);
      writeSync(file, Buffer.from([byte[0]! ^ (1 << (at % 8))]), 0, 1, at);
      await expectRefusal(whole, /is damaged|format version/, `at ${at}`);
      writeSync(file, byte, 0, 1, at);
    }
    closeSync(file);
    expect(await contentOf(whole)).to.have.length(entries.length);
  });

  it('a flipped bit of the manifest, wherever it is, is found', async () => {
    const file = join(whole, 'manifest.json');
    const bytes = readFileSync(file);
    for (let at = 0; at < bytes.length; at++) {
      const flipped = Buffer.from(bytes);
      flipped[at]! ^= 1 << (at % 8);
      writeFileSync(file, flipped);
      await expectRefusal(whole, /is damaged|format version/, `at ${at}`);
    }
  });

  it('bytes too many, a part that is missing, parts that are exchanged are found', async () => {
    const folder = join(newFolder(), 'parts');
    const alike = [entry('a', 1), entry('b', 2)];
    await takeSnapshot(storeOf(alike), folder, { partBytesAimed: 1 });
    const [first, second] = [join(folder, part), join(folder, 'part-0002.gts')];
    const bytes = readFileSync(first);
    writeFileSync(first, Buffer.concat([bytes, Buffer.from([0])]));
    await expectRefusal(folder, /part-0001\.gts is damaged: it has \d+ bytes/);
    cpSync(second, first);
    await expectRefusal(folder, /part-0001\.gts is damaged: its checksum/);
    rmSync(first);
    await expectRefusal(folder, /part-0001\.gts is missing/);
  });

  it('a named pipe instead of a part, or of the manifest, is not waited for', async function () {
    if (process.platform === 'win32') this.skip();
    for (const [name, text] of [
      [part, /part-0001\.gts is damaged: it has 0 bytes/],
      ['manifest.json', /manifest\.json is damaged: it is no JSON/],
    ] as const) {
      const path = join(whole, name);
      rmSync(path);
      execFileSync('mkfifo', [path]);
      await expectRefusal(whole, text);
    }
  });

  it('another version of the format is named, in the manifest and in a part', async () => {
    const file = join(whole, 'manifest.json');
    const text = readFileSync(file, 'utf8');
    const { manifest } = await openSnapshot(whole);
    writeFileSync(file, formatManifest({ ...manifest, formatVersion: 2 }));
    await expectRefusal(whole, /manifest\.json is of format version 2, this gtstore reads version 1/);
    writeFileSync(file, text);
    const bytes = readFileSync(join(whole, part));
    bytes.writeUInt16BE(7, 6);
    writeFileSync(join(whole, part), bytes);
    await expectRefusal(whole, /part-0001\.gts is of format version 7/);
  });

  it('a manifest that leads out of its directory is refused', async () => {
    const { manifest } = await openSnapshot(whole);
    const parts = manifest.parts.map((each) => ({ ...each, name: '../part-0001.gts' }));
    expect(() => parseManifest(formatManifest({ ...manifest, parts }), 'm')).to.throw(
      SnapshotError,
      'damaged',
    );
  });

  it('a directory without manifest is no snapshot', async () => {
    rmSync(join(whole, 'manifest.json'));
    await expectRefusal(whole, /no whole snapshot: manifest\.json is missing/);
    await expectRefusal(join(whole, 'nowhere'), /no whole snapshot/);
  });
});

describe('taking a snapshot', () => {
  const newFolder = useFolder();
  const mountSmall = useSmallFileSystems();

  it('until it is whole there is nothing at its place; a failure leaves nothing behind', async () => {
    const folder = newFolder();
    let seen: string[] = [];
    const store = storeOf(entries, (index) => {
      seen = readdirSync(folder);
      if (index === 10) throw new Error('the cluster is gone');
    });
    const error = await failureOf(takeSnapshot(store, join(folder, 'a'), { partBytesAimed: 1 }));
    expect(error.message).to.equal('the cluster is gone');
    expect(seen).to.have.length(1);
    expect(seen[0]).to.match(/^a\.unfinished-/);
    expect(readdirSync(folder)).to.deep.equal([]);
  });

  it('a signal ends it, and nothing is left; nor when the process ends at once', async () => {
    const folder = newFolder();
    const stop = new AbortController();
    const store = storeOf(entries, (index) => {
      if (index === 10) stop.abort(new Error('Ctrl-C'));
    });
    const { signal } = stop;
    expect((await failureOf(takeSnapshot(store, join(folder, 'a'), { signal }))).message).to.equal('Ctrl-C');
    expect(readdirSync(folder)).to.deep.equal([]);

    const onStarted = (discard: () => void): void => {
      expect(readdirSync(folder)).to.have.length(1);
      discard();
      expect(readdirSync(folder)).to.deep.equal([]);
    };
    await failureOf(takeSnapshot(storeOf(entries), join(folder, 'b'), { onStarted }));
  });

  it('nothing, or an empty directory, is a place; anything else is not', async () => {
    const folder = newFolder();
    expect(await placeProblem(join(folder, 'new'))).to.equal(undefined);
    expect(await placeProblem(folder)).to.equal(undefined);
    await takeSnapshot(storeOf(entries), folder);
    expect(await placeProblem(folder)).to.equal('is not empty');
    expect(await placeProblem(join(folder, 'manifest.json'))).to.equal('is not a directory');
    symlinkSync(join(folder, 'nowhere'), join(folder, 'link'));
    expect(await placeProblem(join(folder, 'link'))).to.equal('is a link that leads nowhere');
    expect(await placeProblem('')).to.equal('names nothing');
  });

  it('a link to an empty directory is a place: what it leads to becomes the snapshot', async () => {
    const folder = newFolder();
    const place = join(folder, 'disk', 'monday');
    mkdirSync(place, { recursive: true });
    const link = join(folder, 'latest');
    symlinkSync(place, link);
    expect(await placeProblem(link)).to.equal(undefined);
    await takeSnapshot(storeOf(entries), link);
    expect(await contentOf(link)).to.have.length(entries.length);
    expect(readdirSync(folder).sort()).to.deep.equal(['disk', 'latest']);
    expect(readdirSync(dirname(place))).to.deep.equal(['monday']);
  });

  it('a disk that is full is named with the snapshot, and nothing is left of it', async function () {
    const small = mountSmall('size=64k');
    if (small === undefined) this.skip();
    const place = join(small, 'monday');
    const large = Array.from({ length: 100 }, (_, n) => entry(`key-${n}`, 'x'.repeat(4000)));
    const { message } = await failureOf(takeSnapshot(storeOf(large), place));
    expect(message).to.match(/^\S+monday cannot be written: ENOSPC: no space left on device/);
    expect(readdirSync(small)).to.deep.equal([]);
  });

  it('where a file system is mounted is no place: nothing can be put there as a whole', async function () {
    const empty = mountPoints().find((path) => readdirOf(path)?.length === 0);
    if (empty === undefined) this.skip();
    expect(await placeProblem(empty)).to.equal('is where a file system is mounted');
  });

  it('what was put at its place meanwhile is not overwritten', async () => {
    const folder = newFolder();
    const place = join(folder, 'deep', 'a');
    await takeSnapshot(storeOf(entries), place);
    const error = await failureOf(takeSnapshot(storeOf([]), place));
    expect(error).to.be.instanceOf(SnapshotError);
    expect(error.message).to.include(place).and.include('another directory');
    expect(await contentOf(place)).to.have.length(entries.length);
    expect(readdirSync(dirname(place))).to.deep.equal(['a']);
  });
});
