/**
 * GTStore beside Redis Cluster, etcd and memcached, by turns in the same run. Each is driven as it does best: where
 * there are several ways, all are measured and the best counts. A peer whose program is not on the path is skipped.
 */
import { startCluster } from '../../src/testing/index.js';
import { until } from '../../src/testing/processes.js';
import { rowAtLeast } from '../benchmark.js';
import type { BenchOptions, Benchmark, Row, Section } from '../benchmark.js';
import { atEach, notesOf, throughputRows, timesOf } from '../comparison.js';
import type { Contestant } from '../comparison.js';
import { perSecond } from '../driver.js';
import type { RunResult } from '../driver.js';
import { Peers } from '../peer.js';
import { median } from '../stats.js';
import { usualWorkload, valueBytes } from '../workload.js';
import type { EtcdClientArgument } from './etcd-client.js';
import type { MemcachedClientArgument } from './memcached-client.js';
import type { RedisClientArgument } from './redis-client.js';
import { startRedisCluster } from './redis-cluster.js';
import { Servers, findProgram, freePorts, listens } from './servers.js';

const nodes = 7;
const startMsMax = 20_000;
const redisRatioMin = 3;
const redisWaitRatioMin = 10;
const etcdRatioMin = 80;

/** Contestants that are one peer in several ways, and what GTStore is to have at least beside the best of them. */
interface Rival {
  readonly name: string;
  readonly ways: readonly Contestant[];
  readonly least?: number;
}

function skipped(title: string, program: string): Section[] {
  return [{ title, rows: [], notes: [`skipped: there is no ${program} on the path`] }];
}

/** All of them by turns at each number in flight, and of each rival the ratio to its best way. */
async function beside(
  title: string,
  store: Contestant,
  rivals: readonly Rival[],
  notes: readonly string[],
  options: BenchOptions,
): Promise<Section> {
  // A way may stand for two rivals.
  const contestants = [...new Set([store, ...rivals.flatMap(({ ways }) => ways)])];
  const { rows, all } = await atEach([64, 512], contestants, options, (inFlight, results) => {
    const shown: Row[] = [];
    for (const [index, { name }] of contestants.entries()) {
      const runs = results[index] ?? [];
      shown.push(...throughputRows(`${inFlight} in flight: ${name}`, runs).slice(0, 1));
      shown.push(rowAtLeast(`${inFlight} in flight: ${name}, put p99`, 'us', runs.map(timesOf['put p99'])));
    }
    const ours = results[0] ?? [];
    for (const { name, ways, least } of rivals) {
      const best = bestOf(ways.map((way) => results[contestants.indexOf(way)] ?? []));
      const runs = ours.map((result, run) => perSecond(result) / perSecond(best[run] ?? result));
      shown.push(rowAtLeast(`${inFlight} in flight: GTStore to ${name}`, '', runs, least));
    }
    return shown;
  });
  return { title, rows, notes: [...notesOf([all], valueBytes), ...notes] };
}

/** The way with the highest median. */
function bestOf(ways: readonly (readonly RunResult[])[]): readonly RunResult[] {
  const speed = (runs: readonly RunResult[]): number => median(runs.map(perSecond));
  return ways.reduce((best, each) => (speed(each) > speed(best) ? each : best), ways[0] ?? []);
}

export const redis: Benchmark = {
  name: 'redis',
  purpose: 'beside Redis Cluster: 3 masters with 2 replicas each, with and without WAIT 2; 7 masters',
  async run(options) {
    const program = findProgram('redis-server');
    if (program === undefined) return skipped('Redis Cluster', 'redis-server');
    return [await besideReplicas(program, options), await besideMasters(program, options)];
  },
};

/** How a Redis client process is driven: `sessions` are clients with connections of their own. */
async function redisWay(
  peers: Peers,
  cluster: Awaited<ReturnType<typeof startRedisCluster>>,
  name: string,
  how: Pick<RedisClientArgument, 'isAutoPipelined' | 'waitFor'>,
  sessions = 1,
): Promise<Contestant> {
  const workload = { ...usualWorkload, sessions };
  const argument: RedisClientArgument = { workload, ports: cluster.ports, ...how };
  return { name, client: await peers.startClients('peers/redis-client', argument, cluster.pids) };
}

const waitSessions = 64;

async function besideReplicas(program: string, options: BenchOptions): Promise<Section> {
  await using servers = new Servers();
  await using ours = await startCluster({ nodes, replicas: 3 });
  await using peers = new Peers();
  const cluster = await startRedisCluster(servers, program, 3, 2);
  const store = { name: 'GTStore, K = 3', client: await peers.startStoreClient(ours) };
  const plain = { isAutoPipelined: false, waitFor: 0 };
  const waiting = { isAutoPipelined: false, waitFor: 2 };
  const rivals: Rival[] = [
    {
      name: 'Redis, asynchronous',
      least: redisRatioMin,
      ways: [
        await redisWay(peers, cluster, 'Redis', plain),
        await redisWay(peers, cluster, 'Redis, auto-pipelined', { ...plain, isAutoPipelined: true }),
      ],
    },
    {
      name: 'Redis, WAIT 2',
      least: redisWaitRatioMin,
      ways: [
        await redisWay(peers, cluster, 'Redis, WAIT 2, one client', waiting),
        await redisWay(peers, cluster, `Redis, WAIT 2, ${waitSessions} clients`, waiting, waitSessions),
      ],
    },
  ];
  const note =
    'Redis answers a set before its replicas have it; WAIT 2 after each set is the nearest to what K = 3 means here';
  return await beside('Redis Cluster: 3 masters, 2 replicas each', store, rivals, [note], options);
}

