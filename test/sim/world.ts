/**
 * One simulated cluster: all processes, the network between them, virtual time, and what went wrong. Everything that
 * happens follows from the seed.
 */
import type { ManagerState } from '../../src/manager/core/state.js';
import { Role } from '../../src/node/core/membership.js';
import { MessageType } from '../../src/protocol/messages.js';
import type { Message } from '../../src/protocol/messages.js';
import { partitionerNamed } from '../../src/protocol/partition.js';
import { Ambushes } from './ambush.js';
import { SimDisk } from './disk.js';
import { ClientProcess } from './client-process.js';
import { Coverage } from './coverage.js';
import { EventQueue } from './event-queue.js';
import { ManagerProcess } from './manager-process.js';
import type { End } from './network.js';
import { NodeProcess } from './node-process.js';
import { Observer } from './observer.js';
import { withCutOff, withHitches, withLateCopies, withLostDisks, withTurns } from './leanings.js';
import {
  drawAmbushes,
  drawPlan,
  withCalm,
  withDisks,
  withExpiry,
  withInterval,
  withStateDisk,
} from './plan.js';
import type { Plan } from './plan.js';
import { Prng } from './prng.js';
import type { SimProcess } from './process.js';
import type { ScheduleOptions } from './schedule.js';
import type { FrameMode } from './frames.js';
import { SimTasks } from './tasks.js';
import { describeMessage } from './wire.js';

/** Microseconds at virtual time zero: a date of today, so that numbers are as large as in life. */
const diskSeedOffset = 2 ** 40;
const expirySeedOffset = 2 ** 41;
const stateDiskSeedOffset = 2 ** 42;
const turnSeedOffset = 2 ** 43;
const clockStartUs = 1.7e15;

/** The schedule found something wrong. */
export class Violation extends Error {
  override readonly name = 'Violation';
}

export class World {
  readonly queue = new EventQueue();
  readonly prng: Prng;
  /** Of all that has to do with disks, so that a seed without them stays the schedule it was. */
  readonly diskPrng: Prng;
  /** The same for values that expire. */
  readonly expiryPrng: Prng;
  /** Of who asks for a turn; null: nobody does. */
  readonly turnPrng: Prng | null;
  readonly plan: Plan;
  readonly coverage = new Coverage();
  readonly observer: Observer;
  readonly tasks: SimTasks;
  readonly ambushes: Ambushes;
  readonly nodes: NodeProcess[] = [];
  readonly clients: ClientProcess[] = [];
  manager: ManagerProcess;
  /** By node id. */
  readonly #disks = new Map<number, SimDisk>();
  /** What the manager made durable. */
  disk: ManagerState | null = null;
  /** Virtual time until which the manager's disk is full, and slow. */
  readonly stateDiskTrouble = { fullUntilMs: 0, slowUntilMs: 0 };
  /** A manager looks after the processes that its predecessors forked. */
  #watchesOld: boolean;
  /** Directions in which nothing arrives, `${from pid} ${to pid}`. */
  readonly #silent = new Set<string>();
  /** Pairs of processes that cannot reach each other. */
  readonly #cut = new Set<string>();
  /** After the faults: every message is quick. */
  calm = false;
  /** FNV-1a over everything that was delivered. */
  traceHash = 0x811c9dc5;
  messages = 0;
  readonly seed: number;
  readonly frameMode: FrameMode;
  readonly #traceSink: ((line: string) => void) | undefined;
  /** No manager sees nodes end, nor starts them again: they are on hosts of their own. */
  readonly isElsewhere: boolean;
  /** Nodes that are about to be started again. */
  readonly #starting = new Set<number>();
  #pid = 0;
  #linkId = 0;
  /** Virtual time of each step of the history. */
  readonly #stepTimes: number[] = [];
  #port = 100;

