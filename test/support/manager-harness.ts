/**
 * A manager core with nodes that do at once what they are told: they adopt maps, fill their slots, obey fences, end and
 * are started again. Time passes only when a test says so.
 */
import type { AdminRequest, AdminResult } from '../../src/protocol/admin.js';
import type { ClusterMapData } from '../../src/protocol/cluster-map.js';
import { changed } from '../../src/protocol/map-change.js';
import { MessageType } from '../../src/protocol/messages.js';
import type {
  DiskContent,
  HeartbeatMessage,
  Link,
  Message,
  RefusedReason,
  RegisterMessage,
} from '../../src/protocol/messages.js';
import { defaultSettings } from '../../src/protocol/settings.js';
import type { ClusterSettings } from '../../src/protocol/settings.js';
import { ManagerCore } from '../../src/manager/core/manager-core.js';
import { managerTimings } from '../../src/manager/core/ports.js';
import type { ManagerState } from '../../src/manager/core/state.js';

export interface HarnessOptions {
  readonly nodes?: number;
  readonly settings?: Partial<ClusterSettings>;
  /** By node id; default: every node stands alone. */
  readonly labelOf?: (id: number) => string;
  readonly respawn?: boolean;
  /** Nodes whose processes are not heard of when the cluster is started; none by default. */
  readonly lost?: readonly number[];
}

const stepMs = 20;

let linkId = 0;

interface Identity {
  readonly nodeId: number;
  readonly incarnation: number;
}

/** Of a process without a disk. */
export function registerOf({
  nodeId,
  incarnation,
  pid,
}: Identity & { readonly pid: number }): RegisterMessage {
  return {
    type: MessageType.register,
    rid: 1,
    nodeId,
    incarnation,
    host: 'h',
    port: pid,
    pid,
    hostLabel: '',
    hasDisk: false,
    disk: { clusterId: '', slots: [], clockUs: 0 },
  };
}

export function heartbeatOf({ nodeId, incarnation }: Identity, epoch: number): HeartbeatMessage {
  return { type: MessageType.heartbeat, rid: 2, nodeId, incarnation, epoch, keys: 0, bytes: 0, noRoom: null };
}

class FakeNode implements Link {
  readonly id = ++linkId;
  readonly isFull = false;
  readonly isOfNode = true;
  readonly #harness: ManagerHarness;
  readonly pid: number;
  nodeId: number;
  incarnation = 0;
  map: ClusterMapData | null = null;
  /** Learners stay learners. */
  isSlow = false;
  /** Does not obey fences. */
  isDeaf = false;
  /** Does not answer probes. */
  isStill = false;
  noRoom: RefusedReason | null = null;
  /** As the last lease told it. */
  clockUs = 0;

  constructor(harness: ManagerHarness, nodeId: number, pid: number) {
    this.#harness = harness;
    this.nodeId = nodeId;
    this.pid = pid;
  }

