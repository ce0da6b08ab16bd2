/**
 * Who this node is, and its role in every slot of the map it has adopted.
 *
 * A role holds only for the incarnation that the map names: a map that knows this node under another one gives
 * it no role at all (M6). A FENCE takes the service of some slots away before the map that moves them exists (M4);
 * a map of that epoch or later replaces it.
 */
import type { ClusterMap } from '../../protocol/cluster-map.js';

export const Role = { none: 0, learner: 1, full: 2 } as const;
export type Role = (typeof Role)[keyof typeof Role];

/** How one slot changed for this node with a new map. */
export interface RoleChange {
  readonly slot: number;
  readonly before: Role;
  readonly after: Role;
  /** It joined anew: whatever it still holds of the slot is only a hint. */
  readonly joinedAnew: boolean;
}

export class Membership {
  nodeId = -1;
  /** 0: none yet, or lost. */
  incarnation = 0;
  #map: ClusterMap | null = null;
  #roles = new Uint8Array(0);
  /** Per slot: epoch that takes it away; 0: none. */
  #leavingAt = new Float64Array(0);

  get map(): ClusterMap | null {
    return this.#map;
  }

  get epoch(): number {
    return this.#map?.epoch ?? 0;
  }

  /** The adopted map names this node, in its present life. */
  get isMember(): boolean {
    return this.incarnation !== 0 && this.#map?.node(this.nodeId)?.incarnation === this.incarnation;
  }

  role(slot: number): Role {
    return (this.#roles[slot] ?? Role.none) as Role;
  }

  isLeaving(slot: number): boolean {
    return this.#leavingAt[slot] !== 0;
  }

  isPrimary(slot: number): boolean {
    return this.#map?.slots[slot]?.replicas[0] === this.nodeId && this.role(slot) === Role.full;
  }

  slotsOf(role: Role): number[] {
    const slots: number[] = [];
    this.#roles.forEach((r, slot) => {
      if (r === role) slots.push(slot);
    });
    return slots;
  }

  fence(epoch: number, slots: readonly number[]): void {
    if (epoch <= this.epoch) return;
    for (const slot of slots) if (slot < this.#leavingAt.length) this.#leavingAt[slot] = epoch;
  }

  /** M7: the caller has checked that the map is newer. @returns the slots whose membership changed for this node. */
  adopt(map: ClusterMap): RoleChange[] {
    const previous = this.#map;
    const rolesBefore = this.#roles;
    const leavingBefore = this.#leavingAt;
    const changes: RoleChange[] = [];
    this.#map = map;
    const { isMember } = this;
    this.#roles = new Uint8Array(map.slots.length);
    this.#leavingAt = new Float64Array(map.slots.length);
    map.slots.forEach((assignment, slot) => {
      const before = (rolesBefore[slot] ?? Role.none) as Role;
      let after: Role = Role.none;
      if (isMember && assignment.replicas.includes(this.nodeId)) after = Role.full;
      else if (isMember && assignment.learners.includes(this.nodeId)) after = Role.learner;
      this.#roles[slot] = after;
      const leavingAt = leavingBefore[slot] ?? 0;
      if (leavingAt > map.epoch) this.#leavingAt[slot] = leavingAt;
      const joinedBefore = before === Role.none ? undefined : previous?.joinedAt(slot, this.nodeId);
      const joinedNow = after === Role.none ? undefined : map.joinedAt(slot, this.nodeId);
      if (before !== after || joinedBefore !== joinedNow) {
        changes.push({ slot, before, after, joinedAnew: joinedBefore !== joinedNow && after !== Role.none });
      }
    });
    return changes;
  }

  /** This incarnation is over; the adopted map stays known, without a role in it. */
  forget(): void {
    this.incarnation = 0;
    this.#roles.fill(Role.none);
  }
}
