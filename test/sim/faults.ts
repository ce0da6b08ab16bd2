/** What goes wrong. Each kind strikes at a random moment, at a random victim, for a random time around the lease. */
import { loseDisks } from './lost-disks.js';
import type { NodeProcess } from './node-process.js';
import type { SimProcess } from './process.js';
import type { World } from './world.js';

export const faultKinds = [
  'crashNode',
  'pauseNode',
  'crashManager',
  'pauseManager',
  'cutManager',
  'cutFromManager',
  'isolateNode',
  'cutLink',
  'breakLink',
  'oneWay',
  'crashClient',
  'pauseClient',
  'joinForeign',
  'slowNode',
] as const;
/** With disks only: everything at once, manager included; all nodes, but not the manager; one disk takes nothing for a while. */
type DiskFaultKind = 'losePower' | 'killNodes' | 'hangDisk';
/** With the bias of that name only. */
type StallFaultKind = 'stallManager' | 'suspendHost' | 'freezeAll';
/** With the bias of that name only. */
type HitchKind = 'hitch' | 'slowDisk';
/** With the bias of that name only. */
type CopyFaultKind = 'lateCopy';
/** With the bias of that name only. */
type LostDiskKind = 'loseDisks' | 'acceptLoss';
/** Where the manager's disk may be full, or slow. */
type StateFaultKind = 'fillStateDisk' | 'slowStateDisk';
export type FaultKind =
  | (typeof faultKinds)[number]
  | DiskFaultKind
  | StallFaultKind
  | StateFaultKind
  | HitchKind
  | CopyFaultKind
  | LostDiskKind;

const foreignNodesMax = 2;
/** So long it may take until somebody has taken the place of a full replica that died, or a slot is brought back. */
const awaitedMsMax = 3000;

/** Schedules all faults of the plan. */
export function scheduleFaults(world: World): void {
  const { plan, prng, queue } = world;
  const total = plan.faultWeights.reduce((sum, [, weight]) => sum + weight, 0);
  if (total === 0) return;
  for (let i = 0; i < plan.faultCount; i++) {
    const kind = drawKind(world, total);
    const atMs = queue.nowMs + prng.between(0, plan.faultMs);
    queue.at(atMs, () => {
      strike(world, kind);
    });
  }
}

function drawKind(world: World, total: number): FaultKind {
  let left = world.prng.next() * total;
  for (const [kind, weight] of world.plan.faultWeights) {
    left -= weight;
    if (left < 0) return kind;
  }
  return 'breakLink';
}

function duration(world: World): number {
  const { prng, plan } = world;
  const { leaseMs } = plan.settings;
  return prng.chance(0.5) ? prng.between(5, leaseMs) : prng.between(leaseMs, 3 * leaseMs);
}

/** Around the length at which some leases have ended at the manager, and others have not. */
function stallDuration({ prng, plan }: World): number {
  return plan.settings.leaseMs * (prng.chance(0.7) ? prng.between(0.6, 1.2) : prng.between(1.2, 4));
}

function aliveNodes(world: World): NodeProcess[] {
  return world.nodes.filter((node) => node.alive);
}

