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
import type { SlotAssignment } from '../../protocol/cluster-map.js';
import { MessageType } from '../../protocol/messages.js';
import type { CopyDoneMessage, HeartbeatMessage, Link, Message } from '../../protocol/messages.js';
import type { ClusterSettings } from '../../protocol/settings.js';
import type { ClusterStatus } from '../../protocol/status.js';
import { acceptLoss, takeLossBack } from './accept-loss.js';
import { Administration } from './administration.js';
import { boundedState } from './bounded-state.js';
import type { Departure, FencePlan } from './fencing.js';
import { Leases } from './leases.js';
import { ManagerClock } from './manager-clock.js';
import { describeChange, describeLoss, Planner } from './planner.js';
import { managerTimings } from './ports.js';
import type { ManagerPorts, ManagerTimings } from './ports.js';
import { Publisher } from './publisher.js';
import { Recovery } from './recovery.js';
import { answerQuery } from './queries.js';
import { Registry } from './registry.js';
import { Respawner } from './respawner.js';
import { isStep, Rollout } from './rollout.js';
import { Roster } from './roster.js';
import type { KnownNode, ManagerState } from './state.js';
import { isServing, isWhole, statusOf } from './status.js';
import { Stranded } from './stranded.js';
import { Suspicion } from './suspicion.js';

/**
 * A restarted manager skips this many incarnations, in case its last ones were not saved, and saves that it has before
 * it gives out any: otherwise two restarts from one state would give one incarnation to two processes.
 */
