/**
 * Operations per second through the public client, and beside it what bare sockets do with frames of the same length
 * between as many processes: the floor. Both are measured by turns in the same run, A B A B, since absolute figures
 * move with whatever else the machine does; the ratio of neighbours moves less.
 */
import { startCluster } from '../src/testing/index.js';
import type { BenchOptions, Benchmark, Row, Section, Target } from './benchmark.js';
import { Peers } from './peer.js';
import type { ClientPeer } from './peer.js';
import { median } from './stats.js';
import { keyBytes, valueBytes } from './workload.js';
import type { RunResult } from './workload.js';

const nodes = 7;
const inFlightCounts = [1, 64, 512];
const runsDefault = 5;
/** Before each run. */
const warmUpMs = 500;
/** Before the first one, at 64 in flight: until then the compiler is at work in all processes. */
const firstWarmUpMs = 8000;

/** By operations in flight, with K = 3. */
const perSecondMin = new Map([[64, 60_000]]);
const ratioMin = new Map([
  [64, 0.7],
  [512, 0.6],
]);

export const throughput: Benchmark = {
  name: 'throughput',
  purpose: 'operations per second of 7 nodes and one client, K = 3, 1, 5, beside the floor',
  async run(options) {
    const sections: Section[] = [];
    for (const replicas of [3, 1, 5]) sections.push(await throughputOf(replicas, options));
    return sections;
  },
};

export const floor: Benchmark = {
  name: 'floor',
  purpose: 'what bare sockets do with the same frames, the reference for all ratios',
  async run(options) {
    await using peers = new Peers();
    const client = await peers.startFloor(nodes, 3);
    await warmUp([client], options);
    const rows: Row[] = [];
    const all: RunResult[] = [];
    for (const inFlight of inFlightCounts) {
      const [results = []] = await byTurns([client], inFlight, options);
      rows.push(...throughputRows(`${inFlight} in flight`, results));
      if (inFlight === 1) rows.push(...latencyRows('1 in flight', results));
      all.push(...results);
    }
    return [{ title: `Floor: ${nodes} bare servers, K = 3`, rows, notes: notesOf(all) }];
  },
};

async function throughputOf(replicas: number, options: BenchOptions): Promise<Section> {
  await using cluster = await startCluster({ nodes, replicas });
  await using peers = new Peers();
  const clients = [await peers.startFloor(nodes, replicas), await peers.startStoreClient(cluster)];
  await warmUp(clients, options);
  const rows: Row[] = [];
  const all: RunResult[] = [];
  for (const inFlight of inFlightCounts) {
    options.progress(`K = ${replicas}, ${inFlight} in flight`);
    const [bare = [], ours = []] = await byTurns(clients, inFlight, options);
    const goals = replicas === 3 ? { least: perSecondMin.get(inFlight), ratio: ratioMin.get(inFlight) } : {};
    const ratios = ours.map((result, run) => perSecond(result) / perSecond(bare[run] ?? result));
    const name = `${inFlight} in flight`;
    rows.push(...throughputRows(`${name}: floor`, bare));
    rows.push(...throughputRows(`${name}: GTStore`, ours, goals.least));
    rows.push(row(`${name}: ratio`, '', ratios, goals.ratio));
    if (inFlight === 1) {
      rows.push(...latencyRows(`${name}: floor`, bare), ...latencyRows(`${name}: GTStore`, ours));
    }
    all.push(...bare, ...ours);
  }
  return { title: `Throughput: ${nodes} nodes, K = ${replicas}`, rows, notes: notesOf(all) };
}

async function warmUp(clients: readonly ClientPeer[], { progress }: BenchOptions): Promise<void> {
  progress('warming up');
  for (const client of clients) await client.measure({ inFlight: 64, warmUpMs: 0, runMs: firstWarmUpMs });
}

/** One run of each client after the other, again and again. @returns the results of each client */
async function byTurns(
  clients: readonly ClientPeer[],
  inFlight: number,
  { runs = runsDefault, seconds }: BenchOptions,
): Promise<RunResult[][]> {
  const results = clients.map((): RunResult[] => []);
  for (let run = 0; run < runs; run++) {
    for (const [index, client] of clients.entries()) {
      results[index]?.push(await client.measure({ inFlight, warmUpMs, runMs: seconds * 1000 }));
    }
  }
  return results;
}

function perSecond({ operations, seconds }: RunResult): number {
  return operations / seconds;
}

function throughputRows(name: string, results: readonly RunResult[], least?: number): Row[] {
  const client = results.map(({ clientCpuUs }) => clientCpuUs);
  const servers = results.map(({ serverCpuUs }) => serverCpuUs);
  return [
    row(name, 'op/s', results.map(perSecond), least),
    row(`${name}, CPU of the client`, 'us/op', client),
    row(`${name}, CPU of the servers`, 'us/op', servers),
  ];
}

function latencyRows(name: string, results: readonly RunResult[]): Row[] {
  const times = (field: 'getP50Us' | 'getP99Us' | 'putP50Us' | 'putP99Us'): number[] =>
    results.map((result) => result[field]);
  return [
    row(`${name}, get p50`, 'us', times('getP50Us')),
    row(`${name}, get p99`, 'us', times('getP99Us')),
    row(`${name}, put p50`, 'us', times('putP50Us')),
    row(`${name}, put p99`, 'us', times('putP99Us')),
  ];
}

function row(name: string, unit: string, runs: readonly number[], least?: number): Row {
  return least === undefined ? { name, unit, runs } : { name, unit, runs, target: atLeast(least, runs) };
}

function atLeast(least: number, runs: readonly number[]): Target {
  return { text: `>= ${least.toLocaleString('en')}`, isMet: median(runs) >= least };
}

/** Above this share, absolute figures say more of the others than of the store. */
const foreignShareMax = 0.1;

function notesOf(results: readonly RunResult[]): string[] {
  const workload = `puts and gets half and half, keys of ${keyBytes} B, values of ${valueBytes} B, one client process`;
  const foreign = median(results.map(({ foreignShare }) => foreignShare));
  if (!(foreign > foreignShareMax)) return [workload];
  return [workload, `other programs took ${Math.round(100 * foreign)} % of all cores meanwhile`];
}