async function besideMasters(program: string, options: BenchOptions): Promise<Section> {
  await using servers = new Servers();
  await using ours = await startCluster({ nodes, replicas: 1 });
  await using peers = new Peers();
  const cluster = await startRedisCluster(servers, program, nodes, 0);
  const store = { name: 'GTStore, K = 1', client: await peers.startStoreClient(ours) };
  const plain = { isAutoPipelined: false, waitFor: 0 };
  const ways = [
    await redisWay(peers, cluster, 'Redis', plain),
    await redisWay(peers, cluster, 'Redis, auto-pipelined', { ...plain, isAutoPipelined: true }),
  ];
  return await beside('Redis Cluster: 7 masters', store, [{ name: 'Redis', ways }], [], options);
}

export const etcd: Benchmark = {
  name: 'etcd',
  purpose: 'beside etcd with 3 members, its log on disk and in memory',
  async run(options) {
    const program = findProgram('etcd');
    if (program === undefined) return skipped('etcd', 'etcd');
    await using onDisk = new Servers('disk');
    await using inMemory = new Servers('memory');
    await using ours = await startCluster({ nodes, replicas: 3 });
    await using peers = new Peers();
    const etcdOf = async (servers: Servers, name: string): Promise<Contestant> => {
      const ports = await startEtcd(servers, program, 3);
      const argument: EtcdClientArgument = { workload: usualWorkload, ports };
      options.progress(`${name}: filling`);
      return { name, client: await peers.startClients('peers/etcd-client', argument, servers.pids) };
    };
    const store = { name: 'GTStore, K = 3', client: await peers.startStoreClient(ours) };
    const disk = await etcdOf(onDisk, 'etcd, log on disk');
    const memory = await etcdOf(inMemory, 'etcd, log in memory');
    const rivals: Rival[] = [
      { name: disk.name, ways: [disk] },
      { name: 'etcd, the better', ways: [disk, memory], least: etcdRatioMin },
    ];
    const note =
      'gets of both are linearizable; etcd always writes a log, which in memory costs it no waiting for a disk';
    return [await beside('etcd: 3 members', store, rivals, [note], options)];
  },
};

/** @returns the ports for clients */
async function startEtcd(servers: Servers, program: string, members: number): Promise<number[]> {
  const ports = await freePorts(2 * members);
  const clientPorts = ports.slice(0, members);
  const peerPorts = ports.slice(members);
  const url = (port: number | undefined): string => `http://127.0.0.1:${port ?? 0}`;
  const all = peerPorts.map((port, member) => `m${member}=${url(port)}`).join(',');
  for (const [member, port] of clientPorts.entries()) {
    const settings = {
      name: `m${member}`,
      'data-dir': `member-${member}`,
      'listen-client-urls': url(port),
      'advertise-client-urls': url(port),
      'listen-peer-urls': url(peerPorts[member]),
      'initial-advertise-peer-urls': url(peerPorts[member]),
      'initial-cluster': all,
    };
    servers.start(
      program,
      Object.entries(settings).flatMap(([name, value]) => [`--${name}`, value]),
    );
  }
  for (const port of clientPorts) {
    await until(
      'etcd is healthy',
      startMsMax,
      async () => {
        servers.check();
        const answer = await fetch(`${url(port)}/health`).catch(() => undefined);
        return answer !== undefined && (await answer.text()).includes('"true"');
      },
      50,
    );
  }
  return clientPorts;
}

export const memcached: Benchmark = {
  name: 'memcached',
  purpose: 'beside 7 memcached servers, which replicate nothing: for orientation',
  async run(options) {
    const program = findProgram('memcached');
    if (program === undefined) return skipped('memcached', 'memcached');
    await using servers = new Servers();
    await using ours = await startCluster({ nodes, replicas: 1 });
    await using peers = new Peers();
    const ports = await freePorts(nodes);
    for (const port of ports) {
      // It refuses to run as root unless told so.
      const user = process.getuid?.() === 0 ? ['-u', 'root'] : [];
      servers.start(program, ['-p', String(port), '-l', '127.0.0.1', '-U', '0', '-t', '1', ...user]);
    }
    const argument: MemcachedClientArgument = { workload: usualWorkload, ports };
    for (const port of ports) {
      await until('memcached listens', startMsMax, () => {
        servers.check();
        return listens(port);
      });
    }
    const client = await peers.startClients('peers/memcached-client', argument, servers.pids);
    const store = { name: 'GTStore, K = 1', client: await peers.startStoreClient(ours) };
    const rivals = [{ name: 'memcached', ways: [{ name: 'memcached', client }] }];
    return [await beside('memcached: 7 servers', store, rivals, [], options)];
  },
};
