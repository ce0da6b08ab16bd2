// A disk without room: new writes are refused, reads go on, and nothing has to be started again (PROTOCOL D4).
import { expect } from 'chai';
import { spawnSync } from 'node:child_process';
import { closeSync, mkdtempSync, openSync, rmSync, statfsSync, writeSync } from 'node:fs';
import { freemem, tmpdir } from 'node:os';
import { join } from 'node:path';
import type { ClusterOptions } from '../../src/testing/index.js';
import { expectEntries, fill, incarnations, useCluster } from '../support/cluster-fixture.js';
import { Ledger } from '../support/cluster-ledger.js';
import { eventually } from '../support/cluster-until.js';
import { failureOf } from '../support/store-error.js';

const MB = 2 ** 20;
const diskBytes = 1400 * MB;
/** What nodes keep for writes under way and deletes. */
const keptBytes = diskBytes / 4;
/** Values are taken again only when a tenth more is free. */
const freeBytes = 1.1 * keptBytes + 46 * MB;
/** The file system is in memory. */
const memoryBytesMin = 2 * diskBytes;
const valueChars = 100_000;

/** Takes so much more room, or all there is. */
function writeBallast(path: string, bytes: number): void {
  const file = openSync(path, 'a');
  const chunk = Buffer.alloc(MB, 1);
  try {
    for (let written = 0; written < bytes;) written += writeSync(file, chunk);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'ENOSPC') throw error;
  } finally {
    closeSync(file);
  }
}

