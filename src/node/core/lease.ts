/**
 * The right to serve (M1) and its substitute while the manager is away (M8).
 *
 * Lease: this node may serve until `sent + leaseMs` on its own clock, where `sent` is when it sent the heartbeat
 * that was answered. The manager counts from receipt, so the lease always ends later there. A lease counts only
 * once a map of at least the epoch it was granted in has been adopted.
 *
 * Promises: with the manager away a node asks every other member of its slots, learners included, not to adopt a
 * newer epoch for a lease's time, and serves a slot while all of them have promised at its own epoch. Who has
 * promised defers newer maps until then, and meanwhile makes no new promises. Alone in its slot a full replica
 * needs nobody: a learner could only be filled by it, at its own epoch.
 *
 * A node that hears the manager declines: then it is the asker who is cut off, and it shall stop.
 */
import { MessageType } from '../../protocol/messages.js';
import type { LeaseMessage, Link, PromiseAskMessage, PromiseMessage } from '../../protocol/messages.js';
import { clockDriftRatio, defaultSettings } from '../../protocol/settings.js';
import type { Membership } from './membership.js';
import type { NodePorts } from './ports.js';

/** Heartbeats per lease: four may be lost before the lease runs out. */
const heartbeatsPerLease = 5;
/** Share of a lease after which an unanswered heartbeat means that the manager is away. */
const silenceRatio = 0.4;
/** Share of a lease between two rounds of asking for promises. */
const askRatio = 0.25;

export class Lease {
  readonly #ports: NodePorts;
  readonly #membership: Membership;
  readonly #nextRid: () => number;
  #leaseUntilMs = -Infinity;
  /** A grant that waits for its epoch. */
  #pending: { epoch: number; untilMs: number } | null = null;
  #clockOffsetUs: number | null = null;
  /** Heartbeats not yet answered: rid to send time. */
  readonly #heartbeats = new Map<number, number>();
  #lastHeartbeatMs = -Infinity;
  /** Promises of others, at the present epoch: node id to own-clock end. */
  readonly #promises = new Map<number, number>();
  readonly #asks = new Map<number, { nodeId: number; sentMs: number; epoch: number }>();
  #lastAskMs = -Infinity;
  /** This node's own promise: it adopts nothing newer before. */
  #promisedUntilMs = -Infinity;

  constructor(ports: NodePorts, membership: Membership, nextRid: () => number) {
    this.#ports = ports;
    this.#membership = membership;
    this.#nextRid = nextRid;
  }