  constructor(seed: number, options: ScheduleOptions) {
    const { bias, disks = false, calm = false, expiry = false, managerDisk = false, turns = false } = options;
    const { frames = 'mixed', interval = false, elsewhere = false, trace } = options;
    this.seed = seed;
    this.isElsewhere = disks && elsewhere;
    this.frameMode = frames;
    this.prng = new Prng(seed);
    this.diskPrng = new Prng(seed + diskSeedOffset);
    const usual = bias === 'ambush' ? drawAmbushes(this.prng) : drawPlan(this.prng, bias);
    const drawn = calm ? withCalm(usual) : usual;
    const plan = disks ? withDisks(drawn, this.diskPrng) : drawn;
    this.expiryPrng = new Prng(seed + expirySeedOffset);
    const lasting = expiry ? withExpiry(plan, this.expiryPrng) : plan;
    const stored = managerDisk ? withStateDisk(lasting, new Prng(seed + stateDiskSeedOffset)) : lasting;
    this.plan = stored;
    if (bias === 'hitches') this.plan = withHitches(stored, this.prng);
    if (bias === 'cutOff') this.plan = withCutOff(stored, this.prng);
    if (bias === 'lateCopies') this.plan = withLateCopies(stored, this.prng);
    if (bias === 'turns') this.plan = withTurns(stored, this.prng);
    if (bias === 'lostDisks') this.plan = withLostDisks(stored, this.prng);
    if (interval) this.plan = withInterval(this.plan);
    this.turnPrng = turns || bias === 'turns' ? new Prng(seed + turnSeedOffset) : null;
    this.#traceSink = trace;
    this.ambushes = new Ambushes(this);
    const mayHaveTasks = bias === undefined || bias === 'ambush' || bias === 'lostDisks';
    this.tasks = new SimTasks(this, mayHaveTasks ? undefined : bias === 'tasks');
    this.#watchesOld = this.plan.seesOldExits;
    this.observer = new Observer(this);
    if (this.isTracing) this.trace(`plan ${JSON.stringify(this.plan)}`);
    this.manager = new ManagerProcess(this);
    this.manager.start();
    for (let i = 0; i < this.plan.clientCount; i++) this.startClient();
  }

  // --- identity and chance -----------------------------------------------------------------------------------------

  nextPid(): number {
    return ++this.#pid;
  }

  nextLinkId(): number {
    return ++this.#linkId;
  }

  /** Orders the calls and returns of operations. */
  nextStep(): number {
    return this.#stepTimes.push(this.queue.nowMs);
  }

  /** Between the last step up to that time of the cluster's clock and the next. */
  stepAt(clockMs: number): number {
    const times = this.#stepTimes;
    const atMs = clockMs - clockStartUs / 1000;
    let [from, to] = [0, times.length];
    while (from < to) {
      const middle = (from + to) >> 1;
      if ((times[middle] ?? Infinity) <= atMs) from = middle + 1;
      else to = middle;
    }
    return from + 0.5;
  }

  slotOf(key: string): number {
    const { partitioner, slotCount } = this.plan.settings;
    return (partitionerNamed(partitioner)?.(key) ?? 0) % slotCount;
  }

  managerClockUs(): number {
    return Math.floor(clockStartUs + this.queue.nowMs * 1000);
  }

  /** @param expiresAtMs 0: never */
  hasExpired(expiresAtMs: number): boolean {
    return expiresAtMs > 0 && expiresAtMs * 1000 <= this.managerClockUs();
  }

  delayMs(from: SimProcess): number {
    const { prng, plan } = this;
    let delayMs = Math.min(prng.around(plan.delayMs), plan.delayMs * 5);
    // Quick enough for every time-out of the plan.
    if (this.calm) return Math.min(delayMs, 1);
    if (prng.chance(plan.slowShare)) delayMs += prng.between(5, prng.chance(0.2) ? 300 : 50);
    if (this.queue.nowMs < from.slowUntilMs) delayMs += prng.between(5, 60);
    return delayMs;
  }

  redialMs(): number {
    return this.prng.between(2, this.prng.chance(0.2) ? 80 : 15);
  }

  // --- processes ---------------------------------------------------------------------------------------------------

  nodeAt(port: number): NodeProcess | undefined {
    return this.nodes.find((node) => node.port === port && node.alive);
  }

  /** Any node id if -1. */
  spawnNode(nodeId: number, parent: ManagerProcess | null): void {
    const { prng } = this;
    const rival = this.nodes.find(
      (node) => node.alive && nodeId >= 0 && node.core.membership.nodeId === nodeId,
    );
    if (rival !== undefined) this.coverage.note('twoProcessesOneId');
    this.queue.after(prng.between(2, 20), () => {
      this.#startNode(nodeId, parent);
    });
  }

