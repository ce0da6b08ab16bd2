/**
 * What the manager knows of its nodes beyond the published map: members, whom it has lost and when, whose lease has
 * run out, whom their fellows cannot reach or whose disks hang, which copies are done. Events write these notes; the planner derives the
 * next map from them.
 */
import type { ClusterMap, MemberNode, SlotAssignment } from '../../protocol/cluster-map.js';
import type { CopyDoneMessage, Link } from '../../protocol/messages.js';
import { newMember } from './members.js';
import type { Member } from './members.js';
import type { ManagerState } from './state.js';

/** Of a member that has not registered with this manager yet. */
const unknownOrigin = { disk: { clusterId: '', slots: [], clockUs: 0 } } as const;

export interface Isolation {
  /** Its fellows cannot reach it, or its disk hangs. */
  readonly cause: 'cutOff' | 'hungDisk';
  /** How long after the last report. */
  readonly forMs: number;
  /** In the time that isolations.ts counts. */
  untilMs: number;
}

export class Roster {
  readonly members = new Map<number, Member>();
  /** Members whose lease has run out: no new lease before the next map is published (M3). */
  readonly lapsed = new Set<number>();
  /** When each node that is away was lost: its place is kept for a while. */
  readonly lostAtMs = new Map<number, number>();
  /** Nodes that get no slots although they are there (M2). */
  readonly isolated = new Map<number, Isolation>();
  /** Copies that learners have finished: slot to node id to the epoch of joining that it was for. */
  readonly copied = new Map<number, Map<number, number>>();
  /** Incarnations that an administrator takes for dead (M3): still in the map, or some slot waits that they may have. */
  readonly takenForDead = new Set<number>();

  /** All that the map names, as long as nothing is heard of them; whoever was taken for dead stays so. */
  restore({ map, knownNodes, takenForDead = [] }: ManagerState, nowMs: number): void {
    for (const incarnation of takenForDead) this.takenForDead.add(incarnation);
    for (const node of map?.nodes ?? []) {
      if (this.takenForDead.has(node.incarnation)) continue;
      const pid = knownNodes.find(({ id }) => id === node.id)?.pid ?? 0;
      const member = newMember({ ...node, pid }, unknownOrigin, null, nowMs);
      member.admitted = true;
      this.members.set(node.id, member);
    }
  }

  /** This incarnation is over. */
  forget(member: Member, nowMs: number): void {
    this.members.delete(member.id);
    this.lapsed.delete(member.id);
    // Its next life may well be reached.
    this.isolated.delete(member.id);
    for (const copied of this.copied.values()) copied.delete(member.id);
    this.lostAtMs.set(member.id, nowMs);
  }

  /** By id: how the map lists them. */
  memberNodes(): MemberNode[] {
    const members = [...this.members.values()].sort((a, b) => a.id - b.id);
    return members.map(({ id, incarnation, host, port }) => ({ id, incarnation, host, port }));
  }

  /** Slots whose replicas have all been silent since then, and longer than their leases; and those replicas. */
  silentSlots(slots: readonly SlotAssignment[], sinceMs: number): Map<number, Member[]> {
    const silent = new Map<number, Member[]>();
    // Asked with each tick, and there is hardly ever one.
    if (this.lapsed.size === 0) return silent;
    slots.forEach(({ replicas }, slot) => {
      const gone = replicas.flatMap((id) => {
        const member = this.members.get(id);
        const isSilent = member?.link === null && this.lapsed.has(id);
        return isSilent && (this.lostAtMs.get(id) ?? Infinity) <= sinceMs ? [member] : [];
      });
      if (gone.length > 0 && gone.length === replicas.length) silent.set(slot, gone);
    });
    return silent;
  }

  byLink(link: object): Member | undefined {
    for (const member of this.members.values()) if (member.link === link) return member;
    return undefined;
  }

  /** M5: counts only for the same joining, and only from the learner itself. @returns whether it is one. */
  onCopyDone(link: Link, { nodeId, incarnation, slots }: CopyDoneMessage, map: ClusterMap): boolean {
    const member = this.members.get(nodeId);
    if (member?.incarnation !== incarnation || member.link !== link) return false;
    for (const [slot, joinedAt] of slots) {
      if (slot >= map.slots.length || !isLearnerSince(map.slot(slot), nodeId, joinedAt)) continue;
      const copied = this.copied.get(slot) ?? new Map<number, number>();
      this.copied.set(slot, copied.set(nodeId, joinedAt));
    }
    return true;
  }

  /**
   * Notes on copies that no longer concern a learner, or one that has joined anew, and on members that are none, are dropped. So are
   * lapsed members that it does not name any more: before it was out they had what they held *[found]*.
   *
   * @param isWaiting - some slot of it waits for a disk (D3)
   */
  onPublished(map: ClusterMap, nowMs: number, isWaiting = false): void {
    for (const id of this.lapsed) {
      const member = this.members.get(id);
      if (member !== undefined && map.node(id)?.incarnation !== member.incarnation)
        this.forget(member, nowMs);
    }
    for (const [slot, copied] of this.copied) {
      for (const [id, joinedAt] of copied)
        if (!isLearnerSince(map.slot(slot), id, joinedAt)) copied.delete(id);
      if (copied.size === 0) this.copied.delete(slot);
    }
    const present = new Set(map.nodes.map(({ incarnation }) => incarnation));
    for (const incarnation of this.takenForDead)
      if (!present.has(incarnation) && !isWaiting) this.takenForDead.delete(incarnation);
  }
}

/** M6: by that very joining. The map that is being saved may let it join anew. *[found]* */
export function isLearnerSince(
  { replicas, learners, joinedAt }: SlotAssignment,
  id: number,
  epoch: number,
): boolean {
  const place = learners.indexOf(id);
  return place >= 0 && joinedAt[replicas.length + place] === epoch;
}
