// A disk that takes nothing for another reason than that it is full.
import { expect } from 'chai';
import { mkdirSync, readdirSync, readFileSync, rmdirSync, rmSync, writeFileSync } from 'node:fs';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Batch } from '../../src/node/storage/disk/batch.js';
import type { Database } from '../../src/node/storage/disk/batch.js';
import { openDatabase } from '../../src/node/storage/disk/database.js';
import {
  clockKey,
  firstRecordKey,
  formatKey,
  formatVersion,
  metaValue,
} from '../../src/node/storage/disk/format.js';
import { BatchWriter } from '../../src/node/storage/disk/writer.js';
import { until } from '../support/until.js';

describe('D4: a disk that fails', function () {
  this.timeout(30_000);
  let directory = '';
  let db: Database;
  let writer: BatchWriter;
  const told: string[] = [];
  let written = 0;
  const damages: string[] = [];
  const manifestBytesMax = 300;

  beforeEach(async () => {
    directory = join(await mkdtemp(join(tmpdir(), 'gtstore-writer-')), 'node');
    db = await openDatabase(directory);
    const first = new Batch(0, 0, db);
    first.put(formatKey, metaValue(formatKey, [formatVersion]));
    await first.write(db);
    told.length = damages.length = written = 0;
    const keep = (text: string): number => told.push(text);
    writer = new BatchWriter({
      directory,
      db,
      number: 0,
      clockUs: 0,
      everyMs: 0,
      log: { error: keep, warn: keep, info: keep, debug: () => undefined },
      onWritten: () => written++,
      onCorrupt: ({ message }) => damages.push(message),
      manifestBytesMax,
    });
  });
  afterEach(async () => {
    await writer.close(5000);
    await rm(join(directory, '..'), { recursive: true, force: true });
  });

  const note = (value = Buffer.from('v')): void => {
    const { batch } = writer;
    batch.put(Buffer.concat([firstRecordKey, Buffer.from('k')]), value);
  };

  it('has writes refused after a while, and takes them again when it is well', async () => {
    note();
    await until(() => written === 1);
    // Where its lock should be LevelDB cannot make one. Another process that opens it changes files while they are looked at.
    const lock = join(directory, 'LOCK');
    rmSync(lock);
    mkdirSync(lock);
    note();
    await db.close();
    await until(() => told.length === 1);
    expect(told[0]).to.match(/^cannot write to .*, trying again/);
    expect(writer.isFull).to.equal(false);
    await until(() => writer.isFull, { timeoutMs: 5000 });
    rmdirSync(lock);
    await until(() => written === 2);
    expect(writer.isFull).to.equal(false);
    expect(told.at(-1)).to.match(/can be written again$/);
  });

  it('is let go, and written no more, once it turns out to be damaged', async () => {
    note();
    await until(() => written === 1);
    await db.put(clockKey, Buffer.from('garbage that has no sum'));
    note();
    await db.close();
    await until(() => damages.length === 1);
    expect(await writer.close(5000)).to.equal(false);
    await (await openDatabase(directory)).close();
    expect([written, damages.length]).to.deep.equal([1, 1]);
  });

  it('is not opened anew over a log with a wrong byte in it: what follows would go to a table with right sums', async () => {
    // Longer than the pieces of a log, so that what follows is found again.
    for (let n = 1; n <= 3; n++) {
      note(Buffer.alloc(40_000, n));
      await until(() => written === n);
    }
    const name = readdirSync(directory).find((each) => each.endsWith('.log')) ?? '';
    const log = readFileSync(join(directory, name));
    const middle = log.length >> 1;
    log.writeUInt8(log.readUInt8(middle) ^ 4, middle);
    writeFileSync(join(directory, name), log);
    note();
    await db.close();
    await until(() => damages.length === 1);
    expect(damages[0]).to.match(/something is missing before batch|without number/);
    expect(readdirSync(directory)).to.include(name);
  });

  it('is not begun anew where its directory was removed', async () => {
    note();
    await until(() => written === 1);
    rmSync(directory, { recursive: true });
    note();
    await db.close();
    await until(() => damages.length === 1);
    expect(damages[0]).to.equal('files of it are gone');
  });

  it('is opened anew when its manifest has become long, and goes on: nothing grows for ever beside the data', async () => {
    const manifest = (): string => readFileSync(join(directory, 'CURRENT'), 'latin1').trim();
    const first = manifest();
    const value = Buffer.alloc(1024 * 1024, 7);
    for (let n = 1; n <= 100 && manifest() === first; n++) {
      note(value);
      await until(() => written === n);
    }
    expect(readdirSync(directory)).to.include(manifest()).and.not.include(first);
    const before = written;
    for (let n = 1; n <= 5; n++) note(Buffer.of(n));
    await until(() => written > before);
    expect(damages).to.deep.equal([]);
    expect(await writer.close(5000)).to.equal(true);
    db = await openDatabase(directory);
    expect(await db.get(Buffer.concat([firstRecordKey, Buffer.from('k')]))).to.deep.equal(Buffer.of(5));
    await db.close();
  });
});
