// Slots that are cleared: at once, whatever is in them, and what comes after counts.
import { expect } from 'chai';
import { openDatabase } from '../../src/node/storage/disk/database.js';
import { recordPrefix } from '../../src/node/storage/disk/format.js';
import { sorted, useDisks } from '../support/disk-journal.js';
import type { Disk } from '../support/disk-journal.js';
import { until } from '../support/until.js';

const records = 3000;

/** Records of the slot in the database, those of earlier generations included. */
async function recordsIn(directory: string, slot: number): Promise<number> {
  const db = await openDatabase(directory);
  const keys = await db.keys({ gte: recordPrefix(slot, 0), lt: recordPrefix(slot + 1, 0) }).all();
  await db.close();
  return keys.length;
}

function fillSlot(disk: Disk, slot: number): void {
  for (let i = 0; i < records; i++) disk.write(slot, `key-${i}`, `value ${i}`);
}

describe('a slot that is cleared', function () {
  this.timeout(60_000);
  const disks = useDisks();

  it('M6: is empty and without label, and holds what is saved after that', async () => {
    const directory = disks.directory();
    const disk = await disks.open(directory);
    for (const slot of [1, 2, 3]) {
      disk.write(slot, 'old', 'before');
      disk.write(slot, 'again', 'before');
      disk.journal.label(slot, 5);
    }
    await disk.saved();
    disk.clear(2);
    disk.write(2, 'again', 'after');
    disk.write(2, 'new', 'after');
    // All of it in one batch.
    disk.write(3, 'brief', 'x');
    disk.clear(3);
    disk.write(3, 'again', 'after');
    disk.journal.label(3, 9);
    await disk.journal.close();
    const again = await disks.open(directory);
    expect(sorted(again.content)).to.deep.equal(sorted(disk.expected));
    expect(again.held.slots).to.deep.equal([
      [1, 5],
      [3, 9],
    ]);
  });

  it('takes no longer the more there is in it, and its records are removed from the disk in the end', async () => {
    const directory = disks.directory();
    const disk = await disks.open(directory);
    fillSlot(disk, 1);
    fillSlot(disk, 2);
    await disk.saved(20_000);
    const { noted } = disk.journal;
    disk.clear(1);
    expect(disk.journal.noted - noted).to.equal(1);
    disk.write(1, 'key-1', 'after');
    await disk.saved();
    await until(() => disk.journal.isSwept, { timeoutMs: 20_000 });
    await disk.journal.close();
    expect(await recordsIn(directory, 1)).to.equal(1);
    expect(await recordsIn(directory, 2)).to.equal(records);
    const again = await disks.open(directory);
    expect(sorted(again.content)).to.deep.equal(sorted(disk.expected));
  });

  it('is swept after a restart if there was no time before', async () => {
    const directory = disks.directory();
    const disk = await disks.open(directory);
    fillSlot(disk, 1);
    await disk.saved(20_000);
    disk.clear(1);
    disk.write(1, 'key-7', 'after');
    await disk.journal.close();
    expect(await recordsIn(directory, 1)).to.be.greaterThan(records / 2);
    const again = await disks.open(directory);
    expect(sorted(again.content)).to.deep.equal(sorted(disk.expected));
    again.write(1, 'key-8', 'later');
    await until(() => again.journal.isSwept, { timeoutMs: 20_000 });
    await again.journal.close();
    expect(await recordsIn(directory, 1)).to.equal(2);
    const last = await disks.open(directory);
    expect(sorted(last.content)).to.deep.equal(sorted(again.expected));
  });

  it('costs nothing if nothing of it was ever saved', async () => {
    const disk = await disks.open(disks.directory());
    for (let slot = 0; slot < 100; slot++) disk.clear(slot);
    expect(disk.journal.noted).to.equal(0);
  });
});
