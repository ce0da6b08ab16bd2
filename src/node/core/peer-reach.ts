/**
 * Which members this node cannot reach (PROTOCOL M2, see-tell).
 *
 * A member that leaves a write unanswered is cut off, or stands still, or its disk is slow. So it is sent a PROBE, which
 * no disk holds up: it is out of reach if nothing at all is heard of it from then on. *[found: in a cluster whose disks
 * took 200 ms for a sync the nodes reported one another, and one after the other lost all its slots]* A member whose disk
 * hangs says so itself (disk-watch.ts).
 *
 * Time counts in ticks: for one that comes late, since this process stood still, no more than a usual one.
 */
import { MessageType } from '../../protocol/messages.js';
import type { Membership } from './membership.js';
import type { NodePorts, NodeTimings } from './ports.js';

/** A tick counts for this share of `peerAnswerMsMax` at most. */
const tickShareMax = 1 / 5;
/** After this share of `peerAnswerMsMax` a write is late enough to ask. */
const lateShare = 1 / 4;

/** What is so since then, of one life of a member. */
interface Since {
  readonly incarnation: number;
  readonly atMs: number;
}

interface Asked extends Since {
  isHeard: boolean;
}

export interface PeerReachOptions {
  readonly ports: NodePorts;
  readonly membership: Membership;
  readonly timings: NodeTimings;
  readonly nextRid: () => number;
}

export class PeerReach {
  readonly #options: PeerReachOptions;
  /** Members that were sent a PROBE lately, or have not been heard since. */
  readonly #asked = new Map<number, Asked>();
  /** Members without a connection. */
  readonly #lost = new Map<number, Since>();
  readonly #reportedAtMs = new Map<number, number>();
  #runningMs = 0;
  #tickedAtMs: number;

  constructor(options: PeerReachOptions) {
    this.#options = options;
    this.#tickedAtMs = options.ports.nowMs();
  }

  /** Milliseconds for which this node has been running, as its ticks count them. */
  get runningMs(): number {
    return this.#runningMs;
  }

  /** Something came from that member. */
  heard(nodeId: number): void {
    if (this.#asked.size === 0) return;
    const asked = this.#asked.get(nodeId);
    if (asked !== undefined) asked.isHeard = true;
  }

  /** Whether a write that somebody has not answered for so long is worth asking about. */
  isLate(ageMs: number): boolean {
    return ageMs >= this.#options.timings.peerAnswerMsMax * lateShare;
  }

  /** Whether nothing will come of a write that somebody has not answered for so long. */
  isTooLate(ageMs: number): boolean {
    return ageMs >= this.#options.timings.diskHungMsMax;
  }

  /** It has left a write unanswered until it `isLate`. */
  late(nodeId: number): void {
    const { ports, nextRid } = this.#options;
    const link = ports.peer(nodeId);
    if (link === undefined || this.#asked.has(nodeId)) return;
    this.#asked.set(nodeId, { ...this.#since(nodeId), isHeard: false });
    link.send({ type: MessageType.probe, rid: nextRid() });
  }

  /** Its connection has ended. Unlike one that was never up, it is missed from now on. */
  lost(nodeId: number): void {
    const { incarnation, atMs } = this.#since(nodeId);
    this.#lost.set(nodeId, { incarnation, atMs: atMs - this.#options.timings.peerAnswerMsMax });
    this.#asked.delete(nodeId);
    this.report(nodeId);
  }

  /** A member that stays out of reach is reported again and again, so that the manager sees that the cut goes on. */
  tick(): void {
    const { ports, membership, timings } = this.#options;
    const nowMs = ports.nowMs();
    this.#runningMs += Math.min(nowMs - this.#tickedAtMs, timings.peerAnswerMsMax * tickShareMax);
    this.#tickedAtMs = nowMs;
    this.#forgetFormer();
    for (const { id } of membership.map?.nodes ?? []) {
      if (id === membership.nodeId) continue;
      this.#look(id);
      if (this.isOut(id)) this.report(id);
    }
  }

  /** Nothing is to be expected of it for now. */
  isOut(nodeId: number): boolean {
    const { peerAnswerMsMax } = this.#options.timings;
    const asked = this.#asked.get(nodeId);
    if (asked?.isHeard === false && this.#hasBeen(asked, peerAnswerMsMax)) return true;
    // Its connection may be up again since the last tick.
    const isLost = this.#options.ports.peer(nodeId) === undefined;
    return isLost && this.#hasBeen(this.#lost.get(nodeId), peerAnswerMsMax);
  }

  /** What was so of former lives, and of those that are no members any more. */
  #forgetFormer(): void {
    const { map } = this.#options.membership;
    for (const each of [this.#asked, this.#lost]) {
      for (const [id, { incarnation }] of each)
        if (map?.node(id)?.incarnation !== incarnation) each.delete(id);
    }
  }

  #look(nodeId: number): void {
    const { ports, timings } = this.#options;
    const asked = this.#asked.get(nodeId);
    if (asked?.isHeard === true && this.#hasBeen(asked, timings.peerAnswerMsMax)) this.#asked.delete(nodeId);
    if (ports.peer(nodeId) !== undefined) this.#lost.delete(nodeId);
    else if (!this.#lost.has(nodeId)) this.#lost.set(nodeId, this.#since(nodeId));
  }

  #hasBeen(since: Since | undefined, forMs: number): boolean {
    return since !== undefined && this.#runningMs - since.atMs >= forMs;
  }

  #since(nodeId: number): Since {
    return {
      incarnation: this.#options.membership.map?.node(nodeId)?.incarnation ?? 0,
      atMs: this.#runningMs,
    };
  }

  /** To the manager, as often as it may be; of this node itself, too. */
  report(nodeId: number): void {
    const { ports, timings, membership, nextRid } = this.#options;
    const member = membership.map?.node(nodeId);
    const nowMs = ports.nowMs();
    if (member === undefined) return;
    if (nowMs - (this.#reportedAtMs.get(nodeId) ?? -Infinity) < timings.reportEveryMs) return;
    this.#reportedAtMs.set(nodeId, nowMs);
    const { incarnation } = member;
    const { epoch } = membership;
    ports.manager()?.send({ type: MessageType.report, rid: nextRid(), nodeId, incarnation, epoch });
  }
}
