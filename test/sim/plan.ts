/**
 * What one schedule is like, drawn from its seed: size of the cluster, keys, clocks, delays, kinds and number of
 * faults. A bias leans the draw towards a situation that is rare otherwise.
 */
import type { ClientTimings } from '../../src/client/core/ports.js';
import type { ManagerTimings } from '../../src/manager/core/ports.js';
import { calmTickMs } from '../../src/node/core/ports.js';
import type { NodeTimings } from '../../src/node/core/ports.js';
import type { ClusterSettings } from '../../src/protocol/settings.js';
import type { FaultKind } from './faults.js';
import { faultKinds } from './faults.js';
import type { Prng } from './prng.js';

/** Those that a schedule may draw for itself. */
export const drawnBiases = [
  'none',
  /** Small tombstone and write ages: tombstones are dropped while things happen. */
  'tombstones',
  /** Nodes die and come back, substitutes come and go. */
  'moves',
  /** The manager is away much of the time. */
  'managerAway',
  /** Pauses and cut links around leases. */
  'leases',
  /** Mostly conditional writes. */
  'conditions',
  /** Mostly puts of several clients to one key, with clients that stop half-way. */
  'puts',
  /** Clients' clocks far behind, long pauses of clients: WRITEs that come late, and tombstones that are dropped. */
  'oldWrites',
  /** Three replicas, nodes that come back, clients that stop half-way, reads from everywhere. */
  'copies',
  /** Conditional writes of many clients to one key whose primary changes often, read at every replica. */
  'siblings',
] as const;
/** Not drawn, so that every seed keeps its meaning. */
export const biases = [
  ...drawnBiases,
  /** Administrators at work all the time. */
  'tasks',
  /** One key that all clients write and read without a pause: it is INVALID nearly all the time. */
  'hotKey',
  /** With disks: power failures in a row, all nodes killed at once, a manager that is started again meanwhile. */
  'disasters',
  /** Processes that stand still for about a lease, the manager most of all. */
  'stalls',
  /** Nodes without room for new values now and then, each for itself. */
  'fullStores',
  /** Nodes that stand still for a moment, or have slow disks, while every link is up. */
  'hitches',
  /** One node is cut off from its fellows, or its disk hangs, until it has been taken off its slots, and longer. */
  'cutOff',
  /** One key that others put all the time while it is updated: updates must get their turn. Half of the schedules have no faults. */
  'turns',
  /** With disks that hang now and then, for as long as that is noticed, beside all else. */
  'hangs',
  /** With disks: all full replicas die while a learner has copied everything, and its disk keeps it from saying so. */
  'lateCopies',
  /** Faults that wait for a message, beside all else; after a pause connections are read in any order. */
  'ambush',
  /** With disks: all that have a slot die, disks are lost or mounted late, and an administrator accepts the loss early. */
  'lostDisks',
] as const;
export type Bias = (typeof biases)[number];

export interface Plan {
  readonly bias: Bias;
  readonly nodeCount: number;
  readonly clientCount: number;
  readonly lanes: number;
  readonly settings: ClusterSettings;
  readonly keys: readonly string[];
  readonly operations: number;
  readonly faultMs: number;
  readonly faultCount: number;
  /** So many faults wait for a message at first. */
  readonly ambushes: number;
  readonly faultWeights: readonly (readonly [FaultKind, number])[];
  readonly thinkMs: number;
  readonly deadlineMs: number;
  readonly delayMs: number;
  readonly slowShare: number;
  readonly tickMs: number;
  /** A node that is not busy acts at every so many ticks only. */
  readonly calmTicks: number;
  readonly silenceMs: number;
  readonly persistMs: number;
  /** A new manager learns of processes that ended unseen. */
  readonly seesOldExits: boolean;
  /** A node closes what others dialled to it when it loses its identity. */
  readonly closesOnRemoval: boolean;
  /** Faults may take the last replica of a slot. */
  readonly allowsLoss: boolean;
  readonly clientClockErrorMs: number;
  /** Share of operations: put, get, compare-and-set, put-if-absent, delete, blind delete. */
  readonly mix: readonly number[];
  readonly readFromAny: number;
  /** The manager's disk may be full, or slow. */
  readonly hasStateDisk: boolean;
  /** Share of writes whose value shall live for a time only, of `ttlMsMax` at most. */
  readonly ttlShare: number;
  readonly ttlMsMax: number;
  /** Nodes keep what they hold on disks, with durability `always` or `interval`. */
  readonly hasDisks: boolean;
  /** A batch takes about that long to be on the disk. */
  readonly syncMs: number;
  /** How often a power failure costs a disk; with `disasters` an old copy of it may come back in its place. */
  readonly diskLossShare: number;
  readonly nodeTimings: NodeTimings;
  readonly clientTimings: ClientTimings;
  readonly managerTimings: ManagerTimings;
}

