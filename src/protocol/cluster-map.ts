/**
 * The cluster map: an immutable value numbered by its epoch. It says who is a member, and for every slot which
 * nodes are its full replicas (the first is the primary) and which are learners. Nodes and clients replace the
 * whole value; nobody ever changes one.
 *
 * A slot's `changedAt` is the epoch in which its replicas (their order included) or learners last changed: a
 * request made under an older epoch may have missed a member and is fenced (W3). Membership of a slot is (node,
 * incarnation, epoch of joining), so that one who was removed and came back is seen to be a newcomer (M6).
 */
import { GTStoreError } from './errors.js';
import type { KeyView } from './key-view.js';
import { partitionerNamed, partitionView } from './partition.js';
import type { Partitioner } from './partition.js';
import type { ClusterSettings } from './settings.js';

export interface MemberNode {
  readonly id: number;
  /** One life of one node: a restarted or readmitted node is a different member. */
  readonly incarnation: number;
  readonly host: string;
  readonly port: number;
}

export interface SlotAssignment {
  /** Epoch in which `replicas` or `learners` last changed. */
  readonly changedAt: number;
  /** Node ids of the full replicas, primary first. */
  readonly replicas: readonly number[];
  /** Node ids being filled: they receive every write and never serve. */
  readonly learners: readonly number[];
  /** Epoch of joining of each of `replicas`, then of each of `learners`. */
  readonly joinedAt: readonly number[];
}

/** The map as plain data: what travels and what is stored. */
export interface ClusterMapData {
  readonly clusterId: string;
  readonly epoch: number;
  readonly settings: ClusterSettings;
  readonly nodes: readonly MemberNode[];
  readonly slots: readonly SlotAssignment[];
}

/** A slot of `replicas` and `learners` that were all there from the start. */
export function newSlot(replicas: readonly number[], epoch: number): SlotAssignment {
  return { changedAt: epoch, replicas, learners: [], joinedAt: replicas.map(() => epoch) };
}

export class ClusterMap implements ClusterMapData {
  readonly clusterId: string;
  readonly epoch: number;
  readonly settings: ClusterSettings;
  readonly nodes: readonly MemberNode[];
  readonly slots: readonly SlotAssignment[];
  readonly #partition: Partitioner;
  readonly #nodesById: ReadonlyMap<number, MemberNode>;
  /** Replicas, then learners, of each slot: whom a write goes to. */
  readonly #membersBySlot: readonly (readonly number[])[];

  /** @throws GTStoreError PROTOCOL if this program does not know the map's partitioner. */
  constructor(data: ClusterMapData) {
    const partition = partitionerNamed(data.settings.partitioner);
    if (partition === undefined) {
      throw new GTStoreError(
        'PROTOCOL',
        `the cluster uses partitioner '${data.settings.partitioner}', unknown here; update gtstore`,
      );
    }
    this.#partition = partition;
    this.clusterId = data.clusterId;
    this.epoch = data.epoch;
    this.settings = data.settings;
    // Arrays of one kind, wherever the map came from: code that has seen one kind only is compiled anew at another.
    this.nodes = [...data.nodes];
    this.slots = [...data.slots];
    this.#nodesById = new Map(data.nodes.map((node) => [node.id, node]));
    this.#membersBySlot = data.slots.map(membersOf);
  }

  /** Slot of a key given as key bytes. */
  slotOf(keyBytes: string | KeyView): number {
    const hash =
      typeof keyBytes === 'string' ? this.#partition(keyBytes) : partitionView(this.#partition, keyBytes);
    return hash % this.slots.length;
  }

  /** @throws RangeError if there is no such slot. */
  slot(index: number): SlotAssignment {
    const slot = this.slots[index];
    if (slot === undefined) throw new RangeError(`slot ${index} of ${this.slots.length}`);
    return slot;
  }

  /** Full replicas first, then learners. */
  members(slot: number): readonly number[] {
    return this.#membersBySlot[slot] ?? [];
  }

  node(id: number): MemberNode | undefined {
    return this.#nodesById.get(id);
  }

  /** Epoch in which the node joined the slot; undefined if it is not a member of it. */
  joinedAt(slot: number, nodeId: number): number | undefined {
    return this.slot(slot).joinedAt[this.members(slot).indexOf(nodeId)];
  }

  toData(): ClusterMapData {
    const { clusterId, epoch, settings, nodes, slots } = this;
    return { clusterId, epoch, settings, nodes, slots };
  }
}

/** By hand: so these arrays, too, are of one kind. */
function membersOf({ replicas, learners }: SlotAssignment): readonly number[] {
  const members: number[] = [];
  for (const id of replicas) members.push(id);
  for (const id of learners) members.push(id);
  return members;
}
