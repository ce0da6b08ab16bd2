/** The cluster that a manager finds in its state, and whether the options given fit it. */
import { tmpdir, userInfo } from 'node:os';
import { join } from 'node:path';
import type { Logger } from '../protocol/logger.js';
import { defaultSettings, nodesMax, replicasMax } from '../protocol/settings.js';
import type { ClusterSettings } from '../protocol/settings.js';
import type { ManagerState } from './core/state.js';
import { FileMetadataStore } from './file-metadata-store.js';
import { MemoryMetadataStore } from './metadata-store.js';
import type { MetadataStore } from './metadata-store.js';
import { isNodeAlive, managerPortOf } from './node-processes.js';

const nodesDefault = 7;

/** The options do not fit each other, or what runs already. The message says how to mend it. */
export class UsageError extends Error {
  override readonly name = 'UsageError';
}

export interface StoredClusterOptions {
  readonly host: string;
  readonly port: number;
  /** undefined: as stored. */
  readonly nodes?: number;
  readonly settings?: Partial<Omit<ClusterSettings, 'slotCount'>>;
  readonly memoryBytesMax?: number;
  readonly dataDir?: string;
  readonly stateDir?: string;
  readonly isRestart?: boolean;
  readonly nodeEntry: string;
  readonly log: Logger;
}

/** What the cluster will be: as stored, or as told, or by default. */
export interface Counts {
  readonly nodes: number;
  readonly replicas: number;
}

export function metadataStore(options: StoredClusterOptions, boundPort: number): MetadataStore {
  const directory = stateDirectory(options, boundPort);
  return directory === undefined ? new MemoryMetadataStore() : new FileMetadataStore(directory, options.log);
}

/** undefined: the state is kept nowhere. */
function stateDirectory(
  { host, port, dataDir, stateDir }: StoredClusterOptions,
  boundPort: number,
): string | undefined {
  const directory = dataDir ?? stateDir;
  if (directory !== undefined || port === 0) return directory;
  // A user of a container may be a number without a name, of which `userInfo` knows nothing.
  const owner = process.getuid?.() ?? userInfo().username;
  return join(tmpdir(), `gtstore-${owner}`, `${host.replaceAll(':', '_')}-${boundPort}`);
}

/**
 * The state of a cluster that can go on: its nodes still run, or their disks hold its data; null if there is none.
 * @throws UsageError if the options are of another one
 */
export function usableState(
  state: ManagerState | null,
  options: StoredClusterOptions,
  managerPort: number,
): ManagerState | null {
  if (state === null) return null;
  const { nodeEntry, log } = options;
  const { clusterId } = state;
  const alive = state.knownNodes.filter(
    ({ id, pid }) => pid > 0 && isNodeAlive(pid, nodeEntry, { nodeId: id, clusterId }),
  );
  // Without a map it was never created.
  const isOnDisk = state.settings.durability !== 'none' && state.map !== null;
  if (alive.length === 0 && !isOnDisk && !hasOthers(state) && options.isRestart !== true) {
    log.info('the nodes of the former cluster here are gone, and their data with them; beginning anew');
    return null;
  }
  const pids = alive.map((node) => node.pid);
  if (options.isRestart !== true) checkFits(state, options, pids, stateDirectory(options, managerPort) ?? '');
  checkPort(pids, options, managerPort);
  return state;
}

/** Members that no manager forked: they may serve on, on other hosts, and look for their manager. */
function hasOthers({ map, knownNodes }: ManagerState): boolean {
  const forked = new Set(knownNodes.filter(({ spawned }) => spawned).map(({ id }) => id));
  return map?.nodes.some(({ id }) => !forked.has(id)) ?? false;
}

/** Nodes that live look for their manager where it was; elsewhere it would fork each of them a second time. */
function checkPort(pids: readonly number[], { nodeEntry }: StoredClusterOptions, managerPort: number): void {
  for (const pid of pids) {
    const port = managerPortOf(pid, nodeEntry) ?? managerPort;
    if (port === managerPort) continue;
    throw new UsageError(
      `nodes of this cluster still run and look for their manager at port ${port}: start with --port ${port} to take them over, or end them (pids ${pids.join(' ')})`,
    );
  }
}