export const letters = 'abcdefghijklmnopqrstuvwxyz';

function faultWeights(prng: Prng, bias: Bias): (readonly [FaultKind, number])[] {
  const favoured: Partial<Record<Bias, readonly FaultKind[]>> = {
    moves: ['crashNode', 'cutFromManager', 'isolateNode', 'pauseNode', 'joinForeign'],
    managerAway: ['crashManager', 'cutManager', 'cutFromManager', 'pauseManager'],
    leases: ['pauseNode', 'cutFromManager', 'oneWay'],
    puts: ['crashClient', 'breakLink', 'cutLink', 'crashNode'],
    tombstones: ['crashNode', 'cutFromManager', 'pauseNode'],
    conditions: ['breakLink', 'crashNode', 'cutLink', 'pauseNode'],
    oldWrites: ['pauseClient', 'cutLink'],
    siblings: ['crashNode', 'cutFromManager', 'pauseNode', 'breakLink', 'slowNode'],
    copies: ['crashNode', 'crashClient', 'cutFromManager', 'cutLink'],
    tasks: ['crashNode', 'crashManager'],
    hotKey: ['crashClient', 'breakLink', 'pauseNode', 'crashNode', 'cutFromManager'],
    disasters: ['crashNode', 'crashManager', 'cutManager', 'cutFromManager'],
  };
  // A schedule has a few kinds of faults rather than all: their consequences then build on each other.
  const weights = faultKinds.map((kind) => {
    const isFavoured = favoured[bias]?.includes(kind) ?? false;
    return [kind, isFavoured ? 3 : prng.chance(0.45) ? prng.next() : 0] as const;
  });
  if (bias !== 'stalls') return weights;
  return [...weights, ['stallManager', 4], ['suspendHost', 4], ['freezeAll', 2]];
}

export function drawMix(prng: Prng, bias: Bias): number[] {
  if (bias === 'conditions') return [1, 3, 5, 2, 2, 0.3];
  if (bias === 'siblings') return [0.3, 5, 6, 1, 1, 0];
  if (bias === 'puts' || bias === 'copies') return [6, 5, 0.3, 0, 0, 0.3];
  if (bias === 'hotKey') return [6, 6, 0.5, 0.1, 0.1, 0.3];
  if (bias === 'tombstones' || bias === 'oldWrites') return [2, 3, 1, 2, 3, 1];
  return [3 + prng.next() * 3, 4, prng.next() * 4, prng.next() * 2, prng.next() * 2, prng.next() * 0.5];
}

