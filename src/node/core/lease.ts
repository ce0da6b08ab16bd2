/**
 * The right to serve (M1): this node may serve until `sent + leaseMs` on its own clock, where `sent` is when it sent the
 * heartbeat that was answered. The manager counts from receipt, so the lease always ends later there. A lease counts only
 * once a map of at least the epoch it was granted in has been adopted. While the manager is away, promises of the
 * other members take its place (M8, `promises.ts`).
 *
 * A node that hears the manager declines to promise: then it is the asker who is cut off, and it shall stop.
 */
import { MessageType } from '../../protocol/messages.js';
import type {
  HeartbeatMessage,
  LeaseMessage,
  Link,
  PromiseAskMessage,
  PromiseMessage,
} from '../../protocol/messages.js';
import { defaultSettings } from '../../protocol/settings.js';
import { ClusterClock } from './cluster-clock.js';
import type { Membership } from './membership.js';
import type { NodePorts } from './ports.js';
import { Promises } from './promises.js';

/** Heartbeats per lease: four may be lost before the lease runs out. */
const heartbeatsPerLease = 5;
/** Share of a lease after which an unanswered heartbeat means that the manager is away. */
const silenceRatio = 0.4;
/** From then on ticks come soon, so that the manager is known to be away in time. */
const answerMsUsual = 25;
/** Share of a lease between two rounds of asking for promises. */
const askRatio = 0.25;

/** What a node holds, and whether it takes more: the manager is told with each heartbeat. */
export type Holdings = Pick<HeartbeatMessage, 'keys' | 'bytes' | 'noRoom'>;

export class Lease {
  readonly promises: Promises;
  readonly clock: ClusterClock;
  readonly #ports: NodePorts;
  readonly #membership: Membership;
  readonly #nextRid: () => number;
  #leaseUntilMs = -Infinity;
  /** A grant that waits for its epoch. */
  #pending: { epoch: number; untilMs: number } | null = null;
  /** Heartbeats not yet answered: rid to send time. */
  readonly #heartbeats = new Map<number, number>();
  #lastHeartbeatMs = -Infinity;
  #lastAskMs = -Infinity;

  constructor(ports: NodePorts, membership: Membership, nextRid: () => number) {
    this.#ports = ports;
    this.#membership = membership;
    this.#nextRid = nextRid;
    this.clock = new ClusterClock(() => ports.nowMs());
    this.promises = new Promises(ports, membership, nextRid);
  }

  get #leaseMs(): number {
    return this.#membership.map?.settings.leaseMs ?? defaultSettings.leaseMs;
  }

  /** R1, R4, W3: whether this node may serve the slot at this moment. */
  holds(slot: number): boolean {
    const nowMs = this.#ports.nowMs();
    if (nowMs < this.#leaseUntilMs) return true;
    return this.clock.isSure && this.promises.cover(slot, nowMs);
  }

  /**
   * M4, M8: whether it may serve the slot although it is fenced there: the other members have all promised not to adopt what it is fenced for.
   * *[found: the manager was killed behind a fence, and nobody read or wrote the slot until it was back]*
   */
  isPromised(slot: number): boolean {
    const others = (this.#membership.map?.members(slot).length ?? 0) - 1;
    return others > 0 && this.clock.isSure && this.promises.cover(slot, this.#ports.nowMs());
  }

  onLease(message: LeaseMessage): void {
    const sentMs = this.#heartbeats.get(message.rid);
    if (sentMs === undefined) return;
    for (const rid of this.#heartbeats.keys()) if (rid <= message.rid) this.#heartbeats.delete(rid);
    const nowMs = this.#ports.nowMs();
    this.clock.answered(sentMs, message.clockUs);
    const untilMs = sentMs + message.leaseMs;
    if (message.epoch <= this.#membership.epoch) this.#leaseUntilMs = Math.max(this.#leaseUntilMs, untilMs);
    else this.#pending = { epoch: message.epoch, untilMs };
    if (nowMs < this.#leaseUntilMs) this.promises.giveBack();
  }

  /** A map was adopted: waiting grants count from now on, promises of others were for the old epoch. */
  onAdopted(): void {
    this.promises.giveBack();
    if (this.#pending !== null && this.#pending.epoch <= this.#membership.epoch) {
      this.#leaseUntilMs = Math.max(this.#leaseUntilMs, this.#pending.untilMs);
      this.#pending = null;
    }
  }

  /** This incarnation is over. The own promise stays: others still rely on it. */
  forget(): void {
    this.#leaseUntilMs = -Infinity;
    this.#pending = null;
    this.promises.giveBack();
    this.#heartbeats.clear();
  }

  onManagerDown(): void {
    this.#heartbeats.clear();
  }

  /**
   * This host was suspended: its monotonic clock stood still while others counted on. Whatever was granted by time is
   * void; what this node promised stays, for longer than it need.
   */
  onSuspended(): void {
    this.#leaseUntilMs = -Infinity;
    this.#pending = null;
    this.clock.doubt();
    this.promises.giveBack();
    this.#heartbeats.clear();
  }

  /** Whether a newer map must wait for a promise of this node to run out. */
  mustDefer(): boolean {
    return this.promises.areGiven;
  }

  managerAway(): boolean {
    return this.#ports.manager() === undefined || this.#unansweredMs > this.#leaseMs * silenceRatio;
  }

  /** The manager, which answers at once as a rule, has left a heartbeat unanswered for a while. */
  get isAnswerLate(): boolean {
    return this.#unansweredMs > answerMsUsual;
  }

  /** How long the oldest heartbeat without an answer has been under way; 0: there is none. */
  get #unansweredMs(): number {
    for (const sentMs of this.#heartbeats.values()) return this.#ports.nowMs() - sentMs;
    return 0;
  }

  tick(holdings: () => Holdings): void {
    this.promises.tick();
    if (this.#membership.incarnation === 0) return;
    const nowMs = this.#ports.nowMs();
    if (nowMs - this.#lastHeartbeatMs >= this.#leaseMs / heartbeatsPerLease) this.heartbeat(holdings());
    if (!this.managerAway() || nowMs - this.#lastAskMs < this.#leaseMs * askRatio) return;
    this.#lastAskMs = nowMs;
    this.promises.ask(this.#leaseMs);
  }

  heartbeat({ keys, bytes, noRoom }: Holdings): void {
    const manager = this.#ports.manager();
    if (manager === undefined) return;
    const { nodeId, incarnation, epoch } = this.#membership;
    const rid = this.#nextRid();
    this.#lastHeartbeatMs = this.#ports.nowMs();
    this.#heartbeats.set(rid, this.#lastHeartbeatMs);
    manager.send({ type: MessageType.heartbeat, rid, nodeId, incarnation, epoch, keys, bytes, noRoom });
  }

  /** Another node asks this one. `hasDeferred`: a newer map is already waiting here. */
  onPromiseAsk(link: Link, message: PromiseAskMessage, hasDeferred: boolean): void {
    const isGranted = this.#membership.incarnation !== 0 && !hasDeferred && this.managerAway();
    this.promises.answer(link, message, isGranted, this.#leaseMs);
  }

  onPromise(message: PromiseMessage): void {
    this.promises.onPromise(message, this.#leaseMs);
  }
}
