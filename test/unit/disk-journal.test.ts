// What a node's disk gives back: all that was noted, in the order in which it was, and no more.
import { expect } from 'chai';
import fc from 'fast-check';
import { readdirSync, writeFileSync } from 'node:fs';
import { basename, dirname } from 'node:path';
import { appliedLengthMax } from '../../src/protocol/applied-list.js';
import { noJournal } from '../../src/node/core/journal.js';
import { Batch } from '../../src/node/storage/disk/batch.js';
import { openDatabase, readAllMeta } from '../../src/node/storage/disk/database.js';
import { formatKey, metaValue } from '../../src/node/storage/disk/format.js';
import { holdDisks, sorted, useDisks } from '../support/disk-journal.js';
import { until } from '../support/until.js';

const allBytes = Buffer.from(Array.from({ length: 256 }, (_, i) => i));
const longest = Number.MAX_SAFE_INTEGER;

describe('the journal of a node on its disk', () => {
  const disks = useDisks();

  it('gives back every kind of record', async () => {
    const directory = disks.directory();
    const disk = await disks.open(directory);
    disk.write(0, 'plain', 'a value');
    disk.write(0, '', 'of the empty key');
    disk.write(1, 'a tombstone', null);
    disk.write(2, 'empty', '');
    disk.write(3, 'all bytes', allBytes);
    disk.write(4, allBytes.toString('latin1'), 'key of all bytes');
    disk.write(65_535, 'ü'.repeat(300), 'long key, last slot');
    disk.write(5, 'large', Buffer.alloc(3 * 1024 * 1024, 'x'));
    disk.write(6, 'expires', 'soon', { expiresAtMs: 1_900_000_000_000 });
    const version = { hlc: longest, clientId: 2 ** 48 - 1, seq: 12, epoch: 34 };
    const applied = Array.from({ length: appliedLengthMax }, (_, i) => (i % 2 === 0 ? i : longest - i));
    disk.write(7, 'conditional', 'x', { version, applied });
    disk.write(8, 'short list', null, { applied: [1, 2, 3, 4], expiresAtMs: 1 });
    await disk.journal.close();

    const again = await disks.open(directory);
    expect(sorted(again.content)).to.deep.equal(sorted(disk.expected));
    expect(again.content.size).to.equal(11);
    expect(again.held.clockUs).to.equal(longest);
  });

  it('keeps the last of several changes of a key, whether they go in one batch or in many', async () => {
    const directory = disks.directory();
    const disk = await disks.open(directory);
    for (let round = 0; round < 5; round++) {
      for (const key of ['a', 'b', 'c']) disk.write(1, key, `${round} before`);
      disk.remove(1, 'a');
      disk.remove(1, 'b');
      disk.write(1, 'b', `${round} after`);
      disk.write(1, 'c', `${round} over`);
      if (round % 2 === 0) await disk.saved();
    }
    await disk.journal.close();
    const again = await disks.open(directory);
    expect(sorted(again.content)).to.deep.equal(sorted(disk.expected));
    expect([...again.content.keys()].sort()).to.deep.equal(['1 b', '1 c']);
  });

  it('D2: a slot that loses its label keeps its records, and what is removed later is gone', async () => {
    const directory = disks.directory();
    const disk = await disks.open(directory);
    disk.write(2, 'kept', 'v');
    disk.write(2, 'removed', 'v');
    disk.journal.label(2, 7);
    disk.journal.unlabel(2);
    disk.journal.unlabel(3);
    disk.remove(2, 'removed');
    await disk.journal.close();
    const again = await disks.open(directory);
    expect(again.held.slots).to.deep.equal([]);
    expect([...again.content.keys()]).to.deep.equal(['2 kept']);
  });

  it('gives back identity, labels and the highest clock, also of records that are gone', async () => {
    const directory = disks.directory();
    const disk = await disks.open(directory);
    expect(disk.journal.identity).to.equal(null);
    expect(disk.held).to.deep.equal({ clusterId: '', slots: [], clockUs: 0 });
    disk.journal.setIdentity('blue-Ü', 3);
    disk.journal.label(0, 1);
    disk.journal.label(9, 17);
    disk.journal.label(65_535, 0);
    disk.write(2, 'k', 'v', { version: { hlc: 1_234_567, clientId: 1, seq: 0, epoch: 0 } });
    disk.remove(2, 'k');
    disk.journal.label(9, 18);
    disk.journal.label(10, 5);
    disk.journal.clear(10);
    await disk.journal.close();

    const again = await disks.open(directory);
    expect(again.journal.identity).to.deep.equal({ clusterId: 'blue-Ü', nodeId: 3 });
    expect(again.held).to.deep.equal({
      clusterId: 'blue-Ü',
      slots: [
        [0, 1],
        [9, 18],
        [65_535, 0],
      ],
      clockUs: 1_234_567,
    });
    expect(again.content.size).to.equal(0);
  });

  it('equals the store after any changes and any restarts', async function () {
    // Half a second, and as many syncs as there are milliseconds in it.
    this.timeout(120_000);
    const change = fc.record({
      what: fc.constantFrom('write', 'write', 'write', 'remove', 'clear', 'saved', 'restart'),
      slot: fc.nat(2),
      key: fc.constantFrom('a', 'b', 'c', 'd'),
      value: fc.option(fc.uint8Array({ maxLength: 5 })),
    });
    await fc.assert(
      fc.asyncProperty(fc.array(change, { maxLength: 40, size: 'max' }), async (changes) => {
        const directory = disks.directory();
        let disk = await disks.open(directory);
        for (const { what, slot, key, value } of changes) {
          if (what === 'write') disk.write(slot, key, value);
          else if (what === 'remove') disk.remove(slot, key);
          else if (what === 'clear') disk.clear(slot);
          else if (what === 'saved') await disk.saved();
          else {
            await disk.journal.close();
            const again = await disks.open(directory);
            expect(sorted(again.content)).to.deep.equal(sorted(disk.expected));
            disk = again;
          }
        }
        await disk.journal.close();
        const { content } = await disks.open(directory);
        expect(sorted(content)).to.deep.equal(sorted(disk.expected));
        await disks.clear();
      }),
      { numRuns: 25 },
    );
  });

  it('saves what changes while a batch is under way in the next, and never says more than is saved', async () => {
    const directory = disks.directory();
    const disk = await disks.open(directory);
    const { journal } = disk;
    disk.write(1, 'k', 'x');
    await disk.saved();
    for (let i = 0; i < 10; i++) disk.write(1, `first ${i}`, 'x');
    expect(journal.noted).to.equal(11);
    expect(journal.saved).to.equal(1);
    // The first batch is under way after a turn of the event loop.
    await new Promise((resolve) => setImmediate(resolve));
    for (let i = 0; i < 7; i++) disk.write(1, `second ${i}`, 'x');
    expect(journal.saved).to.equal(1);
    await until(() => disk.savedNumbers.length === 3);
    expect(disk.savedNumbers).to.deep.equal([1, 11, 18]);
    expect(journal.saved).to.equal(18);
  });

  it('gathers for some milliseconds with interval, and saves all when it is closed', async () => {
    const directory = disks.directory();
    const disk = await disks.open(directory, { durability: 'interval' });
    expect(disk.journal.isAwaited).to.equal(false);
    disk.write(1, 'first', 'x');
    await disk.saved();
    let writes = 0;
    const untilMs = performance.now() + 100;
    while (performance.now() < untilMs) {
      disk.write(1, `k${writes++}`, 'x');
      await new Promise((resolve) => setImmediate(resolve));
    }
    await disk.saved(1000);
    expect(writes).to.be.greaterThan(50);
    expect(disk.savedNumbers.length).to.be.lessThan(15);
    disk.write(1, 'last', 'x');
    await disk.journal.close();
    const again = await disks.open(directory);
    expect(sorted(again.content)).to.deep.equal(sorted(disk.expected));
  });

  it('has answers wait with interval, too, once something has waited for half a second', async () => {
    const disk = await disks.open(disks.directory(), { durability: 'interval' });
    const release = holdDisks();
    try {
      disk.write(1, 'k', 'x');
      expect(disk.journal.isAwaited).to.equal(false);
      await until(() => disk.journal.isAwaited, { timeoutMs: 2000 });
      disk.write(1, 'later', 'x');
      expect(disk.journal.isAwaited).to.equal(true);
    } finally {
      release();
    }
    await disk.saved();
    expect(disk.journal.isAwaited).to.equal(false);
  });

  it('says that it is crowded, and not that it is full, while more waits for the disk than it may', async () => {
    const directory = disks.directory();
    const disk = await disks.open(directory);
    const value = Buffer.alloc(1024 * 1024, 'x');
    for (let i = 0; i < 70; i++) disk.write(1, `key-${i % 5}`, value);
    const state = ({ isCrowded, isOverfull, isFull, isSpent }: typeof disk.journal): boolean[] => [
      isCrowded,
      isOverfull,
      isFull,
      isSpent,
    ];
    expect(state(disk.journal)).to.deep.equal([true, false, false, false]);
    for (let i = 0; i < 64; i++) disk.write(1, `key-${i % 5}`, value);
    expect(state(disk.journal)).to.deep.equal([true, true, false, false]);
    await disk.saved(20_000);
    expect(state(disk.journal)).to.deep.equal([false, false, false, false]);
    await disk.journal.close();
    const again = await disks.open(directory);
    expect(sorted(again.content)).to.deep.equal(sorted(disk.expected));
  });

  it('does not save what is noted after it was closed', async () => {
    const directory = disks.directory();
    const disk = await disks.open(directory);
    await disk.journal.close();
    disk.write(1, 'late', 'x');
    disk.journal.label(1, 1);
    expect(disk.journal.noted).to.equal(disk.journal.saved);
    const again = await disks.open(directory);
    expect(again.content.size).to.equal(0);
    expect(again.held.slots).to.deep.equal([]);
  });

  it('names the directory that another one has open, and leaves it alone', async () => {
    const directory = disks.directory();
    const disk = await disks.open(directory);
    disk.write(1, 'k', 'v');
    const error = await disks.open(directory).then(
      () => null,
      (reason: unknown) => reason as Error,
    );
    expect(error?.message).to.contain(directory).and.to.contain('another process');
    await disk.saved();
    await disk.journal.close();
    const again = await disks.open(directory);
    expect(sorted(again.content)).to.deep.equal(sorted(disk.expected));
  });

  it('leaves a database of another format alone, and says that another version wrote it', async () => {
    const directory = disks.directory();
    const disk = await disks.open(directory);
    disk.write(1, 'k', 'v');
    await disk.journal.close();
    const db = await openDatabase(directory);
    const { batch: number, clockUs } = await readAllMeta(db);
    const batch = new Batch(number + 1, clockUs, db);
    batch.put(formatKey, metaValue(formatKey, [2]));
    batch.seal(clockUs);
    await batch.write(db);
    await db.close();
    const error = await disks.open(directory).then(
      () => null,
      (reason: unknown) => reason as Error,
    );
    expect(error?.message)
      .to.contain(directory)
      .and.to.contain('another version of gtstore: format 2, not 1');
    expect(readdirSync(dirname(directory))).to.deep.equal([basename(directory)]);
  });

  it('says what is wrong with a directory that it cannot use, and how to mend it', async () => {
    const directory = disks.directory();
    writeFileSync(directory, 'a file');
    const error = await disks.open(directory).then(
      () => null,
      (reason: unknown) => reason as Error,
    );
    expect(error?.message).to.contain(directory).and.to.contain('EEXIST').and.to.contain('--data-dir');
  });

  it('is nothing at all for a node that keeps everything in memory', () => {
    noJournal.save(1, 1);
    noJournal.remove(1, 'k');
    noJournal.label(1, 1);
    noJournal.unlabel(1);
    noJournal.clear(1);
    const { isAwaited, isBehind, isFull, isSpent, noted, saved } = noJournal;
    expect([isAwaited, isBehind, isFull, isSpent]).to.deep.equal([false, false, false, false]);
    expect([noted, saved]).to.deep.equal([0, 0]);
  });
});