  #startNode(nodeId: number, parent: ManagerProcess | null): void {
    const { prng } = this;
    if ((this.diskOf(nodeId)?.owner ?? null) !== null) {
      // The disk is another process's still.
      this.coverage.note('diskLocked');
      this.queue.after(50, () => {
        this.#startNode(nodeId, parent);
      });
      return;
    }
    const former = this.nodes.findLast((node) => node.givenId === nodeId && !node.alive);
    if (former !== undefined) this.coverage.note('nodeRespawn');
    const isSamePort = former !== undefined && prng.chance(0.3) && this.nodeAt(former.port) === undefined;
    const port = isSamePort ? former.port : ++this.#port;
    if (this.isTracing) this.trace(`process of node ${nodeId} starts on port ${port}`);
    if (nodeId < 0) this.coverage.note('foreignJoin');
    this.nodes.push(new NodeProcess(this, nodeId, this.isElsewhere ? null : parent, port));
  }

  /** Whoever looks after it on its own host does so. */
  #startAgain(nodeId: number): void {
    if (this.#starting.has(nodeId)) return;
    this.#starting.add(nodeId);
    this.queue.after(this.diskPrng.between(5, 400), () => {
      this.#starting.delete(nodeId);
      const isWanted = this.manager.core.status().nodes.some(({ id }) => id === nodeId);
      const isThere = this.nodes.some((node) => node.alive && node.givenId === nodeId);
      if (isWanted && !isThere) this.#startNode(nodeId, null);
    });
  }

  /** undefined: the node has none. */
  diskOf(nodeId: number): SimDisk | undefined {
    if (!this.plan.hasDisks || nodeId < 0) return undefined;
    let disk = this.#disks.get(nodeId);
    if (disk === undefined) this.#disks.set(nodeId, (disk = new SimDisk()));
    return disk;
  }

  /** Everything dies at the same moment. One disk may never come back. */
  losePower(): void {
    this.coverage.note('powerLost');
    const { diskPrng } = this;
    if (this.isTracing) this.trace('the power fails');
    const lives = this.observer.livingMembers();
    for (const node of this.nodes) if (node.alive) this.crashNode(node);
    this.manager.crash();
    this.observer.powerLost(lives);
    if (diskPrng.chance(this.plan.diskLossShare) && this.plan.settings.replicas > 1) {
      const nodeId = diskPrng.below(this.plan.nodeCount);
      const isReplaced = this.plan.bias === 'disasters' && diskPrng.chance(0.5);
      if (this.isTracing)
        this.trace(`the disk of node ${nodeId} ${isReplaced ? 'is an old one' : 'is lost'}`);
      this.coverage.note('diskLost');
      if (isReplaced) this.diskOf(nodeId)?.putOldBack();
      else this.diskOf(nodeId)?.wipe();
      this.observer.identitiesChanged();
    }
    this.queue.after(diskPrng.between(1, 500), () => {
      this.startManager();
      this.watchOldProcesses();
    });
  }

  crashNode(node: NodeProcess): void {
    if (this.isTracing) this.trace(`${node.name} is killed`);
    this.coverage.note(node.parent === null ? 'foreignCrash' : 'nodeCrash');
    node.crash();
    this.observer.identitiesChanged();
    if (this.isElsewhere) this.#startAgain(node.givenId);
    if (node.parent === null) return;
    this.queue.after(this.prng.around(3), () => {
      this.#tellExit(node);
    });
  }

  /** The manager ordered it to end; it does so in its next turn. */
  nodeStops(node: NodeProcess): void {
    this.coverage.note('nodeStopped');
    // What it was given since the order was sent it has not heard of yet, and nobody has been served by it.
    const servesOwnView = node.core.membership.slotsOf(Role.full).length > 0;
    if (servesOwnView && this.observer.isFullReplica(node))
      this.fail(`M4: ${node.name} is told to end, and is a full replica`);
    this.queue.after(1, () => {
      if (node.alive) this.crashNode(node);
    });
  }

  /** Its parent sees its end; a later manager does if it knows the process id. */
  #tellExit(node: NodeProcess): void {
    const { manager } = this;
    if (node.alive || node.parent === null) return;
    if (manager.alive && manager.isBlindTo(node.givenId, node.pid))
      this.fail(`M3: the manager does not watch ${node.name}, which it has admitted`);
    const isWatched = node.parent === manager || (this.#watchesOld && manager.inherited.delete(node.pid));
    if (manager.alive && isWatched) this.#exited(node);
    else this.coverage.note('exitUnseen');
  }

  #exited(node: NodeProcess): void {
    const { manager } = this;
    manager.post(() => {
      manager.core.onProcessExit(node.givenId, node.pid);
    });
  }

  startClient(): ClientProcess {
    const client = new ClientProcess(this);
    this.clients.push(client);
    return client;
  }

  startManager(): void {
    if (this.manager.alive) return;
    this.coverage.note('managerRestart');
    this.manager = new ManagerProcess(this);
    if (this.isTracing) this.trace(`${this.manager.name} starts`);
    this.manager.start();
    if (this.#watchesOld) this.watchOldProcesses();
  }

  /** The manager looks which of the processes that its predecessors forked are still there. */
  watchOldProcesses(): void {
    this.#watchesOld = true;
    // It looks at all of them at once.
    const atOnceMs = this.plan.hasDisks ? this.diskPrng.between(1, 50) : 0;
    for (const node of this.nodes) {
      if (node.alive || !this.manager.inherited.delete(node.pid)) continue;
      this.queue.after(this.plan.hasDisks ? atOnceMs : this.prng.between(1, 50), () => {
        this.#exited(node);
      });
    }
  }

  // --- network -----------------------------------------------------------------------------------------------------

  isSilent(from: SimProcess, to: SimProcess): boolean {
    return this.#silent.size > 0 && this.#silent.has(`${from.pid} ${to.pid}`);
  }

  isCut(a: SimProcess, b: SimProcess): boolean {
    return this.#cut.size > 0 && (this.#cut.has(`${a.pid} ${b.pid}`) || this.#cut.has(`${b.pid} ${a.pid}`));
  }

  /** Neither sees anything of the other for a while. */
  cut(a: SimProcess, b: SimProcess, forMs: number): void {
    const name = `${a.pid} ${b.pid}`;
    this.#cut.add(name);
    for (const end of [...a.ends]) if (end.far.owner === b) end.conn.break();
    this.queue.after(forMs, () => {
      this.#cut.delete(name);
    });
  }

  /** Nothing of one arrives at the other for a while; the other way goes on. */
  silence(from: SimProcess, to: SimProcess, forMs: number): void {
    const name = `${from.pid} ${to.pid}`;
    this.#silent.add(name);
    this.queue.after(forMs, () => {
      this.#heal(name, to);
    });
  }

  #heal(name: string, to: SimProcess): void {
    if (!this.#silent.delete(name)) return;
    for (const end of to.ends) {
      if (this.isSilent(end.far.owner, to)) continue;
      for (const item of end.held.splice(0)) if (!end.conn.lost) end.conn.handOver(end, item);
    }
  }

  /** Something was held back at this end: silence detection closes the connection if that lasts. */
  silenceBegins(end: End): void {
    this.queue.after(this.plan.silenceMs, () => {
      if (end.held.length === 0 || !end.open) return;
      this.coverage.note('silenceClosed');
      end.held.length = 0;
      end.conn.break();
    });
  }

  /** All cuts and silences end. */
  healNetwork(): void {
    for (const disk of this.#disks.values()) disk.goOn();
    this.#cut.clear();
    this.#silent.clear();
    for (const process of [...this.nodes, ...this.clients, this.manager]) {
      process.slowUntilMs = 0;
      for (const end of process.ends) {
        for (const item of end.held.splice(0)) if (!end.conn.lost) end.conn.handOver(end, item);
      }
    }
  }

  // --- what happens --------------------------------------------------------------------------------------------------

  /** @throws Violation */
  fail(text: string): never {
    throw new Violation(text);
  }

  get isTracing(): boolean {
    return this.#traceSink !== undefined;
  }

  trace(line: string): void {
    this.#traceSink?.(`${this.queue.nowMs.toFixed(3).padStart(10)}  ${line}`);
  }

  delivered(end: End, message: Message): void {
    this.messages++;
    this.ambushes.delivered(end, message);
    const { queue } = this;
    this.#hash(Math.floor(queue.nowMs * 1000) ^ (message.type << 24));
    this.#hash((end.far.owner.pid << 12) ^ end.owner.pid);
    if (!this.isTracing) return;
    const isNoise =
      message.type === MessageType.heartbeat ||
      message.type === MessageType.lease ||
      message.type === MessageType.reportAck;
    if (!isNoise) this.trace(`${end.far.owner.name} > ${end.owner.name}  ${describeMessage(message)}`);
  }

  #hash(word: number): void {
    this.traceHash = Math.imul(this.traceHash ^ word, 0x01000193) >>> 0;
  }

  /** Lets time pass until the condition holds. @returns whether it came to hold within that time. */
  runUntil(condition: () => boolean, withinMs: number, everyMs: number): boolean {
    const endMs = this.queue.nowMs + withinMs;
    for (;;) {
      if (condition()) return true;
      if (this.queue.nowMs >= endMs) return false;
      this.run(Math.min(everyMs, endMs - this.queue.nowMs));
    }
  }

  run(forMs: number): void {
    const { queue } = this;
    const endMs = queue.nowMs + forMs;
    while (queue.step(endMs));
    queue.nowMs = endMs;
  }
}
