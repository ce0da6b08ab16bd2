/**
 * How maps reach everybody (PROTOCOL M7), and how fast they may follow one another.
 *
 * A map that takes a lost member away goes to everybody at once. All others are steps of slots on their way, and
 * nobody waits for them: those go to the nodes first, and to clients when every node has adopted them, or after a moment.
 * A client that is ahead of a node is fenced by it whatever the slot (W3); one that is behind, in the changed slots only.
 * They also keep a distance from one another, so that what is done meanwhile goes into one map instead of many; a short one
 * while hardly anybody asks for anything.
 */
import type { ClusterMap } from '../../protocol/cluster-map.js';
import { changeOf } from '../../protocol/map-change.js';
import { MessageType } from '../../protocol/messages.js';
import type { GetMapMessage, Link, MapChangeMessage, MapMessage } from '../../protocol/messages.js';
import type { ManagerTimings } from './ports.js';
import type { Roster } from './roster.js';
import type { SlotLoads } from './slot-loads.js';

/** A cluster of which all nodes together are asked for less than this is idle. */
const idleRequestsPerSecond = 30;
/** A node that does not adopt a map holds steps up for so many times their usual distance at most. */
const distancesMax = 10;

type RolloutTimings = Pick<ManagerTimings, 'stepEveryMs' | 'stepEveryIdleMs' | 'clientsWaitMs'>;

/** The newest map, as it is sent. */
interface News {
  readonly epoch: number;
  readonly whole: MapMessage;
  /** null: it is the first. */
  readonly change: MapChangeMessage | null;
}

function newsOf(map: ClusterMap, previous: ClusterMap | null): News {
  const whole = { type: MessageType.map, rid: 0, map: map.toData() };
  const change = previous && { type: MessageType.mapChange, ...changeOf(previous, map) };
  return { epoch: map.epoch, whole, change };
}

export class Rollout {
  readonly #roster: Roster;
  readonly #timings: RolloutTimings;
  readonly #loads: Pick<SlotLoads, 'requestsPerSecond'>;
  readonly #nowMs: () => number;
  #publishedAtMs = -Infinity;
  #news: News | null = null;
  /** Sent to the nodes only, so far. */
  readonly #waiting = new Set<Link>();
  /** Epoch of the newest map sent to each. A connection loses nothing: what it changes is enough next. */
  readonly #told = new WeakMap<Link, number>();

  constructor(
    roster: Roster,
    timings: RolloutTimings,
    loads: Pick<SlotLoads, 'requestsPerSecond'>,
    nowMs: () => number,
  ) {
    this.#roster = roster;
    this.#timings = timings;
    this.#loads = loads;
    this.#nowMs = nowMs;
  }

  /** Whether the next step may be taken: the last map is out, and was given time. */
  get allowsStep(): boolean {
    const elapsedMs = this.#nowMs() - this.#publishedAtMs;
    const { stepEveryMs, stepEveryIdleMs } = this.#timings;
    if (elapsedMs < (this.#isIdle() ? stepEveryIdleMs : stepEveryMs)) return false;
    return this.#isAdopted() || elapsedMs >= stepEveryMs * distancesMax;
  }

  #isIdle(): boolean {
    return this.#loads.requestsPerSecond(this.#nowMs()) < idleRequestsPerSecond;
  }

  #isAdopted(): boolean {
    const epoch = this.#news?.epoch ?? 0;
    for (const { admitted, adoptedEpoch } of this.#roster.members.values())
      if (admitted && adoptedEpoch < epoch) return false;
    return true;
  }

  announce(map: ClusterMap, previous: ClusterMap | null, links: ReadonlySet<Link>): void {
    this.#publishedAtMs = this.#nowMs();
    this.#waiting.clear();
    const news = newsOf(map, previous);
    this.#news = news;
    const isLeisurely = previous !== null && losesNobody(previous, map);
    const members = new Set([...this.#roster.members.values()].map(({ link }) => link));
    for (const link of links) {
      if (isLeisurely && !members.has(link)) this.#waiting.add(link);
      else this.#tell(link, news);
    }
  }

  #tell(link: Link, { epoch, change, whole }: News): void {
    const isBaseThere = change !== null && this.#told.get(link) === change.base;
    this.#told.set(link, epoch);
    link.send(isBaseThere ? change : whole);
  }

  /**
   * GET_MAP. Whoever will be told in a moment, and has the map before, is not answered. Nor is the map sent again to whoever asked
   * while it was on its way: when a node fails all clients ask at once, and whole maps would take longer than all the rest.
   */
  onGetMap(link: Link, { rid, newerThan }: GetMapMessage, map: ClusterMap | null): void {
    const epoch = map?.epoch ?? 0;
    if (this.#waiting.has(link) && newerThan + 1 >= epoch) return;
    const isOnItsWay = this.#told.get(link) === epoch && this.#news?.change?.base === newerThan;
    if (map !== null && epoch > newerThan && !isOnItsWay) {
      this.#waiting.delete(link);
      this.#told.set(link, epoch);
      link.send({ type: MessageType.map, rid, map: map.toData() });
    } else {
      link.send({ type: MessageType.map, rid, map: null });
    }
  }

  onLinkClosed(link: Link): void {
    this.#waiting.delete(link);
  }

  /** Call when a node has been heard, and every few milliseconds. */
  goOn(): void {
    const news = this.#news;
    if (news === null || this.#waiting.size === 0) return;
    if (this.#nowMs() - this.#publishedAtMs < this.#timings.clientsWaitMs && !this.#isAdopted()) return;
    for (const link of this.#waiting) this.#tell(link, news);
    this.#waiting.clear();
  }
}

/** The same members, and no slot is without a replica that was lost: whoever left a slot was fenced before (M4). */
function losesNobody(previous: ClusterMap, map: ClusterMap): boolean {
  return (
    previous.nodes.length === map.nodes.length &&
    map.nodes.every(({ id, incarnation }) => previous.node(id)?.incarnation === incarnation)
  );
}

/** The map only takes slots a step on: nobody is lost, no settings change, and no replica leaves. */
export function isStep(previous: ClusterMap, map: ClusterMap): boolean {
  return (
    losesNobody(previous, map) &&
    previous.settings === map.settings &&
    map.slots.every((slot, index) => {
      const before = previous.slots[index];
      if (before === slot) return true;
      return (
        before !== undefined &&
        before.replicas.length > 0 &&
        before.replicas.every((id) => slot.replicas.includes(id))
      );
    })
  );
}
