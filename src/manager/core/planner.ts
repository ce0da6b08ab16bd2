/**
 * Derives the next map from the published one and the manager's notes. The same notes give the same map.
 *
 * Everything that needs no fence is taken into one map at once: members that are gone leave, learners that are done
 * are promoted, absent homes get substitutes, new members become learners. Only when nothing of that is left are
 * surplus replicas removed, behind a fence (M4).
 */
import { ClusterMap, newSlot } from '../../protocol/cluster-map.js';
import type { MemberNode, SlotAssignment } from '../../protocol/cluster-map.js';
import { unlabelled } from '../../protocol/messages.js';
import type { ClusterSettings } from '../../protocol/settings.js';
import { rebalanced } from './balance.js';
import type { Departure } from './fencing.js';
import type { Intent } from './intent.js';
import {
  desiredReplicas,
  homeSubstitutes,
  stepFreely,
  surplusReplicas,
  targetSubstitutes,
  withMembers,
  withoutNode,
  withPromoted,
} from './placement.js';
import type { Candidates } from './placement.js';
import type { LogLevel } from './ports.js';
import type { Recovery } from './recovery.js';
import { isLearnerSince } from './roster.js';
import type { Roster } from './roster.js';

export interface PlannerOptions {
  readonly roster: Roster;
  readonly recovery: Recovery;
  readonly intent: Intent;
  /** How many nodes the cluster was created with: they are the homes. */
  readonly nodeCount: number;
  /** Whether a lost node's place is still kept for it. */
  readonly isExpectedBack: (nodeId: number) => boolean;
  /** Nodes that may hold slots, those included that are away for a moment. */
  readonly places: () => readonly number[];
  /** Slots lost all their full replicas; `partly`: a learner of each goes on with the part it has (M6). */
  readonly onSlotsLost: (slots: readonly number[], partly: boolean, epoch: number) => void;
}

export class Planner {
  readonly #options: PlannerOptions;
  /** Found while the map at hand is derived. */
  #lostPartly: number[] = [];
  #lostWholly: number[] = [];

  constructor(options: PlannerOptions) {
    this.#options = options;
  }

  /** Epoch 1, once every node of the new cluster is there; null before. */
  first(clusterId: string): ClusterMap | null {
    const { nodeCount, roster, intent } = this.#options;
    const { settings } = intent;
    const nodes: MemberNode[] = roster.memberNodes().filter((node) => node.id < nodeCount);
    if (nodes.length < nodeCount) return null;
    const ids = nodes.map((node) => node.id);
    this.#spreadOverHosts(ids);
    const slots = Array.from({ length: settings.slotCount }, (_, slot) => newSlot(intent.target(slot), 1));
    return new ClusterMap({ clusterId, epoch: 1, settings, nodes, slots });
  }

