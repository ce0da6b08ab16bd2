/** A Redis Cluster without persistence: masters, each with as many replicas. */
import { Redis } from 'ioredis';
import { until, withinMs } from '../../src/testing/processes.js';
import { freePorts, listens } from './servers.js';
import type { Servers } from './servers.js';

const slotCount = 16_384;
const busOffset = 10_000;
const startMsMax = 30_000;
/** For all steps together. */
const joinMsMax = 2 * startMsMax;
const pollMs = 20;
const host = '127.0.0.1';

export interface RedisCluster {
  /** Masters first. */
  readonly ports: readonly number[];
  readonly pids: readonly number[];
}

export async function startRedisCluster(
  servers: Servers,
  program: string,
  masters: number,
  replicasEach: number,
): Promise<RedisCluster> {
  const ports = await freePorts(masters * (1 + replicasEach), (port) => port + busOffset);
  for (const port of ports) servers.start(program, argumentsOf(port));
  const nodes = ports.map(
    // Each call is tried for as long as it takes the server to start; what takes too long ends below.
    (port) => new Redis({ port, host, retryStrategy: () => pollMs, maxRetriesPerRequest: null }),
  );
  for (const node of nodes) node.on('error', () => undefined);
  try {
    const check = (): void => {
      servers.check();
    };
    const isUp = (port: number): Promise<boolean> => {
      check();
      return listens(port);
    };
    for (const port of ports) await until('a Redis server listens', startMsMax, () => isUp(port), pollMs);
    await withinMs('the Redis servers are one cluster', joinMsMax, join(nodes, masters, check));
  } finally {
    for (const node of nodes) node.disconnect();
  }
  return { ports, pids: servers.pids };
}

function argumentsOf(port: number): string[] {
  const settings = {
    port,
    bind: host,
    'protected-mode': 'no',
    'cluster-enabled': 'yes',
    'cluster-config-file': `nodes-${port}.conf`,
    'cluster-node-timeout': 5000,
    save: '',
    appendonly: 'no',
    // A full copy to a replica without a detour by a file.
    'repl-diskless-sync': 'yes',
    'repl-diskless-sync-delay': 0,
  };
  return Object.entries(settings).flatMap(([name, value]) => [`--${name}`, String(value)]);
}

/** As `redis-cli --cluster create` does it. */
async function join(nodes: readonly Redis[], masters: number, check: () => void): Promise<void> {
  const [first] = nodes;
  if (first === undefined) throw new Error('a Redis Cluster without nodes');
  const slotsEach = Math.ceil(slotCount / masters);
  for (const [index, node] of nodes.entries()) {
    await node.call('CLUSTER', 'SET-CONFIG-EPOCH', String(index + 1));
    if (index < masters) {
      const from = index * slotsEach;
      const slots = Array.from({ length: Math.min(slotsEach, slotCount - from) }, (_, slot) =>
        String(from + slot),
      );
      await node.call('CLUSTER', 'ADDSLOTS', ...slots);
    }
    if (index > 0) await node.call('CLUSTER', 'MEET', host, String(first.options.port));
  }
  const ids = await Promise.all(nodes.map(async (node) => String(await node.call('CLUSTER', 'MYID'))));
  const knowsAll = async (node: Redis): Promise<boolean> => {
    check();
    const known = String(await node.call('CLUSTER', 'NODES'));
    return ids.every((id) => known.includes(id)) && !known.includes('handshake');
  };
  for (const node of nodes)
    await until('a Redis node knows the others', startMsMax, () => knowsAll(node), pollMs);
  for (const [index, node] of nodes.slice(masters).entries()) {
    await node.call('CLUSTER', 'REPLICATE', ids[index % masters] ?? '');
  }
  const isWell = async (node: Redis): Promise<boolean> => {
    check();
    const state = String(await node.call('CLUSTER', 'INFO'));
    const replication = String(await node.call('INFO', 'replication'));
    return state.includes('cluster_state:ok') && !replication.includes('master_link_status:down');
  };
  for (const node of nodes) await until('the Redis Cluster is well', startMsMax, () => isWell(node), pollMs);
  const replicasEach = nodes.length / masters - 1;
  const hasReplicas = async (node: Redis): Promise<boolean> =>
    String(await node.call('INFO', 'replication')).includes(`connected_slaves:${replicasEach}`);
  for (const node of nodes.slice(0, masters)) {
    await until('a Redis master has its replicas', startMsMax, () => hasReplicas(node), pollMs);
  }
}
