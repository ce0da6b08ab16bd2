/**
 * Operations per second and latencies through the public client, and beside them what bare sockets do with frames of
 * the same length between as many processes: the floor.
 */
import { startCluster } from '../src/testing/index.js';
import { rowAtLeast, rowAtMost } from './benchmark.js';
import type { BenchOptions, Benchmark, Row, Section } from './benchmark.js';
import {
  atEach,
  bothFloors,
  byTurns,
  floorRows,
  latencyRows,
  notesOf,
  ratios,
  throughputRows,
  timesOf,
  warmUp,
} from './comparison.js';
import type { Contestant, Results } from './comparison.js';
import { perSecond } from './driver.js';
import type { RunResult } from './driver.js';
import { Peers } from './peer.js';
import type { ClientOptions } from './peer.js';
import { usualWorkload, valueBytes } from './workload.js';

const nodes = 7;
const replicas = 3;
const kibibyte = 1024;

/** Least share of the floor's throughput, by operations in flight. */
const ratioMin = new Map([
  [64, 0.7],
  [512, 0.6],
]);
const p50RatioMax = { 'get p50': 1.15, 'put p50': 1.2 };
const p99RatioMax = { 'get p99': 1.5, 'put p99': 1.5 };

export const floor: Benchmark = {
  name: 'floor',
  purpose: 'what bare sockets do with the same frames, the reference for all ratios',
  async run(options) {
    await using peers = new Peers();
    const contestants = [{ name: 'floor', client: await peers.startFloor(nodes, replicas) }];
    const { rows, all } = await atEach([1, 64, 512], contestants, options, (inFlight, [results = []]) => {
      const times = inFlight === 1 ? Object.entries(timesOf) : [];
      return [
        ...throughputRows(`${inFlight} in flight`, results),
        ...times.map(([time, of]) => rowAtLeast(`1 in flight, ${time}`, 'us', results.map(of))),
      ];
    });
    const title = `Floor: ${nodes} bare servers, K = ${replicas}`;
    return [{ title, rows, notes: notesOf([all], valueBytes) }];
  },
};

export const throughput: Benchmark = {
  name: 'throughput',
  purpose: 'operations per second of 7 nodes and one client, K = 3, beside the floor',
  run: (options) => besideFloor('Throughput', [1, 64, 512], {}, options),
};

export const emptyStore: Benchmark = {
  name: 'empty-store',
  purpose: 'what is left of the floor with frames, values and promises, and of that with all the rest',
  async run(options) {
    await using cluster = await startCluster({ nodes, replicas });
    await using peers = new Peers();
    const [bare, ours] = await floorAndStore(peers, cluster, {});
    const empty = { name: 'empty store', client: await peers.startEmptyStore(nodes, replicas) };
    const { rows, all } = await atEach([1, 64, 512], [bare, empty, ours], options, (inFlight, results) =>
      emptyStoreRows(`${inFlight} in flight`, results),
    );
    const notes = [
      ...notesOf([all], valueBytes),
      'the empty store: keys, values, frames and promises as GTStore has them, a put to K servers, a get to one; nothing is stored, checked, timed or told to be committed',
    ];
    return [{ title: `Empty store: ${nodes} servers, K = ${replicas}`, rows, notes }];
  },
};

function emptyStoreRows(name: string, [bare = [], empty = [], ours = []]: Results): Row[] {
  return [
    ...throughputRows(`${name}: floor`, bare),
    ...throughputRows(`${name}: empty store`, empty),
    ...throughputRows(`${name}: GTStore`, ours),
    rowAtLeast(`${name}: empty store to floor`, '', ratios(empty, bare, perSecond)),
    rowAtLeast(`${name}: GTStore to empty store`, '', ratios(ours, empty, perSecond)),
  ];
}

export const payload: Benchmark = {
  name: 'payload',
  purpose: 'the same with values of 1 KB',
  run: (options) =>
    besideFloor('Payload of 1 KB', [64, 512], { workload: { valueBytes: kibibyte } }, options),
};

export const clients: Benchmark = {
  name: 'clients',
  purpose: 'the same with two client processes',
  run: (options) => besideFloor('Two client processes', [64, 512], { processes: 2 }, options),
};

