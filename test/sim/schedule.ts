/**
 * One schedule: a cluster starts, clients work while faults strike, then all faults end and the cluster must heal, every
 * client must get every kind of operation done on every key, and all replicas must agree. Safety is checked all along
 * and on the whole history at the end.
 */
import { Role } from '../../src/node/core/membership.js';
import { Hold, noRecord } from '../../src/node/core/store.js';
import { formatVersion, versionZero } from '../../src/protocol/version.js';
import type { ClientProcess } from './client-process.js';
import type { Situation } from './coverage.js';
import { scheduleFaults } from './faults.js';
import { mountRest } from './lost-disks.js';
import type { NodeProcess } from './node-process.js';
import type { Bias } from './plan.js';
import type { FrameMode } from './frames.js';
import { Violation, World } from './world.js';
import { Workload } from './workload.js';
import type { Done } from './workload.js';

export interface ScheduleOptions {
  readonly bias?: Bias | undefined;
  /** Nodes keep what they hold on disks, and the power may fail; default: they do not. */
  readonly disks?: boolean | undefined;
  /** Nobody waits for these disks unless they are far behind, and what was acknowledged last may be lost with all of them; default: `always`. */
  readonly interval?: boolean | undefined;
  /** Nodes tick seldom while nothing waits for them to, as the shell has it; default: always as often. */
  readonly calm?: boolean | undefined;
  /** Nodes with disks on hosts of their own: no manager sees them end, or starts them again; default: it does. */
  readonly elsewhere?: boolean | undefined;
  /** Values that expire, and hosts that sleep; default: neither. */
  readonly expiry?: boolean | undefined;
  /** The manager's disk may be full, or slow; default: never. */
  readonly managerDisk?: boolean | undefined;
  /** Conditional writes that ask for a turn, and come back when they are refused; default: none does. */
  readonly turns?: boolean | undefined;
  /** Whether requests are offered as frames first; default: every other one. */
  readonly frames?: FrameMode | undefined;
  readonly trace?: ((line: string) => void) | undefined;
}

export interface Kind {
  readonly disks: boolean;
  readonly interval: boolean;
  readonly elsewhere: boolean;
  readonly calm: boolean;
  readonly expiry: boolean;
  readonly managerDisk: boolean;
  readonly turns: boolean;
}

/**
 * What a schedule of that seed is like if nothing else is asked for: every fourth with disks, of those every third with durability `interval` and every fourth with nodes on hosts of their own, every
 * third with calm nodes, every fifth with values that expire, every seventh with a manager whose disk may be full, every
 * eighth with turns.
 */
export function usualKind(seed: number): Kind {
  return {
    disks: seed % 4 === 0,
    interval: seed % 12 === 4,
    elsewhere: seed % 16 === 12,
    calm: seed % 3 === 0,
    expiry: seed % 5 === 0,
    managerDisk: seed % 7 === 0,
    turns: seed % 8 === 1,
  };
}

export interface ScheduleResult {
  readonly seed: number;
  /** What went wrong; null: nothing. */
  readonly violation: string | null;
  readonly seen: ReadonlySet<Situation>;
  readonly traceHash: number;
  readonly operations: number;
  readonly virtualMs: number;
  readonly messages: number;
}

const slowMsMax = 400;
/** What a node has said of its want of room counts for a second, and until a tick. */
const fullMsMax = 1200;
const bootMsMax = 3000;
const healMsMax = 30_000;
/** Whoever has been silent for longer may be taken for dead by an administrator (M3). */
const silentMsMax = 31_000;
const finalMsMax = 10_000;
/** Some client has written to a slot of every node. */
const firstWriteMsMax = 3000;
/** A node is fenced, and a map published. */
const maneuverMsMax = 300;

export function runSchedule(seed: number, options: ScheduleOptions = {}): ScheduleResult {
  const world = new World(seed, options);
  const workload = new Workload(world);
  let violation: string | null = null;
  try {
    new Schedule(world, workload).run();
  } catch (error) {
    violation = error instanceof Violation ? error.message : describeError(error);
  }
  return {
    seed,
    violation,
    seen: world.coverage.seen,
    traceHash: world.traceHash,
    operations: workload.history.records.length,
    virtualMs: world.queue.nowMs,
    messages: world.messages,
  };
}

function describeError(error: unknown): string {
  return error instanceof Error ? `a core threw: ${error.stack ?? error.message}` : String(error);
}

class Schedule {
  readonly #world: World;
  readonly #workload: Workload;

  constructor(world: World, workload: Workload) {
    this.#world = world;
    this.#workload = workload;
  }

