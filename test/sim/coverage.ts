/**
 * Which situations a campaign has seen. A situation that no schedule of a long campaign reaches is a hole in the
 * simulator: the campaign warns of it.
 */
export const situations = [
  'replay',
  'takeOver',
  'parkedRead',
  'readOfFormer',
  'conditionalApplied',
  'conditionalRefused',
  'conditionalRetried',
  'conditionalFoundApplied',
  'conditionalInterrupted',
  'conditionalUnknown',
  'conditionalStale',
  'putUnknown',
  'putTimedOut',
  'putRaised',
  'putRetried',
  'refusedOld',
  'putRefused',
  'tombstoneDropped',
  'learnerCopy',
  'differenceCopy',
  'promotion',
  'substitute',
  'fence',
  'fenceAcked',
  'removedAlive',
  'rejoinedAlive',
  'leaseLapsed',
  'promiseGranted',
  'promiseDeclined',
  'servedByPromise',
  'servedAlone',
  'managerRestart',
  'managerLostState',
  'nodeCrash',
  'nodeRespawn',
  'nodePause',
  'foreignJoin',
  'foreignCrash',
  'exitUnseen',
  'twoProcessesOneId',
  'nodeStopped',
  'clientCrash',
  'abandonedWrite',
  'linkBroken',
  'oneWayPartition',
  'silenceClosed',
  'isolation',
  'slotLost',
  'powerLost',
  'allNodesKilled',
  'diskLost',
  'diskLocked',
  'unsavedLost',
  'slotRevived',
  'fencedOldEpoch',
  'fencedBehind',
  'fencedNoLease',
  'fencedNotReplica',
  'fencedLeaving',
  'fencedNotPrimary',
  'fencedUnreachable',
  'nodeAdded',
  'drain',
  'rebalance',
  'replicasChanged',
  'rollingRestart',
  'taskRefused',
  'taskCancelled',
] as const;

export type Situation = (typeof situations)[number];

export class Coverage {
  readonly seen = new Set<Situation>();

  note(situation: Situation): void {
    this.seen.add(situation);
  }
}
