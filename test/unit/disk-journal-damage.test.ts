/**
 * A database that is not what was saved: whatever byte is wrong, a load gives all that was saved, or the directory is
 * set aside. Never a part of it.
 */
import { expect } from 'chai';
import {
  cpSync,
  existsSync,
  lstatSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  symlinkSync,
  truncateSync,
  writeFileSync,
} from 'node:fs';
import { basename, join } from 'node:path';
import { crc32c } from '../../src/node/storage/disk/crc32c.js';
import { recordsOfLog } from '../../src/node/storage/disk/leveldb-files.js';
import { sorted, useDisks } from '../support/disk-journal.js';
import type { Content, Disk, Disks } from '../support/disk-journal.js';

/** Some of it in tables, some in the log, each in several batches; some overwritten, removed, cleared. */
async function fill(disks: Disks, directory: string): Promise<Content> {
  let disk = await disks.open(directory);
  disk.journal.setIdentity('c', 1);
  disk.journal.label(1, 1);
  for (let round = 0; round < 6; round++) {
    for (let i = 0; i < 40; i++) disk.write(i % 3, `key-${i}`, Buffer.alloc(60 + 7 * round, round));
    disk.remove(0, `key-${3 * round}`);
    if (round === 2) disk.clear(2);
    await disk.saved();
    // What is in the log when it is opened goes to a table.
    if (round === 1 || round === 3) {
      await disk.journal.close();
      disk = await disks.open(directory);
    }
  }
  await disk.journal.close();
  return disk.expected;
}

const isWhole = (disk: Disk, expected: Content): boolean =>
  JSON.stringify(sorted(disk.content)) === JSON.stringify(sorted(expected));

function filesOf(directory: string, ending: RegExp): string[] {
  return readdirSync(directory).filter(
    (name) => ending.test(name) && statSync(join(directory, name)).size > 0,
  );
}

