/**
 * The settings of a cluster. They are chosen once, when it is created - but for the number of replicas and the pace of copying, which an administrator may
 * change - travel in the cluster map, and are obeyed by nodes and clients alike; nobody needs to configure a client.
 */

/**
 * What an acknowledgement means. `none`: the write is in the memory of all K replicas. `interval`: and on their disks
 * within half a second, or answers wait. `always`: and on their disks already.
 */
export const durabilities = ['none', 'interval', 'always'] as const;
export type Durability = (typeof durabilities)[number];

export interface ClusterSettings {
  /** K: how many full replicas each key has. */
  readonly replicas: number;
  /** Number of slots, a multiple of the number of nodes at creation. */
  readonly slotCount: number;
  /** Name of the hash that maps keys to slots; see partition.ts. */
  readonly partitioner: string;
  /** Longest key, in UTF-8 bytes. */
  readonly keyBytesMax: number;
  /** Largest encoded value, in bytes. */
  readonly valueBytesMax: number;
  /** How long a node may serve after asking for its lease (M1), on its own clock. */
  readonly leaseMs: number;
  /** A plain write older than this is refused (W10). Above every client deadline. */
  readonly writeAgeMsMax: number;
  /** A tombstone younger than this is kept (W10). Well above `writeAgeMsMax`. */
  readonly tombstoneMs: number;
  readonly durability: Durability;
  /** Most that one learner copies in a second while slots are moved; 0: as fast as it goes. */
  readonly copyBytesPerSecondMax: number;
}

export const defaultSettings: Omit<ClusterSettings, 'slotCount'> = {
  replicas: 3,
  partitioner: 'ascii-sum',
  keyBytesMax: 250,
  valueBytesMax: 1024 * 1024,
  leaseMs: 1000,
  writeAgeMsMax: 5 * 60_000,
  tombstoneMs: 15 * 60_000,
  durability: 'none',
  copyBytesPerSecondMax: 0,
};

/** Largest K: while slots move, three times as many members must fit into the client's bit sets of 30. */
export const replicasMax = 10;

/** Nodes of a cluster, those included that are away: half of what a map may hold, which the codec says. */
export const nodesMax = 2048;

/** Longest name or address of a host that is told to others, in bytes of UTF-8. */
export const hostBytesMax = 255;

/** Longest deadline a client may ask for: below `writeAgeMsMax`, so that a late retry is never refused as old. */
export const timeoutMsMax = 2 * 60_000;
export const timeoutMsDefault = 10_000;

/** A version may be this far ahead of the cluster's clock: hosts' clocks are learnt by the manager's, now and then. */
export const clockAheadMsMax = 60 * 60_000;

/** Share of a lease by which two honest clocks may drift apart; the grantor waits that much longer (M1). */
export const clockDriftRatio = 0.02;

/**
 * How long a VALIDATE waits at most for something to go with, in milliseconds (W9). Readers of a key wait for it, and nearly
 * all of them at the primary; a process that is woken for nothing else costs more than anything else about it.
 */
export const validateMsMax = { primary: 1, others: 3 } as const;

/**
 * What a frame may have beyond one key and value: type, ids, version, list of conditional writes, and, in a batch of a copy or a
 * scan, all the entries before that one.
 */
const frameOverheadBytes = 256 * 1024;

/** Largest frame a peer of a cluster with these settings may send. Maps and copy batches fit, too. */
export function frameBytesMax(settings: Pick<ClusterSettings, 'keyBytesMax' | 'valueBytesMax'>): number {
  return Math.max(4 * 1024 * 1024, settings.valueBytesMax + settings.keyBytesMax + frameOverheadBytes);
}