export function strike(world: World, kind: FaultKind): void {
  if (world.calm) return;
  const { prng } = world;
  const nodes = aliveNodes(world);
  const clients = world.clients.filter((client) => client.alive);
  if (world.isTracing) world.trace(`fault: ${kind}`);
  switch (kind) {
    case 'crashNode': {
      // K = 1 keeps nothing through a crash.
      const spared = (node: NodeProcess): boolean =>
        !world.plan.allowsLoss && world.observer.isLastOfSomeSlot(node);
      const victims = nodes.filter((node) => !spared(node));
      if (victims.length > 0) world.crashNode(prng.pick(victims));
      return;
    }
    case 'pauseNode':
      if (nodes.length > 0) pause(world, prng.pick(nodes));
      return;
    case 'crashManager':
      if (!world.manager.alive) return;
      world.manager.crash();
      world.queue.after(duration(world) * prng.next(), () => {
        world.startManager();
      });
      return;
    case 'pauseManager':
      pause(world, world.manager);
      return;
    case 'stallManager':
      world.manager.pause(stallDuration(world));
      return;
    case 'hitch':
      // Much shorter than a lease.
      prng.pick<SimProcess>([...nodes, ...nodes, world.manager]).pause(prng.between(30, 500));
      return;
    case 'slowDisk': {
      const untilMs = world.queue.nowMs + prng.between(300, 2000);
      const isShared = prng.chance(0.5);
      for (const node of isShared || nodes.length === 0 ? nodes : [prng.pick(nodes)]) {
        const disk = world.diskOf(node.givenId);
        if (disk !== undefined) disk.slowUntilMs = untilMs;
      }
      return;
    }
    case 'hangDisk': {
      const disk = nodes.length === 0 ? undefined : world.diskOf(prng.pick(nodes).givenId);
      if (disk === undefined) return;
      disk.hang();
      world.queue.after(world.plan.nodeTimings.diskHungMsMax * prng.between(0.1, 3), () => {
        disk.goOn();
      });
      return;
    }
    case 'suspendHost': {
      const victim = prng.pick<SimProcess>([...nodes, ...clients, world.manager]);
      if (world.isTracing) world.trace(`the host of ${victim.name} sleeps`);
      victim.suspend(stallDuration(world));
      return;
    }
    case 'fillStateDisk':
      world.stateDiskTrouble.fullUntilMs = world.queue.nowMs + duration(world) * 2;
      return;
    case 'slowStateDisk':
      world.stateDiskTrouble.slowUntilMs = world.queue.nowMs + duration(world) * 2;
      return;
    case 'freezeAll': {
      // They are stopped, and go on, together.
      const forMs = world.plan.settings.leaseMs * prng.between(0.2, 2);
      for (const node of nodes) node.pause(forMs);
      return;
    }
    case 'cutManager': {
      const forMs = duration(world);
      for (const node of nodes) if (prng.chance(0.9)) world.cut(world.manager, node, forMs);
      if (prng.chance(0.5)) for (const client of clients) world.cut(world.manager, client, forMs);
      return;
    }
    case 'cutFromManager':
      if (nodes.length > 0) world.cut(world.manager, prng.pick(nodes), duration(world));
      return;
    case 'isolateNode': {
      if (nodes.length === 0) return;
      const victim = prng.pick(nodes);
      const forMs = duration(world) * (prng.chance(0.3) ? 5 : 1);
      for (const node of nodes) if (node !== victim) world.cut(victim, node, forMs);
      if (prng.chance(0.3)) world.cut(world.manager, victim, forMs);
      return;
    }
    case 'cutLink':
      twoOf(world, (a, b) => {
        world.cut(a, b, duration(world));
      });
      return;
    case 'breakLink':
      twoOf(world, (a, b) => {
        for (const end of [...a.ends]) if (end.far.owner === b) end.conn.break();
      });
      return;
    case 'oneWay':
      twoOf(world, (a, b) => {
        world.coverage.note('oneWayPartition');
        world.silence(a, b, duration(world));
      });
      return;
    case 'crashClient':
      if (clients.length > 0) {
        const client = prng.pick(clients);
        world.coverage.note('clientCrash');
        if (client.core.inFlight > 0) world.coverage.note('abandonedWrite');
        client.crash();
      }
      return;
    case 'pauseClient':
      if (clients.length > 0) pause(world, prng.pick(clients), world.plan.bias === 'oldWrites');
      return;
    case 'joinForeign':
      if (world.nodes.filter((node) => node.parent === null && node.alive).length < foreignNodesMax)
        world.spawnNode(-1, null);
      return;
    case 'losePower':
      world.losePower();
      return;
    case 'killNodes':
      world.coverage.note('allNodesKilled');
      for (const node of nodes) world.crashNode(node);
      return;
    case 'lateCopy':
      beginLateCopy(world);
      return;
    case 'loseDisks':
      loseDisks(world);
      return;
    case 'acceptLoss':
      world.tasks.acceptLoss();
      return;
    case 'slowNode':
      if (nodes.length > 0) prng.pick(nodes).slowUntilMs = world.queue.nowMs + duration(world);
      return;
  }
}

