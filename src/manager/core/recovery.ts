/**
 * The recovery rule for a slot that lost all its full replicas (PROTOCOL M6, D3).
 *
 * Without disks what is lost is lost: one of its learners serves on with the part it has, or it begins empty. With disks it
 * waits. Whoever was a full replica of the slot's last membership may bring it back, and one is enough: no write was
 * acknowledged before it was on all their disks (`always`). It comes back as the member it was, with the epoch of
 * joining that the label on its disk names; everybody else joins anew and is filled by it. A node that comes back
 * without that label has lost its disk, or has been started before that was mounted: even when all have, the slot waits,
 * until one comes with the label or an administrator accepts the loss. *[found: disks that were mounted later were cleared]*
 * Only a cluster that has not been whole yet begins without him: its disks may have no labels so far. Nobody brings a slot back before a
 * lease's time has passed: the dead may have made promises (M8), and another node, cut off and taken off the slot, may serve on
 * them. *[found]*
 *
 * With `interval` the disks may differ by a second: the one with the latest write is chosen, of those that are back a
 * while after the first.
 */
import { newSlot } from '../../protocol/cluster-map.js';
import type { ClusterMap, SlotAssignment } from '../../protocol/cluster-map.js';
import { clockDriftRatio } from '../../protocol/settings.js';
import type { Durability } from '../../protocol/settings.js';
import type { Member } from './members.js';
import type { Roster } from './roster.js';
import type { AwaitedSlot, ManagerState } from './state.js';
import { isUntouched } from './status.js';

interface Awaited {
  readonly replicas: AwaitedSlot[1];
  /** Manager-clock time from which on none of them has been alive. */
  readonly sinceMs: number;
  /** When the first that can bring it back was seen, if one is there. */
  readonly firstBackAtMs: number | null;
}

/** How long the first to come back with a slot waits for others, with `interval`. */
const othersAwaitedMs = 2000;

type RecoveryState = Pick<ManagerState, 'awaited' | 'givenUp' | 'isNew'>;

export interface RecoveryOptions {
  readonly durability: Durability;
  readonly leaseMs: number;
  readonly roster: Pick<Roster, 'members' | 'lapsed' | 'isolated'>;
  readonly nowMs: () => number;
}

export class Recovery {
  readonly #options: RecoveryOptions;
  /** By slot: its last full replicas, each with its epoch of joining. */
  readonly #awaited = new Map<number, Awaited>();
  /** Slots whose data an administrator has given up, and that have not begun anew yet. */
  readonly #givenUp = new Set<number>();
  /** By slot: what was awaited until the map that is being saved gave it a replica. Nobody has seen that map. */
  readonly #reviving = new Map<number, { readonly awaited: Awaited; readonly isGivenUp: boolean }>();
  /** The cluster has not been whole yet: nothing was stored in it. */
  #isNew = true;

  constructor(options: RecoveryOptions) {
    this.#options = options;
  }

  get isDurable(): boolean {
    return this.#options.durability !== 'none';
  }

  restore({ awaited = [], givenUp = [], isNew = false }: RecoveryState): void {
    const sinceMs = this.#options.nowMs();
    this.#isNew = isNew;
    this.giveUp(givenUp);
    for (const [slot, replicas] of awaited)
      this.#awaited.set(slot, { replicas, sinceMs, firstBackAtMs: null });
  }

