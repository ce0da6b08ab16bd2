/**
 * One life of the manager. What outlives it is on the disk: the last state that was made durable. A crash while a
 * state is being written may or may not have written it, but never a later one without it.
 */
import { ManagerCore } from '../../src/manager/core/manager-core.js';
import type { ManagerState } from '../../src/manager/core/state.js';
import type { Message } from '../../src/protocol/messages.js';
import type { End } from './network.js';
import { SimProcess } from './process.js';
import { StateDisk } from './state-disk.js';
import { spoilMessage } from './wire.js';
import type { World } from './world.js';

export class ManagerProcess extends SimProcess {
  readonly core: ManagerCore;
  /** Processes that earlier managers forked, as far as they are on record or have registered. */
  readonly inherited: Set<number>;
  /** M3: those and its own, whether it has been told of their end or not. */
  readonly #watched: Set<number>;
  readonly #writing: ManagerState[] = [];
  readonly #stateDisk: StateDisk | null;
  /** Virtual time at which it last stopped, and at which it went on, then and the time before. */
  #stoppedAtMs = -Infinity;
  #wentOnAtMs = -Infinity;
  #wentOnBeforeMs = -Infinity;

  constructor(world: World) {
    super(world);
    this.inherited = new Set(world.isElsewhere ? [] : world.disk?.knownNodes.map((known) => known.pid));
    this.#watched = new Set(this.inherited);
    this.#stateDisk = world.plan.hasStateDisk
      ? new StateDisk(world, this.post.bind(this), (serial) => {
          this.#persisted(serial);
        })
      : null;
    this.core = new ManagerCore({
      ports: {
        nowMs: () => this.nowMs(),
        clockUs: () => world.managerClockUs(),
        random: () => world.prng.next(),
        spawn: (nodeId) => {
          world.spawnNode(nodeId, this);
        },
        watch: (_nodeId, pid) => {
          if (world.isElsewhere) return false;
          this.#watched.add(pid);
          const isChild = world.nodes.some((node) => node.pid === pid && node.parent === this);
          if (!isChild) this.inherited.add(pid);
          return true;
        },
        persist: (state) => {
          this.#persist(state);
        },
        log: (_level, text) => {
          if (world.isTracing) world.trace(`${this.name}: ${text}`);
          const lapsed = /^node (\d+): silent, its lease has run out$/.exec(text);
          if (lapsed !== null) {
            world.coverage.note('leaseLapsed');
            world.observer.comebacks.lapsed(Number(lapsed[1]));
            this.#checkSilence(Number(lapsed[1]));
          }
          if (text.includes('taking it off')) {
            world.coverage.note('isolation');
            if (world.plan.bias === 'hitches') world.fail(`M2: every link is up; ${text}`);
          }
        },
      },
      settings: world.plan.settings,
      clusterId: 'sim',
      nodeCount: world.plan.nodeCount,
      respawn: true,
      address: { host: 'sim', port: 1, pid: this.pid },
      restored: world.disk,
      timings: world.plan.managerTimings,
    });
  }

  get name(): string {
    return `M#${this.pid}`;
  }

  incarnation(): number {
    return 0;
  }

  /** M3: nobody would tell it of the end of that process, which has an id of those it forks and is a member. */
  isBlindTo(nodeId: number, pid: number): boolean {
    const isOurs = nodeId >= 0 && nodeId < this.world.plan.nodeCount;
    if (!isOurs || !this.core.hasMember(nodeId) || this.#watched.has(pid)) return false;
    return this.core.status().nodes.some((node) => node.id === nodeId && node.pid === pid);
  }

  start(): void {
    this.core.start();
    const { map } = this.core;
    if (map !== null) this.world.observer.mapPublished(map);
    this.startTicking();
  }

  tick(): void {
    this.core.tick();
  }

  override pause(forMs: number): void {
    if (this.alive && !this.paused) {
      this.#stoppedAtMs = this.world.queue.nowMs;
      this.#wentOnBeforeMs = this.#wentOnAtMs;
    }
    super.pause(forMs);
  }

  override resume(): void {
    if (this.paused) this.#wentOnAtMs = this.world.queue.nowMs;
    if (this.paused && this.isSuspended) this.core.clock.onSuspended();
    super.resume();
  }

  /** M3: whoever is there, and could not be heard because the manager stood still, is not taken for silent. */
  #checkSilence(nodeId: number): void {
    const { world } = this;
    const { leaseMs } = world.plan.settings;
    const isJustBack = world.queue.nowMs - this.#wentOnAtMs < leaseMs * 0.95;
    const wasLong = this.#wentOnAtMs - this.#stoppedAtMs > leaseMs * 0.3;
    // One that stands still again and again takes the silent off some day.
    const hadListened = this.#stoppedAtMs - this.#wentOnBeforeMs > leaseMs;
    if (!isJustBack || !wasLong || !hadListened) return;
    const node = world.nodes.find(
      (each) =>
        each.alive &&
        !each.paused &&
        each.core.membership.nodeId === nodeId &&
        !world.isCut(each, this) &&
        !world.isSilent(each, this),
    );
    if (node === undefined) return;
    world.fail(`M3: the manager stood still, and takes that for the silence of ${node.name}`);
  }

  #persist(state: ManagerState): void {
    const { world } = this;
    if (this.#stateDisk !== null) {
      this.#stateDisk.persist(state);
      return;
    }
    this.#writing.push(state);
    const done = (): void => {
      if (!this.alive) return;
      if (this.#writing[0] === state) this.#writing.shift();
      world.disk = state;
      this.post(() => {
        this.#persisted(state.serial);
      });
    };
    // In order: each takes its time after the one before.
    this.#busyUntilMs =
      Math.max(this.#busyUntilMs, world.queue.nowMs) + world.prng.around(world.plan.persistMs);
    world.queue.at(this.#busyUntilMs, done);
  }

  #persisted(serial: number): void {
    this.core.onPersisted(serial);
    const { map } = this.core;
    if (map !== null) this.world.observer.mapPublished(map);
  }

  #busyUntilMs = 0;

  override crash(): void {
    // A failure of power takes it whether it runs or not; what a dead one had under way was decided when it died.
    if (!this.alive) return;
    const { world } = this;
    if (this.#stateDisk !== null) {
      this.#stateDisk.crash();
      super.crash();
      return;
    }
    const saved = world.prng.int(0, this.#writing.length);
    if (saved < this.#writing.length) world.coverage.note('managerLostState');
    world.disk = this.#writing[saved - 1] ?? world.disk;
    super.crash();
  }

  receive(end: End, message: Message): void {
    this.world.delivered(end, message);
    this.core.onMessage(end, message);
    spoilMessage(message);
  }

  onEndAccepted(end: End): void {
    this.core.onLinkOpen(end);
  }

  onEndClosed(end: End): void {
    this.core.onLinkClosed(end);
  }
}