  run(): void {
    const { plan, prng } = this.#world;
    // Sometimes faults strike while the cluster is being created.
    if (prng.chance(0.9)) this.#world.runUntil(() => this.#world.manager.core.isSettled, bootMsMax, 5);
    for (const client of this.#world.clients) this.#workload.start(client);
    scheduleFaults(this.#world);
    this.#world.tasks.schedule();
    this.#world.run(plan.faultMs);
    if (plan.bias === 'cutOff') this.#cutOff();
    this.#heal();
    this.#workload.history.check();
  }

  /** Liveness: a node that its fellows cannot reach, or whose disk hangs, is taken off its slots; all else goes on (M2). */
  #cutOff(): void {
    const world = this.#world;
    const { plan, prng, manager } = world;
    if (manager.core.map === null && !world.runUntil(() => manager.core.isSettled, bootMsMax, 5))
      world.fail('the cluster does not come to be');
    const victim = prng.pick(this.#replicasOf(prng.pick(plan.keys)));
    const { nodeId } = victim.core.membership;
    const disk = world.diskOf(nodeId);
    const hasDiskHung = disk !== undefined && prng.chance(0.7);
    if (world.isTracing) world.trace(`${victim.name}: ${hasDiskHung ? 'its disk hangs' : 'is cut off'}`);
    if (hasDiskHung) disk.hang();
    else for (const node of this.#aliveNodes()) if (node !== victim) world.cut(victim, node, 60_000);
    const isOff = (): boolean =>
      manager.core.map?.slots.every(
        ({ replicas, learners }) => !replicas.includes(nodeId) && !learners.includes(nodeId),
      ) === true;
    const { nodeTimings, managerTimings, silenceMs } = plan;
    const noticedMs = hasDiskHung ? firstWriteMsMax + nodeTimings.diskHungMsMax * 1.2 : silenceMs;
    const toldMs = managerTimings.reportPersistMs + 2 * nodeTimings.reportEveryMs + maneuverMsMax;
    if (!world.runUntil(isOff, noticedMs + toldMs, 5))
      world.fail(`M2: ${victim.name} is not taken off its slots, although it is cut off or its disk hangs`);
    this.#everybodyDoesEverything('although the node that cannot is taken off its slots');
    if (world.runUntil(() => !isOff(), 3 * managerTimings.isolationMs, 5))
      world.fail(`M2: ${victim.name} is given slots, although it is cut off or its disk hangs`);
  }

  #replicasOf(key: string): NodeProcess[] {
    const { map } = this.#world.manager.core;
    const ids = map?.slot(this.#world.slotOf(key)).replicas ?? [];
    return this.#aliveNodes().filter(({ core }) => ids.includes(core.membership.nodeId));
  }

  /** Liveness: all faults end. */
  #heal(): void {
    const world = this.#world;
    world.calm = true;
    if (world.isTracing) world.trace('--- all faults end ---');
    world.healNetwork();
    world.startManager();
    if (world.plan.bias === 'lostDisks') mountRest(world);
    for (const process of [...world.nodes, ...world.clients, world.manager]) process.resume();
    world.watchOldProcesses();
    if (!world.clients.some((client) => client.alive)) world.startClient();
    // Messages that were slow are still on their way.
    world.run(world.plan.bias === 'fullStores' ? fullMsMax : slowMsMax);
    const askedFromMs = world.queue.nowMs + silentMsMax;
    const isHealed = (): boolean => {
      world.tasks.acceptLossIfAsked(world.isElsewhere && world.queue.nowMs >= askedFromMs);
      return this.#isHealed();
    };
    if (!world.runUntil(isHealed, healMsMax + (world.isElsewhere ? silentMsMax : 0), 20)) {
      if (this.#waitsForTheDead()) return;
      world.fail(`the cluster does not heal: ${this.#notHealed()}`);
    }
    this.#finish();
  }

  #aliveNodes(): NodeProcess[] {
    return this.#world.nodes.filter((node) => node.alive);
  }

  #isHealed(): boolean {
    return this.#notHealed() === '';
  }

  /** Why the cluster is not whole; empty: it is. */
  #notHealed(): string {
    const { manager } = this.#world;
    const { map } = manager.core;
    if (map === null) return 'no map';
    if (!manager.core.isSettled) return 'the manager is not settled';
    const nodes = this.#aliveNodes();
    const missing = this.#notStartedAgain();
    if (missing !== undefined) return `node ${missing} was not started again`;
    const wanted = Math.min(manager.core.settings.replicas, nodes.length);
    for (const { core, name } of nodes) {
      const { membership } = core;
      if (membership.epoch !== map.epoch) return `${name} is at epoch ${membership.epoch}, not ${map.epoch}`;
      if (map.node(membership.nodeId)?.incarnation !== membership.incarnation) return `${name} is no member`;
    }
    for (const [index, slot] of map.slots.entries()) {
      if (slot.replicas.length !== wanted)
        return `slot ${index} has ${slot.replicas.length} replicas of ${wanted}`;
    }
    const isReady = this.#aliveClients().every((client) => client.core.inFlight === 0);
    return isReady ? this.#world.tasks.unfinished() : 'operations from before are still under way';
  }

