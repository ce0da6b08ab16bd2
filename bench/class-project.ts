/**
 * The figures that class projects of this kind published, repeated and plotted: throughput for K = 1, 3, 5 on 7 nodes,
 * how 100,000 random keys lie on the nodes, response time as queries and clients become more, hot keys against
 * uniform ones.
 */
import { GTStoreClient } from '../src/client/index.js';
import { startCluster } from '../src/testing/index.js';
import type { TestCluster } from '../src/testing/index.js';
import { until } from '../src/testing/processes.js';
import { rowAtLeast, rowAtMost } from './benchmark.js';
import type { BenchOptions, Benchmark, Figure, Row, Section } from './benchmark.js';
import { putAll } from './fill.js';
import { mean, median, percentile } from './stats.js';
import { Random, chooser, keyCount, makeKeys, makeValue, putDecider } from './workload.js';
import type { Pattern } from './workload.js';

const nodes = 7;
const replicaCounts = [1, 3, 5] as const;
const operationCount = 200_000;
const keysOnNodes = 100_000;
/** So much less in a quick run. */
const quickDivisor = 500;
const runsDefault = 3;
const lanes = 64;
const queryCounts = [50_000, 100_000, 150_000, 200_000, 250_000];
const clientCounts = [250, 500, 750, 1000, 1250, 1500];
const operationsOfClient = 20;
/** How many log in at the same time. */
const loginLanes = 50;
const settleMsMax = 60_000;
/** A busy machine may take long over hundreds of clients. */
const openMsMax = 120_000;
const callMsMax = 60_000;

/** Operations per second of 200,000 half reads, half writes on 7 nodes, as two of those projects give them. */
const published = { first: [2561, 1643, 1199], others: '369 and 484 op/s' } as const;

export const classProject: Benchmark = {
  name: 'class-project',
  purpose:
    'the figures of the class projects: K = 1, 3, 5, key distribution, more queries and clients, hot keys',
  async run(options) {
    const byReplicas: Measured[] = [];
    for (const replicas of replicaCounts) byReplicas.push(await measureReplicas(replicas, options));
    return [
      throughputSection(byReplicas),
      distributionSection(byReplicas, amount(keysOnNodes, options)),
      ...(await growthSections(options)),
    ];
  },
};

function amount(full: number, { isQuick }: BenchOptions): number {
  return isQuick ? Math.ceil(full / quickDivisor) : full;
}

interface Measured {
  readonly replicas: number;
  /** Operations per second of each run, many at a time and one at a time. */
  readonly many: readonly number[];
  readonly single: readonly number[];
  readonly done: readonly Done[];
  /** Keys on each node. */
  readonly keys: readonly number[];
}

async function measureReplicas(replicas: number, options: BenchOptions): Promise<Measured> {
  const name = `class-project, K = ${replicas}`;
  options.progress(`${name}: keys on nodes`);
  await using cluster = await startCluster({ nodes, replicas });
  await using store = await connected(cluster.url);
  const value = makeValue();
  const keys = makeKeys(amount(keysOnNodes, options));
  await putAll(store, keys, value);
  const keysByNode = await settledKeys(cluster, keys.length * replicas);
  const count = amount(operationCount, options);
  const many: number[] = [];
  const single: number[] = [];
  const done: Done[] = [];
  for (let run = 0; run < runsOf(options); run++) {
    options.progress(`${name}, run ${run + 1}`);
    const byMany = await operate(store, { count, inFlight: lanes, pattern: 'uniform' });
    // One at a time takes longer: a tenth tells as much.
    const fewer = Math.ceil(count / 10);
    const bySingle = await operate(store, { count: fewer, inFlight: 1, pattern: 'uniform' });
    many.push(perSecond(byMany));
    single.push(perSecond(bySingle));
    done.push(byMany, bySingle);
  }
  return { replicas, many, single, done, keys: keysByNode };
}

/** Nodes tell the manager of their keys now and then: waits until it knows of all. */
function settledKeys(cluster: TestCluster, copies: number): Promise<number[]> {
  return until('the manager knows of all keys', settleMsMax, async () => {
    const { nodes: present } = await cluster.status();
    const keys = present.map((node) => node.keys);
    return keys.reduce((sum, each) => sum + each, 0) === copies ? keys : undefined;
  });
}

function runsOf({ runs, isQuick }: BenchOptions): number {
  return runs ?? (isQuick ? 1 : runsDefault);
}

async function connected(url: string): Promise<GTStoreClient> {
  const store = new GTStoreClient({ manager: url, timeoutMs: callMsMax });
  await store.init({ timeoutMs: openMsMax });
  return store;
}

interface Operations {
  readonly count: number;
  readonly inFlight: number;
  readonly pattern: Pattern;
}

interface Done {
  readonly seconds: number;
  /** Milliseconds of each operation that did not fail. */
  readonly timesMs: readonly number[];
  /** What those said that did. */
  readonly failures: readonly string[];
}