  get #leaseMs(): number {
    return this.#membership.map?.settings.leaseMs ?? defaultSettings.leaseMs;
  }

  /** Whether the manager's clock is known; without it there is no age and no expiry, hence no service. */
  get knowsClock(): boolean {
    return this.#clockOffsetUs !== null;
  }

  /** Microseconds of the manager's clock, estimated. */
  clockUs(): number {
    return Math.floor(this.#ports.nowMs() * 1000 + (this.#clockOffsetUs ?? 0));
  }

  /** R1, R4, W3: whether this node may serve the slot at this moment. */
  holds(slot: number): boolean {
    const nowMs = this.#ports.nowMs();
    return nowMs < this.#leaseUntilMs || this.#holdsByPromises(slot, nowMs);
  }

  #holdsByPromises(slot: number, nowMs: number): boolean {
    if (this.#clockOffsetUs === null) return false;
    const { map, nodeId } = this.#membership;
    if (map === null) return false;
    for (const member of map.members(slot)) {
      if (member !== nodeId && nowMs >= (this.#promises.get(member) ?? -Infinity)) return false;
    }
    return true;
  }

  onLease(message: LeaseMessage): void {
    const sentMs = this.#heartbeats.get(message.rid);
    if (sentMs === undefined) return;
    for (const rid of this.#heartbeats.keys()) if (rid <= message.rid) this.#heartbeats.delete(rid);
    const nowMs = this.#ports.nowMs();
    this.#clockOffsetUs = message.clockUs + ((nowMs - sentMs) / 2) * 1000 - nowMs * 1000;
    const untilMs = sentMs + message.leaseMs;
    if (message.epoch <= this.#membership.epoch) this.#leaseUntilMs = Math.max(this.#leaseUntilMs, untilMs);
    else this.#pending = { epoch: message.epoch, untilMs };
  }

  /** A map was adopted: waiting grants count from now on, promises of others were for the old epoch. */
  onAdopted(): void {
    this.#promises.clear();
    this.#asks.clear();
    if (this.#pending !== null && this.#pending.epoch <= this.#membership.epoch) {
      this.#leaseUntilMs = Math.max(this.#leaseUntilMs, this.#pending.untilMs);
      this.#pending = null;
    }
  }

  /** This incarnation is over. The own promise stays: others still rely on it. */
  forget(): void {
    this.#leaseUntilMs = -Infinity;
    this.#pending = null;
    this.#promises.clear();
    this.#asks.clear();
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
    this.#promises.clear();
    this.#asks.clear();
    this.#heartbeats.clear();
  }

  /** Whether a newer map must wait for a promise of this node to run out. */
  mustDefer(): boolean {
    return this.#ports.nowMs() < this.#promisedUntilMs;
  }

  managerAway(): boolean {
    if (this.#ports.manager() === undefined) return true;
    for (const sentMs of this.#heartbeats.values()) {
      return this.#ports.nowMs() - sentMs > this.#leaseMs * silenceRatio;
    }
    return false;
  }

  tick(keys: number, bytes: number): void {
    if (this.#membership.incarnation === 0) return;
    const nowMs = this.#ports.nowMs();
    if (nowMs - this.#lastHeartbeatMs >= this.#leaseMs / heartbeatsPerLease) this.heartbeat(keys, bytes);
    if (this.managerAway() && nowMs - this.#lastAskMs >= this.#leaseMs * askRatio)
      this.#askForPromises(nowMs);
  }

  heartbeat(keys: number, bytes: number): void {
    const manager = this.#ports.manager();
    if (manager === undefined) return;
    const { nodeId, incarnation, epoch } = this.#membership;
    const rid = this.#nextRid();
    this.#lastHeartbeatMs = this.#ports.nowMs();
    this.#heartbeats.set(rid, this.#lastHeartbeatMs);
    manager.send({ type: MessageType.heartbeat, rid, nodeId, incarnation, epoch, keys, bytes });
  }

  #askForPromises(nowMs: number): void {
    this.#lastAskMs = nowMs;
    const { map, nodeId, incarnation, epoch } = this.#membership;
    for (const [rid, ask] of this.#asks) if (nowMs - ask.sentMs > this.#leaseMs) this.#asks.delete(rid);
    for (const node of map?.nodes ?? []) {
      const link = node.id === nodeId ? undefined : this.#ports.peer(node.id);
      if (link === undefined) continue;
      const rid = this.#nextRid();
      this.#asks.set(rid, { nodeId: node.id, sentMs: nowMs, epoch });
      link.send({ type: MessageType.promiseAsk, rid, nodeId, incarnation, epoch });
    }
  }

  /** Another node asks this one. `hasDeferred`: a newer map is already waiting here. */
  onPromiseAsk(link: Link, message: PromiseAskMessage, hasDeferred: boolean): void {
    const { map, epoch, incarnation } = this.#membership;
    const asker = map?.node(message.nodeId);
    const granted =
      incarnation !== 0 &&
      message.epoch === epoch &&
      asker?.incarnation === message.incarnation &&
      !hasDeferred &&
      this.managerAway();
    if (granted) this.#promisedUntilMs = Math.max(this.#promisedUntilMs, this.#ports.nowMs() + this.#leaseMs);
    link.send({ type: MessageType.promise, rid: message.rid, epoch, granted });
  }

  onPromise(message: PromiseMessage): void {
    const ask = this.#asks.get(message.rid);
    this.#asks.delete(message.rid);
    if (!message.granted || ask?.epoch !== this.#membership.epoch || message.epoch !== ask.epoch) return;
    const untilMs = ask.sentMs + this.#leaseMs * (1 - 2 * clockDriftRatio);
    this.#promises.set(ask.nodeId, Math.max(untilMs, this.#promises.get(ask.nodeId) ?? -Infinity));
  }
}
