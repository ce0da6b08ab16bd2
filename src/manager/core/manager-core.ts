/**
 * The manager without sockets, timers or processes: messages in, messages out. It alone makes cluster maps.
 *
 * It grants leases (M1), looks for itself when a node is reported (M2), removes a member only when its process is
 * known dead or its lease has surely run out (M3), fences a leaving node before the map moves (M4), admits new
 * members as learners and promotes them (M5, M6), and pushes every new map (M7). Neither reads nor writes pass it.
 *
 * One rule keeps it simple: every event only notes what it means (a member gone, a copy done), and `#reconcile`
 * derives the next map from the published one and these notes. A map is durable before anybody sees it; meanwhile
 * notes gather, and the next map takes them all.
 */
import { ClusterMap } from '../../protocol/cluster-map.js';
import { ProtocolError } from '../../protocol/errors.js';
import { MessageType } from '../../protocol/messages.js';
import type {
  CopyDoneMessage,
  HeartbeatMessage,
  Link,
  Message,
  RegisterMessage,
} from '../../protocol/messages.js';
import type { ClusterSettings } from '../../protocol/settings.js';
import type { ClusterStatus } from '../../protocol/status.js';
import type { FencePlan } from './fencing.js';
import { hasDiskOf, Heirs, isSameProcess } from './heirs.js';
import { Leases } from './leases.js';
import { newMember } from './members.js';
import type { Member } from './members.js';
import { describeChange, describeLoss, Planner } from './planner.js';
import { managerTimings } from './ports.js';
import type { ManagerPorts, ManagerTimings } from './ports.js';
import { Publisher } from './publisher.js';
import { Recovery } from './recovery.js';
import { Respawner } from './respawner.js';
import { Roster } from './roster.js';
import type { KnownNode, ManagerState } from './state.js';
import { isWhole, statusOf } from './status.js';
import { Suspicion } from './suspicion.js';

/**
 * A restarted manager skips this many incarnations, in case its last ones were not saved, and saves that it has before
 * it gives out any: otherwise two restarts from one state would give one incarnation to two processes.
 */
const incarnationsSkipped = 1000;
/** Of a member that has not registered with this manager yet. */
const unknownOrigin = { hostLabel: '', disk: { clusterId: '', slots: [], clockUs: 0 } } as const;
/**
 * With disks, deaths are gathered for this long: when all nodes of a slot die at once, all of them may bring it back,
 * not only those that were seen to die last (D3).
 */
const deathsGatheredMs = 15;
/** Without an event the next map is looked for this often: some conditions are a matter of time alone. */
const reconcileEveryMs = 100;

export interface ManagerCoreOptions {
  readonly ports: ManagerPorts;
  /** A new cluster's settings; ignored when `restored` is given. */
  readonly settings: ClusterSettings;
  readonly clusterId: string;
  readonly nodeCount: number;
  readonly respawn: boolean;
  readonly address: ClusterStatus['manager'];
  readonly restored?: ManagerState | null;
  readonly timings?: ManagerTimings;
}

export class ManagerCore {
  readonly settings: ClusterSettings;
  readonly clusterId: string;
  readonly #ports: ManagerPorts;
  readonly #timings: ManagerTimings;
  readonly #nodeCount: number;
  readonly #respawnEnabled: boolean;
  readonly #address: ClusterStatus['manager'];
  readonly #roster = new Roster();
  readonly #planner: Planner;
  readonly #recovery: Recovery;
  readonly #knownNodes = new Map<number, KnownNode>();
  readonly #respawner: Respawner;
  readonly #suspicion: Suspicion;
  readonly #leases: Leases;
  readonly #links = new Set<Link>();
  /** Nodes that registered before the cluster was created. */
  readonly #earlyRegistrations = new Map<number, { link: Link; rid: number }>();
  readonly #publisher: Publisher;
  readonly #heirs: Heirs;
  #nextIncarnation = 1;
  #rid = 0;
  #reconciledAtMs = -Infinity;
  /** Deaths are gathered until then. */
  #reconcileAtMs = Infinity;
  #stopping = false;