/** Operations that succeeded, per second. */
function perSecond({ timesMs, seconds }: Done): number {
  return timesMs.length / seconds;
}

/** None is expected to fail. */
function failureRow(done: readonly Pick<Done, 'failures'>[]): Row {
  const failures = done.reduce((sum, each) => sum + each.failures.length, 0);
  return rowAtMost('calls that failed', '', [failures], 0);
}

function failureNotes(done: readonly Pick<Done, 'failures'>[]): string[] {
  const first = done.find(({ failures }) => failures.length > 0)?.failures[0];
  return first === undefined ? [] : [`the first call that failed: ${first}`];
}

/** So many operations, half of them puts, so many at a time; every one is timed. */
async function operate(store: GTStoreClient, { count, inFlight, pattern }: Operations): Promise<Done> {
  const keys = usualKeys;
  const value = makeValue();
  const random = new Random(1);
  const nextKey = chooser(pattern, keys.length, random);
  const isPutNext = putDecider(0.5, random);
  const timesMs: number[] = [];
  const failures: string[] = [];
  let begun = 0;
  const lane = async (): Promise<void> => {
    while (begun++ < count) {
      const key = keys[nextKey()] ?? '';
      const startedAtMs = performance.now();
      try {
        if (isPutNext()) await store.put(key, value);
        else await store.get(key);
      } catch (error) {
        failures.push(String(error));
        continue;
      }
      timesMs.push(performance.now() - startedAtMs);
    }
  };
  const startedAtMs = performance.now();
  await Promise.all(Array.from({ length: inFlight }, lane));
  return { seconds: (performance.now() - startedAtMs) / 1000, timesMs, failures };
}

const usualKeys = makeKeys(keyCount);

function throughputSection(measured: readonly Measured[]): Section {
  const rows = measured.flatMap(({ replicas, many, single }) => [
    rowAtLeast(`K = ${replicas}, ${lanes} in flight`, 'op/s', many),
    rowAtLeast(`K = ${replicas}, one at a time`, 'op/s', single),
  ]);
  const chart = {
    kind: 'bars',
    title: 'Throughput of 200,000 operations, half puts, 7 nodes',
    xLabel: 'copies of each key',
    yLabel: 'operations per second',
    categories: measured.map(({ replicas }) => `K = ${replicas}`),
    series: [
      { name: `GTStore, ${lanes} in flight`, values: measured.map(({ many }) => median(many)) },
      { name: 'GTStore, one at a time', values: measured.map(({ single }) => median(single)) },
      { name: 'a class project, published', values: published.first },
    ],
  } as const;
  const notes = [
    `published by class projects, on their machines: ${published.first.map((each) => each.toLocaleString('en')).join(' / ')} op/s for K = 1, 3, 5; ${published.others}`,
  ];
  const figures: Figure[] = [{ name: 'class-project-throughput', chart }];
  const done = measured.flatMap((each) => each.done);
  return {
    title: 'Class project: 200,000 operations, half puts, 7 nodes',
    rows: [...rows, failureRow(done)],
    notes: [...notes, ...failureNotes(done)],
    figures,
  };
}

function distributionSection(measured: readonly Measured[], count: number): Section {
  const rows = measured.flatMap(({ replicas, keys }): Row[] => {
    const even = (count * replicas) / nodes;
    return [
      rowAtLeast(`K = ${replicas}: keys of a node (min .. max over the nodes)`, '', keys),
      rowAtMost(`K = ${replicas}: furthest from an even share`, '%', [
        100 * Math.max(...keys.map((each) => Math.abs(each / even - 1))),
      ]),
    ];
  });
  const chart = {
    kind: 'bars',
    title: `Where ${count.toLocaleString('en')} random keys lie`,
    xLabel: 'node',
    yLabel: 'keys, copies included',
    categories: Array.from({ length: nodes }, (_, node) => String(node)),
    series: measured.map(({ replicas, keys }) => ({ name: `K = ${replicas}`, values: keys })),
  } as const;
  const title = `Class project: ${count.toLocaleString('en')} random keys on ${nodes} nodes`;
  return { title, rows, notes: [], figures: [{ name: 'class-project-distribution', chart }] };
}

async function growthSections(options: BenchOptions): Promise<Section[]> {
  await using cluster = await startCluster({ nodes, replicas: 3 });
  await using store = await connected(cluster.url);
  // Until then the compiler is at work.
  await operate(store, { count: amount(operationCount, options), inFlight: lanes, pattern: 'uniform' });
  return [
    await queriesSection(store, options),
    await clientsSection(cluster.url, options),
    await hotSection(store, options),
  ];
}