describe('a disk that is full', function () {
  this.timeout(120_000);
  const options = {
    nodes: 3,
    replicas: 3,
    partitioner: 'fnv1a',
    durability: 'always',
    leaseMs: 5000,
    startTimeoutMs: 60_000,
    dataDir: '',
  } satisfies ClusterOptions;
  let isMounted = false;
  const ballast = (n: number): string => join(options.dataDir, `ballast-${n}`);

  before(function () {
    if (freemem() < memoryBytesMin) {
      console.log(
        `      needs ${memoryBytesMin / MB} MB of free memory for a file system of its own: skipped`,
      );
      this.skip();
    }
    options.dataDir = mkdtempSync(join(tmpdir(), 'gtstore-full-'));
    const size = `size=${diskBytes}`;
    const { status, stderr, error } = spawnSync(
      'mount',
      ['-t', 'tmpfs', '-o', size, 'gtstore-test', options.dataDir],
      { encoding: 'utf8' },
    );
    isMounted = status === 0;
    if (isMounted) return;
    console.log(
      `      needs a small file system, and the right to mount one: skipped, ${stderr || String(error)}`,
    );
    this.skip();
  });
  const fixture = useCluster(options);
  // Registered after the cluster's: by then nothing writes there.
  after(() => {
    if (isMounted) spawnSync('umount', [options.dataDir]);
    if (options.dataDir !== '') rmSync(options.dataDir, { recursive: true, force: true });
  });
  afterEach(() => {
    for (const n of [1, 2]) rmSync(ballast(n), { force: true });
  });

  it('D4: deletes go on when writes are refused, and make the room for further writes', async () => {
    const { cluster } = fixture;
    const store = await fixture.open();
    writeBallast(ballast(1), diskBytes - freeBytes);
    const text = 'x'.repeat(valueChars);
    let stored = 0;
    await eventually('writes are refused', async () => {
      const error = await failureOf(store.put(`big-${stored}`, text));
      if (error === undefined) stored++;
      return error?.code === 'DISK_FULL';
    });
    // Making room takes some itself, for a moment.
    const deleted = async (key: string): Promise<boolean> => {
      const error = await failureOf(store.delete(key));
      if (error !== undefined) expect(error).to.include({ code: 'DISK_FULL', outcome: 'not-applied' });
      return error === undefined;
    };
    for (let n = 0; n < stored; n++) await eventually(`big-${n} is deleted`, () => deleted(`big-${n}`));
    await eventually('writes succeed', async () => (await failureOf(store.put('new', text))) === undefined);
    await cluster.killAll();
    await cluster.restartManager();
    const later = await fixture.open();
    expect(await later.get('big-0')).to.equal(undefined);
    expect(await later.get(`big-${stored - 1}`)).to.equal(undefined);
    expect(await later.delete('new')).to.equal(true);
    rmSync(ballast(1));
  });

  it('D4: writes are refused in time, reads go on; with room made they succeed, and nothing acknowledged is lost', async () => {
    const { cluster } = fixture;
    const store = await fixture.open();
    const before = incarnations(await cluster.status());
    const kept = await fill(store, 'kept', 200);
    writeBallast(ballast(1), diskBytes - freeBytes);
    const ledger = new Ledger([store, await fixture.open()], 'full', { keys: 100, counters: 4, valueChars });
    const refused = (): boolean => [...ledger.failures.keys()].some((what) => what.startsWith('DISK_FULL'));
    await eventually('writes are refused', refused, 60_000);
    // As soon as all nodes have seen it.
    await eventually('a write is refused by all', async () => {
      const error = await failureOf(store.put('new', 'x'));
      return error?.code === 'DISK_FULL' && error.outcome === 'not-applied' && error.retryable;
    });
    await ledger.stop();
    expect([...ledger.failures.keys()].filter((what) => !what.startsWith('DISK_FULL'))).to.deep.equal([]);
    // What the load has overwritten is compacted meanwhile, on all nodes or on one; the room that makes is taken, too.
    const takeRoom = (): void => {
      const { bavail, bsize } = statfsSync(options.dataDir);
      writeBallast(ballast(2), bavail * bsize - keptBytes + MB);
    };
    for (const call of [() => store.put('new', 'x'), () => store.increment('new-counter')]) {
      await eventually('the call is refused', async () => {
        takeRoom();
        const error = await failureOf(call());
        if (error === undefined || (error.code === 'DISK_FULL' && error.outcome === 'unknown')) return false;
        expect(error).to.include({ code: 'DISK_FULL', outcome: 'not-applied', retryable: true });
        return true;
      });
    }
    const warning = /^node \d has no room on its disk: values of its keys are refused \(DISK_FULL\)$/;
    await eventually('the status names a node', async () => {
      takeRoom();
      return (await cluster.status()).warnings?.some((text) => warning.test(text));
    });
    // Also of keys whose last write some replicas have taken and others refused.
    await ledger.check(await fixture.open());
    await expectEntries(await fixture.open({ readFrom: 'any' }), kept);
    expect(cluster.logs).to.match(
      /node-\d: .* MB left, 350\.0 MB are kept .*new writes are refused; free some/,
    );

    for (const n of [1, 2]) rmSync(ballast(n));
    await eventually('writes succeed', async () => (await failureOf(store.put('new', 'x'))) === undefined);
    await store.increment('new-counter');
    await expectEntries(store, new Map([...kept, ['new', 'x']]));
    expect(incarnations(await cluster.status())).to.equal(before);
    await cluster.killAll();
    await cluster.restartManager();
    await ledger.check(await fixture.open());
    await expectEntries(await fixture.open(), kept);
  });

  it('D4: filled to the last byte by others amid writes: what was not acknowledged is told so, and all goes on later', async () => {
    const { cluster } = fixture;
    await cluster.untilHealthy();
    const store = await fixture.open({ timeoutMs: 3000 });
    const kept = await fill(store, 'still', 200);
    const before = incarnations(await cluster.status());
    const ledger = new Ledger([store], 'last-byte', { keys: 40, counters: 2, valueChars });
    await ledger.untilAcknowledged(50);
    writeBallast(ballast(2), diskBytes);
    await eventually('writes are refused', () =>
      [...ledger.failures.keys()].some((what) => what.startsWith('DISK_FULL')),
    );
    await ledger.stop();
    await expectEntries(await fixture.open(), kept);
    rmSync(ballast(2));
    await eventually('writes succeed', async () => (await failureOf(store.put('late', 'x'))) === undefined);
    await ledger.check(await fixture.open({ timeoutMs: 20_000 }));
    expect(incarnations(await cluster.status())).to.equal(before);
    await cluster.killAll();
    await cluster.restartManager();
    await ledger.check(await fixture.open());
  });
});
