/**
 * The substitute for a lease while the manager is away (M8): a node asks every other node not to adopt a newer epoch for a
 * lease's time, and serves a slot while all its other members have promised that, learners included, at its own epoch.
 * Alone in its slot a full replica needs nobody: a learner could only be filled by it, at its own epoch.
 *
 * Who has promised defers newer maps until then. So whoever asked gives the promises back as soon as it serves by them no
 * more: it holds a lease again, or waits to adopt a newer map itself. Without that, everything would stand still for a
 * lease's time after the manager came back to a failure.
 */
import { MessageType } from '../../protocol/messages.js';
import type { Link, PromiseAskMessage, PromiseMessage, ReleaseMessage } from '../../protocol/messages.js';
import { clockDriftRatio } from '../../protocol/settings.js';
import type { Membership } from './membership.js';
import type { NodePorts } from './ports.js';

/** The last question to a node: what there is to give back. */
interface Asked {
  readonly rid: number;
  readonly incarnation: number;
}

interface Ask {
  readonly nodeId: number;
  readonly sentMs: number;
  readonly epoch: number;
}

/** What this node has promised to one incarnation of another, in answer to its questions up to `rid`. */
interface Given {
  readonly nodeId: number;
  readonly incarnation: number;
  readonly rid: number;
  readonly untilMs: number;
}

export class Promises {
  readonly #ports: NodePorts;
  readonly #membership: Membership;
  readonly #nextRid: () => number;
  /** Promises of others, at the present epoch: node id to own-clock end. */
  readonly #held = new Map<number, number>();
  /** Questions that may still be answered. */
  readonly #asks = new Map<number, Ask>();
  /** By node, until what it promised is given back. */
  readonly #asked = new Map<number, Asked>();
  #isRelying = false;
  /** This node's own: it adopts nothing newer before they are over. */
  #given: readonly Given[] = [];

  constructor(ports: NodePorts, membership: Membership, nextRid: () => number) {
    this.#ports = ports;
    this.#membership = membership;
    this.#nextRid = nextRid;
  }

  /** Whether every other member of the slot has promised. */
  cover(slot: number, nowMs: number): boolean {
    const { map, nodeId } = this.#membership;
    if (map === null) return false;
    for (const member of map.members(slot)) {
      if (member !== nodeId && nowMs >= (this.#held.get(member) ?? -Infinity)) return false;
    }
    return true;
  }

  /** Whether a newer map must wait for a promise of this node to run out. */
  get areGiven(): boolean {
    const nowMs = this.#ports.nowMs();
    return this.#given.some(({ untilMs }) => nowMs < untilMs);
  }

  ask(leaseMs: number): void {
    const nowMs = this.#ports.nowMs();
    const { map, nodeId, incarnation, epoch } = this.#membership;
    this.#isRelying = true;
    for (const [rid, { sentMs }] of this.#asks) if (nowMs - sentMs > leaseMs) this.#asks.delete(rid);
    for (const node of map?.nodes ?? []) {
      const link = node.id === nodeId ? undefined : this.#ports.peer(node.id);
      if (link === undefined) continue;
      const rid = this.#nextRid();
      this.#asks.set(rid, { nodeId: node.id, sentMs: nowMs, epoch });
      this.#asked.set(node.id, { rid, incarnation });
      link.send({ type: MessageType.promiseAsk, rid, nodeId, incarnation, epoch });
    }
  }

  /** @param isGranted the caller's judgement; the asker must be a member of this node's epoch, too */
  answer(
    link: Link,
    { rid, nodeId, incarnation, epoch }: PromiseAskMessage,
    isGranted: boolean,
    leaseMs: number,
  ): void {
    const asker = this.#membership.map?.node(nodeId);
    const granted = isGranted && epoch === this.#membership.epoch && asker?.incarnation === incarnation;
    if (granted) this.#give({ nodeId, incarnation, rid, untilMs: this.#ports.nowMs() + leaseMs });
    link.send({ type: MessageType.promise, rid, epoch: this.#membership.epoch, granted });
  }

  #give(promise: Given): void {
    const before = this.#given.find((given) => isToSame(given, promise));
    const rid = Math.max(promise.rid, before?.rid ?? 0);
    const untilMs = Math.max(promise.untilMs, before?.untilMs ?? -Infinity);
    const nowMs = this.#ports.nowMs();
    const others = this.#given.filter((given) => given !== before && nowMs < given.untilMs);
    this.#given = [...others, { ...promise, rid, untilMs }];
  }

  onPromise({ rid, epoch, granted }: PromiseMessage, leaseMs: number): void {
    const ask = this.#asks.get(rid);
    this.#asks.delete(rid);
    if (!granted || ask?.epoch !== this.#membership.epoch || epoch !== ask.epoch) return;
    const untilMs = ask.sentMs + leaseMs * (1 - 2 * clockDriftRatio);
    this.#held.set(ask.nodeId, Math.max(untilMs, this.#held.get(ask.nodeId) ?? -Infinity));
  }

  /** From now on this node serves by no promise, and says so to all it has asked. */
  giveBack(): void {
    this.#held.clear();
    this.#asks.clear();
    this.#isRelying = false;
    this.tick();
  }

  /** Who is out of reach hears of it later: it may find the question in its socket only when it wakes up. */
  tick(): void {
    if (this.#isRelying || this.#asked.size === 0) return;
    const { nodeId } = this.#membership;
    for (const [id, { rid, incarnation }] of this.#asked) {
      const link = this.#ports.peer(id);
      if (link === undefined) continue;
      this.#asked.delete(id);
      link.send({ type: MessageType.release, rid, nodeId, incarnation });
    }
  }

  /** One that was overtaken by a later question, on another connection, releases nothing: that one may be relied on. */
  onRelease(message: ReleaseMessage): void {
    this.#given = this.#given.filter((given) => !isToSame(given, message) || given.rid > message.rid);
  }
}

function isToSame(
  a: { readonly nodeId: number; readonly incarnation: number },
  b: { readonly nodeId: number; readonly incarnation: number },
): boolean {
  return a.nodeId === b.nodeId && a.incarnation === b.incarnation;
}
