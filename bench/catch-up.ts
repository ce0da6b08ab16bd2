/**
 * A node of three is killed, a hundredth of the keys is changed while it is away, and it comes back with its disk: how
 * long until it holds everything again, and how much of it crossed the network. Then the same with an empty disk, beside
 * what a bare socket copies.
 */
import { rm } from 'node:fs/promises';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { GTStoreClient } from '../src/client/index.js';
import { startCluster } from '../src/testing/index.js';
import type { TestCluster } from '../src/testing/index.js';
import { until } from '../src/testing/processes.js';
import { copyBare } from './bare-copy.js';
import { rowAtLeast, rowAtMost } from './benchmark.js';
import type { BenchOptions, Benchmark, Row } from './benchmark.js';
import { fill, forEachKey } from './fill.js';
import { keyBytes, makeValue, valueBytes } from './workload.js';

const nodes = 3;
const replicas = 3;
const victim = 2;
const keyCount = 200_000;
const quickKeyCount = 2_000;
const changedRatio = 0.01;
const runsDefault = 3;
/** A busy machine may take long over a full copy. */
const wholeMsMax = 300_000;
const logMsMax = 5_000;
/** What was written is saved within a second; a busy machine is given more. */
const savedMs = 3_000;
const megabyte = 1e6;

export const catchUp: Benchmark = {
  name: 'catch-up',
  purpose: 'a node comes back after 1 % of the keys has changed: seconds and bytes, and of a full copy',
  async run(options) {
    const count = options.keys ?? (options.isQuick ? quickKeyCount : keyCount);
    await using cluster = await startCluster({ nodes, replicas, durability: 'interval', respawn: false });
    await using store = new GTStoreClient({ manager: cluster.url });
    await store.init();
    options.progress('catch-up: filling');
    await fill(store, count);
    const runs = options.runs ?? (options.isQuick ? 1 : runsDefault);
    const measured: Measured[] = [];
    for (let run = 0; run < runs; run++)
      measured.push(await measure(cluster, store, { count, run }, options));
    await expectAll(store, count, runs);
    const title = `Catching up: ${nodes} nodes, K = ${replicas}, ${count.toLocaleString('en')} keys of ${keyBytes} B, values of ${valueBytes} B`;
    const notes = [
      'from the start of the process until every slot is whole: it reads its disk, joins, and copies',
      'bytes are those of the keys and values sent; the floor is as many bytes through one bare socket',
    ];
    return [{ title, rows: rowsOf(measured), notes }];
  },
};

interface Return {
  readonly seconds: number;
  /** As the node tells in its log. */
  readonly entries: number;
  readonly bytes: number;
  readonly confirmed: number;
  readonly copySeconds: number;
}

interface Measured {
  readonly difference: Return;
  readonly full: Return;
  readonly bareSeconds: number;
}

async function measure(
  cluster: TestCluster,
  store: GTStoreClient,
  { count, run }: { readonly count: number; readonly run: number },
  { progress, runs }: BenchOptions,
): Promise<Measured> {
  progress(`catch-up, run ${run + 1} of ${runs ?? runsDefault}: difference`);
  await cluster.untilHealthy(wholeMsMax);
  await sleep(savedMs);
  await cluster.kill(victim);
  await fill(store, Math.ceil(count * changedRatio), valueOf(run));
  const difference = await comeBack(cluster);
  progress(`catch-up, run ${run + 1} of ${runs ?? runsDefault}: full copy`);
  await cluster.kill(victim);
  await rm(join(cluster.dataDir, `node-${victim}`), { recursive: true });
  const full = await comeBack(cluster);
  return { difference, full, bareSeconds: await copyBare(full.bytes) };
}

/** Another one in each run. */
function valueOf(run: number): string {
  return `${run}`.padEnd(valueBytes, 'w');
}

async function comeBack(cluster: TestCluster): Promise<Return> {
  const told = cluster.logs.length;
  const startedAtMs = performance.now();
  await cluster.restart(victim, wholeMsMax);
  await cluster.untilHealthy(wholeMsMax);
  const seconds = (performance.now() - startedAtMs) / 1000;
  const pattern =
    /filled \d+ slots: (\d+) entries, (\d+) bytes copied, (\d+) entries confirmed.*, in ([\d.]+) s/;
  const line = await until('the node tells what it copied', logMsMax, () =>
    (pattern.exec(cluster.logs.slice(told)) ?? undefined)?.slice(1).map(Number),
  );
  const [entries = NaN, bytes = NaN, confirmed = NaN, copySeconds = NaN] = line;
  return { seconds, entries, bytes, confirmed, copySeconds };
}

async function expectAll(store: GTStoreClient, count: number, runs: number): Promise<void> {
  let wrong = 0;
  const changed = Math.ceil(count * changedRatio);
  const usual = makeValue();
  const last = valueOf(runs - 1);
  await forEachKey(count, async (key, index) => {
    if ((await store.get(key)) !== (index < changed ? last : usual)) wrong++;
  });
  if (wrong > 0) throw new Error(`catch-up: ${wrong} keys are not what they were`);
}

function rowsOf(measured: readonly Measured[]): Row[] {
  const of = (each: (run: Measured) => number): number[] => measured.map(each);
  const speed = ({ full }: Measured): number => full.bytes / megabyte / full.copySeconds;
  const bareSpeed = ({ full, bareSeconds }: Measured): number => full.bytes / megabyte / bareSeconds;
  return [
    rowAtMost(
      'with its disk: until whole',
      's',
      of(({ difference }) => difference.seconds),
    ),
    rowAtMost(
      'with its disk: of that, copying',
      's',
      of(({ difference }) => difference.copySeconds),
    ),
    rowAtMost(
      'with its disk: copied',
      'MB',
      of(({ difference }) => difference.bytes / megabyte),
    ),
    rowAtLeast(
      'with its disk: entries confirmed',
      '',
      of(({ difference }) => difference.confirmed),
    ),
    rowAtMost(
      'with its disk: bytes copied to a full copy',
      '',
      of(({ difference, full }) => difference.bytes / full.bytes),
    ),
    rowAtMost(
      'with an empty disk: until whole',
      's',
      of(({ full }) => full.seconds),
    ),
    rowAtMost(
      'with an empty disk: of that, copying',
      's',
      of(({ full }) => full.copySeconds),
    ),
    rowAtMost(
      'with an empty disk: copied',
      'MB',
      of(({ full }) => full.bytes / megabyte),
    ),
    rowAtLeast('full copy', 'MB/s', of(speed)),
    rowAtLeast('bare socket', 'MB/s', of(bareSpeed)),
    rowAtLeast(
      'full copy to bare socket',
      '',
      of((run) => speed(run) / bareSpeed(run)),
    ),
  ];
}
