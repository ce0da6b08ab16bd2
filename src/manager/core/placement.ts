/**
 * Which node shall hold which slot: pure functions from a map and the set of usable nodes to the next assignment.
 *
 * Every slot has its base: an explicit target that an administrator's task has given it, or else its homes, which are
 * node s mod N and its successors, K in all, in a cluster created with N nodes. While a node of the base is away its
 * place is taken by another; when it is back it becomes a learner, then full again, and the substitute leaves. One
 * step of a slot is one of: add learners, drop learners, promote, put in order, or remove a surplus replica - only the
 * last needs its node fenced first (M4).
 */
import type { SlotAssignment } from '../../protocol/cluster-map.js';

export interface Candidates {
  /** Ids of the nodes the cluster was created with, then of those that joined later, in order. */
  readonly ring: readonly number[];
  /** Members that answer: may take slots. */
  readonly usable: ReadonlySet<number>;
  /** Away, but expected back within moments: their places are kept. */
  readonly expected: ReadonlySet<number>;
  /** Nodes of one label share a fate; '': stands alone. */
  readonly labelOf: (nodeId: number) => string;
}

/** Who may take the place of an absent home, in order: its successors, then the nodes that joined later. */
export function homeSubstitutes(slot: number, homeCount: number, ring: readonly number[]): number[] {
  return ring.map((id, i) => (i < homeCount ? (ring[(slot + i) % homeCount] ?? id) : id));
}

/**
 * Who may take the place of an absent node of an explicit target: whoever does so already, then the others, beginning
 * with another one for each slot.
 */
export function targetSubstitutes(
  slot: number,
  present: readonly number[],
  ring: readonly number[],
): number[] {
  return [...present, ...ring.map((id, i) => ring[(slot + i) % ring.length] ?? id)];
}

/**
 * The nodes that shall hold the slot, primary first: those of its base, and substitutes for the absent ones. No two
 * on hosts of one label, unless the base has them so or there are no others.
 */
export function desiredReplicas(
  base: readonly number[],
  substitutes: readonly number[],
  count: number,
  { usable, expected, labelOf }: Candidates,
): number[] {
  const isAble = (id: number): boolean => usable.has(id) || expected.has(id);
  const desired = base.filter(isAble).slice(0, count);
  const labels = new Set(desired.map(labelOf).filter((label) => label !== ''));
  for (const mayShareLabel of [false, true]) {
    for (const id of substitutes) {
      if (desired.length >= count) return desired;
      if (!isAble(id) || desired.includes(id) || (labels.has(labelOf(id)) && !mayShareLabel)) continue;
      desired.push(id);
      if (labelOf(id) !== '') labels.add(labelOf(id));
    }
  }
  return desired;
}

/** The assignment with other members; unchanged members keep their epoch of joining. */
export function withMembers(
  slot: SlotAssignment,
  replicas: readonly number[],
  learners: readonly number[],
  epoch: number,
): SlotAssignment {
  const before = [...slot.replicas, ...slot.learners];
  const joinedAt = [...replicas, ...learners].map((id) => slot.joinedAt[before.indexOf(id)] ?? epoch);
  return { changedAt: epoch, replicas, learners, joinedAt };
}

export function withoutNode(slot: SlotAssignment, id: number, epoch: number): SlotAssignment {
  const isOther = (other: number): boolean => other !== id;
  return withMembers(slot, slot.replicas.filter(isOther), slot.learners.filter(isOther), epoch);
}

/** A learner that has everything becomes full, as the last replica; the next step puts it in order. */
export function withPromoted(slot: SlotAssignment, id: number, epoch: number): SlotAssignment {
  return withMembers(
    slot,
    [...slot.replicas, id],
    slot.learners.filter((other) => other !== id),
    epoch,
  );
}

/** The next step that needs no fence, or the same object if there is none. */
export function stepFreely(
  slot: SlotAssignment,
  desired: readonly number[],
  usable: ReadonlySet<number>,
  epoch: number,
): SlotAssignment {
  if (slot.replicas.length === 0) return slot;
  const wanted = desired.filter((id) => !slot.replicas.includes(id));
  const kept = slot.learners.filter((id) => wanted.includes(id));
  const added = wanted.filter((id) => usable.has(id) && !kept.includes(id));
  const learners = [...kept, ...added];
  const ordered = wanted.length === 0 ? inOrder(slot.replicas, desired) : slot.replicas;
  const isSame = ordered === slot.replicas && added.length === 0 && kept.length === slot.learners.length;
  return isSame ? slot : withMembers(slot, ordered, learners, epoch);
}

/** Desired replicas first, in their order; the same array if that is how it is. */
function inOrder(replicas: readonly number[], desired: readonly number[]): readonly number[] {
  const ordered = [...desired, ...replicas.filter((id) => !desired.includes(id))];
  return ordered.every((id, i) => id === replicas[i]) ? replicas : ordered;
}

/** Replicas that may leave: every desired one is full already. */
export function surplusReplicas(slot: SlotAssignment, desired: readonly number[]): number[] {
  if (desired.length === 0 || !desired.every((id) => slot.replicas.includes(id))) return [];
  return slot.replicas.filter((id) => !desired.includes(id));
}