  send(message: Message): void {
    this.#harness.later(() => {
      this.#receive(message);
    });
  }

  sendLazily(message: Message): void {
    this.send(message);
  }

  register(): void {
    const hostLabel = this.#harness.labelOf(this.nodeId);
    const disk = this.#harness.diskOf(this.nodeId);
    const hasDisk = this.#harness.hasDisks || disk.clusterId !== '';
    this.#harness.deliver(this, { ...registerOf(this), hostLabel, hasDisk, disk });
  }

  /** It cannot reach that node. */
  report({ nodeId, incarnation }: Identity): void {
    const epoch = this.map?.epoch ?? 0;
    this.#harness.deliver(this, { type: MessageType.report, rid: 3, nodeId, incarnation, epoch });
  }

  heartbeat(): void {
    if (this.incarnation !== 0)
      this.#harness.deliver(this, {
        ...heartbeatOf(this, this.map?.epoch ?? 0),
        noRoom: this.noRoom,
      });
  }

  #receive(message: Message): void {
    switch (message.type) {
      case MessageType.registered:
        this.nodeId = message.nodeId;
        this.incarnation = message.incarnation;
        this.#adopt(message.map);
        return;
      case MessageType.map:
        if (message.map !== null) this.#adopt(message.map);
        return;
      case MessageType.mapChange:
        if (this.map !== null && this.map.epoch < message.epoch) this.#adopt(changed(this.map, message));
        return;
      case MessageType.lease:
        this.clockUs = message.clockUs;
        return;
      case MessageType.fence:
        if (this.isDeaf) return;
        this.#harness.deliver(this, { type: MessageType.fenceAck, rid: message.rid, epoch: message.epoch });
        return;
      case MessageType.probe:
        if (!this.isStill) this.#harness.deliver(this, { type: MessageType.probeAck, rid: message.rid });
        return;
      case MessageType.removed:
        this.incarnation = 0;
        this.register();
        return;
      case MessageType.stop:
        this.#harness.end(this);
        return;
      default:
    }
  }

  #adopt(map: ClusterMapData): void {
    if (map.epoch <= (this.map?.epoch ?? 0)) return;
    this.map = map;
    this.heartbeat();
    this.copy();
  }

  /** Has filled all slots that it is a learner of. */
  copy(): void {
    const { nodeId, incarnation, map } = this;
    const slots = (map?.slots ?? []).flatMap((slot, index) => {
      const place = slot.learners.indexOf(nodeId);
      const joinedAt = slot.joinedAt[slot.replicas.length + place] ?? 0;
      return place < 0 ? [] : [[index, joinedAt] as const];
    });
    if (slots.length > 0 && !this.isSlow)
      this.#harness.deliver(this, { type: MessageType.copyDone, nodeId, incarnation, slots });
  }
}

/** Tests count in steps of this length, whatever the manager's own may be. */
const timings = { ...managerTimings, stepEveryMs: 200, stepEveryIdleMs: 200 };

export class ManagerHarness {
  core: ManagerCore;
  readonly nodes: FakeNode[] = [];
  /** Ids of the processes forked, in order. */
  readonly spawned: number[] = [];
  /** What the manager has logged. */
  readonly logged: string[] = [];
  /** The last state that was saved. */
  state: ManagerState | null = null;
  /** What every published map must hold; called for each. */
  onMap: (map: ClusterMapData) => void = () => undefined;
  /** Of the manager's host, before or behind what has passed. */
  hostClockUs = 0;
  /** States are kept back until `save`. */
  isDiskSlow = false;
  readonly labelOf: (id: number) => string;
  /** What a node has on its disk when it registers. */
  diskOf: (id: number) => DiskContent = () => registerOf({ nodeId: 0, incarnation: 0, pid: 0 }).disk;
  /** Whether nodes have disks, however empty; by default where the cluster needs them. */
  hasDisks: boolean;
  /** Processes that the manager's host does not know. */
  readonly elsewhere = new Set<number>();
  /** Nodes whose processes are started and never heard of. */
  readonly lost: Set<number>;
  /** What was kept back, in order. */
  readonly unsaved: ManagerState[] = [];
  readonly #options: HarnessOptions;
  readonly #queue: (() => void)[] = [];
  #nowMs = 1000;
  #pid = 100;
  #epoch = 0;

  constructor(options: HarnessOptions = {}) {
    this.#options = options;
    this.labelOf = options.labelOf ?? (() => '');
    this.lost = new Set(options.lost);
    this.hasDisks = (options.settings?.durability ?? defaultSettings.durability) !== 'none';
    this.core = this.#newCore();
    this.core.start();
    this.run();
  }

