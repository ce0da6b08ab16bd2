/**
 * One cluster for the tests of a file, and clients that are closed after each test. When a test fails, what manager
 * and nodes wrote last is printed with it.
 */
import { GTStoreClient } from '../../src/client/index.js';
import type { ClientOptions, ClusterMap, SlotAssignment } from '../../src/client/index.js';
import { startCluster } from '../../src/testing/index.js';
import type { ClusterOptions, ClusterStatus, TestCluster } from '../../src/testing/index.js';
import { eventually } from './cluster-until.js';

const startMsMax = 40_000;
const logLinesShown = 80;

export interface Fixture {
  readonly cluster: TestCluster;
  /** A client of the cluster, with its session begun; closed after the test. */
  open(options?: Partial<ClientOptions>): Promise<GTStoreClient>;
}

/** Three nodes that each hold everything on a disk, are not started again, and bear with a busy machine. */
export const threeOnDisks = {
  nodes: 3,
  replicas: 3,
  partitioner: 'fnv1a',
  durability: 'always',
  respawn: false,
  leaseMs: 5000,
  startTimeoutMs: 60_000,
} as const;

/** To be called within `describe`. */
export function useCluster(options: ClusterOptions): Fixture {
  let cluster: TestCluster | undefined;
  const clients = new Set<GTStoreClient>();
  const running = (): TestCluster => {
    if (cluster === undefined) throw new Error('the cluster was not started');
    return cluster;
  };

  before(async function () {
    this.timeout(startMsMax);
    cluster = await startCluster(options);
  });
  const closeClients = async (): Promise<void> => {
    for (const client of clients) await client.finalize();
    clients.clear();
  };
  afterEach(async function () {
    await closeClients();
    if (this.currentTest?.state !== 'failed' || cluster === undefined) return;
    const lines = cluster.logs.trimEnd().split('\n').slice(-logLinesShown);
    console.error(`--- the cluster's last words\n${lines.join('\n')}\n---`);
  });
  after(async function () {
    this.timeout(startMsMax);
    // A later hook of the file may have opened one more.
    await closeClients();
    await cluster?.stop();
  });

  return {
    get cluster() {
      return running();
    },
    async open(clientOptions = {}) {
      const client = new GTStoreClient({ manager: running().url, ...clientOptions });
      clients.add(client);
      await client.init();
      return client;
    },
  };
}

/** The client's map. */
export function mapOf(store: GTStoreClient): ClusterMap {
  const { clusterMap } = store;
  if (clusterMap === undefined) throw new Error('the client has no map yet');
  return clusterMap;
}

/** Where the client believes a key of ASCII to live. */
export function slotOf(store: GTStoreClient, key: string): SlotAssignment {
  const map = mapOf(store);
  return map.slot(map.slotOf(key));
}

/** `count` keys `PREFIX-n` whose slot is as wanted. */
export function keysWhere(
  store: GTStoreClient,
  prefix: string,
  count: number,
  isWanted: (slot: SlotAssignment) => boolean,
): string[] {
  const keys: string[] = [];
  for (let n = 0; keys.length < count; n++) {
    if (n > 100_000) throw new Error(`no ${count} keys '${prefix}-n' are as wanted`);
    const key = `${prefix}-${n}`;
    if (isWanted(slotOf(store, key))) keys.push(key);
  }
  return keys;
}

/** Waits until the cluster's status is as wanted; while the manager does not answer it is not. */
export function untilStatus(
  cluster: TestCluster,
  what: string,
  isWanted: (status: ClusterStatus) => boolean,
  timeoutMs?: number,
): Promise<ClusterStatus> {
  return eventually(
    what,
    async () => {
      const status = await cluster.status().catch(() => undefined);
      return status !== undefined && isWanted(status) ? status : undefined;
    },
    timeoutMs,
  );
}

/** Who lives: the same before and after means that nobody was evicted or restarted. */
export function incarnations({ nodes }: Pick<ClusterStatus, 'nodes'>): string {
  return nodes.map(({ id, incarnation }) => `${id}:${incarnation}`).join(' ');
}

/** Whose life it is at present. */
export function nodeOf({ nodes }: Pick<ClusterStatus, 'nodes'>, id: number): ClusterStatus['nodes'][number] {
  const node = nodes.find((each) => each.id === id);
  if (node === undefined) throw new Error(`there is no node ${id}`);
  return node;
}

/** Stores `count` entries `PREFIX-n`, and gives them for `expectEntries`. */
export async function fill(
  store: GTStoreClient,
  prefix: string,
  count: number,
  valueOf: (n: number) => string = (n) => `value ${n}`,
): Promise<ReadonlyMap<string, string>> {
  const entries = new Map<string, string>();
  for (let n = 0; n < count; n++) entries.set(`${prefix}-${n}`, valueOf(n));
  await store.putMany(entries);
  return entries;
}

/** @throws Error (rejects) if one of them is not there as it was stored */
export async function expectEntries(
  store: GTStoreClient,
  entries: ReadonlyMap<string, string>,
): Promise<void> {
  const keys = [...entries.keys()];
  const values = await store.getMany(keys);
  const wrong = keys.filter((key, i) => values[i] !== entries.get(key));
  if (wrong.length === 0) return;
  throw new Error(`${wrong.length} of ${keys.length} keys lost or changed: ${wrong.slice(0, 10).join(' ')}`);
}
