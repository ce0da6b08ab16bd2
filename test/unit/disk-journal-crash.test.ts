// What is on the disk after the process was killed, or while there is no room on it.
import { expect } from 'chai';
import { execFileSync, fork } from 'node:child_process';
import { once } from 'node:events';
import { mkdirSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { stateAfter } from '../support/disk-child.js';
import { Disks, sorted, useDisks } from '../support/disk-journal.js';
import type { Disk } from '../support/disk-journal.js';
import { until } from '../support/until.js';

const child = fileURLToPath(new URL('../support/disk-child.js', import.meta.url));

/** Runs changes from `first` on, and kills the process in the middle. @returns the last change it called saved */
async function runAndKill(directory: string, first: number, changes: number): Promise<number> {
  const process = fork(child, [directory, String(first)]);
  let saved = first - 1;
  process.on('message', (n) => (saved = n as number));
  try {
    await until(() => saved >= first + changes || process.exitCode !== null, { timeoutMs: 30_000 });
  } finally {
    process.kill('SIGKILL');
  }
  if (process.exitCode === null && process.signalCode === null) await once(process, 'exit');
  expect(process.signalCode).to.equal('SIGKILL');
  return saved;
}

describe('a node that is killed while it writes', function () {
  this.timeout(120_000);
  const disks = useDisks();

  it('finds all that it called saved, and every change whole and in order', async () => {
    const directory = disks.directory();
    let first = 1;
    for (const changes of [1, 700, 90, 2500, 400]) {
      const saved = await runAndKill(directory, first, changes);
      const disk = await disks.open(directory);
      expect(disk.log.lines).to.deep.equal([]);
      const [, last = 0] = disk.held.slots.find(([slot]) => slot === 3) ?? [];
      expect(last).to.be.at.least(saved);
      const expected = [...stateAfter(last)].map(([key, value]) => `${key} ${value.toString('hex')}`);
      const found = [...disk.content].map(([key, text]) => `${key} ${text.split(' ')[1] ?? ''}`);
      expect(found.sort()).to.deep.equal(expected.sort());
      await disk.journal.close();
      first = last + 1;
    }
  });
});

describe('a disk without room', function () {
  this.timeout(180_000);
  const disks = useDisks();
  const place = new Disks();
  let mounted = '';

  before(function () {
    const folder = join(place.directory(), '..');
    try {
      execFileSync('mount', ['-t', 'tmpfs', '-o', 'size=6m', 'tmpfs', folder], { stdio: 'pipe' });
    } catch (error) {
      console.log(
        `      not run: a small file system cannot be mounted here (${String(error).split('\n')[0] ?? ''})`,
      );
      this.skip();
    }
    mounted = folder;
  });

  after(async () => {
    if (mounted !== '') execFileSync('umount', ['-l', mounted]);
    await place.clear();
  });

  /** Writes until there is no room at all: the reserve, at which new writes are refused, is used up, too. */
  async function writeUntilFull(disk: Disk): Promise<void> {
    const hasNoRoom = (): boolean => disk.log.lines.at(-1)?.includes('no room') === true;
    for (let n = 0; !hasNoRoom(); n++) {
      expect(n).to.be.lessThan(3000);
      disk.write(1, `key-${n}`, Buffer.alloc(4000, n));
      disk.write(2, `only-${n}`, 'x');
      await until(() => disk.journal.saved === disk.journal.noted || hasNoRoom());
    }
    expect(disk.journal.isFull).to.equal(true);
  }

  it('is emptied by hand if it is a node directory itself, a mount point, and damaged: that is said', async () => {
    const disk = await disks.open(mounted);
    await disk.journal.close();
    writeFileSync(join(mounted, 'SAVED'), 'x');
    const error = await disks.open(mounted).then(
      () => null,
      (reason: unknown) => reason as Error,
    );
    expect(error?.message).to.match(
      /is damaged \(SAVED cannot be read\).* mount point \(E.*\): move what is in it elsewhere/,
    );
    for (const name of readdirSync(mounted)) rmSync(join(mounted, name), { recursive: true });
    const again = await disks.open(mounted);
    await again.journal.close();
    for (const name of readdirSync(mounted)) rmSync(join(mounted, name), { recursive: true });
  });

  it('has nothing set aside that was begun there, however often it is tried', async () => {
    const directory = join(mounted, 'begun', 'node-1');
    const ballast = join(mounted, 'all');
    mkdirSync(join(mounted, 'begun'));
    expect(() => writeFileSync(ballast, Buffer.alloc(7_000_000))).to.throw(/ENOSPC/);
    for (let start = 0; start < 3; start++) {
      const error = await disks.open(directory).then(
        () => null,
        (reason: unknown) => reason as Error,
      );
      expect(error?.message).to.contain('ENOSPC');
    }
    expect(readdirSync(join(mounted, 'begun'))).to.deep.equal(['node-1']);
    rmSync(ballast);
    const disk = await disks.open(directory);
    expect(disk.log.lines).to.deep.equal([]);
    await disk.journal.close();
    rmSync(join(mounted, 'begun'), { recursive: true });
  });

  it('says that it is full, keeps what was noted, and saves it in order once there is room', async () => {
    const directory = join(mounted, 'node-1');
    const ballast = join(mounted, 'ballast');
    const disk = await disks.open(directory);
    writeFileSync(ballast, Buffer.alloc(4_500_000));
    // Beside these it tells of the reserve.
    const told = (): string[] =>
      disk.log.lines.filter((line) => /no room in|can be written again/.test(line));
    for (let round = 0; round < 2; round++) {
      await writeUntilFull(disk);
      const { saved } = disk.journal;
      expect(saved).to.be.lessThan(disk.journal.noted);
      // What still comes is noted, and not saved.
      disk.write(1, 'key-1', `noted when full ${round}`);
      disk.remove(1, 'key-2');
      await until(() => told().length >= 2 * round + 1);
      expect(told().at(-1)).to.contain('error no room').and.to.contain(directory);
      expect(disk.journal.saved).to.equal(saved);
      if (round === 0) rmSync(ballast);
      else execFileSync('mount', ['-o', 'remount,size=30m', mounted]);
      await until(() => !disk.journal.isFull, { timeoutMs: 10_000 });
      await disk.saved(10_000);
      expect(told()).to.have.length(2 * round + 2);
      expect(told().at(-1)).to.contain('can be written again');
      // The numbers went on as before, none left out and none twice.
      expect(disk.savedNumbers).to.deep.equal([...new Set(disk.savedNumbers)].sort((a, b) => a - b));
    }
    await disk.journal.close();
    const again = await disks.open(directory);
    expect(again.log.lines).to.deep.equal([]);
    expect(sorted(again.content)).to.deep.equal(sorted(disk.expected));
  });

  it('gives up when it is closed, after a time, and says what is lost', async () => {
    const directory = join(mounted, 'node-2');
    // A file system cannot become smaller than what it holds.
    rmSync(join(mounted, 'node-1'), { recursive: true, force: true });
    execFileSync('mount', ['-o', 'remount,size=6m', mounted]);
    const disk = await disks.open(directory, { closeMsMax: 100 });
    writeFileSync(join(mounted, 'ballast'), Buffer.alloc(4_500_000));
    await writeUntilFull(disk);
    const startMs = performance.now();
    await disk.journal.close();
    expect(performance.now() - startMs).to.be.lessThan(5000);
    expect(disk.log.lines.at(-1)).to.match(/error .* [12] changes could not be saved$/);
    rmSync(join(mounted, 'ballast'));
    // Tried again at most once more; then the directory is free.
    const again = await until(() => disks.open(directory).catch(() => null), { timeoutMs: 20_000 });
    expect(again.content.size).to.be.greaterThan(10);
  });
});
