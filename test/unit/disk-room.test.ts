// D4: what LevelDB has merged, or could not finish, gives its room back, though nothing is written and none is left.
import { expect } from 'chai';
import { existsSync, readdirSync, statfsSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { tablesUnused } from '../../src/node/storage/disk/check.js';
import { Compactor } from '../../src/node/storage/disk/compactor.js';
import { openDatabase, readAllMeta } from '../../src/node/storage/disk/database.js';
import { firstRecordKey, formatKey, formatVersion, metaValue } from '../../src/node/storage/disk/format.js';
import { openInLittleRoom } from '../../src/node/storage/disk/little-room.js';
import { BatchWriter } from '../../src/node/storage/disk/writer.js';
import { LogLines, sorted, useDisks } from '../support/disk-journal.js';
import { useSmallFileSystems } from '../support/small-file-system.js';
import { until } from '../support/until.js';

const MB = 2 ** 20;

/** Of the file system there, to the last byte. */
function takeAllRoom(directory: string, name: string): void {
  const { bavail, bsize } = statfsSync(directory);
  writeFileSync(join(directory, name), Buffer.alloc(bavail * bsize, 1));
}

describe('D4: the room that LevelDB takes', () => {
  const disks = useDisks();
  const mountSmall = useSmallFileSystems();

  it('is given back before it is opened, where a merge has taken all there was', async function () {
    const path = mountSmall('size=8m');
    if (path === undefined) this.skip();
    const directory = join(path, 'node');
    const disk = await disks.open(directory);
    for (let n = 0; n < 3; n++) {
      disk.write(n, 'key', Buffer.alloc(MB, n));
      await disk.saved();
    }
    await disk.journal.close();
    takeAllRoom(directory, '999999.ldb');
    await openDatabase(directory).then(
      () => expect.fail('there was room'),
      (error: unknown) => expect(String(error)).to.match(/No space left/),
    );
    const again = await disks.open(directory);
    expect(sorted(again.content)).to.deep.equal(sorted(disk.expected));
    expect(readdirSync(directory)).not.to.include('999999.ldb');
    again.write(4, 'more', 'x');
    await again.saved();
    await again.journal.close();
  });

  it('is left as it is where others have taken all there was', async function () {
    const path = mountSmall('size=8m');
    if (path === undefined) this.skip();
    const directory = join(path, 'node');
    const disk = await disks.open(directory);
    disk.write(1, 'key', 'value');
    await disk.journal.close();
    const before = readdirSync(directory).filter((name) => /\.(ldb|log)$/.test(name));
    takeAllRoom(directory, '../others.ldb');
    const error = await openInLittleRoom(directory).catch((caught: unknown) => caught);
    expect(String(error)).to.match(/No space left/);
    expect(readdirSync(directory)).to.include.members(before);
    expect(readdirSync(path)).to.include('others.ldb');
  });

  it('is given back where nothing is written, and LevelDB is opened anew if it takes nothing', async () => {
    const directory = disks.directory();
    const db = await openDatabase(directory);
    const log = new LogLines();
    let written = 0;
    const writer = new BatchWriter({
      directory,
      db,
      number: 0,
      clockUs: 0,
      everyMs: 0,
      log,
      onWritten: () => written++,
      onCorrupt: ({ message }) => expect.fail(message),
    });
    const compactor = new Compactor({ writer: () => writer, isLow: () => true, log });
    try {
      const overwrite = async (times: number): Promise<void> => {
        for (const end = written + times; written < end;) {
          const before = written;
          writer.batch.put(formatKey, metaValue(formatKey, [formatVersion]));
          writer.batch.put(Buffer.concat([firstRecordKey, Buffer.from('k')]), Buffer.alloc(2 * MB, written));
          await until(() => written > before);
        }
        await db.compactRange(Buffer.of(0), Buffer.of(0xff));
      };
      await overwrite(3);
      const pin = db.iterator();
      await pin.next();
      await overwrite(3);
      await pin.close();
      const unused = await tablesUnused(directory);
      expect(unused).not.to.deep.equal([]);
      compactor.begin();
      await until(() => !unused.some((name) => existsSync(join(directory, name))));

      // As after a merge without room: from then on it takes nothing.
      const begin = db.batch.bind(db);
      db.batch = ((): ReturnType<typeof begin> => {
        const batch = begin();
        batch.write = () => Promise.reject(new Error('No space left on device'));
        return batch;
      }) as typeof db.batch;
      await until(() => written > 6);
      compactor.stop();
      const later = new Compactor({ writer: () => writer, isLow: () => true, log });
      later.begin();
      later.stop();
      await until(() => log.lines.some((line) => line.endsWith('can be written again')));
      expect((await readAllMeta(writer.db ?? expect.fail('closed'))).batch).to.equal(written);
    } finally {
      compactor.stop();
      await writer.close(5000);
    }
  });
});
