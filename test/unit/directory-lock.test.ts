// One manager at a time in a data directory, whatever has become of the lock's own files.
import { expect } from 'chai';
import { mkdtemp, readdir, rm, stat, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { makeSyncedDirectory } from '../../src/files/directories.js';
import { lockDirectory } from '../../src/manager/directory-lock.js';

describe('the lock of a data directory', () => {
  const told: string[] = [];
  const keep = (text: string): number => told.push(text);
  const log = { debug: keep, info: keep, warn: keep, error: keep };
  let directory = '';
  beforeEach(async () => {
    told.length = 0;
    directory = await mkdtemp(join(tmpdir(), 'gtstore-lock-'));
  });
  afterEach(() => rm(directory, { recursive: true, force: true }));

  it('is for one, and for the next when that has let go', async () => {
    const unlock = await lockDirectory(directory, log);
    expect(unlock).not.to.equal(null);
    expect(await lockDirectory(directory, log)).to.equal(null);
    await unlock?.(false);
    const again = await lockDirectory(directory, log);
    expect(again).not.to.equal(null);
    await again?.(true);
    expect(await readdir(directory)).to.deep.equal([]);
    expect(told).to.deep.equal([]);
  });

  it('is in a directory of which all that are above it and new are on the disk, too', async () => {
    const synced: string[] = [];
    const keepPath = (path: string): Promise<void> => {
      synced.push(path);
      return Promise.resolve();
    };
    await makeSyncedDirectory(join(directory, 'a', 'b'), undefined, keepPath);
    expect(synced).to.deep.equal([directory, join(directory, 'a')]);
    await makeSyncedDirectory(join(directory, 'a', 'b'), undefined, keepPath);
    expect(synced).to.have.lengthOf(2);
    const unlock = await lockDirectory(join(directory, 'c', 'd'), log);
    expect((await stat(join(directory, 'c', 'd'))).isDirectory()).to.equal(true);
    await unlock?.(true);
    await rm(join(directory, 'a'), { recursive: true });
    await rm(join(directory, 'c'), { recursive: true });
  });

  it('is had, and holds, though its files are damaged', async () => {
    await (
      await lockDirectory(directory, log)
    )?.(false);
    await writeFile(join(directory, 'manager-lock', 'CURRENT'), 'garbage');
    const unlock = await lockDirectory(directory, log);
    expect(unlock).not.to.equal(null);
    expect(await lockDirectory(directory, log)).to.equal(null);
    expect(told).to.deep.equal([]);
    await unlock?.(false);
  });

  it('is missed aloud where it cannot be had', async () => {
    const file = join(directory, 'file');
    await writeFile(file, '');
    const unlock = await lockDirectory(file, log);
    expect(unlock).not.to.equal(null);
    expect(told.join()).to.match(/cannot be locked, and a second manager would not be kept out/);
  });
});