async function queriesSection(store: GTStoreClient, options: BenchOptions): Promise<Section> {
  const rows: Row[] = [];
  const done: Done[] = [];
  const means: [number, number][] = [];
  const tails: [number, number][] = [];
  for (const full of queryCounts) {
    const count = amount(full, options);
    options.progress(`class-project: ${count} queries`);
    const result = await operate(store, { count, inFlight: lanes, pattern: 'uniform' });
    const { timesMs } = result;
    done.push(result);
    means.push([count, mean(timesMs)]);
    tails.push([count, percentile(timesMs, 0.99)]);
    rows.push(rowAtMost(`${count.toLocaleString('en')} queries: mean`, 'ms', [mean(timesMs)]));
    rows.push(rowAtMost(`${count.toLocaleString('en')} queries: p99`, 'ms', [percentile(timesMs, 0.99)]));
  }
  const chart = {
    kind: 'lines',
    title: 'Response time as queries become more',
    xLabel: `queries, ${lanes} in flight`,
    yLabel: 'milliseconds',
    series: [
      { name: 'mean', points: means },
      { name: 'p99', points: tails },
    ],
  } as const;
  const figures = [{ name: 'class-project-queries', chart }];
  const title = 'Class project: response time by queries, K = 3';
  return { title, rows: [...rows, failureRow(done)], notes: failureNotes(done), figures };
}

async function clientsSection(url: string, options: BenchOptions): Promise<Section> {
  const rows: Row[] = [];
  const come: ClientsDone[] = [];
  const means: [number, number][] = [];
  const logins: [number, number][] = [];
  for (const full of clientCounts) {
    const count = options.isQuick ? Math.ceil(full / 100) : full;
    options.progress(`class-project: ${count} clients`);
    const result = await clientsComeAndGo(url, count);
    const { loginMs, timesMs } = result;
    come.push(result);
    means.push([count, mean(timesMs)]);
    logins.push([count, mean(loginMs)]);
    const name = `${count.toLocaleString('en')} clients`;
    rows.push(rowAtMost(`${name}: mean response`, 'ms', [mean(timesMs)]));
    rows.push(rowAtMost(`${name}: p99 of responses`, 'ms', [percentile(timesMs, 0.99)]));
    rows.push(rowAtMost(`${name}: mean time to log in`, 'ms', [mean(loginMs)]));
  }
  const chart = {
    kind: 'lines',
    title: 'Response time as clients become more',
    xLabel: 'clients, all logged in, one query at a time each',
    yLabel: 'milliseconds',
    series: [
      { name: 'mean response', points: means },
      { name: `mean time to log in, ${loginLanes} at a time`, points: logins },
    ],
  } as const;
  const note = `each client logs in, makes ${operationsOfClient} queries, one at a time, while all others do, and logs out; all sit in one process`;
  const figures = [{ name: 'class-project-clients', chart }];
  const title = 'Class project: response time by clients, K = 3';
  return { title, rows: [...rows, failureRow(come)], notes: [note, ...failureNotes(come)], figures };
}

interface ClientsDone extends Pick<Done, 'timesMs' | 'failures'> {
  readonly loginMs: readonly number[];
}

async function clientsComeAndGo(url: string, count: number): Promise<ClientsDone> {
  const loginMs: number[] = [];
  const stores: GTStoreClient[] = [];
  let begun = 0;
  const logIn = async (): Promise<void> => {
    while (begun++ < count) {
      const startedAtMs = performance.now();
      stores.push(await connected(url));
      loginMs.push(performance.now() - startedAtMs);
    }
  };
  try {
    await Promise.all(Array.from({ length: loginLanes }, logIn));
    const load = { count: operationsOfClient, inFlight: 1, pattern: 'uniform' } as const;
    const done = await Promise.all(stores.map((store) => operate(store, load)));
    return {
      loginMs,
      timesMs: done.flatMap(({ timesMs }) => timesMs),
      failures: done.flatMap(({ failures }) => failures),
    };
  } finally {
    await Promise.all(stores.map((store) => store.finalize()));
  }
}

async function hotSection(store: GTStoreClient, options: BenchOptions): Promise<Section> {
  const count = amount(operationCount, options);
  const patterns = ['uniform', 'hot'] as const;
  const speeds: Record<(typeof patterns)[number], number[]> = { uniform: [], hot: [] };
  const done: Done[] = [];
  for (let run = 0; run < runsOf(options); run++) {
    for (const pattern of patterns) {
      options.progress(`class-project: ${pattern}, run ${run + 1}`);
      const result = await operate(store, { count, inFlight: lanes, pattern });
      speeds[pattern].push(perSecond(result));
      done.push(result);
    }
  }
  const names = { uniform: 'uniform', hot: '90 % on 10 % of the keys' };
  const rows = patterns.map((pattern) => rowAtLeast(names[pattern], 'op/s', speeds[pattern]));
  const chart = {
    kind: 'bars',
    title: 'Uniform requests against hot and cold keys, K = 3',
    xLabel: '',
    yLabel: 'operations per second',
    categories: patterns.map((pattern) => names[pattern]),
    series: [
      { name: `GTStore, ${lanes} in flight`, values: patterns.map((pattern) => median(speeds[pattern])) },
    ],
  } as const;
  const figures = [{ name: 'class-project-hot', chart }];
  const title = 'Class project: hot and cold keys, K = 3';
  return { title, rows: [...rows, failureRow(done)], notes: failureNotes(done), figures };
}
