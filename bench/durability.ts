/**
 * What it costs that writes are on disk: three clusters side by side, one in memory only, one that saves within a
 * second, and one that saves before it acknowledges, asked by turns. All nodes share one disk here, which a cluster
 * of several machines does not; what a single wait for that disk takes is measured beside.
 */
import { closeSync, fdatasyncSync, openSync, writeSync } from 'node:fs';
import { join } from 'node:path';
import { startCluster } from '../src/testing/index.js';
import { rowAtLeast, rowAtMost } from './benchmark.js';
import type { Benchmark, Row } from './benchmark.js';
import { atEach, notesOf, ratios, timesOf } from './comparison.js';
import type { Contestant, Results } from './comparison.js';
import { perSecond } from './driver.js';
import { Peers } from './peer.js';
import { TemporaryFolder } from './temporary-folder.js';
import { valueBytes } from './workload.js';

const nodes = 7;
const replicas = 3;
const levels = ['none', 'interval', 'always'] as const;
const syncCount = 50;
const syncBytes = 4096;

export const durability: Benchmark = {
  name: 'durability',
  purpose: 'operations per second with each durability, by turns, as a share of memory only',
  async run(options) {
    await using peers = new Peers();
    await using inMemory = await startCluster({ nodes, replicas });
    await using interval = await startCluster({ nodes, replicas, durability: 'interval' });
    await using always = await startCluster({ nodes, replicas, durability: 'always' });
    const contestants: Contestant[] = [];
    for (const [index, cluster] of [inMemory, interval, always].entries()) {
      contestants.push({ name: levels[index] ?? '', client: await peers.startStoreClient(cluster) });
    }
    const sync = rowAtMost(`fdatasync of ${syncBytes / 1024} KiB`, 'us', syncTimesUs());
    const { rows, all } = await atEach([1, 64, 512], contestants, options, (inFlight, results) => [
      ...rowsOf(`${inFlight} in flight`, results),
      ...(inFlight === 1 ? timeRows('1 in flight, put p50', results) : []),
    ]);
    const title = `Durability: ${nodes} nodes, K = ${replicas}`;
    const note =
      'none: in memory only; interval: saved within a second; always: saved before it is acknowledged';
    return [{ title, rows: [sync, ...rows], notes: [...notesOf([all], valueBytes), note] }];
  },
};

function rowsOf(name: string, results: Results): Row[] {
  const [without = []] = results;
  return levels.flatMap((level, index) => {
    const runs = results[index] ?? [];
    const row = rowAtLeast(`${name}: ${level}`, 'op/s', runs.map(perSecond));
    if (index === 0) return [row];
    return [row, rowAtLeast(`${name}: ${level} to none`, '', ratios(runs, without, perSecond))];
  });
}

function timeRows(name: string, results: Results): Row[] {
  const [without = []] = results;
  const of = timesOf['put p50'];
  return levels.flatMap((level, index) => {
    const runs = results[index] ?? [];
    const row = rowAtMost(`${name}: ${level}`, 'us', runs.map(of));
    return index === 0 ? [row] : [row, rowAtMost(`${name}: ${level} to none`, '', ratios(runs, without, of))];
  });
}

/** Of the disk that the clusters' data lies on. */
function syncTimesUs(): number[] {
  using folder = new TemporaryFolder();
  const file = openSync(join(folder.path, 'sync'), 'w');
  const bytes = new Uint8Array(syncBytes);
  try {
    return Array.from({ length: syncCount }, () => {
      writeSync(file, bytes);
      const startedAtMs = performance.now();
      fdatasyncSync(file);
      return 1000 * (performance.now() - startedAtMs);
    });
  } finally {
    closeSync(file);
  }
}
