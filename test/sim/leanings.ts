/**
 * What a bias makes of a plan that has been drawn, where it wants more than other weights: a number of nodes, times that
 * fit together, faults of its own.
 */
import { drawMix, letters } from './plan.js';
import type { Plan } from './plan.js';
import type { Prng } from './prng.js';

/** Those of real clusters: a disk may take longer than a tombstone is kept in other plans. */
const usualAges = { writeAgeMsMax: 300_000, tombstoneMs: 900_000 };

/** The same plan with nothing but hitches: nobody is to be taken for cut off. */
export function withHitches(plan: Plan, prng: Prng): Plan {
  const nodeCount = Math.max(plan.nodeCount, 3);
  const peerAnswerMsMax = prng.int(100, 250);
  return {
    ...plan,
    nodeCount,
    clientCount: 3,
    operations: 60,
    settings: {
      ...plan.settings,
      replicas: 3,
      slotCount: nodeCount,
      leaseMs: prng.int(1000, 2000),
      ...usualAges,
    },
    faultMs: prng.int(1000, 3000),
    faultCount: prng.int(4, 12),
    faultWeights: [
      ['hitch', 3],
      ['slowDisk', plan.hasDisks ? 2 : 0],
    ],
    thinkMs: prng.int(5, 50),
    // Longer than a batch that has begun when the faults end.
    deadlineMs: prng.int(2000, 3000),
    delayMs: 0.5,
    slowShare: 0,
    silenceMs: 3000,
    mix: drawMix(prng, 'conditions'),
    nodeTimings: { ...plan.nodeTimings, peerAnswerMsMax, reportEveryMs: prng.int(20, 40) },
    managerTimings: {
      ...plan.managerTimings,
      probeMsMax: prng.int(80, peerAnswerMsMax),
      reportCountsMs: peerAnswerMsMax,
    },
  };
}

/** The same plan without any faults: the schedule cuts one node off. */
export function withCutOff(plan: Plan, prng: Prng): Plan {
  const nodeCount = prng.int(4, 7);
  return {
    ...plan,
    nodeCount,
    clientCount: 3,
    // There are always some under way.
    operations: 5000,
    settings: {
      ...plan.settings,
      replicas: prng.int(2, 3),
      slotCount: nodeCount,
      leaseMs: prng.int(500, 1000),
      ...usualAges,
    },
    faultMs: prng.int(100, 1000),
    faultCount: 0,
    thinkMs: prng.int(20, 60),
    deadlineMs: prng.int(300, 600),
    slowShare: 0,
    syncMs: Math.min(plan.syncMs, 5),
    mix: drawMix(prng, 'conditions'),
    nodeTimings: { ...plan.nodeTimings, peerAnswerMsMax: 250 },
    managerTimings: { ...plan.managerTimings, probeMsMax: 200 },
  };
}

/** The same plan with disks, and full replicas that die while a copy is done and not told of. Several keys of one slot. */
export function withLateCopies(plan: Plan, prng: Prng): Plan {
  const nodeCount = prng.int(3, 4);
  const first = prng.below(6);
  return {
    ...plan,
    nodeCount,
    clientCount: 6,
    lanes: 1,
    keys: [0, 1, 2, 3, 4].map((i) => letters[first + i * nodeCount] ?? 'a'),
    settings: {
      ...plan.settings,
      replicas: prng.pick([2, 2, 3]),
      slotCount: nodeCount,
      leaseMs: prng.int(300, 600),
    },
    operations: 600,
    faultMs: 2000,
    faultCount: prng.int(1, 2),
    faultWeights: plan.hasDisks ? [['lateCopy', 1]] : [],
    thinkMs: 10,
    // What is under way when they die is over before a lease has passed, and is not sent again.
    deadlineMs: prng.int(200, 290),
    syncMs: Math.min(plan.syncMs, 5),
    readFromAny: 1,
    mix: drawMix(prng, 'copies'),
  };
}

/** The same plan with puts of one key without a pause, beside which updates are to get their turn. */
export function withTurns(plan: Plan, prng: Prng): Plan {
  const hasFaults = prng.chance(0.5);
  return {
    ...plan,
    keys: plan.keys.slice(0, 1),
    clientCount: prng.int(3, 4),
    // One of them is always under way; where some end unknown, the checker has enough to do with fewer.
    lanes: hasFaults ? prng.int(1, 3) : prng.int(3, 6),
    operations: hasFaults ? 3000 : 8000,
    ttlShare: 0,
    faultMs: prng.int(600, 1200),
    faultCount: hasFaults ? prng.int(1, 4) : 0,
    thinkMs: 0.1,
    deadlineMs: Math.max(plan.deadlineMs, 1000),
    delayMs: prng.pick([0.2, 0.5]),
    slowShare: hasFaults ? plan.slowShare : 0,
    mix: [60, 1, 1, 0.1, 0.1, 0.1],
    clientTimings: { ...plan.clientTimings, answerMsMax: 30 },
  };
}

/**
 * The same plan with disks that are lost or mounted late, several of one slot at once, and an administrator who accepts the loss early.
 * It lasts long enough for slots to come back in between.
 */
export function withLostDisks(plan: Plan, prng: Prng): Plan {
  const nodeCount = prng.int(3, 5);
  const leaseMs = prng.int(80, 250);
  const faultMs = prng.int(1500, 4000);
  const trouble = [
    ['loseDisks', 4],
    ['acceptLoss', prng.pick([1, 2, 4])],
    ['losePower', prng.pick([0, 1])],
    ['crashManager', prng.pick([0, 1])],
    ['crashNode', 1],
  ] as const;
  return {
    ...plan,
    nodeCount,
    clientCount: prng.int(2, 3),
    settings: { ...plan.settings, replicas: prng.pick([2, 2, 3]), slotCount: nodeCount, leaseMs },
    operations: 60,
    faultMs,
    faultCount: prng.int(4, 12),
    // Others now and then, for what builds on both.
    faultWeights: plan.hasDisks
      ? [...plan.faultWeights.map(([kind, weight]) => [kind, weight * 0.2] as const), ...trouble]
      : plan.faultWeights,
    thinkMs: faultMs / 40,
    syncMs: Math.min(plan.syncMs, 5),
    diskLossShare: 0.5,
    managerTimings: {
      ...plan.managerTimings,
      respawnMsMin: prng.int(5, 20),
      respawnMsMax: prng.int(20, 100),
    },
  };
}