  #newCore(): ManagerCore {
    const { nodes = 4, settings = {}, respawn = true } = this.#options;
    const core: ManagerCore = new ManagerCore({
      ports: {
        nowMs: () => this.#nowMs,
        clockUs: () => this.#nowMs * 1000 + this.hostClockUs,
        random: () => 0.5,
        spawn: (id) => {
          this.spawned.push(id);
          this.later(() => {
            this.#start(id);
          });
        },
        watch: (_id, pid) => !this.elsewhere.has(pid),
        persist: (state) => {
          this.unsaved.push(state);
          if (!this.isDiskSlow) this.later(() => this.save());
        },
        log: (_level, text) => {
          this.logged.push(text);
        },
      },
      settings: { ...defaultSettings, replicas: 2, slotCount: nodes * 3, ...settings },
      clusterId: 'c',
      nodeCount: nodes,
      respawn,
      address: { host: 'h', port: 1, pid: 1 },
      restored: this.state,
      timings,
    });
    return core;
  }

  #start(id: number): void {
    if (this.lost.has(id)) return;
    const node = new FakeNode(this, id, ++this.#pid);
    this.nodes.push(node);
    this.core.onLinkOpen(node);
    node.register();
  }

  /** One that was lost is heard of. */
  find(id: number): void {
    this.lost.delete(id);
    this.#start(id);
    this.run();
  }

  /** A node that nobody here forked. */
  join(): void {
    this.#start(-1);
    this.run();
  }

  node(id: number): FakeNode {
    const node = this.nodes.find((each) => each.nodeId === id);
    if (node === undefined) throw new Error(`there is no node ${id}`);
    return node;
  }

  later(act: () => void): void {
    this.#queue.push(act);
  }

  deliver(from: FakeNode, message: Message): void {
    this.later(() => {
      if (this.nodes.includes(from)) this.core.onMessage(from, message);
    });
  }

  /** Its process ends, and the manager sees it. */
  end(node: FakeNode): void {
    const index = this.nodes.indexOf(node);
    if (index < 0) return;
    this.nodes.splice(index, 1);
    this.core.onLinkClosed(node);
    this.core.onProcessExit(node.nodeId, node.pid);
  }

  /** Nothing is heard of it any more, and nobody sees its process end. */
  cut(node: FakeNode): void {
    this.nodes.splice(this.nodes.indexOf(node), 1);
    this.core.onLinkClosed(node);
  }

  /** It dials anew. */
  redial(node: FakeNode): void {
    this.core.onLinkClosed(node);
    this.core.onLinkOpen(node);
    node.register();
  }

  /** What was kept back is saved. */
  save(): void {
    for (const state of this.unsaved.splice(0)) {
      this.state = state;
      this.core.onPersisted(state.serial);
    }
  }

  /** kill -9 of the manager; the next one has what was saved. */
  restartManager(): void {
    this.unsaved.length = 0;
    this.#queue.length = 0;
    this.core = this.#newCore();
    this.core.start();
    for (const node of this.nodes) {
      this.core.onLinkOpen(node);
      node.register();
    }
    this.run();
  }

  ask(request: AdminRequest | object): AdminResult | null {
    let result: AdminResult | null = null;
    const send = (message: Message): void => {
      if (message.type === MessageType.adminResult) result = JSON.parse(message.json) as AdminResult;
    };
    const json = JSON.stringify(request);
    this.core.onMessage(
      { id: 0, isFull: false, isOfNode: false, send, sendLazily: send },
      { type: MessageType.admin, rid: 7, json },
    );
    this.run();
    return result;
  }

  /** All that follows without any time passing. */
  run(): void {
    for (let act = this.#queue.shift(); act !== undefined; act = this.#queue.shift()) {
      act();
      const { map } = this.core;
      if (map === null || map.epoch <= this.#epoch) continue;
      this.#epoch = map.epoch;
      this.onMap(map);
    }
  }

  pass(forMs: number): void {
    for (const endMs = this.#nowMs + forMs; this.#nowMs < endMs;) {
      this.#nowMs += stepMs;
      for (const node of this.nodes) node.heartbeat();
      this.core.tick();
      this.run();
    }
  }

  /** The manager stands still: what nodes send meanwhile it has not read when its timer is due. */
  stall(forMs: number): void {
    this.#nowMs += forMs;
    this.core.tick();
    this.run();
  }

  /** By slot, who holds it, primary first. */
  get slots(): readonly (readonly number[])[] {
    return this.core.map?.slots.map((slot) => slot.replicas) ?? [];
  }
}