/** As it is now: nodes may have been added or drained since it was created, and the number of copies changed. */
function storedCounts(state: ManagerState): Counts {
  const started = state.knownNodes.filter((node) => node.spawned && node.drained !== true).length;
  const { replicas } = state.map?.settings ?? state.settings;
  return { nodes: started === 0 ? state.nodeCount : started, replicas };
}

function checkFits(
  state: ManagerState,
  options: StoredClusterOptions,
  pids: readonly number[],
  directory: string,
): void {
  const stored = storedCounts(state);
  const { replicas = stored.replicas } = options.settings ?? {};
  const { nodes = stored.nodes } = options;
  const runs =
    pids.length > 0
      ? `still runs here without its manager: start with -n ${stored.nodes} -k ${stored.replicas} to take it over, or end its nodes (pids ${pids.join(' ')})`
      : `is stored in ${directory}: leave -n and -k away, or give -n ${stored.nodes} -k ${stored.replicas}; for a new cluster ${state.settings.durability === 'none' ? 'end its nodes on other hosts, and remove that directory' : 'give another --data-dir'}`;
  const isCount = nodes === stored.nodes || nodes === state.nodeCount;
  if (!isCount || replicas !== stored.replicas) {
    throw new UsageError(`a cluster of ${stored.nodes} nodes and ${stored.replicas} replicas ${runs}`);
  }
  checkLifelong(state.settings, options.settings ?? {}, beginAnew(state, pids, directory));
}

/** What a cluster is created with and keeps, and how it is told to `gtstore start`. */
const lifelong = [
  ['durability', '--durability'],
  ['partitioner', '--partitioner'],
  ['keyBytesMax', '--max-key-bytes'],
  ['valueBytesMax', '--max-value-bytes'],
  ['leaseMs', '--lease-ms'],
] as const;

/** Nobody is to believe that what was given holds. @param anew - how to begin a new cluster */
function checkLifelong(stored: ClusterSettings, given: Partial<ClusterSettings>, anew: string): void {
  for (const [name, option] of lifelong) {
    if (given[name] === undefined || given[name] === stored[name]) continue;
    throw new UsageError(
      `the cluster that is stored here has ${option} ${stored[name]}, which stays for its life: leave ${option} away, or ${anew}`,
    );
  }
}

function beginAnew({ settings }: ManagerState, pids: readonly number[], directory: string): string {
  if (settings.durability !== 'none') return 'begin a new cluster in another --data-dir';
  if (pids.length > 0) return `end its nodes (pids ${pids.join(' ')}) to begin a new cluster`;
  return `end its nodes on other hosts, and remove ${directory}, to begin a new cluster`;
}

/** What the nodes are bounded by from now on: nodes that run already keep to what they were started with. */
export function limitsOf(
  { memoryBytesMax: given }: Pick<StoredClusterOptions, 'memoryBytesMax'>,
  restored: ManagerState | null,
): Pick<ManagerState, 'memoryBytesMax'> {
  const memoryBytesMax = given ?? restored?.memoryBytesMax ?? 0;
  return memoryBytesMax === 0 ? {} : { memoryBytesMax };
}

/** @throws UsageError */
export function resolveCounts(options: StoredClusterOptions, restored: ManagerState | null): Counts {
  if (restored !== null) return storedCounts(restored);
  const counts = {
    nodes: options.nodes ?? nodesDefault,
    replicas: options.settings?.replicas ?? defaultSettings.replicas,
  };
  checkCounts(counts);
  return counts;
}

/** @throws UsageError */
function checkCounts({ nodes, replicas }: Counts): void {
  if (!Number.isInteger(nodes) || nodes < 1) throw new UsageError(`${nodes} nodes: give at least 1`);
  if (nodes > nodesMax) throw new UsageError(`${nodes} nodes: give at most ${nodesMax}`);
  if (!Number.isInteger(replicas) || replicas < 1)
    throw new UsageError(`${replicas} replicas: give at least 1`);
  if (replicas > replicasMax) throw new UsageError(`${replicas} replicas: give at most ${replicasMax}`);
  if (replicas > nodes) {
    throw new UsageError(
      `-n ${nodes} -k ${replicas}: ${replicas} copies need ${replicas} nodes; give -n ${replicas} or more, or -k ${nodes}`,
    );
  }
}
