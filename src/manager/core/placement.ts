/**
 * Which node shall hold which slot: pure functions from a map and the set of usable nodes to the next assignment.
 *
 * The home of slot s in a cluster created with N nodes is s mod N and its successors, K in all. While a home node is
 * away its place is taken by the next usable successor; when it is back it becomes a learner, then full again, and
 * the substitute leaves. One step of a slot is one of: add learners, drop learners, promote, put in order, or remove
 * a surplus replica - only the last needs its node fenced first (M4).
 */
import type { SlotAssignment } from '../../protocol/cluster-map.js';

export interface Candidates {
  /** Ids of the nodes the cluster was created with, then of those that joined later, in order. */
  readonly ring: readonly number[];
  /** Members that answer: may take slots. */
  readonly usable: ReadonlySet<number>;
  /** Away, but expected back within moments: their places are kept. */
  readonly expected: ReadonlySet<number>;
}

/** The K nodes (or fewer) that shall hold the slot, primary first. */
export function desiredReplicas(
  slot: number,
  homeCount: number,
  replicas: number,
  candidates: Candidates,
): number[] {
  const { ring, usable, expected } = candidates;
  const desired: number[] = [];
  for (let i = 0; i < ring.length && desired.length < replicas; i++) {
    // Home nodes by the rule s mod N; nodes that joined later come after all of them.
    const id = i < homeCount ? ring[(slot + i) % homeCount] : ring[i];
    if (id !== undefined && (usable.has(id) || expected.has(id))) desired.push(id);
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