describe('a damaged database', function () {
  this.timeout(120_000);
  const disks = useDisks();

  /** Loads a copy that `harm` was done to. @returns whether it was set aside */
  async function loadHarmed(
    original: string,
    expected: Content,
    harm: (directory: string) => void,
    what: string,
  ): Promise<boolean> {
    const copy = `${original}-harmed`;
    cpSync(original, copy, { recursive: true });
    harm(copy);
    const disk = await disks.open(copy);
    const isSetAside = existsSync(`${copy}.corrupt-1`);
    try {
      if (isSetAside) {
        expect(disk.held.slots, what).to.deep.equal([]);
        expect(disk.journal.identity, what).to.equal(null);
        expect(
          disk.log.lines.filter((line) => line.startsWith('error')),
          what,
        ).to.have.length(1);
        expect(disk.log.lines[0], what).to.contain(copy).and.to.contain('.corrupt-1');
      } else {
        expect(isWhole(disk, expected), what).to.equal(true);
        expect(disk.held.slots, what).to.deep.equal([[1, 1]]);
      }
    } finally {
      await disk.journal.close();
      rmSync(copy, { recursive: true });
      rmSync(`${copy}.corrupt-1`, { recursive: true, force: true });
    }
    return isSetAside;
  }

  it('is set aside or gives all that was saved, whichever byte is wrong', async () => {
    const original = disks.directory();
    const expected = await fill(disks, original);
    const found = { aside: 0, whole: 0 };
    for (const name of filesOf(original, /\.(ldb|log)$|^MANIFEST|^CURRENT$|^SAVED$/)) {
      const { size } = statSync(join(original, name));
      const step = Math.max(1, Math.floor(size / 16));
      for (let offset = 0; offset < size; offset += step) {
        const flip = (directory: string): void => {
          const path = join(directory, name);
          const bytes = readFileSync(path);
          bytes[offset] = (bytes[offset] ?? 0) ^ (1 << (offset % 8));
          writeFileSync(path, bytes);
        };
        found[(await loadHarmed(original, expected, flip, `${name} at ${offset}`)) ? 'aside' : 'whole']++;
      }
    }
    expect(found.aside).to.be.greaterThan(40);
    // Bytes that nothing depends on: the padding in the end of a table.
    expect(found.whole).to.be.lessThan(found.aside / 10);
  });

  it('is set aside or gives all that was saved, wherever a file ends too soon or is missing', async () => {
    const original = disks.directory();
    const expected = await fill(disks, original);
    for (const name of filesOf(original, /\.(ldb|log)$|^MANIFEST|^CURRENT$/)) {
      const { size } = statSync(join(original, name));
      for (let i = 0; i < 8; i++) {
        const length = Math.floor((size * i) / 8);
        const cut = (directory: string): void => truncateSync(join(directory, name), length);
        const isSetAside = await loadHarmed(original, expected, cut, `${name} cut to ${length}`);
        expect(isSetAside, `${name} cut to ${length}`).to.equal(true);
      }
      const remove = (directory: string): void => rmSync(join(directory, name));
      expect(await loadHarmed(original, expected, remove, `${name} removed`)).to.equal(true);
    }
  });

  it('counts up the names of what is set aside, and is empty and usable then', async () => {
    const directory = disks.directory();
    for (let n = 1; n <= 2; n++) {
      const disk = await disks.open(directory);
      disk.write(1, 'k', 'v');
      await disk.journal.close();
      writeFileSync(join(directory, 'CURRENT'), 'MANIFEST-000099\n');
      const next = await disks.open(directory);
      expect(next.content.size).to.equal(0);
      expect(existsSync(`${directory}.corrupt-${n}`)).to.equal(true);
      await next.journal.close();
    }
  });

  it('keeps what was saved when a power failure has torn off the batch under way', async () => {
    const directory = disks.directory();
    const disk = await disks.open(directory);
    for (let i = 0; i < 5; i++) {
      disk.write(1, `key-${i}`, 'v');
      await disk.saved();
    }
    await disk.journal.close();
    // As it would be if the last batch had not been synced: the mark does not know of it.
    const before = join(directory, '..', 'before');
    cpSync(directory, before, { recursive: true });
    const again = await disks.open(directory);
    expect(again.content.size).to.equal(5);
    again.write(1, 'under way', Buffer.alloc(100_000, 1));
    await again.saved();
    await again.journal.close();
    const [log = ''] = filesOf(directory, /\.log$/);
    const whole = readFileSync(join(directory, log));
    const mark = readFileSync(join(before, 'SAVED'));
    for (const length of [0, 1, 6, 7, 100, 32_768, 32_770, 70_000, whole.length - 1]) {
      for (const rest of [0, whole.length - length]) {
        const copy = `${directory}-torn`;
        cpSync(directory, copy, { recursive: true });
        // Cut off, or zeros where the data has not come to the disk.
        writeFileSync(join(copy, log), Buffer.concat([whole.subarray(0, length), Buffer.alloc(rest)]));
        writeFileSync(join(copy, 'SAVED'), mark);
        const torn = await disks.open(copy);
        expect(sorted(torn.content), `${length} and ${rest}`).to.deep.equal(sorted(disk.expected));
        expect(existsSync(`${copy}.corrupt-1`)).to.equal(false);
        await torn.journal.close();
        rmSync(copy, { recursive: true });
      }
    }
  });

  it('reads logs as LevelDB does', () => {
    // The check value of CRC-32C.
    expect(crc32c(Buffer.from('123456789'), 0, 9)).to.equal(0xe3069283);
    expect([...recordsOfLog(Buffer.alloc(0))]).to.deep.equal([]);
    expect([...recordsOfLog(Buffer.alloc(3))]).to.deep.equal([null]);
    expect([...recordsOfLog(Buffer.alloc(40_000))]).to.deep.equal([null, null]);
  });

  it('is set aside where it is, and the link to it stays one that leads to the new database', async () => {
    const original = disks.directory();
    await (await disks.open(original)).journal.close();
    writeFileSync(join(original, 'SAVED'), 'x');
    const link = disks.directory();
    symlinkSync(original, link);
    const disk = await disks.open(link);
    expect(disk.log.lines.at(0)).to.contain(`moved to ${original}.corrupt-1`);
    expect(lstatSync(link).isSymbolicLink()).to.equal(true);
    expect(readdirSync(original)).to.include('CURRENT');
    expect(readdirSync(join(link, '..'))).to.deep.equal([basename(link)]);
  });
});