  /** A node whose end its parent saw, and that has no further life. */
  #notStartedAgain(): number | undefined {
    const { nodes, plan, coverage, manager } = this.#world;
    if (coverage.seen.has('exitUnseen')) return undefined;
    const known = new Set(manager.core.status().nodes.map((node) => node.id));
    for (let id = 0; id < plan.nodeCount; id++)
      if (known.has(id) && !nodes.some(({ alive, givenId }) => alive && givenId === id)) return id;
    return undefined;
  }

  #aliveClients(): ClientProcess[] {
    return this.#world.clients.filter((client) => client.alive);
  }

  /** By the book: the last replica of a slot died where nobody could see it, and it might only be silent. */
  #waitsForTheDead(): boolean {
    const map = this.#world.manager.core.map;
    if (map === null || !this.#world.observer.hasLostSlots) return false;
    return map.nodes.some(({ id, incarnation }) =>
      this.#world.nodes.some(
        ({ alive, parent, core: { membership } }) =>
          !alive && parent === null && membership.nodeId === id && membership.incarnation === incarnation,
      ),
    );
  }

  /** @param why they should */
  #everybodyDoesEverything(why: string): void {
    const world = this.#world;
    const workload = this.#workload;
    let left = 0;
    for (const client of this.#aliveClients()) {
      for (const key of world.plan.keys) {
        left++;
        this.#mustDo(
          client,
          `put ${key}`,
          (done) => workload.put(client, key, done),
          () => {
            this.#mustDo(
              client,
              `get ${key}`,
              (done) => workload.get(client, key, false, done),
              () => {
                const run = (done: Done): void => workload.putIf(client, key, null, null, done);
                this.#mustDo(client, `run a conditional write on ${key}`, run, () => {
                  this.#mustDo(
                    client,
                    `delete ${key}`,
                    (done) => workload.remove(client, key, done),
                    () => {
                      left--;
                    },
                  );
                });
              },
            );
          },
        );
      }
    }
    if (!world.runUntil(() => left === 0, finalMsMax, 5)) world.fail(`operations do not end ${why}`);
  }

  /** Every client gets every operation done, then all is quiet and all replicas agree. */
  #finish(): void {
    const world = this.#world;
    this.#everybodyDoesEverything('although all faults have ended');
    const { settleAfterMs } = world.plan.nodeTimings;
    if (!world.runUntil(() => this.#disagreement() === '', settleAfterMs * 4 + 1000, 20))
      world.fail(this.#disagreement());
    // Late news of the last cut, or of a disk that hung, may isolate a node once more (M2), for a while.
    const { isolationMs, isolationMsMax } = world.plan.managerTimings;
    if (!world.runUntil(() => this.#isHealed(), 1000 + 2 * isolationMs + isolationMsMax, 20))
      world.fail(`the cluster does not stay healed: ${this.#notHealed()}`);
  }

  /** An operation may fail as long as there are faults, or a slot still moves home, not otherwise. */
  #mustDo(client: ClientProcess, what: string, run: (done: Done) => void, then: () => void): void {
    const world = this.#world;
    // A client may begin with an old map, too.
    const epochs = (): string => `${world.manager.core.map?.epoch ?? 0} ${client.core.map?.epoch ?? 0}`;
    const before = epochs();
    // W8: beside a concurrent write, one that only a learner has taken stays in doubt.
    const isMoving = world.manager.core.map?.slots.some(({ learners }) => learners.length > 0) === true;
    run((isDone) => {
      if (isDone) then();
      else if (world.calm && epochs() === before && !isMoving)
        world.fail(`${client.name} cannot ${what} although all faults have ended`);
      else this.#mustDo(client, what, run, then);
    });
  }

  /** Empty: all replicas of every key hold the same version, VALID, and nobody waits for anything. */
  #disagreement(): string {
    const world = this.#world;
    for (const { core, name, ends } of this.#aliveNodes()) {
      const { peerWrites, waiters } = core.replica;
      if (peerWrites.inFlight > 0) return `${name} still has ${peerWrites.inFlight} writes under way`;
      if (waiters > 0) return `${name} still has ${waiters} waiters`;
      for (const end of ends) if (end.unanswered.size > 0) return `${name} leaves a request unanswered`;
    }
    for (const key of world.plan.keys) {
      const slot = world.slotOf(key);
      const states = new Set<string>();
      for (const { core, store, name } of this.#aliveNodes()) {
        const record = store.get(slot, key);
        if (core.membership.role(slot) !== Role.full) {
          if (record !== noRecord) return `${name} holds ${key} and is no replica of it`;
          continue;
        }
        if (record === noRecord) {
          states.add('absent');
          continue;
        }
        if (!store.isValid(record)) return `${name} holds ${key} INVALID`;
        if (store.holds(record, Hold.work)) return `${name} keeps work at ${key}`;
        const version = { ...versionZero };
        store.copyVersion(record, version);
        // Of those that have expired some replicas may have dropped theirs already.
        const isThere = store.hasValue(record) && !world.hasExpired(store.expiresAtMs(record));
        states.add(isThere ? formatVersion(version) : 'absent');
      }
      if (states.size > 1) return `the replicas of ${key} hold ${[...states].join(' and ')}`;
    }
    return '';
  }
}
