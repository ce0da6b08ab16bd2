/**
 * A thousand clients of one cluster of 7, each with a connection to every node, beside as many sets of bare sockets.
 * They sit in four processes: as many sockets as that in one would meet the usual limit of open files.
 */
import { startCluster } from '../src/testing/index.js';
import { rowAtLeast, rowAtMost } from './benchmark.js';
import type { Benchmark } from './benchmark.js';
import { byTurns, floorRows, latencyRows, notesOf, warmUp } from './comparison.js';
import { Peers } from './peer.js';
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
    const residentOf = (): number[] => cluster.nodes.map(({ pid }) => residentBytes(pid) / 2 ** 20);
    const before = residentOf();
    const lives = new Map(cluster.nodes.map(({ id, incarnation }) => [id, incarnation]));
    options.progress('connections: floor logs in');
    const bare = await peers.startFloor(nodes, replicas, client);
    options.progress('connections: clients log in');
    const startedAtMs = performance.now();
    const ours = await peers.startStoreClient(cluster, client);
    const loginSeconds = (performance.now() - startedAtMs) / 1000;
    const after = residentOf();
    const load = { inFlight: count };
    const contestants = [
      { name: 'floor', client: bare, load },
      { name: 'GTStore', client: ours, load },
    ];
    await warmUp(contestants, options);
    const results = await byTurns(contestants, {}, options);
    const { nodes: present } = await cluster.status();
    const faithful = present.filter(
      ({ id, state, incarnation }) => state === 'up' && incarnation === lives.get(id),
    );
    const rows = [
      ...floorRows(`${count} in flight, 1 a client`, results),
      ...latencyRows(`${count} in flight, 1 a client`, results, {}),
      rowAtMost('to log all in and store the keys', 's', [loginSeconds]),
      rowAtMost(
        'memory of a node for its connections',
        'MiB',
        after.map((mib, node) => mib - (before[node] ?? 0)),
      ),
      rowAtLeast('nodes that have served all the while', '', [faithful.length], nodes),
    ];
    const notes = notesOf(results, valueBytes, `${count} clients in ${processes} processes`);
    return [{ title: `Connections: ${count} clients, ${nodes} nodes, K = ${replicas}`, rows, notes }];
  },
};