  constructor(options: ManagerCoreOptions) {
    const { restored = null, timings = managerTimings } = options;
    this.#ports = options.ports;
    this.#timings = timings;
    this.#respawnEnabled = options.respawn;
    this.#address = options.address;
    this.#respawner = new Respawner(options.ports, timings);
    this.settings = restored?.settings ?? options.settings;
    this.clusterId = restored?.clusterId ?? options.clusterId;
    this.#nodeCount = restored?.nodeCount ?? options.nodeCount;
    this.#suspicion = new Suspicion(options.ports, timings, this.#roster, () => ++this.#rid);
    const register = this.#onRegister.bind(this);
    this.#heirs = new Heirs(this.#roster, register);
    this.#leases = new Leases(options.ports, this.#roster, this.settings.leaseMs);
    this.#recovery = new Recovery({
      durability: this.settings.durability,
      clusterId: this.clusterId,
      members: this.#roster.members,
      lapsed: this.#roster.lapsed,
      nowMs: () => this.#ports.nowMs(),
    });
    this.#planner = new Planner({
      roster: this.#roster,
      recovery: this.#recovery,
      nodeCount: this.#nodeCount,
      nowMs: () => this.#ports.nowMs(),
      isExpectedBack: (id) => this.#isExpectedBack(id),
      onSlotsLost: (slots, partly, epoch) => {
        this.#ports.log('error', describeLoss(slots, partly, epoch));
      },
    });
    this.#publisher = new Publisher({
      persist: (state) => {
        this.#persist(state);
      },
      published: (map, previous) => {
        this.#announce(map, previous);
      },
      armed: (plan) => {
        for (const id of plan.nodeIds) this.#sendFence(plan, id);
      },
    });
    if (restored !== null) this.#restore(restored);
  }

  /** The published map; null before the cluster is created. */
  get map(): ClusterMap | null {
    return this.#publisher.map;
  }

  /** All slots served by as many full replicas as asked for, and every member has adopted the present map. */
  get isSettled(): boolean {
    const { map, isBusy, plan } = this.#publisher;
    return map !== null && !isBusy && plan === null && isWhole(map, this.#roster.members);
  }

  /** A process has that id, or had it when the manager was started again and has not been found dead since. */
  hasMember(nodeId: number): boolean {
    return this.#roster.members.has(nodeId);
  }

  /** Forks the nodes of a new cluster, or those of a restored one that have no member. */
  start(): void {
    this.#publisher.reserve();
    for (let id = 0; id < this.#nodeCount; id++) {
      if (!this.#knownNodes.has(id)) this.#knownNodes.set(id, { id, spawned: true, pid: 0 });
      const known = this.#knownNodes.get(id);
      if (known?.spawned === true && !this.#roster.members.has(id)) this.#ports.spawn(id);
    }
    this.#reconcile();
  }

  /** Orders all nodes to end. The shell waits for them. */
  stop(): void {
    this.#stopping = true;
    for (const member of this.#roster.members.values()) member.link?.send({ type: MessageType.stop });
  }

  /** M1: every node may still hold a full lease. */
  #restore(state: ManagerState): void {
    const nowMs = this.#ports.nowMs();
    const map = state.map === null ? null : new ClusterMap(state.map);
    this.#publisher.restore(state, map);
    this.#nextIncarnation = state.nextIncarnation + incarnationsSkipped;
    for (const known of state.knownNodes) this.#knownNodes.set(known.id, known);
    this.#recovery.restore(state.awaited);
    if (map === null) return;
    for (const node of map.nodes) {
      const pid = this.#knownNodes.get(node.id)?.pid ?? 0;
      const member = newMember({ ...node, pid }, unknownOrigin, null, nowMs);
      member.admitted = true;
      this.#leases.assume(member);
      this.#roster.members.set(node.id, member);
    }
    this.#ports.log('info', `restored at epoch ${map.epoch}; waiting for ${map.nodes.length} nodes`);
  }

  // --- messages ------------------------------------------------------------------------------------------------

  onLinkOpen(link: Link): void {
    this.#links.add(link);
  }

  onLinkClosed(link: Link): void {
    this.#links.delete(link);
    this.#heirs.onLinkClosed(link);
    for (const member of this.#roster.members.values()) {
      if (member.link !== link) continue;
      member.link = null;
      // In no map and without a lease: if it lives, it registers anew.
      if (!member.admitted) this.#forget(member);
      if (!this.#stopping) this.#ports.log('warn', `node ${member.id}: connection lost`);
    }
  }

  /** @throws ProtocolError if this is not a message to a manager. */
  onMessage(link: Link, message: Message): void {
    switch (message.type) {
      case MessageType.heartbeat:
        this.#onHeartbeat(link, message);
        return;
      case MessageType.register:
        this.#onRegister(link, message);
        return;
      case MessageType.fenceAck:
        this.#onFenceAck(link, message.epoch);
        return;
      case MessageType.copyDone:
        this.#onCopyDone(link, message);
        return;
      case MessageType.probeAck:
        this.#suspicion.onProbeAck(message.rid);
        return;
      case MessageType.report:
        link.send({ type: MessageType.reportAck, rid: message.rid, epoch: this.map?.epoch ?? 0 });
        this.#suspicion.onReport(link, message);
        return;
      case MessageType.getMap: {
        const map = this.map;
        const data = map !== null && map.epoch > message.newerThan ? map.toData() : null;
        link.send({ type: MessageType.map, rid: message.rid, map: data });
        return;
      }
      case MessageType.query:
        this.#onQuery(link, message.rid, message.key);
        return;
      case MessageType.status:
        link.send({ type: MessageType.statusResult, rid: message.rid, json: JSON.stringify(this.status()) });
        return;
      default:
        throw new ProtocolError(`message type ${message.type} is not a request to a manager`);
    }
  }

  /** Key to K replicas, primary first: if the primary fails, the next one takes over. */
  #onQuery(link: Link, rid: number, key: string): void {
    const map = this.map;
    const slot = map?.slotOf(key) ?? 0;
    const replicas = map?.slot(slot).replicas ?? [];
    link.send({ type: MessageType.queryResult, rid, epoch: map?.epoch ?? 0, slot, replicas });
  }

  status(): ClusterStatus {
    return statusOf({
      settings: this.settings,
      map: this.map,
      members: this.#roster.members,
      knownNodes: this.#knownNodes,
      manager: this.#address,
      nowMs: this.#ports.nowMs(),
    });
  }

  // --- leases --------------------------------------------------------------------------------------------------

  /** M1. */
  #onHeartbeat(link: Link, message: HeartbeatMessage): void {
    const member = this.#roster.members.get(message.nodeId);
    const map = this.map;
    if (member?.incarnation !== message.incarnation) {
      this.#sendRemoved(link, message.incarnation);
      return;
    }
    if (map === null) return;
    if (!this.#leases.onHeartbeat(member, link, message, map.epoch, this.#publisher.isBusy)) return;
    if (message.epoch < map.epoch) link.send({ type: MessageType.map, rid: 0, map: map.toData() });
    if (this.#publisher.plan !== null) this.#sendFence(this.#publisher.plan, member.id);
  }

  // --- joining and leaving ---------------------------------------------------------------------------------------

  #onRegister(link: Link, message: RegisterMessage): void {
    const id = message.nodeId >= 0 ? message.nodeId : this.#freeId();
    const member = this.#roster.members.get(id);
    if (message.incarnation !== 0) {
      const isMember = member?.incarnation === message.incarnation && isSameProcess(member, message);
      if (isMember) this.#reattach(member, link, message);
      else this.#sendRemoved(link, message.incarnation);
      return;
    }
    if (this.#stopping || this.#heirs.isDead(message, this.#ports.nowMs())) return;
    if (!this.#publisher.isReserved) {
      this.#heirs.wait(link, message);
      return;
    }
    if (member !== undefined && !isSameProcess(member, message) && !hasDiskOf(message)) {
      // M3: nothing says that the process which has this id is dead.
      const mustEnd = this.#heirs.onRival(member, link, message);
      const what = mustEnd ? 'shall end' : 'waits for its id';
      this.#ports.log('warn', `node ${id}: is process ${member.pid} already; process ${message.pid} ${what}`);
      return;
    }
    if (member !== undefined) {
      // A process that comes without an incarnation holds nothing: its former life is over.
      this.#ports.log('info', `node ${id}: begins a new life, incarnation ${member.incarnation} is over`);
      this.#forget(member);
    }
    const known = this.#knownNodes.get(id);
    this.#knownNodes.set(id, { id, spawned: known?.spawned ?? false, pid: message.pid });
    const { host, port, pid } = message;
    if (known?.spawned === true) this.#ports.watch(id, pid);
    const identity = { id, incarnation: this.#nextIncarnation++, host, port, pid };
    this.#roster.members.set(id, newMember(identity, message, link, this.#ports.nowMs()));
    const life = `incarnation ${identity.incarnation}`;
    this.#ports.log('info', `node ${id}: joins as ${life}, ${host}:${port}, pid ${pid}`);
    if (this.map === null) this.#earlyRegistrations.set(id, { link, rid: message.rid });
    else this.#welcome(id, link, message.rid, this.map);
    this.#reconcile();
  }

  /** M6: that incarnation is over; whoever had it joins anew. */
  #sendRemoved(link: Link, incarnation: number): void {
    link.send({ type: MessageType.removed, incarnation, epoch: this.map?.epoch ?? 0 });
  }

  #freeId(): number {
    let id = this.#nodeCount;
    while (this.#knownNodes.has(id) || this.#roster.members.has(id)) id++;
    return id;
  }

  #welcome(id: number, link: Link, rid: number, map: ClusterMap): void {
    const incarnation = this.#roster.members.get(id)?.incarnation;
    if (incarnation === undefined) return;
    link.send({ type: MessageType.registered, rid, nodeId: id, incarnation, map: map.toData() });
  }

  /** A member's connection is back, or this manager is. */
  #reattach(member: Member, link: Link, message: RegisterMessage): void {
    member.link = link;
    member.diskSlots = new Map(message.disk.slots);
    member.diskClockUs = message.disk.clockUs;
    member.heardAtMs = this.#ports.nowMs();
    this.#ports.log('info', `node ${member.id}: connected again, incarnation ${member.incarnation}`);
    if (this.map !== null) this.#welcome(member.id, link, message.rid, this.map);
  }

  /** M3: its process is known to be dead. */
  onProcessExit(nodeId: number, pid: number): void {
    if (this.#stopping) return;
    const member = this.#roster.members.get(nodeId);
    const nowMs = this.#ports.nowMs();
    this.#heirs.onProcessExit(nodeId, pid, nowMs);
    const upMs = member?.pid === pid ? nowMs - member.joinedAtMs : 0;
    if (member?.pid === pid) {
      this.#ports.log('warn', `node ${nodeId}: process ${pid} has ended`);
      this.#forget(member);
    }
    // Who was told to end because another process has its id is not started again.
    const isTaken = member !== undefined && member.pid !== pid && member.link !== null;
    if (this.#knownNodes.get(nodeId)?.spawned === true && this.#respawnEnabled && !isTaken) {
      const pauseMs = this.#respawner.schedule(nodeId, upMs);
      this.#ports.log('info', `node ${nodeId}: starting again in ${Math.round(pauseMs)} ms`);
    }
    if (this.#recovery.isDurable)
      this.#reconcileAtMs = Math.min(this.#reconcileAtMs, nowMs + deathsGatheredMs);
    else this.#reconcile();
  }

  #forget(member: Member): void {
    this.#earlyRegistrations.delete(member.id);
    this.#roster.forget(member, this.#ports.nowMs());
  }

  /** Its place is kept for a while if another life of it is under way, or it is only silent. */
  #isExpectedBack(id: number): boolean {
    const { rejoinGraceMs } = this.#timings;
    const lostMs = this.#ports.nowMs() - (this.#roster.lostAtMs.get(id) ?? -Infinity);
    if (lostMs >= rejoinGraceMs) return false;
    return (
      this.#roster.members.has(id) || (this.#respawnEnabled && this.#respawner.isExpected(id, rejoinGraceMs))
    );
  }

  // --- copies and fences -------------------------------------------------------------------------------------------

  /** M5: counts only for the same joining, and only from the learner itself. */
  #onCopyDone(link: Link, message: CopyDoneMessage): void {
    const member = this.#roster.members.get(message.nodeId);
    const map = this.map;
    if (map === null || member?.incarnation !== message.incarnation || member.link !== link) return;
    for (const [slot, joinedAt] of message.slots) {
      if (slot >= map.slots.length || !map.slot(slot).learners.includes(member.id)) continue;
      if (map.joinedAt(slot, member.id) !== joinedAt) continue;
      this.#roster.noteCopied(slot, member.id);
    }
    this.#reconcile();
  }

  #sendFence(plan: FencePlan, nodeId: number): void {
    const link = this.#roster.members.get(nodeId)?.link ?? null;
    if (link !== null) plan.sendTo(nodeId, link, ++this.#rid);
  }

  #onFenceAck(link: Link, epoch: number): void {
    const { plan } = this.#publisher;
    const member = this.#roster.byLink(link);
    if (plan === null || member === undefined) return;
    plan.onAck(member.id, epoch);
    if (plan.isComplete) this.#reconcile();
  }

  // --- the next map ------------------------------------------------------------------------------------------------

  #reconcile(): void {
    if (this.#publisher.isBusy || this.#stopping) return;
    if (this.#ports.nowMs() < this.#reconcileAtMs && this.#reconcileAtMs !== Infinity) return;
    this.#reconcileAtMs = Infinity;
    const { map, mustPublish } = this.#publisher;
    this.#reconciledAtMs = this.#ports.nowMs();
    const next = map === null ? this.#planner.first(this.clusterId, this.settings) : this.#planner.next(map);
    if (next !== null) this.#publisher.publish(next);
    else if (map !== null && mustPublish)
      this.#publisher.publish(this.#planner.after(map, map.epoch + 1, []));
    else if (map !== null) this.#moveOn(map);
  }

  /** Removals that need a fence first (M4): one plan at a time. */
  #moveOn(map: ClusterMap): void {
    const { plan } = this.#publisher;
    if (plan === null) {
      const departures = this.#planner.departures(map);
      if (departures.length > 0) this.#publisher.beginRemoval(map, departures);
    } else if (plan.isComplete) {
      this.#publisher.publish(this.#planner.after(map, plan.epoch, plan.departures));
    }
  }

  #persist(state: Pick<ManagerState, 'serial' | 'map' | 'fencing'>): void {
    this.#ports.persist({
      ...state,
      clusterId: this.clusterId,
      settings: this.settings,
      nodeCount: this.#nodeCount,
      awaited: this.#recovery.state(),
      nextIncarnation: this.#nextIncarnation,
      knownNodes: [...this.#knownNodes.values()],
    });
  }

  /** The state of that serial survives this process. */
  onPersisted(serial: number): void {
    this.#publisher.onPersisted(serial);
  }

  /** M7: to every node and client that is connected. */
  #announce(map: ClusterMap, previous: ClusterMap | null): void {
    for (const node of map.nodes) {
      const member = this.#roster.members.get(node.id);
      if (member?.incarnation === node.incarnation) this.#leases.admit(member);
    }
    this.#recovery.onPublished();
    this.#roster.keepCopied((slot, id) => map.slot(slot).learners.includes(id));
    for (const [id, { link, rid }] of this.#earlyRegistrations) this.#welcome(id, link, rid, map);
    this.#earlyRegistrations.clear();
    const message = { type: MessageType.map, rid: 0, map: map.toData() };
    for (const link of this.#links) link.send(message);
    this.#ports.log(...describeChange(previous, map));
    this.#reconcile();
  }

  tick(): void {
    if (this.#stopping) return;
    this.#respawner.tick();
    this.#heirs.tick();
    if (this.map === null) return;
    const hasLapsed = this.#leases.tick();
    this.#suspicion.tick();
    const nowMs = this.#ports.nowMs();
    const isDue = nowMs >= this.#reconcileAtMs || nowMs - this.#reconciledAtMs >= reconcileEveryMs;
    if (hasLapsed || isDue) this.#reconcile();
  }
}