  /** Where the home rule would put replicas of a slot on one host though there are others, it holds for no slot. */
  #spreadOverHosts(nodes: readonly number[]): void {
    const { intent } = this.#options;
    const { replicas, slotCount } = intent.settings;
    const labels = new Set(nodes.map((id) => intent.labelOf(id) || id));
    const targets = Array.from({ length: slotCount }, (_, slot) => intent.target(slot));
    const isSpread = (ids: readonly number[]): boolean =>
      new Set(ids.map((id) => intent.labelOf(id) || id)).size >= Math.min(replicas, labels.size);
    if (targets.every(isSpread)) return;
    intent.targets = rebalanced({ targets, nodes, replicas, labelOf: (id) => intent.labelOf(id) });
  }

  #candidates(): Candidates {
    const { roster, nodeCount, isExpectedBack, intent, places } = this.#options;
    const ids = new Set([...roster.members.keys(), ...places()]);
    const later = [...ids].filter((id) => id >= nodeCount).sort((a, b) => a - b);
    const ring = [...Array(nodeCount).keys(), ...later];
    const usable = new Set<number>();
    const expected = new Set<number>();
    for (const id of ring) {
      const isPresent = roster.members.has(id) && !roster.lapsed.has(id) && !roster.isolated.has(id);
      // Being restarted: its places are kept. A place that only it can hold is given to another first.
      if (id === intent.restartingId) {
        if (intent.settings.replicas > 1) expected.add(id);
      } else if (isPresent) usable.add(id);
      else if (isExpectedBack(id)) expected.add(id);
    }
    return { ring, usable, expected, labelOf: (id) => intent.labelOf(id) };
  }

  #desired(slot: number, present: SlotAssignment, candidates: Candidates): number[] {
    const { nodeCount, intent } = this.#options;
    const substitutes = intent.hasTargets
      ? targetSubstitutes(slot, [...present.replicas, ...present.learners], candidates.ring)
      : homeSubstitutes(slot, nodeCount, candidates.ring);
    const base = intent.target(slot);
    const able = substitutes.filter((id) => !intent.isBarred(id));
    const count = intent.count(slot);
    const { leavingId } = intent;
    // Whoever is on its way out helps where there is nobody else, or nobody on another host as long as those may come back
    // whose place it is. If they have gone for good it is not kept for them.
    if (leavingId >= 0 && this.#mayReturn(base, candidates))
      return desiredReplicas(base, [...able, leavingId], count, candidates);
    const desired = desiredReplicas(base, able, count, candidates);
    if (desired.length === count || leavingId < 0) return desired;
    return desiredReplicas(desired, [leavingId], count, candidates);
  }

  /** One of them is away, and has its place in the cluster. */
  #mayReturn(base: readonly number[], { usable, expected }: Candidates): boolean {
    const away = base.filter((id) => !usable.has(id) && !expected.has(id));
    if (away.length === 0) return false;
    const places = this.#options.places();
    return away.some((id) => places.includes(id));
  }

  /** The slot is as it shall be, as far as the nodes that are there allow. */
  isSettled(map: ClusterMap, slot: number): boolean {
    const { replicas, learners } = map.slot(slot);
    const desired = this.#desired(slot, map.slot(slot), this.#candidates());
    const isSame = desired.length === replicas.length && desired.every((id, i) => id === replicas[i]);
    // One without any waits for somebody who has it (D3).
    return isSame && replicas.length > 0 && learners.length === 0;
  }

  /**
   * Everything that needs no fence, in one new map; null if there is nothing to change.
   */
  next(map: ClusterMap): ClusterMap | null {
    const { roster, intent } = this.#options;
    const { settings } = intent;
    const epoch = map.epoch + 1;
    const candidates = this.#candidates();
    this.#lostPartly = [];
    this.#lostWholly = [];
    const slots = map.slots.map((slot, index) => this.#nextSlot(map, slot, index, epoch, candidates));
    if (this.#lostPartly.length > 0) this.#options.onSlotsLost(this.#lostPartly, true, epoch);
    if (this.#lostWholly.length > 0) this.#options.onSlotsLost(this.#lostWholly, false, epoch);
    // A lapsed member stays in the map while it is the last of some slot: nobody else has its data.
    const isLast = (id: number): boolean =>
      slots.some(({ replicas, learners }) => replicas.includes(id) || learners.includes(id));
    const nodes = roster.memberNodes().filter(({ id }) => !roster.lapsed.has(id) || isLast(id));
    const isSame =
      isSameSettings(settings, map.settings) &&
      slots.every((slot, i) => slot === map.slots[i]) &&
      nodes.length === map.nodes.length &&
      nodes.every((node) => map.node(node.id)?.incarnation === node.incarnation);
    return isSame ? null : new ClusterMap({ ...map.toData(), settings, epoch, nodes, slots });
  }

  #nextSlot(
    map: ClusterMap,
    slot: SlotAssignment,
    index: number,
    epoch: number,
    candidates: Candidates,
  ): SlotAssignment {
    const desired = this.#desired(index, slot, candidates);
    let next = this.#withoutTheGone(map, index, epoch);
    for (const [id, joinedAt] of this.#options.roster.copied.get(index) ?? []) {
      if (isLearnerSince(next, id, joinedAt)) next = withPromoted(next, id, epoch);
    }
    if (next.replicas.length === 0) {
      const revived = this.#options.recovery.revive(index, slot, next.learners, epoch);
      if (revived === null) return next;
      next = revived ?? this.#recovered(next, index, desired, candidates, epoch);
    }
    if (next.replicas.length > 0) this.#options.recovery.hasReplica(index);
    return stepFreely(next, this.#withHolders(next, index, desired), candidates.usable, epoch);
  }

  /**
   * D3: while none of its replicas is heard of, whoever has the slot on its disk is a learner of it: a node that has no part in it
   * clears what it holds, and that may be all that is left. *[found: a manager and nodes lost power together while a node was
   * drained; that was the first to be back, and the others had lost their disks]*
   */
  #withHolders({ replicas }: SlotAssignment, index: number, desired: readonly number[]): readonly number[] {
    const { members } = this.#options.roster;
    if (replicas.some((id) => (members.get(id)?.link ?? null) !== null)) return desired;
    const holders = [...members.keys()].filter((id) => this.#holds(id, index) && !desired.includes(id));
    return [...desired, ...holders];
  }

  /** The member that the map names has not gone since, nor begun another life. */
  #isHere(map: ClusterMap, id: number): boolean {
    const node = map.node(id);
    return node !== undefined && this.#options.roster.members.get(id)?.incarnation === node.incarnation;
  }

  /** M3: without members that are gone, and without lapsed ones where another full replica stands by. */
  #withoutTheGone(map: ClusterMap, index: number, epoch: number): SlotAssignment {
    const { lapsed } = this.#options.roster;
    let next = map.slot(index);
    for (const id of [...next.replicas, ...next.learners]) {
      if (!this.#isHere(map, id)) next = withoutNode(next, id, epoch);
    }
    const hasSound = next.replicas.some((id) => !lapsed.has(id));
    for (const id of [...next.replicas, ...next.learners]) {
      // D3: what a learner has on its disk may be all that is left. *[found]*
      const isLast = !hasSound && (next.replicas.includes(id) || this.#holds(id, index));
      if (lapsed.has(id) && !isLast) next = withoutNode(next, id, epoch);
    }
    return next;
  }

  /** It had all of the slot once: on its disk, or in memory when it was removed while alive (M6), as it said when it registered. */
  #holds(id: number, slot: number): boolean {
    return this.#options.roster.members.get(id)?.diskSlots.has(slot) === true;
  }

  /**
   * M6, the recovery rule for memory: every full replica of the slot is dead. Its learners hold a part of it each, and
   * every write since they joined, and perhaps what they had when they were removed while alive. One serves on with that, and the
   * others join anew: two parts, both VALID, would differ for good. *[found]* Without learners the slot begins empty.
   */
  #recovered(
    slot: SlotAssignment,
    index: number,
    desired: readonly number[],
    candidates: Candidates,
    epoch: number,
  ): SlotAssignment {
    const { lapsed } = this.#options.roster;
    const silence = (id: number): number => (lapsed.has(id) ? 1 : 0);
    const rank = (id: number): number => (this.#holds(id, index) ? 0 : 1);
    const joinedAt = (id: number): number => slot.joinedAt[slot.learners.indexOf(id)] ?? epoch;
    // Who is there; who had all of it once (D3, M6); who has had the most time.
    const [heir] = [...slot.learners].sort(
      (a, b) => silence(a) - silence(b) || rank(a) - rank(b) || joinedAt(a) - joinedAt(b),
    );
    // Who has just come back with all of it is no learner yet.
    const holder = heir === undefined ? this.#holder(index) : undefined;
    if (holder !== undefined) {
      this.#lostPartly.push(index);
      return { ...newSlot([holder.id], epoch), joinedAt: [holder.joinedAt] };
    }
    const successors = heir === undefined ? desired.filter((id) => candidates.usable.has(id)) : [heir];
    if (successors.length === 0) return slot;
    (heir === undefined ? this.#lostWholly : this.#lostPartly).push(index);
    return withMembers(slot, successors, [], epoch);
  }

  /**
   * D3, M6: who is there and had the slot whole once, on its disk or in memory; the latest if there are several. It goes on with that. *[found: the
   * slot began empty, though a node that had been taken off it was back with all of it]*
   */
  #holder(slot: number): { readonly id: number; readonly joinedAt: number } | undefined {
    const { members, lapsed } = this.#options.roster;
    const holders = [...members.values()].flatMap(({ id, link, diskSlots, diskClockUs }) => {
      const joinedAt = diskSlots.get(slot) ?? unlabelled;
      return joinedAt === unlabelled || link === null || lapsed.has(id)
        ? []
        : [{ id, joinedAt, diskClockUs }];
    });
    return holders.sort((a, b) => b.joinedAt - a.joinedAt || b.diskClockUs - a.diskClockUs)[0];
  }

  /**
   * A map that nobody has seen yet, with the former replicas of those slots whose new ones have all died, or lost their
   * leases, while it was saved: whoever was to leave, or was silent, still has everything, until it sees that it is off (M4). So have the disks of
   * those that were gone before (D3). null: nothing to mend. *[found]*
   */
  withSurvivors(map: ClusterMap, previous: ClusterMap): ClusterMap | null {
    const { lapsed } = this.#options.roster;
    const isHere = (id: number): boolean => this.#isHere(map, id);
    const isSound = (id: number): boolean => isHere(id) && !lapsed.has(id);
    const slots = map.slots.map((slot, index) => {
      const { replicas } = slot;
      if (replicas.length === 0 || replicas.some(isSound)) return slot;
      const former = this.#withoutTheGone(previous, index, map.epoch);
      // M3: rather one that is silent than one that is dead.
      const isLeft = replicas.some(isHere);
      const isWorthMore = former.replicas.some((id) => !isLeft || !lapsed.has(id));
      if (former.replicas.length === 0 && !isLeft && this.#options.recovery.awaitAll(index, previous, map))
        return former;
      return isWorthMore ? former : slot;
    });
    if (slots.every((slot, i) => slot === map.slots[i])) return null;
    // Learners, too: one that was silent, and has the slot on its disk, comes back with the replicas. *[found]*
    const isNeeded = ({ id }: MemberNode): boolean =>
      map.node(id) === undefined &&
      slots.some(({ replicas, learners }) => replicas.includes(id) || learners.includes(id));
    const nodes = [...map.nodes, ...previous.nodes.filter(isNeeded)].sort((a, b) => a.id - b.id);
    return new ClusterMap({ ...map.toData(), nodes, slots });
  }

  /** Replicas that shall leave, for good reason: others have taken over, nobody can reach them, they must restart. */
  departures(map: ClusterMap): Departure[] {
    const { intent } = this.#options;
    const candidates = this.#candidates();
    const restartingId = this.#mayRestart(map, candidates) ? intent.restartingId : -1;
    const departures: Departure[] = [];
    map.slots.forEach((slot, index) => {
      const desired = this.#desired(index, slot, candidates);
      // With too few nodes left, or while K grows, nobody is surplus: a slot keeps as many replicas as it can have.
      const isShort = desired.length < Math.min(intent.settings.replicas, slot.replicas.length);
      const isolated = this.#isolated(slot, candidates);
      // Nobody is surplus beside one that is cut off: he may be all that the slot has left then.
      const surplus = isShort || isolated.length > 0 ? [] : surplusReplicas(slot, desired);
      const leaving = new Set([...isolated, ...surplus]);
      if (slot.replicas.includes(restartingId)) leaving.add(restartingId);
      for (const nodeId of leaving) departures.push({ slot: index, nodeId });
    });
    return departures;
  }

  /** Of these, those that hold everybody up: they wait for no other step. */
  urgentDepartures(map: ClusterMap): Departure[] {
    if (this.#options.roster.isolated.size === 0) return [];
    const candidates = this.#candidates();
    return map.slots.flatMap((slot, index) =>
      this.#isolated(slot, candidates).map((nodeId) => ({ slot: index, nodeId })),
    );
  }

  /** Replicas that nobody can reach, beside one that is sound. */
  #isolated({ replicas }: SlotAssignment, { usable }: Candidates): number[] {
    if (!replicas.some((id) => usable.has(id))) return [];
    return replicas.filter((id) => this.#options.roster.isolated.has(id));
  }

  /** Every slot has all its replicas, and they answer: then each can do without one for a while. */
  #mayRestart(map: ClusterMap, { usable }: Candidates): boolean {
    const { intent, places } = this.#options;
    const { restartingId, settings } = intent;
    if (restartingId < 0 || settings.replicas < 2) return false;
    const placeCount = places().length;
    return map.slots.every(({ replicas, learners }, slot) => {
      const others = replicas.filter((id) => usable.has(id)).length;
      const wanted = Math.min(intent.count(slot), placeCount) - 1;
      return learners.length === 0 && others >= Math.max(1, wanted);
    });
  }

  /** The map once the leaving nodes are fenced. */
  after(map: ClusterMap, epoch: number, departures: readonly Departure[] = []): ClusterMap {
    const slots = [...map.slots];
    for (const { slot, nodeId } of departures)
      slots[slot] = withoutNode(slots[slot] ?? map.slot(slot), nodeId, epoch);
    return new ClusterMap({ ...map.toData(), epoch, slots });
  }
}

function isSameSettings(a: ClusterSettings, b: ClusterSettings): boolean {
  return a.replicas === b.replicas && a.copyBytesPerSecondMax === b.copyBytesPerSecondMax;
}

/** One line of the failover story, a minor one if it is but some slots on their way. */
export function describeChange(
  previous: ClusterMap | null,
  map: ClusterMap,
): [level: LogLevel, text: string] {
  const changed = map.slots.filter((slot) => slot.changedAt === map.epoch).length;
  const learners = map.slots.reduce((sum, slot) => sum + slot.learners.length, 0);
  const short = map.slots.filter((slot) => slot.replicas.length < map.settings.replicas).length;
  const ids = (nodes: readonly MemberNode[]): string => nodes.map((node) => node.id).join(' ');
  const isSameNodes = previous !== null && ids(previous.nodes) === ids(map.nodes);
  const members = isSameNodes ? '' : `; nodes ${ids(map.nodes)}`;
  const state =
    learners + short === 0 ? 'every slot is whole' : `${learners} learners, ${short} slots under-replicated`;
  const isStep = isSameNodes && learners + short > 0;
  return [isStep ? 'debug' : 'info', `epoch ${map.epoch}: ${changed} slots changed; ${state}${members}`];
}

export function describeLoss(slots: readonly number[], partly: boolean, epoch: number): string {
  const content = partly ? 'the part a learner had' : 'nothing';
  return `${slots.length} slots lost all their replicas and go on with ${content} from epoch ${epoch}: ${slots.join(' ')}`;
}
