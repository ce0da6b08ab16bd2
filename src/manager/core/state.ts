/** What a manager must know again after a restart. Everything else it learns from the nodes. */
import type { TaskProgress } from '../../protocol/admin.js';
import type { ClusterMapData } from '../../protocol/cluster-map.js';
import type { ClusterSettings } from '../../protocol/settings.js';

/** A node the manager has forked or admitted, member at present or not. */
export interface KnownNode {
  readonly id: number;
  /** Forked by a manager, hence respawned when it dies. */
  readonly spawned: boolean;
  /** Process id of its last life, 0: unknown. Meaningful on the manager's own host only. */
  readonly pid: number;
  /** As it last registered; absent or '': it stands alone. */
  readonly hostLabel?: string;
  /** Taken out of the cluster for good: neither started nor admitted again. */
  readonly drained?: boolean;
  /** It kept what it stores on a disk when it last registered; absent: not known. */
  readonly hasDisk?: boolean;
}

/** The cluster's nodes, without those that were drained: they are known for good, and are none of its nodes any more. */
export function presentOf(knownNodes: ReadonlyMap<number, KnownNode>): KnownNode[] {
  return [...knownNodes.values()].filter(({ drained }) => drained !== true);
}

/** One slot of a task: where it shall be. */
export interface TargetStep {
  readonly slot: number;
  /** Node ids, primary first. */
  readonly target: readonly number[];
  /** Keys and values that must be copied for it, as far as known when the task began. */
  readonly bytes: number;
}

/** What an administrator has asked for, and how far it is. One that is done stays, to be told of. */
export interface TaskState {
  readonly task: TaskProgress['task'];
  readonly isDone: boolean;
  /** How it ended, if not well. */
  readonly outcome?: 'failed' | 'cancelled';
  /** As in `TaskProgress`. */
  readonly note?: string;
  /** Not begun yet, in order. */
  readonly steps: readonly TargetStep[];
  /** Begun: their targets are in force, and not reached yet. */
  readonly moving: readonly TargetStep[];
  /** Steps in all, or nodes to restart. */
  readonly total: number;
  readonly bytesTotal: number;
  /** Whom a drain empties; -1: nobody. */
  readonly nodeId: number;
  /** Who is still to be restarted, each with the process that must end. */
  readonly restarts: readonly (readonly [nodeId: number, pid: number])[];
  /** `copyBytesPerSecondMax` to go back to at the end; null: the task has set none. */
  readonly copyBytesPerSecondBefore: number | null;
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
  /** The cluster's clock when this was saved, microseconds; absent: not known. */
  readonly clockUs?: number;
  /** By how much it was ahead of that of the manager's host; absent: it was not. */
  readonly clockAheadUs?: number;
  readonly knownNodes: readonly KnownNode[];
  /** Most memory that each node forked here holds for what it stores; absent: none was set. The core has no use for it. */
  readonly memoryBytesMax?: number;
  /** Ids below have been given to nodes, some of which are forgotten; absent: none is. */
  readonly nextNodeId?: number;
  /** null: not created yet. */
  readonly map: ClusterMapData | null;
  /** Some node may have been fenced for an epoch that was never published: publish one after a restart (M4). */
  readonly fencing: boolean;
  /** Slots that wait for a disk to come back; absent: none. */
  readonly awaited?: readonly AwaitedSlot[];
  /** Slots whose data an administrator has given up, and that have no replica yet; absent: none. */
  readonly givenUp?: readonly number[];
  /** It has not been whole yet: its disks may not hold their slots so far (D3). */
  readonly isNew?: boolean;
  /** Incarnations in the map that an administrator takes for dead; absent: none. */
  readonly takenForDead?: readonly number[];
  /** `settings.replicas` at creation; absent: nobody has changed it since. */
  readonly replicasAtCreation?: number;
  /** By slot: who shall hold it, primary first. Absent or empty: every slot is where the home rule says. */
  readonly targets?: readonly (readonly number[])[];
  /** Absent or null: none was ever begun. */
  readonly task?: TaskState | null;
}
