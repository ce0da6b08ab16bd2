/** What a manager must know again after a restart. Everything else it learns from the nodes. */
import type { ClusterMapData } from '../../protocol/cluster-map.js';
import type { ClusterSettings } from '../../protocol/settings.js';

/** A node the manager has forked or admitted, member at present or not. */
export interface KnownNode {
  readonly id: number;
  /** Forked by a manager, hence respawned when it dies. */
  readonly spawned: boolean;
  /** Process id of its last life, 0: unknown. Meaningful on the manager's own host only. */
  readonly pid: number;
}

/** A slot without any full replica, and its last ones with their epochs of joining (D3). */
export type AwaitedSlot = readonly [
  slot: number,
  replicas: readonly (readonly [nodeId: number, joinedAt: number])[],
];

export interface ManagerState {
  /** Counts the states; `onPersisted` names it. */
  readonly serial: number;
  readonly clusterId: string;
  readonly settings: ClusterSettings;
  /** How many nodes the cluster was created with; their ids are 0 to nodeCount - 1. */
  readonly nodeCount: number;
  readonly nextIncarnation: number;
  readonly knownNodes: readonly KnownNode[];
  /** null: not created yet. */
  readonly map: ClusterMapData | null;
  /** Some node may have been fenced for an epoch that was never published: publish one after a restart (M4). */
  readonly fencing: boolean;
  /** Slots that wait for a disk to come back. */
  readonly awaited: readonly AwaitedSlot[];
}
