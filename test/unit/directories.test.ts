// How directories are made, also where none can be; and what of that becomes of --data-dir.
import { expect } from 'chai';
import { existsSync, mkdtempSync, readdirSync, rmSync, statSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { prepareDataDirectory } from '../../src/cli/data-directory.js';
import { UsageError } from '../../src/cli/exit.js';
import { makeDirectory, makeSyncedDirectory } from '../../src/files/directories.js';
import { useSmallFileSystems } from '../support/small-file-system.js';

describe('directories', () => {
  let folder = '';
  const mountSmall = useSmallFileSystems();

  beforeEach(() => {
    folder = mkdtempSync(join(tmpdir(), 'gtstore-directories-'));
    writeFileSync(join(folder, 'file'), '');
  });
  afterEach(() => {
    rmSync(folder, { recursive: true });
  });

  async function failureOf(promise: Promise<unknown>): Promise<Error> {
    return promise.then(
      () => expect.fail('nothing was refused'),
      (error: unknown) => error as Error,
    );
  }

  it('are made with those above that are missing, each with its mode; what is there is left as it is', async () => {
    const path = join(folder, 'a', 'b', 'c');
    expect(await makeDirectory(path, 0o700)).to.deep.equal([join(folder, 'a'), join(folder, 'a', 'b'), path]);
    expect(statSync(join(folder, 'a')).mode & 0o777).to.equal(0o700);
    expect(await makeDirectory(path, 0o755)).to.deep.equal([]);
    expect(statSync(path).mode & 0o777).to.equal(0o700);
    await makeSyncedDirectory(join(path, 'd', '..', 'e'));
    expect(readdirSync(path)).to.deep.equal(['e']);
  });

  it('that two make at a time are there for both', async () => {
    const path = join(folder, 'a', 'b', 'c', 'd', 'e');
    await Promise.all(Array.from({ length: 8 }, () => makeDirectory(path)));
    expect(existsSync(path)).to.equal(true);
  });

  it('are refused where something else has the name', async () => {
    symlinkSync(join(folder, 'nowhere'), join(folder, 'link'));
    expect((await failureOf(makeDirectory(join(folder, 'file')))).message).to.match(/EEXIST.*file'/);
    expect((await failureOf(makeDirectory(join(folder, 'file', 'x')))).message).to.match(/ENOTDIR/);
    expect((await failureOf(makeDirectory(join(folder, 'link')))).message).to.match(/EEXIST.*link'/);
  });

  it('are not tried for ever where the system lets nobody make any', async function () {
    if (process.platform !== 'linux') this.skip();
    expect((await failureOf(makeDirectory('/proc/x/y'))).message).to.match(/ENOENT.*'\/proc\/x'/);
  });

  it('--data-dir: is made, and left empty', async () => {
    const path = join(folder, 'new', 'data');
    await prepareDataDirectory(path, 'state');
    expect(readdirSync(path)).to.deep.equal([]);
  });

  it('--data-dir: one line says why it cannot be used', async () => {
    const refusal = await failureOf(prepareDataDirectory(join(folder, 'file'), 'state'));
    expect(refusal).to.be.instanceOf(UsageError);
    expect(refusal.message).to.match(/^--data-dir \S+file cannot be used: EEXIST: [^\n]+$/);
  });

  it('--data-dir: on a disk that is full only what is stored there already is gone on with', async function () {
    const full = mountSmall('size=4k');
    if (full === undefined) this.skip();
    writeFileSync(join(full, 'other'), Buffer.alloc(4096));
    expect((await failureOf(prepareDataDirectory(full, 'state'))).message).to.match(/cannot be used: ENOSPC/);
    expect(readdirSync(full)).to.deep.equal(['other']);
    await prepareDataDirectory(full, 'other');
  });

  it('--data-dir: a file system that cannot be written is called that', async function () {
    const readOnly = mountSmall('ro');
    if (readOnly === undefined) this.skip();
    for (const path of [readOnly, join(readOnly, 'a', 'b')])
      expect((await failureOf(prepareDataDirectory(path, 'state'))).message).to.match(
        /cannot be used: EROFS/,
      );
  });
});
