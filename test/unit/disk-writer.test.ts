// A disk that takes nothing for another reason than that it is full.
import { expect } from 'chai';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { Database } from '../../src/node/storage/disk/batch.js';
import { openDatabase } from '../../src/node/storage/disk/database.js';
import {
  batchKey,
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

  beforeEach(async () => {
    directory = join(await mkdtemp(join(tmpdir(), 'gtstore-writer-')), 'node');
    db = await openDatabase(directory);
    await db.put(formatKey, metaValue(formatKey, [formatVersion]));
    told.length = written = 0;
    const keep = (text: string): number => told.push(text);
    writer = new BatchWriter({
      directory,
      db,
      number: 0,
      clockUs: 0,
      everyMs: 0,
      log: { error: keep, warn: keep, info: keep, debug: () => undefined },
      onWritten: () => written++,
    });
  });
  afterEach(async () => {
    await writer.close(5000);
    await rm(join(directory, '..'), { recursive: true, force: true });
  });

  const note = (): void => {
    const { batch } = writer;
    batch.put(Buffer.concat([firstRecordKey, Buffer.from('k')]), Buffer.from('v'));
  };

  it('has writes refused after a while, and takes them again when it is well', async () => {
    note();
    await until(() => written === 1);
    note();
    await db.close();
    const other = await openDatabase(directory);
    await until(() => told.length === 1);
    expect(told[0]).to.match(/^cannot write to .*, trying again/);
    expect(writer.isFull).to.equal(false);
    await until(() => writer.isFull, { timeoutMs: 5000 });
    await other.close();
    await until(() => written === 2);
    expect(writer.isFull).to.equal(false);
    expect(told.at(-1)).to.match(/can be written again$/);
  });

  it('is let go between two attempts to open it, whatever was wrong with it', async () => {
    await db.put(batchKey, Buffer.from('garbage that has no sum'));
    note();
    await db.close();
    await until(() => told.length === 1);
    expect(told[0]).not.to.match(/in use|LOCK/i);
    expect(await writer.close(100)).to.equal(false);
    // It is open for a moment now and then, until the writer has noticed that it was given up.
    await until(async () => {
      try {
        await (await openDatabase(directory)).close();
        return true;
      } catch {
        return false;
      }
    });
  });
});
