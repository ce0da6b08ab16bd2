/** How a test cluster is to be, and the command line that makes it so. */
import { join } from 'node:path';

export interface ClusterOptions {
  /** How many nodes; default 3. */
  readonly nodes?: number | undefined;
  /** Copies of each key; default 3, or `nodes` if that is fewer. */
  readonly replicas?: number | undefined;
  /** Address to serve on; default 127.0.0.1. */
  readonly host?: string | undefined;
  /** Hash from key to slot: `ascii-sum`, the default, `fnv1a` or `xxhash32`. */
  readonly partitioner?: string | undefined;
  /** Longest key, in bytes of UTF-8; default 250. */
  readonly keyBytesMax?: number | undefined;
  /** Largest value, in bytes as stored; default 1 MiB. */
  readonly valueBytesMax?: number | undefined;
  /** Most memory that each node holds for keys, values and their index, in bytes, 1 MiB at least; default: no limit. */
  readonly memoryBytesMax?: number | undefined;
  /** How long a silent node keeps its place, in milliseconds; default 1000. */
  readonly leaseMs?: number | undefined;
  /** Whether writes are on disk; default `none`. */
  readonly durability?: 'none' | 'interval' | 'always' | undefined;
  /**
   * Where manager and nodes keep what they store. `stop` leaves it; default: a temporary directory that it removes, and
   * that stays behind only if a signal ends this process before (see cluster.ts).
   */
  readonly dataDir?: string | undefined;
  /** Whether a node that died is started again; default true. */
  readonly respawn?: boolean | undefined;
  /** How long nodes live on without their manager, in milliseconds; default 60,000. */
  readonly endWithoutManagerMs?: number | undefined;
  /** Environment variables of all processes, beside those of this one. */
  readonly env?: Readonly<Record<string, string>> | undefined;
  /** How much manager and nodes tell; default `info`. */
  readonly logLevel?: 'error' | 'warn' | 'info' | 'debug' | undefined;
  /** Whether to copy what they tell to stderr, beside collecting it; default false. */
  readonly showLogs?: boolean | undefined;
  /** How long the cluster may take until it serves, in milliseconds; default 20,000. */
  readonly startTimeoutMs?: number | undefined;
}

export const nodesDefault = 3;
const replicasDefault = 3;
export const startTimeoutMsDefault = 20_000;
const orphanMsDefault = 60_000;

/** What a node is told when this process starts it, not the manager. */
export function nodeArgument(
  options: ClusterOptions,
  dataDir: string,
  nodeId: number,
  clusterId: string,
  manager: URL,
): string {
  // In an URL an IPv6 address stands in brackets; whoever dials or binds wants none.
  const managerHost = manager.hostname.replace(/^\[(.*)\]$/, '$1');
  const { durability = 'none', host = managerHost, memoryBytesMax } = options;
  return JSON.stringify({
    manager: { host: managerHost, port: Number(manager.port) },
    host,
    nodeId,
    clusterId,
    durability,
    ...(durability === 'none' ? {} : { dataDir: join(dataDir, `node-${nodeId}`) }),
    ...(memoryBytesMax === undefined ? {} : { memoryBytesMax }),
    logLevel: options.logLevel ?? 'info',
    endWithoutManagerMs: options.endWithoutManagerMs ?? orphanMsDefault,
  });
}

/** What follows `gtstore start`. */
export function startArguments(options: ClusterOptions, dataDir: string, port: number): string[] {
  const { nodes = nodesDefault, replicas = Math.min(replicasDefault, nodes), respawn = true } = options;
  const { memoryBytesMax } = options;
  const named: readonly (readonly [string, string | number | undefined])[] = [
    ['--nodes', nodes],
    ['--replicas', replicas],
    ['--host', options.host],
    ['--port', port],
    ['--data-dir', dataDir],
    ['--durability', options.durability ?? 'none'],
    ['--partitioner', options.partitioner],
    ['--max-key-bytes', options.keyBytesMax],
    ['--max-value-bytes', options.valueBytesMax],
    ['--max-memory', memoryBytesMax === undefined ? undefined : `${memoryBytesMax}B`],
    ['--lease-ms', options.leaseMs],
    ['--log-level', options.logLevel],
    ['--end-without-manager-ms', options.endWithoutManagerMs ?? orphanMsDefault],
  ];
  const given = named.flatMap(([name, value]) => (value === undefined ? [] : [name, String(value)]));
  return respawn ? given : [...given, '--no-respawn'];
}