const incarnationsSkipped = 1000;
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
  readonly clusterId: string;
  readonly clock: ManagerClock;
  readonly #ports: ManagerPorts;
  readonly #timings: ManagerTimings;
  readonly #nodeCount: number;
  readonly #address: ClusterStatus['manager'];
  readonly #roster = new Roster();
  readonly #administration: Administration;
  readonly #planner: Planner;
  readonly #recovery: Recovery;
  readonly #stranded: Stranded;
  readonly #knownNodes = new Map<number, KnownNode>();
  readonly #respawner: Respawner;
  readonly #suspicion: Suspicion;
  readonly #leases: Leases;
  readonly #links = new Set<Link>();
  readonly #publisher: Publisher;
  readonly #registry: Registry;
  readonly #rollout: Rollout;
  #rid = 0;
  #reconciledAtMs = -Infinity;
  /** Deaths are gathered until then. */
  #reconcileAtMs = Infinity;
  /** A step waits until the last map has had its time. */
  #isStepDue = false;
  #stopping = false;

  constructor(options: ManagerCoreOptions) {
    const { timings = managerTimings } = options;
    const restored = options.restored ? boundedState(options.restored) : null;
    this.#ports = options.ports;
    this.#timings = timings;
    this.#address = options.address;
    this.clock = new ManagerClock(options.ports);
    this.#respawner = new Respawner(options, timings, this.#roster);
    this.clusterId = restored?.clusterId ?? options.clusterId;
    this.#nodeCount = restored?.nodeCount ?? options.nodeCount;
    this.#administration = this.#newAdministration(options, restored);
    this.#suspicion = new Suspicion(options.ports, timings, this.#roster, () => ++this.#rid);
    this.#registry = new Registry({
      ports: options.ports,
      roster: this.#roster,
      knownNodes: this.#knownNodes,
      administration: this.#administration,
      respawner: this.#respawner,
      map: () => this.map,
      isReserved: () => this.#publisher.isReserved,
      joined: () => {
        this.#reconcile();
      },
      livesStill: (nodeId) => {
        if (takeLossBack(nodeId, this.#recovery, this.#ports)) this.#publisher.save();
      },
    });
    const nowMs = (): number => options.ports.nowMs();
    this.#rollout = new Rollout(this.#roster, timings, this.#administration.desk.loads, nowMs);
    this.#leases = new Leases(options.ports, this.#roster, this.clock, this.settings.leaseMs);
    this.#recovery = new Recovery({ ...this.settings, roster: this.#roster, nowMs });
    const slotsNow = (): readonly SlotAssignment[] => this.map?.slots ?? [];
    this.#stranded = new Stranded(options.ports, this.#roster, this.#recovery, slotsNow);
    this.#planner = new Planner({
      roster: this.#roster,
      recovery: this.#recovery,
      intent: this.#administration.intent,
      nodeCount: this.#nodeCount,
      isExpectedBack: (id) => this.#respawner.isExpectedBack(id),
      places: () => this.#administration.places(),
      onSlotsLost: (slots, partly, epoch) => {
        this.#ports.log('error', describeLoss(slots, partly, epoch));
      },
    });
    this.#publisher = new Publisher({
      persist: (state) => {
        this.#persist(state);
      },
      betterMap: (map, previous) => this.#planner.withSurvivors(map, previous),
      published: (map, previous) => {
        this.#announce(map, previous);
      },
      armed: (plan) => {
        for (const id of plan.nodeIds) this.#sendFence(plan, id);
      },
    });
    if (restored !== null) this.#restore(restored);
  }

  #newAdministration(options: ManagerCoreOptions, restored: ManagerState | null): Administration {
    return new Administration({
      ...options,
      timings: this.#timings,
      restored,
      nodeCount: this.#nodeCount,
      roster: this.#roster,
      knownNodes: this.#knownNodes,
      map: () => this.map,
      isCreated: () => this.map !== null,
      isSettled: (map, slot) => this.#planner.isSettled(map, slot),
      dismissed: (id) => {
        this.#respawner.cancel(id);
      },
      acceptLoss: () =>
        acceptLoss(this.map?.slots ?? [], {
          roster: this.#roster,
          recovery: this.#recovery,
          registry: this.#registry,
          ports: this.#ports,
        }),
      isAwaited: (id) => this.#recovery.awaits(id),
      save: () => this.#publisher.save(),
      reconcile: () => {
        this.#reconcile();
      },
    });
  }

  /** As the next map will have them. */
  get settings(): ClusterSettings {
    return this.#administration.intent.settings;
  }

  /** The published map; null before the cluster is created. */
  get map(): ClusterMap | null {
    return this.#publisher.map;
  }

  /** All slots served by as many full replicas as asked for, as every member knows; or on their way by a task. */
  get isSettled(): boolean {
    const { map, isBusy, plan } = this.#publisher;
    if (map !== null && this.#administration.tasks.isRunning) return isServing(map, this.#roster.members);
    return map !== null && !isBusy && plan === null && isWhole(map, this.#roster);
  }

  /** A process has that id, or had it when the manager was started again and has not been found dead since. */
  hasMember(nodeId: number): boolean {
    return this.#roster.members.has(nodeId);
  }

  /** It gets no slots for now (M2). */
  isIsolated(nodeId: number): boolean {
    return this.#roster.isolated.has(nodeId);
  }

  /** Forks the nodes of a new cluster, or those of a restored one that have no member. */
  start(): void {
    this.#publisher.reserve();
    for (let id = 0; id < this.#nodeCount; id++)
      if (!this.#knownNodes.has(id)) this.#knownNodes.set(id, { id, spawned: true, pid: 0 });
    const known = [...this.#knownNodes.values()].sort((a, b) => a.id - b.id);
    for (const { id, spawned, drained } of known)
      if (spawned && drained !== true && !this.#roster.members.has(id)) this.#ports.spawn(id);
    this.#reconcile();
  }

  /** Orders all nodes to end. The shell waits for them. */
  stop(): void {
    this.#stopping = true;
    this.#registry.close();
    for (const member of this.#roster.members.values())
      member.link?.send({ type: MessageType.stop, epoch: 0, fault: '' });
  }

  /** M1: every node may still hold a full lease. */
  #restore(state: ManagerState): void {
    const map = state.map === null ? null : new ClusterMap(state.map);
    this.clock.restore(state);
    this.#publisher.restore(state, map);
    this.#registry.nextIncarnation = state.nextIncarnation + incarnationsSkipped;
    for (const known of state.knownNodes) this.#knownNodes.set(known.id, known);
    this.#recovery.restore(state);
    this.#administration.restore(state);
    if (map === null) return;
    this.#roster.restore(state, this.#ports.nowMs());
    for (const member of this.#roster.members.values()) this.#leases.assume(member);
    this.#ports.log('info', `restored at epoch ${map.epoch}; waiting for ${this.#roster.members.size} nodes`);
  }

  // --- messages ------------------------------------------------------------------------------------------------

  onLinkOpen(link: Link): void {
    this.#links.add(link);
  }

  onLinkClosed(link: Link): void {
    this.#links.delete(link);
    this.#rollout.onLinkClosed(link);
    this.#registry.onLinkClosed(link);
    for (const member of this.#roster.members.values()) {
      if (member.link !== link) continue;
      member.link = null;
      // In no map and without a lease: if it lives, it registers anew.
      if (!member.admitted && !this.#publisher.isAboutToName(member)) this.#registry.forget(member);
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
        this.#registry.onRegister(link, message);
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
      case MessageType.slotLoads:
        this.#administration.desk.onLoads(link, message, this.map);
        return;
      case MessageType.getMap:
        this.#rollout.onGetMap(link, message, this.map);
        return;
      case MessageType.admin:
        this.#administration.onMessage(link, message);
        return;
      default:
        answerQuery(link, message, this.map, () => this.status());
    }
  }

  status(): ClusterStatus {
    return statusOf({
      settings: this.settings,
      map: this.map,
      members: this.#roster.members,
      knownNodes: this.#knownNodes,
      leavingId: this.#administration.intent.leavingId,
      manager: this.#address,
      nowMs: this.#ports.nowMs(),
      isolated: this.#roster.isolated,
      warnings: [...this.#administration.desk.warnings, ...this.#stranded.warnings],
    });
  }

  // --- leases --------------------------------------------------------------------------------------------------

  /** M1. */
  #onHeartbeat(link: Link, message: HeartbeatMessage): void {
    const member = this.#registry.onHeartbeat(link, message);
    const map = this.map;
    if (member === undefined || map === null) return;
    if (!this.#leases.onHeartbeat(member, link, message, map.epoch, this.#publisher.isBusy)) return;
    this.#rollout.goOn();
    if (this.#publisher.plan !== null) this.#sendFence(this.#publisher.plan, member.id);
    this.#administration.tasks.onHeartbeat(member, link, map);
  }

  /** M3: its process is known to be dead. */
  onProcessExit(nodeId: number, pid: number): void {
    if (this.#stopping) return;
    const nowMs = this.#ports.nowMs();
    this.#registry.onProcessExit(nodeId, pid);
    // Before the first map there is nothing to bring back, and no tick that would look again.
    if (this.#recovery.isDurable && this.map !== null)
      this.#reconcileAtMs = Math.min(this.#reconcileAtMs, nowMs + deathsGatheredMs);
    else this.#reconcile();
  }

  // --- copies and fences -------------------------------------------------------------------------------------------

  #onCopyDone(link: Link, message: CopyDoneMessage): void {
    if (this.map !== null && this.#roster.onCopyDone(link, message, this.map)) this.#reconcile();
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
    const { map } = this.#publisher;
    this.#reconciledAtMs = this.#ports.nowMs();
    this.#isStepDue = false;
    if (map !== null) this.#administration.tasks.advance(map);
    const next = map === null ? this.#planner.first(this.clusterId) : this.#planner.next(map);
    if (map !== null && (next === null || isStep(map, next))) this.#takeStep(map, next);
    else if (next !== null) this.#publisher.publish(next);
  }

  /** Nobody is lost. Fenced slots wait for nothing; all else is done at leisure, and breaks no fence off that is still wanted. */
  #takeStep(map: ClusterMap, next: ClusterMap | null): void {
    const { plan, mustPublish } = this.#publisher;
    const leaving = plan === null ? [] : this.#stillLeaving(map, plan);
    // One whose departures nobody wants any more is given up, whoever has not answered yet. *[found]*
    if (plan !== null && (plan.isComplete || leaving.length === 0))
      this.#publisher.publish(this.#planner.after(next ?? map, plan.epoch, leaving));
    else if (mustPublish) this.#publisher.publish(next ?? this.#planner.after(map, map.epoch + 1));
    else if (plan !== null) return;
    else if (this.#beginRemoval(map, this.#planner.urgentDepartures(map))) return;
    else if (!this.#rollout.allowsStep) this.#isStepDue = true;
    else if (next !== null) this.#publisher.publish(next);
    else this.#beginRemoval(map, this.#planner.departures(map));
  }

  /** Nobody, if some of those that were fenced are needed again: the map lifts all fences. */
  #stillLeaving(map: ClusterMap, { departures }: FencePlan): readonly Departure[] {
    const now = new Set(this.#planner.departures(map).map(({ slot, nodeId }) => `${slot} ${nodeId}`));
    return departures.every(({ slot, nodeId }) => now.has(`${slot} ${nodeId}`)) ? departures : [];
  }

  /** Removals that need a fence first (M4): one plan at a time. @returns whether there are any */
  #beginRemoval(map: ClusterMap, departures: readonly Departure[]): boolean {
    if (departures.length > 0) this.#publisher.beginRemoval(map, departures);
    return departures.length > 0;
  }

  /** Saves its notes, which otherwise go with the next map. */
  save(): void {
    this.#publisher.save();
  }

  #persist(state: Pick<ManagerState, 'serial' | 'map' | 'fencing'>): void {
    this.#ports.persist({
      ...state,
      ...this.#administration.toState(),
      clusterId: this.clusterId,
      nodeCount: this.#nodeCount,
      ...this.#recovery.state(),
      takenForDead: [...this.#roster.takenForDead],
      nextIncarnation: this.#registry.nextIncarnation,
      ...this.clock.toSave(),
      knownNodes: [...this.#knownNodes.values()],
    });
  }

  /** The state of that serial survives this process. */
  onPersisted(serial: number): void {
    this.#publisher.onPersisted(serial);
    this.#administration.onPersisted(serial);
  }

  /** M7: to every node and client that is connected. */
  #announce(map: ClusterMap, previous: ClusterMap | null): void {
    for (const node of map.nodes) {
      const member = this.#roster.members.get(node.id);
      if (member?.incarnation === node.incarnation) this.#leases.admit(member);
    }
    this.#roster.onPublished(map, this.#ports.nowMs(), this.#recovery.onPublished());
    this.#administration.onPublished(map);
    this.#registry.onPublished(map);
    this.#rollout.announce(map, previous, this.#links);
    this.#ports.log(...describeChange(previous, map));
    this.#reconcile();
  }

  tick(): void {
    if (this.#stopping) return;
    this.#respawner.tick();
    this.#registry.tick();
    this.#rollout.goOn();
    if (this.map === null) return;
    const hasLapsed = this.#leases.tick();
    this.#suspicion.tick();
    this.#administration.tick(this.map);
    this.#stranded.tick();
    if (this.#recovery.hasBegun(this.map) || this.clock.isSaveDue) this.#publisher.save();
    const nowMs = this.#ports.nowMs();
    const isDue = nowMs >= this.#reconcileAtMs || nowMs - this.#reconciledAtMs >= reconcileEveryMs;
    if (hasLapsed || isDue || (this.#isStepDue && this.#rollout.allowsStep)) this.#reconcile();
  }
}
