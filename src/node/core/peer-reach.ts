/**
 * Which members this node cannot reach (PROTOCOL M2, see-tell).
 *
 * A member that leaves a write unanswered is cut off, or stands still, or its disk is slow. So it is sent a PROBE, which
 * no disk holds up: it is out of reach if nothing at all is heard of it from then on. *[found: in a cluster whose disks
 * took 200 ms for a sync the nodes reported one another, and one after the other lost all its slots]* A member that is
 * heard, but answers no writes for seconds, is reported, too: its disk may hang for ever.
 *
 * Time counts in ticks: for one that comes late, since this process stood still, no more than a usual one.
 */
import { MessageType } from '../../protocol/messages.js';
import type { Membership } from './membership.js';
import type { NodePorts, NodeTimings } from './ports.js';

/** A tick counts for this share of `peerAnswerMsMax` at most. */
const tickShareMax = 1 / 5;
/** Whoever is stuck is reported for this long at a time: it may be given no more writes that it could answer. */
const stuckReportMs = 1000;

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
  /** Members that have left a write unanswered for too long although they are heard. */
  readonly #stuck = new Map<number, Since>();
  readonly #reportedAtMs = new Map<number, number>();
  /** The time that the ticks have counted. */
  #ageMs = 0;
  #tickedAtMs: number;

  constructor(options: PeerReachOptions) {
    this.#options = options;
    this.#tickedAtMs = options.ports.nowMs();
  }

  /** Something came from that member. */
  heard(nodeId: number): void {
    if (this.#asked.size === 0) return;
    const asked = this.#asked.get(nodeId);
    if (asked !== undefined) asked.isHeard = true;
  }

  /** It has said what becomes of a write there. */
  answered(nodeId: number): void {
    if (this.#stuck.size > 0) this.#stuck.delete(nodeId);
  }

  /** It has left a write unanswered for so long. */
  late(nodeId: number, ageMs: number): void {
    const { ports, timings, nextRid } = this.#options;
    if (ageMs >= timings.peerStuckMsMax) this.#stuck.set(nodeId, this.#since(nodeId));
    const link = ports.peer(nodeId);
    if (link === undefined || this.#asked.has(nodeId)) return;
    this.#asked.set(nodeId, { ...this.#since(nodeId), isHeard: false });
    link.send({ type: MessageType.probe, rid: nextRid() });
  }

  /** Its connection has ended. */
  lost(nodeId: number): void {
    this.#asked.delete(nodeId);
    this.#report(nodeId);
  }

  /** A member that stays out of reach is reported again and again, so that the manager sees that the cut goes on. */
  tick(): void {
    const { ports, membership, timings } = this.#options;
    const nowMs = ports.nowMs();
    this.#ageMs += Math.min(nowMs - this.#tickedAtMs, timings.peerAnswerMsMax * tickShareMax);
    this.#tickedAtMs = nowMs;
    for (const { id, incarnation } of membership.map?.nodes ?? []) {
      if (id === membership.nodeId) continue;
      this.#look(id, incarnation);
      if (this.isOut(id)) this.#report(id);
    }
  }

  /** Drops what is over, and what was so of a former life. */
  #look(nodeId: number, incarnation: number): void {
    for (const each of [this.#asked, this.#stuck])
      if (each.get(nodeId)?.incarnation !== incarnation) each.delete(nodeId);
    if (this.#asked.get(nodeId)?.isHeard === true && this.#hasAsked(nodeId)) this.#asked.delete(nodeId);
    if (this.#hasBeen(this.#stuck.get(nodeId), stuckReportMs)) this.#stuck.delete(nodeId);
    const isLost = this.#options.ports.peer(nodeId) === undefined;
    if (!isLost) this.#lost.delete(nodeId);
    else if (this.#lost.get(nodeId)?.incarnation !== incarnation) this.#lost.set(nodeId, this.#since(nodeId));
  }

  /** Nothing is to be expected of it for now. */
  isOut(nodeId: number): boolean {
    const isSilent = this.#asked.get(nodeId)?.isHeard === false && this.#hasAsked(nodeId);
    const isLost = this.#hasBeen(this.#lost.get(nodeId), this.#options.timings.peerAnswerMsMax);
    return isSilent || isLost || this.#stuck.has(nodeId);
  }

  /** So long ago that an answer would have come. */
  #hasAsked(nodeId: number): boolean {
    return this.#hasBeen(this.#asked.get(nodeId), this.#options.timings.peerAnswerMsMax / 2);
  }

  #hasBeen(since: Since | undefined, forMs: number): boolean {
    return since !== undefined && this.#ageMs - since.atMs >= forMs;
  }

  #since(nodeId: number): Since {
    return { incarnation: this.#options.membership.map?.node(nodeId)?.incarnation ?? 0, atMs: this.#ageMs };
  }

  #report(nodeId: number): void {
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