function pause(world: World, process: SimProcess, isLong = false): void {
  world.coverage.note('nodePause');
  if (world.isTracing) world.trace(`${process.name} is paused`);
  const { writeAgeMsMax } = world.plan.settings;
  process.pause(isLong ? writeAgeMsMax * world.prng.between(0.5, 1.5) : duration(world));
}

/** Two processes that talk to each other. */
function twoOf(world: World, visit: (a: SimProcess, b: SimProcess) => void): void {
  const { prng } = world;
  const nodes = aliveNodes(world);
  const others: SimProcess[] = [...nodes, ...world.clients.filter((client) => client.alive), world.manager];
  if (nodes.length === 0) return;
  const a = prng.pick(nodes);
  const b = prng.pick(others);
  if (a === b) return;
  world.coverage.note('linkBroken');
  if (world.isTracing) world.trace(`between ${a.name} and ${b.name}`);
  if (prng.chance(0.5)) visit(a, b);
  else visit(b, a);
}

/** Of a slot that has a key, those that live, primary first. */
function membersOf(world: World, slot: number): { full: NodeProcess[]; learners: NodeProcess[] } {
  const { replicas = [], learners = [] } = world.manager.core.map?.slots[slot] ?? {};
  const living = (ids: readonly number[]): NodeProcess[] =>
    ids.flatMap((id) => aliveNodes(world).filter(({ core }) => core.membership.nodeId === id));
  return { full: living(replicas), learners: living(learners) };
}

/** A full replica dies. Whoever is to take its place copies the slot, and then has a disk that hangs before the label is on it. */
function beginLateCopy(world: World): void {
  const { prng, plan } = world;
  const slot = world.slotOf(prng.pick(plan.keys));
  const { full, learners } = membersOf(world, slot);
  const [, ...others] = full;
  if (learners.length === 0 && others.length > 0) world.crashNode(prng.pick(others));
  soon(world, () => {
    const { learners: copying } = membersOf(world, slot);
    const learner = copying.find(({ journal }) => journal?.isLabelling(slot) === true);
    const disk = learner === undefined ? undefined : world.diskOf(learner.givenId);
    if (disk === undefined) return false;
    disk.hang();
    world.queue.after(plan.settings.leaseMs * prng.between(1, 6), () => {
      disk.goOn();
    });
    endFullReplicas(world, slot);
    // Mostly the word of that copy comes just after the disks of the dead have brought the slot back.
    const { epoch = 0 } = world.manager.core.map ?? {};
    soon(world, () => {
      const { replicas = [], changedAt = 0 } = world.manager.core.map?.slots[slot] ?? {};
      if (replicas.length === 0 || changedAt <= epoch) return false;
      world.queue.after(prng.between(0, 30), () => {
        disk.goOn();
      });
      return true;
    });
    return true;
  });
}

/** What is written just before reaches the primary alone. */
function endFullReplicas(world: World, slot: number): void {
  const { prng, plan } = world;
  const { full, learners } = membersOf(world, slot);
  const [primary, ...others] = full;
  if (primary === undefined) return;
  for (const to of [...others, ...learners])
    for (const from of [primary, ...world.clients]) world.silence(from, to, plan.settings.leaseMs);
  world.queue.after(prng.between(5, 60), () => {
    if (world.calm) return;
    for (const node of full) if (node.alive) world.crashNode(node);
  });
}

/** Does it as soon as it can be done, if that is soon. @param attempt returns whether it has been done */
function soon(world: World, attempt: () => boolean): void {
  const endMs = world.queue.nowMs + awaitedMsMax;
  const look = (): void => {
    if (!world.calm && !attempt() && world.queue.nowMs < endMs) world.queue.after(1, look);
  };
  look();
}
