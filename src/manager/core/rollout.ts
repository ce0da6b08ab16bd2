/**
 * How maps reach everybody (PROTOCOL M7), and how fast they may follow one another.
 *
 * A map that takes a lost member away goes to everybody at once. All others are steps of slots on their way, and
 * nobody waits for them: those go to the nodes first, and to clients when every node has adopted them, or after a moment.
 * A client that is ahead of a node is fenced by it whatever the slot (W3); one that is behind, in the changed slots only.
 * They also keep a distance from one another, so that what is done meanwhile goes into one map instead of many.
 */
import type { ClusterMap } from '../../protocol/cluster-map.js';
import { changeOf } from '../../protocol/map-change.js';
import { MessageType } from '../../protocol/messages.js';
import type { GetMapMessage, Link, MapChangeMessage, Message } from '../../protocol/messages.js';
import type { ManagerTimings } from './ports.js';
import type { Roster } from './roster.js';

/** A node that does not adopt a map holds steps up for so many times their usual distance at most. */
const distancesMax = 10;

export class Rollout {
  readonly #roster: Roster;
  readonly #timings: Pick<ManagerTimings, 'stepEveryMs' | 'clientsWaitMs'>;
  readonly #nowMs: () => number;
  #publishedAtMs = -Infinity;
  #epoch = 0;
  #whole: Message | null = null;
  /** What the newest map changed; null: it is the first. */
  #change: MapChangeMessage | null = null;
  /** Sent to the nodes only, so far. */
  readonly #waiting = new Set<Link>();
  /** Epoch of the newest map pushed to each. A connection loses nothing: only a change is sent next. */
  readonly #told = new WeakMap<Link, number>();

  constructor(
    roster: Roster,
    timings: Pick<ManagerTimings, 'stepEveryMs' | 'clientsWaitMs'>,
    nowMs: () => number,
  ) {
    this.#roster = roster;
    this.#timings = timings;
    this.#nowMs = nowMs;
  }

  /** Whether the next step may be taken: the last map is out, and was given time. */
  get allowsStep(): boolean {
    const elapsedMs = this.#nowMs() - this.#publishedAtMs;
    const { stepEveryMs } = this.#timings;
    return elapsedMs >= stepEveryMs && (this.#isAdopted() || elapsedMs >= stepEveryMs * distancesMax);
  }

  #isAdopted(): boolean {
    for (const { admitted, adoptedEpoch } of this.#roster.members.values())
      if (admitted && adoptedEpoch < this.#epoch) return false;
    return true;
  }

  announce(map: ClusterMap, previous: ClusterMap | null, links: ReadonlySet<Link>): void {
    this.#publishedAtMs = this.#nowMs();
    this.#epoch = map.epoch;
    this.#waiting.clear();
    this.#whole = wholeOf(map);
    this.#change = previous && { type: MessageType.mapChange, ...changeOf(previous, map) };
    const isLeisurely = previous !== null && losesNobody(previous, map);
    const members = new Set([...this.#roster.members.values()].map(({ link }) => link));
    for (const link of links) {
      if (isLeisurely && !members.has(link)) this.#waiting.add(link);
      else this.#tell(link);
    }
  }

  #tell(link: Link): void {
    const change = this.#change;
    const message = change !== null && this.#told.get(link) === change.base ? change : this.#whole;
    this.#told.set(link, this.#epoch);
    if (message !== null) link.send(message);
  }

  /** A node has not adopted the newest map. If it was told of it, the map is on its way or the node defers it (M8). */
  onBehind(link: Link, map: ClusterMap): void {
    if (this.#told.get(link) === map.epoch) return;
    this.#told.set(link, map.epoch);
    link.send(wholeOf(map));
  }

  /** Whether the asker is one of those that will be told in a moment. */
  willTell(link: Link, { newerThan }: GetMapMessage): boolean {
    return this.#waiting.has(link) && newerThan + 1 >= this.#epoch;
  }

  onLinkClosed(link: Link): void {
    this.#waiting.delete(link);
  }

  /** Call when a node has been heard, and every few milliseconds. */
  goOn(): void {
    if (this.#waiting.size === 0) return;
    if (this.#nowMs() - this.#publishedAtMs < this.#timings.clientsWaitMs && !this.#isAdopted()) return;
    for (const link of this.#waiting) this.#tell(link);
    this.#waiting.clear();
  }
}

function wholeOf(map: ClusterMap): Message {
  return { type: MessageType.map, rid: 0, map: map.toData() };
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
