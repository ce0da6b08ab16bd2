/** A node is added to seven, slots are moved to it, and then it is drained: how fast, and what a load beside it feels. */
import { setTimeout as sleep } from 'node:timers/promises';
import { GTStoreClient } from '../src/client/index.js';
import type { AdminRequest, AdminResult } from '../src/protocol/admin.js';
import { startCluster } from '../src/testing/index.js';
import type { TestCluster } from '../src/testing/index.js';
import { until } from '../src/testing/processes.js';
import { copyBare } from './bare-copy.js';
import { rowAtLeast, rowAtMost } from './benchmark.js';
import type { BenchOptions, Benchmark, Section } from './benchmark.js';
import { byTurns, notesOf } from './comparison.js';
import type { RunResult } from './driver.js';
import { fill } from './fill.js';
import { Peers } from './peer.js';
import type { ClientPeer } from './peer.js';
import { median } from './stats.js';
import { valueBytes } from './workload.js';

const nodes = 7;
const replicas = 3;
const keyCount = 200_000;
const quickKeyCount = 2_000;
const joinMsMax = 60_000;
const pollMs = 200;
const megabyte = 1e6;
/** p99 of a load beside the moves to the quiet p99. */
const p99RatioMax = 2;
const load = { inFlight: 64, putRatio: 0.5, pattern: 'uniform' } as const;

/** Clients that cannot ask for it yet have no such method. */
interface Administrator {
  admin?(request: AdminRequest): Promise<AdminResult>;
}

export const rebalance: Benchmark = {
  name: 'rebalance',
  purpose: 'from 7 nodes to 8 and back: MB/s, and p99 of a load beside it against the quiet p99',
  async run(options) {
    const count = options.keys ?? (options.isQuick ? quickKeyCount : keyCount);
    const title = `Moves: ${nodes} nodes to ${nodes + 1} and back, K = ${replicas}, ${count.toLocaleString('en')} keys`;
    await using cluster = await startCluster({ nodes, replicas });
    await using store = new GTStoreClient({ manager: cluster.url });
    await store.init();
    const added = await ask(store, { command: 'add-nodes', count: 1 });
    if (!added.ok) return [{ title, rows: [], notes: [`not measured: ${added.error}`] }];
    await until('the new node is up', joinMsMax, () => isUp(cluster));
    options.progress('rebalance: filling');
    await fill(store, count);
    await using peers = new Peers();
    const client = await peers.startStoreClient(cluster);
    const quiet = await byTurns([{ name: 'quiet', client }], load, options);
    const sections: Section[] = [];
    for (const change of changes) {
      const section = await measure(change, store, client, quiet.flat(), options);
      sections.push({ ...section, title: `${title}: ${change.name}` });
    }
    return sections;
  },
};

interface Change {
  readonly name: string;
  readonly request: AdminRequest;
}

/** In this order: the node that was added gets its share and is emptied again. */
const changes: readonly Change[] = [
  { name: 'rebalance', request: { command: 'rebalance', by: 'slots' } },
  { name: 'drain', request: { command: 'drain', nodeId: nodes } },
];

async function ask(store: GTStoreClient & Administrator, request: AdminRequest): Promise<AdminResult> {
  return (await store.admin?.(request)) ?? { ok: false, error: 'this client cannot ask for it' };
}

async function isUp(cluster: TestCluster): Promise<boolean> {
  const { nodes: present } = await cluster.status();
  return present.length > nodes && present.every(({ state }) => state === 'up');
}

interface Moved {
  readonly seconds: number;
  readonly bytes: number;
  readonly moves: number;
}

async function measure(
  { name, request }: Change,
  store: GTStoreClient,
  client: ClientPeer,
  quiet: readonly RunResult[],
  options: BenchOptions,
): Promise<Omit<Section, 'title'>> {
  options.progress(`rebalance: ${name}`);
  const beside: RunResult[] = [];
  let isMoving = true;
  const moving = move(store, request).finally(() => {
    isMoving = false;
  });
  // Until the last slot has moved; `moving` rejects below if it does not.
  while (isMoving)
    beside.push(...(await byTurns([{ name: 'beside', client }], load, { ...options, runs: 1 })).flat());
  const result = await moving;
  if ('error' in result) return { rows: [], notes: [`not measured: ${result.error}`] };
  const quietP99 = quiet.map(({ puts }) => puts.p99Us);
  const besideP99 = beside.map(({ puts }) => puts.p99Us);
  const quietP99Get = quiet.map(({ gets }) => gets.p99Us);
  const besideP99Get = beside.map(({ gets }) => gets.p99Us);
  const speed = result.bytes / megabyte / result.seconds;
  const bareSpeed = result.bytes / megabyte / (await copyBare(result.bytes));
  const rows = [
    rowAtLeast('moves', '', [result.moves]),
    rowAtMost('took', 's', [result.seconds]),
    rowAtLeast('moved', 'MB/s', [speed]),
    rowAtLeast('bare socket', 'MB/s', [bareSpeed]),
    rowAtLeast('moved to bare socket', '', [speed / bareSpeed]),
    rowAtMost('quiet, get p99', 'us', quietP99Get),
    rowAtMost('beside it, get p99', 'us', besideP99Get),
    rowAtMost('quiet, put p99', 'us', quietP99),
    rowAtMost('beside it, put p99', 'us', besideP99),
    rowAtMost('get p99: ratio', '', ratios(besideP99Get, quietP99Get), p99RatioMax),
    rowAtMost('put p99: ratio', '', ratios(besideP99, quietP99), p99RatioMax),
  ];
  return { rows, notes: notesOf([quiet, beside], valueBytes) };
}

/** Each to the median of the others: they were not measured side by side. */
function ratios(beside: readonly number[], quiet: readonly number[]): number[] {
  return beside.map((us) => us / median(quiet));
}

async function move(
  store: GTStoreClient,
  request: AdminRequest,
): Promise<Moved | { readonly error: string }> {
  const startedAtMs = performance.now();
  const begun = await ask(store, request);
  if (!begun.ok) return begun;
  for (;;) {
    const progress = await ask(store, { command: 'progress' });
    if (!progress.ok) return progress;
    const { task } = progress;
    if (task === undefined || task === null || task.state === 'done') {
      const seconds = (performance.now() - startedAtMs) / 1000;
      return { seconds, bytes: task?.bytesTotal ?? NaN, moves: task?.total ?? NaN };
    }
    await sleep(pollMs);
  }
}