export function drawPlan(prng: Prng, wantedBias: Bias | undefined): Plan {
  const bias = wantedBias ?? (prng.chance(0.4) ? 'none' : prng.pick(drawnBiases));
  const isHotKey = bias === 'hotKey';
  const isBusyKey = isHotKey || bias === 'copies' || bias === 'siblings';
  const nodeCount = isBusyKey ? prng.int(3, 4) : prng.chance(0.75) ? prng.int(2, 4) : prng.int(5, 7);
  const replicas = bias === 'copies' ? 3 : drawReplicas(prng, nodeCount);
  const slotCount = nodeCount * (prng.chance(0.8) ? 1 : 2);
  const leaseMs = prng.chance(0.7) ? prng.int(80, 250) : prng.int(250, 1000);
  const ages = bias === 'tombstones' || bias === 'oldWrites' || prng.chance(0.08);
  const deadlineMs = ages ? prng.int(200, 500) : prng.int(200, 1500);
  const writeAgeMsMax = ages ? deadlineMs + prng.int(50, 200) : 300_000;
  const tombstoneMs = ages ? writeAgeMsMax + (bias === 'oldWrites' ? 60 : prng.int(100, 500)) : 900_000;
  const keyCount = isBusyKey ? 1 : prng.pick([1, 1, 1, 2, 2, 3, 4]);
  const first = prng.below(letters.length - 4);
  const keys = new Set<string>();
  // Neighbouring letters live in neighbouring slots; letters a slot count apart share one.
  for (let i = 0; i < keyCount; i++)
    keys.add(letters[prng.chance(0.4) ? (first + slotCount * i) % letters.length : first + i] ?? 'a');
  const faultMs = isHotKey
    ? prng.int(50, 300)
    : ages
      ? prng.int(1500, 3500)
      : prng.int(300, 1500) + leaseMs * prng.int(0, 3);
  return {
    bias,
    nodeCount,
    clientCount: isBusyKey ? 5 : prng.pick([1, 2, 2, 3, 3, 4, 5]),
    lanes: isHotKey ? 2 : prng.chance(0.25) ? 2 : 1,
    settings: {
      replicas,
      slotCount,
      partitioner: 'ascii-sum',
      keyBytesMax: 20,
      valueBytesMax: 1024,
      leaseMs,
      writeAgeMsMax,
      tombstoneMs,
      durability: 'none',
      copyBytesPerSecondMax: 0,
    },
    keys: [...keys],
    operations: isHotKey ? 150 : isBusyKey ? 60 : prng.int(10, 60),
    faultMs,
    faultCount: prng.chance(0.05) ? 0 : prng.int(1, 4 + Math.floor(faultMs / 200)),
    ambushes: 0,
    faultWeights: faultWeights(prng, bias),
    thinkMs: isHotKey ? 1 : isBusyKey ? faultMs / 20 : prng.pick([1, 5, 20, faultMs / 20]),
    deadlineMs,
    delayMs: prng.pick([0.2, 0.5, 1, 2, 4]),
    slowShare: bias === 'siblings' ? 0.1 : prng.pick([0, 0.01, 0.03, 0.1]),
    tickMs: prng.int(5, 10),
    calmTicks: 1,
    silenceMs: prng.int(60, 400),
    persistMs: prng.pick([0, 1, 5, 20]),
    seesOldExits: prng.chance(0.75),
    closesOnRemoval: prng.chance(0.5),
    allowsLoss: prng.chance(0.1),
    clientClockErrorMs:
      bias === 'oldWrites' ? writeAgeMsMax - 60 : ages ? 40 : prng.pick([0, 1, 10, 100, 3000]),
    mix: drawMix(prng, bias),
    hasStateDisk: false,
    ttlShare: 0,
    ttlMsMax: 0,
    hasDisks: false,
    syncMs: 0,
    diskLossShare: 0.3,
    readFromAny: isBusyKey ? 1 : prng.pick([0, 0.5, 1]),
    nodeTimings: {
      replayAfterMs: prng.int(3, 20),
      settleAfterMs: bias === 'copies' ? 400 : prng.int(50, 400),
      peerAnswerMsMax: prng.int(30, 200),
      diskHungMsMax: 2000,
      waitMsMax: 1000,
      reportEveryMs: prng.int(20, 100),
    },
    clientTimings: {
      answerMsMax: prng.int(30, 200),
      retryMsMin: 2,
      retryMsMax: prng.int(10, 100),
      mapWantedEveryMs: prng.int(5, 20),
      reportEveryMs: prng.int(20, 100),
    },
    managerTimings: withPace({
      probeMsMax: prng.int(20, 200),
      reportCountsMs: 250,
      reportPersistMs: 250,
      isolationMs: 1000,
      isolationMsMax: 8000,
      rejoinGraceMs: prng.pick(bias === 'siblings' ? [0, 20] : [0, 20, 200, 1000]),
      respawnMsMin: prng.int(5, 50),
      respawnMsMax: prng.int(50, 400),
      respawnForgiveMs: 200,
      stepsAtOnceMax: 2,
      taskWaitMsMax: 600_000,
    }),
  };
}

