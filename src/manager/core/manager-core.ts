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
import { FencePlan } from './fencing.js';
import { extendLease, newMember, recordHeartbeat } from './members.js';
import type { Member } from './members.js';
import { describeChange, Planner } from './planner.js';
import { managerTimings } from './ports.js';
import type { ManagerPorts, ManagerTimings } from './ports.js';
import { Respawner } from './respawner.js';
import { Roster } from './roster.js';
import type { KnownNode, ManagerState } from './state.js';
import { statusOf } from './status.js';
import { Suspicion } from './suspicion.js';

/** A restarted manager skips this many incarnations, in case its last ones were not saved. */
const incarnationsSkipped = 1000;
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
  readonly #knownNodes = new Map<number, KnownNode>();
  readonly #respawner: Respawner;
  readonly #suspicion: Suspicion;
  readonly #links = new Set<Link>();
  /** Nodes that registered before the cluster was created. */
  readonly #earlyRegistrations = new Map<number, { link: Link; rid: number }>();
  #published: ClusterMap | null = null;
  #publishing: ClusterMap | null = null;
  #publishingSerial = 0;
  #plan: FencePlan | null = null;
  #planSerial = 0;
  /** State says that nodes may be fenced for an epoch nobody has seen. */
  #fencing = false;
  #mustPublish = false;
  #serial = 0;
  #nextIncarnation = 1;
  #rid = 0;
  #reconciledAtMs = -Infinity;
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
    this.#planner = new Planner({
      roster: this.#roster,
      nodeCount: this.#nodeCount,
      nowMs: () => this.#ports.nowMs(),
      isExpectedBack: (id) => this.#isExpectedBack(id),
      onSlotsLost: (slots, partly, epoch) => {
        const content = partly ? 'the part their learners had' : 'nothing';
        this.#ports.log(
          'error',
          `${slots.length} slots lost all their replicas at once and go on with ${content} from epoch ${epoch}: ${slots.join(' ')}`,
        );
      },
    });
    if (restored !== null) this.#restore(restored);
  }

  get map(): ClusterMap | null {
    return this.#published;
  }

  /** All slots served by as many full replicas as asked for, and every member has adopted the present map. */
  get isSettled(): boolean {
    const map = this.#published;
    if (map === null || this.#publishing !== null || this.#plan !== null) return false;
    const wanted = Math.min(this.settings.replicas, map.nodes.length);
    const isWhole = map.slots.every((slot) => slot.learners.length === 0 && slot.replicas.length >= wanted);
    return (
      isWhole &&
      [...this.#roster.members.values()].every((m) => m.adoptedEpoch === map.epoch && m.link !== null)
    );
  }

  /** Forks the nodes of a new cluster, or those of a restored one that have no member. */
  start(): void {
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
    this.#serial = state.serial;
    this.#nextIncarnation = state.nextIncarnation + incarnationsSkipped;
    this.#mustPublish = state.fencing;
    for (const known of state.knownNodes) this.#knownNodes.set(known.id, known);
    if (state.map === null) return;
    this.#published = new ClusterMap(state.map);
    for (const node of state.map.nodes) {
      const member = newMember({ ...node, pid: this.#knownNodes.get(node.id)?.pid ?? 0 }, null, nowMs);
      member.admitted = true;
      extendLease(member, this.settings.leaseMs, nowMs);
      this.#roster.members.set(node.id, member);
    }
    this.#ports.log(
      'info',
      `restored at epoch ${state.map.epoch}; waiting for ${state.map.nodes.length} nodes`,
    );
  }

  // --- messages ------------------------------------------------------------------------------------------------

  onLinkOpen(link: Link): void {
    this.#links.add(link);
  }

  onLinkClosed(link: Link): void {
    this.#links.delete(link);
    for (const member of this.#roster.members.values()) {
      if (member.link !== link) continue;
      member.link = null;
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
        this.#onCopyDone(message);
        return;
      case MessageType.probeAck:
        this.#suspicion.onProbeAck(message.rid);
        return;
      case MessageType.report:
        link.send({ type: MessageType.reportAck, rid: message.rid, epoch: this.#published?.epoch ?? 0 });
        this.#suspicion.onReport(link, message);
        return;
      case MessageType.getMap: {
        const map = this.#published;
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
    const map = this.#published;
    const slot = map?.slotOf(key) ?? 0;
    const replicas = map?.slot(slot).replicas ?? [];
    link.send({ type: MessageType.queryResult, rid, epoch: map?.epoch ?? 0, slot, replicas });
  }

  status(): ClusterStatus {
    return statusOf({
      settings: this.settings,
      map: this.#published,
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
    const map = this.#published;
    if (member?.incarnation !== message.incarnation) {
      link.send({ type: MessageType.removed, incarnation: message.incarnation, epoch: map?.epoch ?? 0 });
      return;
    }
    // A heartbeat from before a reconnection says nothing of the connection in use.
    if (member.link !== link || map === null) return;
    const nowMs = this.#ports.nowMs();
    recordHeartbeat(member, message, nowMs);
    // Being taken off some slots at this very moment: its next lease comes with the map that does so.
    if (this.#roster.lapsed.has(member.id) && this.#publishing !== null) return;
    this.#roster.lapsed.delete(member.id);
    extendLease(member, this.settings.leaseMs, nowMs);
    link.send({
      type: MessageType.lease,
      rid: message.rid,
      epoch: map.epoch,
      leaseMs: this.settings.leaseMs,
      clockUs: this.#ports.clockUs(),
    });
    if (message.epoch < map.epoch) link.send({ type: MessageType.map, rid: 0, map: map.toData() });
    this.#plan?.sendTo(member.id, link, ++this.#rid);
  }

  /** @returns whether a lease has run out just now. */
  #checkLeases(): boolean {
    const nowMs = this.#ports.nowMs();
    const countBefore = this.#roster.lapsed.size;
    for (const member of this.#roster.members.values()) {
      if (!member.admitted || nowMs < member.leaseEndMs || this.#roster.lapsed.has(member.id)) continue;
      // M3: from now on it can hold no lease, and gets none before the map without it is out.
      this.#roster.lapsed.add(member.id);
      this.#roster.lostAtMs.set(member.id, nowMs);
      this.#ports.log('warn', `node ${member.id}: silent, its lease has run out`);
    }
    return this.#roster.lapsed.size > countBefore;
  }

  // --- joining and leaving ---------------------------------------------------------------------------------------

  #onRegister(link: Link, message: RegisterMessage): void {
    const id = message.nodeId >= 0 ? message.nodeId : this.#freeId();
    const member = this.#roster.members.get(id);
    if (message.incarnation !== 0) {
      if (member?.incarnation === message.incarnation) this.#reattach(member, link, message);
      else
        link.send({
          type: MessageType.removed,
          incarnation: message.incarnation,
          epoch: this.#published?.epoch ?? 0,
        });
      return;
    }
    if (this.#stopping) return;
    if (member !== undefined && !isSameProcess(member, message)) {
      // M3: nothing says that the process which has this id is dead. The newcomer was forked by a manager that had
      // lost sight of it, or is a node that was lost sight of; there is no need of both.
      this.#ports.log(
        'warn',
        `node ${id}: is process ${member.pid} already; process ${message.pid} shall end`,
      );
      link.send({ type: MessageType.stop });
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
    const identity = { id, incarnation: this.#nextIncarnation++, host, port, pid };
    this.#roster.members.set(id, newMember(identity, link, this.#ports.nowMs()));
    this.#ports.log(
      'info',
      `node ${id}: joins as incarnation ${identity.incarnation}, ${host}:${port}, pid ${pid}`,
    );
    if (this.#published === null) this.#earlyRegistrations.set(id, { link, rid: message.rid });
    else this.#welcome(id, link, message.rid, this.#published);
    this.#reconcile();
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
    member.heardAtMs = this.#ports.nowMs();
    this.#ports.log('info', `node ${member.id}: connected again, incarnation ${member.incarnation}`);
    if (this.#published !== null) this.#welcome(member.id, link, message.rid, this.#published);
  }

  /** M3: its process is known to be dead. */
  onProcessExit(nodeId: number, pid: number): void {
    if (this.#stopping) return;
    const member = this.#roster.members.get(nodeId);
    const nowMs = this.#ports.nowMs();
    const upMs = member?.pid === pid ? nowMs - member.joinedAtMs : 0;
    if (member?.pid === pid) {
      this.#ports.log('warn', `node ${nodeId}: process ${pid} has ended`);
      this.#forget(member);
    }
    // A process that was told to end because another one has its id gets no successor.
    const hasSuccessor = member !== undefined && member.pid !== pid;
    if (this.#knownNodes.get(nodeId)?.spawned === true && this.#respawnEnabled && !hasSuccessor) {
      const pauseMs = this.#respawner.schedule(nodeId, upMs);
      this.#ports.log('info', `node ${nodeId}: starting again in ${Math.round(pauseMs)} ms`);
    }
    this.#reconcile();
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

  /** M5: counts only for the same joining. */
  #onCopyDone(message: CopyDoneMessage): void {
    const member = this.#roster.members.get(message.nodeId);
    const map = this.#published;
    if (map === null || member?.incarnation !== message.incarnation) return;
    for (const [slot, joinedAt] of message.slots) {
      if (slot >= map.slots.length || !map.slot(slot).learners.includes(member.id)) continue;
      if (map.joinedAt(slot, member.id) !== joinedAt) continue;
      this.#roster.noteCopied(slot, member.id);
    }
    this.#reconcile();
  }

  #onFenceAck(link: Link, epoch: number): void {
    const plan = this.#plan;
    if (plan === null) return;
    const member = this.#roster.byLink(link);
    if (member !== undefined) plan.onAck(member.id, epoch);
    if (plan.isComplete) this.#reconcile();
  }

  // --- the next map ------------------------------------------------------------------------------------------------

  #reconcile(): void {
    if (this.#publishing !== null || this.#stopping) return;
    const map = this.#published;
    this.#reconciledAtMs = this.#ports.nowMs();
    const next = map === null ? this.#planner.first(this.clusterId, this.settings) : this.#planner.next(map);
    if (next !== null) this.#publish(next);
    else if (map !== null && this.#mustPublish) this.#publish(this.#planner.after(map, map.epoch + 1, []));
    else if (map !== null) this.#moveOn(map);
  }

  /** Removals that need a fence first (M4): one plan at a time. */
  #moveOn(map: ClusterMap): void {
    if (this.#plan !== null) {
      const { isComplete, epoch, departures } = this.#plan;
      if (isComplete) this.#publish(this.#planner.after(map, epoch, departures));
      return;
    }
    const departures = this.#planner.departures(map);
    if (departures.length === 0) return;
    this.#plan = new FencePlan(map.epoch + 1, departures);
    this.#fencing = true;
    this.#planSerial = this.#persist(map);
  }

  #persist(map: ClusterMap): number {
    const serial = ++this.#serial;
    this.#ports.persist({
      serial,
      clusterId: this.clusterId,
      settings: this.settings,
      nodeCount: this.#nodeCount,
      nextIncarnation: this.#nextIncarnation,
      knownNodes: [...this.#knownNodes.values()],
      map: map.toData(),
      fencing: this.#fencing,
    });
    return serial;
  }

  #publish(map: ClusterMap): void {
    this.#plan = null;
    this.#fencing = false;
    this.#mustPublish = false;
    this.#publishing = map;
    this.#publishingSerial = this.#serial + 1;
    this.#persist(map);
  }

  /** The state of that serial is durable: what waited for it goes out. */
  onPersisted(serial: number): void {
    const map = this.#publishing;
    if (map !== null && serial >= this.#publishingSerial) {
      this.#publishing = null;
      this.#announce(map);
    }
    if (this.#plan !== null && !this.#plan.armed && serial >= this.#planSerial) {
      this.#plan.armed = true;
      for (const id of this.#plan.nodeIds) {
        const link = this.#roster.members.get(id)?.link;
        if (link !== undefined && link !== null) this.#plan.sendTo(id, link, ++this.#rid);
      }
    }
  }

  /** M7: to every node and client that is connected. */
  #announce(map: ClusterMap): void {
    const previous = this.#published;
    this.#published = map;
    for (const node of map.nodes) {
      const member = this.#roster.members.get(node.id);
      if (member?.incarnation === node.incarnation) this.#admit(member);
    }
    this.#roster.keepCopied((slot, id) => map.slot(slot).learners.includes(id));
    for (const [id, { link, rid }] of this.#earlyRegistrations) this.#welcome(id, link, rid, map);
    this.#earlyRegistrations.clear();
    const message = { type: MessageType.map, rid: 0, map: map.toData() };
    for (const link of this.#links) link.send(message);
    this.#ports.log('info', describeChange(previous, map));
    this.#reconcile();
  }

  #admit(member: Member): void {
    if (member.admitted) return;
    member.admitted = true;
    this.#roster.lostAtMs.delete(member.id);
    // Admitted without ever having asked: it gets a lease's time to do so.
    extendLease(member, this.settings.leaseMs, this.#ports.nowMs());
  }

  tick(): void {
    if (this.#stopping) return;
    this.#respawner.tick();
    if (this.#published === null) return;
    const hasLapsed = this.#checkLeases();
    this.#suspicion.tick();
    if (hasLapsed || this.#ports.nowMs() - this.#reconciledAtMs >= reconcileEveryMs) this.#reconcile();
  }
}

function isSameProcess(member: Member, { host, port, pid }: RegisterMessage): boolean {
  return member.host === host && member.port === port && member.pid === pid;
}