  /** What a restarted manager must know. */
  state(): RecoveryState {
    const awaited = [...this.#awaited].map(([slot, { replicas }]) => [slot, replicas] as const);
    return { awaited, givenUp: [...this.#givenUp], ...(this.#isNew ? { isNew: true } : {}) };
  }

  /**
   * @returns whether it was new until now. That is to be saved: to the next manager a cluster that is new is one that nothing was
   *   stored in *[found: killed together, all began empty when the disks came back empty]*. Without disks it is no matter.
   */
  hasBegun(map: ClusterMap): boolean {
    if (!this.#isNew || isUntouched(map, this.#options.roster)) return false;
    this.#isNew = false;
    return this.isDurable;
  }

  /**
   * The slot, none of whose full replicas is left. It is awaited until the next map gives it one (`hasReplica`).
   * @param before as the published map has it
   * @returns brought back by one of them; null: it has to wait; undefined: there is nothing to wait for
   */
  revive(
    index: number,
    before: SlotAssignment,
    learners: readonly number[],
    epoch: number,
  ): SlotAssignment | null | undefined {
    if (!this.isDurable) return undefined;
    const awaited = this.#await(index, before);
    // M8: whoever was cut off may serve on a promise of the dead until that has run out.
    const { leaseMs, nowMs } = this.#options;
    if (awaited !== undefined && nowMs() < awaited.sinceMs + leaseMs * (1 + clockDriftRatio)) return null;
    // All of them, for as long as it takes: whoever came back without may have its disk when it is started again.
    const replicas = awaited?.replicas ?? [];
    const back = replicas.filter(([id, joinedAt]) => this.#holds(index, id, joinedAt));
    const isAway = replicas.some(([id]) => this.#here(id) === undefined);
    const mayBegin = this.#givenUp.has(index) || (this.#isNew && !isAway);
    if (replicas.length === 0 || (back.length === 0 && mayBegin)) return undefined;
    // Its own: a slot that waits still says nothing of when this one's disaster was.
    const firstBackAtMs = back.length === 0 ? null : (awaited?.firstBackAtMs ?? nowMs());
    if (awaited !== undefined) this.#awaited.set(index, { ...awaited, firstBackAtMs });
    const mustWait = firstBackAtMs === null || (isAway && this.#othersMayCome(firstBackAtMs));
    const chosen = mustWait ? undefined : this.#latest(back);
    if (chosen === undefined) return null;
    const [id, joinedAt] = chosen;
    const others = learners.filter((learner) => learner !== id);
    // All join anew. With `interval` a learner may have what that disk lacks *[found]*. With `always` that disk may have what no
    // learner was sent, VALID from now on: one whose copy of the dead was done, and that says so late, would be full without *[found]*.
    const joined = others.map(() => epoch);
    return { ...newSlot([id], epoch), learners: others, joinedAt: [joinedAt, ...joined] };
  }

  /** From the moment on at which the last of them is gone. */
  #await(slot: number, { replicas, joinedAt }: SlotAssignment): Awaited | undefined {
    if (replicas.length > 0) {
      const pairs = replicas.map((id, i) => [id, joinedAt[i] ?? 0] as const);
      this.#awaited.set(slot, { replicas: pairs, sinceMs: this.#options.nowMs(), firstBackAtMs: null });
    }
    return this.#awaited.get(slot);
  }

  /**
   * None is left of those that had the slot, nor of those that were to have it by a map that nobody has seen. Each may bring it back:
   * what was acknowledged all of them had, the learners among them as well that were to be full. *[found: only the latter were
   * waited for]*
   *
   * @param previous - the published map
   * @returns whether there is anything to wait for
   */
  awaitAll(index: number, previous: ClusterMap, next: ClusterMap): boolean {
    const before = previous.slot(index);
    if (!this.isDurable) return false;
    if (before.replicas.length === 0) return this.#awaitAgain(index);
    const promoted = next.slot(index).replicas.filter((id) => before.learners.includes(id));
    const replicas = [...before.replicas, ...promoted];
    const joinedAt = [
      ...before.joinedAt.slice(0, before.replicas.length),
      ...promoted.map((id) => next.joinedAt(index, id) ?? 0),
    ];
    this.#await(index, { ...before, replicas, joinedAt });
    return true;
  }

  /** Whoever was to bring it back has died before anybody knew: all that were waited for may do so still. *[found: only that one was]* */
  #awaitAgain(slot: number): boolean {
    const reviving = this.#reviving.get(slot);
    if (reviving === undefined) return false;
    this.#awaited.set(slot, { ...reviving.awaited, firstBackAtMs: null });
    if (reviving.isGivenUp) this.#givenUp.add(slot);
    return true;
  }

  /** Here and heard of. A member of a manager that was restarted has not said yet what it has. */
  #here(id: number): Member | undefined {
    const { members, lapsed } = this.#options.roster;
    const member = members.get(id);
    return member === undefined || member.link === null || lapsed.has(id) ? undefined : member;
  }

  #holds(slot: number, id: number, joinedAt: number): boolean {
    return this.#here(id)?.diskSlots.get(slot) === joinedAt;
  }

  #othersMayCome(firstBackAtMs: number): boolean {
    const { durability, nowMs } = this.#options;
    return durability === 'interval' && nowMs() - firstBackAtMs < othersAwaitedMs;
  }

  #latest(back: readonly AwaitedSlot[1][number][]): AwaitedSlot[1][number] | undefined {
    const clockUs = ([id]: AwaitedSlot[1][number]): number =>
      this.#options.roster.members.get(id)?.diskClockUs ?? 0;
    return [...back].sort((a, b) => clockUs(b) - clockUs(a))[0];
  }

  /** Slots that wait for somebody who has their data. */
  get waiting(): readonly number[] {
    return [...this.#awaited.keys()];
  }

  /**
   * How many slots wait although all that had them are back, and those nodes: none of their disks holds any of it. Not in a
   * cluster that has not been whole yet: there they begin by themselves, as soon as a lease's time has passed.
   */
  get stranded(): { readonly slots: number; readonly nodeIds: readonly number[] } {
    const nodeIds = new Set<number>();
    let slots = 0;
    if (this.#isNew) return { slots, nodeIds: [] };
    for (const [slot, { replicas }] of this.#awaited) {
      const isBackWithout = ([id, joinedAt]: AwaitedSlot[1][number]): boolean =>
        this.#here(id) !== undefined && !this.#holds(slot, id, joinedAt);
      if (this.#givenUp.has(slot) || !replicas.every(isBackWithout)) continue;
      slots++;
      for (const [id] of replicas) nodeIds.add(id);
    }
    return { slots, nodeIds: [...nodeIds].sort((a, b) => a - b) };
  }

  /** Some slot waits for what the node has. */
  awaits(nodeId: number): boolean {
    return [...this.#awaited.values()].some(({ replicas }) => replicas.some(([id]) => id === nodeId));
  }

  /**
   * The next map gives the slot a full replica. Until then whoever comes back with its data is the one it waits for, although
   * that may have been given up: nobody may be there to begin without it. *[found: intact disks were cleared]*
   */
  hasReplica(slot: number): void {
    const awaited = this.#awaited.get(slot);
    if (awaited !== undefined) this.#reviving.set(slot, { awaited, isGivenUp: this.#givenUp.has(slot) });
    this.#awaited.delete(slot);
    this.#givenUp.delete(slot);
  }

  /** Everybody may have seen the map. @returns whether some slot waits */
  onPublished(): boolean {
    this.#reviving.clear();
    return this.#awaited.size > 0;
  }

  /**
   * One that was taken for dead is heard of: the word was wrong, and what has not begun by it waits on, until it is said again. *[found]*
   * What it has promised (M8) holds from now on for a lease's time at most: to him who hears the manager it says nothing.
   *
   * @returns whether there was anything to be taken back, which is to be saved
   */
  takeBack(): boolean {
    const sinceMs = this.#options.nowMs();
    const hadWord = this.#givenUp.size > 0;
    this.#givenUp.clear();
    for (const [slot, awaited] of this.#awaited) this.#awaited.set(slot, { ...awaited, sinceMs });
    return hadWord;
  }

  /** They begin with what is there, unless somebody who has their data is back before that. */
  giveUp(slots: Iterable<number>): void {
    for (const slot of slots) this.#givenUp.add(slot);
  }
}