/** Half of the managers let steps of slots wait; by what is drawn already, so that seeds mean what they meant. */
function withPace(
  timings: Omit<ManagerTimings, 'stepEveryMs' | 'stepEveryIdleMs' | 'clientsWaitMs'>,
): ManagerTimings {
  const { respawnMsMax } = timings;
  return {
    ...timings,
    stepEveryMs: respawnMsMax % 2 === 0 ? 40 : 0,
    stepEveryIdleMs: respawnMsMax % 2 === 0 ? 40 : 0,
    clientsWaitMs: respawnMsMax % 4 === 0 ? 20 : 0,
  };
}

/** Any plan, with faults that wait for messages. */
export function drawAmbushes(prng: Prng): Plan {
  const plan = drawPlan(prng, prng.chance(0.3) ? 'none' : prng.pick(drawnBiases));
  return { ...plan, ambushes: prng.int(4, 10), faultCount: Math.ceil(plan.faultCount / 2) };
}

/** The same plan for nodes with disks: any of them may die, and all of them at once. */
export function withDisks(plan: Plan, prng: Prng): Plan {
  const weights = plan.faultWeights.filter(([kind]) => kind !== 'joinForeign');
  const shares = plan.bias === 'disasters' ? [2, 4] : [0, 0.5, 2];
  return {
    ...plan,
    hasDisks: true,
    syncMs: prng.pick([0.2, 1, 5, 20]),
    diskLossShare: plan.bias === 'disasters' ? 0.7 : plan.diskLossShare,
    settings: { ...plan.settings, durability: 'always' },
    allowsLoss: true,
    faultWeights: [
      ...weights,
      ['losePower', prng.pick(shares)],
      ['killNodes', prng.pick(shares)],
      ['hangDisk', plan.bias === 'hangs' ? 4 : 0],
    ],
    ...(plan.bias === 'hangs' ? { faultMs: prng.int(1000, 5000), operations: 100, thinkMs: 40 } : {}),
  };
}

/** The same plan with disks that nobody waits for unless they are far behind. */
export function withInterval(plan: Plan): Plan {
  return { ...plan, settings: { ...plan.settings, durability: plan.hasDisks ? 'interval' : 'none' } };
}

/** The same plan with values that expire, and hosts that sleep, whose clocks then are behind. */
export function withExpiry(plan: Plan, prng: Prng): Plan {
  return {
    ...plan,
    ttlShare: prng.pick([0.2, 0.5, 0.9]),
    ttlMsMax: prng.pick([20, 100, plan.settings.leaseMs * 1.5]),
    faultWeights: [...plan.faultWeights, ['suspendHost', prng.pick([0, 1, 3])]],
  };
}

/** The same plan with a manager whose disk may be full or slow, and who may die meanwhile. */
export function withStateDisk(plan: Plan, prng: Prng): Plan {
  const trouble = [
    ['fillStateDisk', prng.pick([1, 3])],
    ['slowStateDisk', prng.pick([1, 3])],
    ['crashManager', prng.pick([0, 1, 3])],
    ['crashNode', 1],
  ] as const;
  return { ...plan, hasStateDisk: true, faultWeights: [...plan.faultWeights, ...trouble] };
}

/** The same plan with nodes that tick as seldom as the shell lets them while they are not busy. */
export function withCalm(plan: Plan): Plan {
  return { ...plan, calmTicks: Math.floor(calmTickMs(plan.settings.leaseMs) / plan.tickMs) };
}

/** Mostly 2 or 3; sometimes more than there are nodes. */
function drawReplicas(prng: Prng, nodeCount: number): number {
  const drawn = prng.pick([1, 2, 2, 2, 2, 3, 3, 3, 3, 4, 5]);
  return prng.chance(0.05) ? drawn : Math.min(drawn, nodeCount);
}