async function besideFloor(
  what: string,
  inFlightCounts: readonly number[],
  client: ClientOptions,
  options: BenchOptions,
): Promise<Section[]> {
  await using cluster = await startCluster({ nodes, replicas });
  await using peers = new Peers();
  const contestants = await floorAndStore(peers, cluster, client);
  const { rows, all } = await atEach(inFlightCounts, contestants, options, (inFlight, results) =>
    floorRows(`${inFlight} in flight`, results, ratioMin.get(inFlight)),
  );
  const { processes = 1, workload } = client;
  const whom = processes === 1 ? 'one client process' : `${processes} client processes that share the load`;
  const notes = notesOf([all], { ...usualWorkload, ...workload }.valueBytes, whom);
  return [{ title: `${what}: ${nodes} nodes, K = ${replicas}`, rows, notes }];
}

async function floorAndStore(
  peers: Peers,
  cluster: Awaited<ReturnType<typeof startCluster>>,
  client: ClientOptions,
): Promise<[Contestant, Contestant]> {
  return [
    { name: 'floor', client: await peers.startFloor(nodes, replicas, client) },
    { name: 'GTStore', client: await peers.startStoreClient(cluster, client) },
  ];
}

export const latency: Benchmark = {
  name: 'latency',
  purpose: 'how long one get and one put take, alone and beside 63 others, beside the floor',
  async run(options) {
    await using cluster = await startCluster({ nodes, replicas });
    await using peers = new Peers();
    const [bare, polling] = await bothFloors(peers, nodes, replicas);
    const ours = { name: 'GTStore', client: await peers.startStoreClient(cluster) };
    const contestants = [bare, ours, polling];
    await warmUp(contestants, options);
    const alone = await byTurns(contestants, { inFlight: 1 }, options);
    const among = await byTurns([bare, ours], { inFlight: 64 }, options);
    const rows = [
      ...latencyRows('1 in flight', alone, p50RatioMax),
      ...pollingRows('1 in flight', alone),
      ...latencyRows('64 in flight', among, p99RatioMax),
    ];
    const notes = [
      ...notesOf([...alone, ...among], valueBytes),
      'the client of the floor sleeps until an answer comes; with one operation in flight GTStore’s polls (ADR 26), and so does that of the floor that polls',
    ];
    return [{ title: `Latency: ${nodes} nodes, K = ${replicas}`, rows, notes }];
  },
};

function pollingRows(name: string, [bare = [], ours = [], polling = []]: Results): Row[] {
  const times = ['get p50', 'put p50'] as const;
  return [
    ...throughputRows(`${name}: floor`, bare),
    ...throughputRows(`${name}: GTStore`, ours),
    ...throughputRows(`${name}: floor that polls`, polling),
    ...times.map((time) =>
      rowAtMost(`${name}, ${time}: ratio to the floor that polls`, '', ratios(ours, polling, timesOf[time])),
    ),
  ];
}

/** Least share of the throughput with K = 1 that K = 5 has. */
const fiveToOneMin = 0.8;

export const replication: Benchmark = {
  name: 'replication',
  purpose: 'operations per second with K = 1, 3 and 5, by turns',
  async run(options) {
    await using peers = new Peers();
    await using one = await startCluster({ nodes, replicas: 1 });
    await using three = await startCluster({ nodes, replicas: 3 });
    await using five = await startCluster({ nodes, replicas: 5 });
    const contestants: Contestant[] = [];
    for (const [index, cluster] of [one, three, five].entries()) {
      const k = 2 * index + 1;
      contestants.push({ name: `floor, K = ${k}`, client: await peers.startFloor(nodes, k) });
      contestants.push({ name: `GTStore, K = ${k}`, client: await peers.startStoreClient(cluster) });
    }
    const { rows, all } = await atEach([64, 512], contestants, options, (inFlight, results) =>
      replicationRows(`${inFlight} in flight`, contestants, results),
    );
    const title = `Replication: ${nodes} nodes, K = 1, 3, 5`;
    const note = 'a put goes to K nodes: the ratio of the floor says what the machine itself makes of that';
    return [{ title, rows, notes: [...notesOf([all], valueBytes), note] }];
  },
};

function replicationRows(
  name: string,
  contestants: readonly Contestant[],
  results: readonly (readonly RunResult[])[],
): Row[] {
  const [bareOne = [], ourOne = [], , , bareFive = [], ourFive = []] = results;
  const perRun = results.flatMap((runs, index) =>
    throughputRows(`${name}: ${contestants[index]?.name ?? ''}`, runs).slice(0, 1),
  );
  return [
    ...perRun,
    rowAtLeast(`${name}: K = 5 to K = 1, floor`, '', ratios(bareFive, bareOne, perSecond)),
    rowAtLeast(`${name}: K = 5 to K = 1, GTStore`, '', ratios(ourFive, ourOne, perSecond), fiveToOneMin),
  ];
}
