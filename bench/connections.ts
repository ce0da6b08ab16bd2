/**
 * A thousand clients of one cluster of 7, each with a connection to every node, beside as many sets of bare sockets.
 * They sit in four processes: as many sockets as that in one would meet the usual limit of open files.
 *
 * Not by turns as elsewhere: a client that has nothing to do still tells each node every second that it is there, and a
 * thousand of them would take what the floor needs. So half of the floor's runs come before they log in, half when they
 * have gone; bare sockets cost nothing while nobody uses them.
 */
import { startCluster } from '../src/testing/index.js';
import type { TestCluster } from '../src/testing/index.js';
import { rowAtLeast, rowAtMost } from './benchmark.js';
import type { BenchOptions, Benchmark } from './benchmark.js';
import { byTurns, floorRows, latencyRows, notesOf, runsOf, warmUp } from './comparison.js';
import type { Load } from './comparison.js';
import type { RunResult } from './driver.js';
import { Peers } from './peer.js';
import type { ClientOptions } from './peer.js';
import { residentBytes } from './resident.js';
import { valueBytes } from './workload.js';

const nodes = 7;
const replicas = 3;
const clientCount = 1000;
const quickClientCount = 20;
const processes = 4;

export const connections: Benchmark = {
  name: 'connections',
  purpose: '1,000 clients, each connected to all of 7 nodes, beside as many bare sockets',
  async run(options) {
    const count = options.isQuick ? quickClientCount : clientCount;
    await using cluster = await startCluster({ nodes, replicas });
    await using peers = new Peers();
    const client = { workload: { sessions: count / processes }, processes };
    const lives = new Map(cluster.nodes.map(({ id, incarnation }) => [id, incarnation]));
    options.progress('connections: floor logs in');
    const bare = await peers.startFloor(nodes, replicas, client);
    const load = { inFlight: count };
    const floor = { name: 'floor', client: bare, load };
    const total = runsOf(options);
    await warmUp([floor], options);
    const [before] = await byTurns([floor], {}, { ...options, runs: Math.ceil(total / 2) });
    const ours = await measureOurs(cluster, client, load, options);
    const [after] = await byTurns([floor], {}, { ...options, runs: Math.floor(total / 2) });
    const results = [alternately(before ?? [], after ?? []), ours.runs];
    const { nodes: present } = await cluster.status();
    const faithful = present.filter(
      ({ id, state, incarnation }) => state === 'up' && incarnation === lives.get(id),
    );
    const rows = [
      ...floorRows(`${count} in flight, 1 a client`, results),
      ...latencyRows(`${count} in flight, 1 a client`, results, {}),
      rowAtMost('to log all in and store the keys', 's', [ours.loginSeconds]),
      rowAtMost('memory of a node for its connections', 'MiB', ours.memoryMiB),
      rowAtLeast('nodes that have served all the while', '', [faithful.length], nodes),
    ];
    const notes = notesOf(results, valueBytes, `${count} clients in ${processes} processes`);
    return [{ title: `Connections: ${count} clients, ${nodes} nodes, K = ${replicas}`, rows, notes }];
  },
};

interface Ours {
  readonly runs: readonly RunResult[];
  readonly loginSeconds: number;
  /** By which each node has grown when all are logged in. */
  readonly memoryMiB: readonly number[];
}

/** The clients of the store come, do their runs and go. */
async function measureOurs(
  cluster: TestCluster,
  client: ClientOptions,
  load: Partial<Load>,
  options: BenchOptions,
): Promise<Ours> {
  await using peers = new Peers();
  options.progress('connections: clients log in');
  const before = residentOf(cluster);
  const startedAtMs = performance.now();
  const ours = await peers.startStoreClient(cluster, client);
  const loginSeconds = (performance.now() - startedAtMs) / 1000;
  const memoryMiB = residentOf(cluster).map((mib, node) => mib - (before[node] ?? 0));
  const contestants = [{ name: 'GTStore', client: ours, load }];
  await warmUp(contestants, options);
  const [runs = []] = await byTurns(contestants, {}, options);
  return { runs, loginSeconds, memoryMiB };
}

function residentOf({ nodes: all }: TestCluster): number[] {
  return all.map(({ pid }) => residentBytes(pid) / 2 ** 20);
}

/** One of each in turn: the ratios of early runs and of late ones are then to floors of both times. */
function alternately(before: readonly RunResult[], after: readonly RunResult[]): RunResult[] {
  return before.flatMap((run, index) => [run, ...after.slice(index, index + 1)]);
}
