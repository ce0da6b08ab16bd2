/**
 * The manager's view of its nodes: who has registered, when each was last heard of, until when it may believe to
 * hold a lease (M1), and what reports and probes say (M2). No decisions on slots here.
 */
import type { ClusterMap } from '../../protocol/cluster-map.js';
import type { HeartbeatMessage, Link, RefusedReason, RegisterMessage } from '../../protocol/messages.js';
import { clockDriftRatio } from '../../protocol/settings.js';

/** By one node on another, each soon after the one before. */
export interface Reports {
  readonly sinceMs: number;
  latestMs: number;
}

export interface Member {
  readonly id: number;
  readonly incarnation: number;
  readonly host: string;
  readonly port: number;
  readonly pid: number;
  /** Slots its disk held whole when it registered, with their epochs of joining. */
  diskSlots: ReadonlyMap<number, number>;
  /** Microseconds: the latest write on its disk then. */
  diskClockUs: number;
  /** Connection it registered on; null: closed since, or not back after a restart of the manager. */
  link: Link | null;
  /** Id of the last of them: ids count up as connections are accepted. 0: none yet. */
  linkId: number;
  /** In the published map. */
  admitted: boolean;
  /** Manager-clock time by which any lease it may hold has surely run out. */
  leaseEndMs: number;
  /** Leases that it was assumed to hold since it was heard last, for this manager had stood still. */
  leasesAssumed: number;
  heardAtMs: number;
  joinedAtMs: number;
  adoptedEpoch: number;
  keys: number;
  bytes: number;
  /** Why it takes no new values (D4); null: it does. */
  noRoom: RefusedReason | null;
  /** Probe in flight: its rid and when it was sent; 0: none. */
  probeRid: number;
  probeSentMs: number;
  suspect: boolean;
  /** Nodes that report it; itself, if its disk hangs. */
  readonly reportedBy: Map<number, Reports>;
  /** It goes on saying so. */
  hasHungDisk: boolean;
}

export function newMember(
  identity: Pick<Member, 'id' | 'incarnation' | 'host' | 'port' | 'pid'>,
  { disk }: Pick<RegisterMessage, 'disk'>,
  link: Link | null,
  nowMs: number,
): Member {
  return {
    ...identity,
    diskSlots: new Map(disk.slots),
    diskClockUs: disk.clockUs,
    link,
    linkId: link?.id ?? 0,
    admitted: false,
    leaseEndMs: -Infinity,
    leasesAssumed: 0,
    heardAtMs: nowMs,
    joinedAtMs: nowMs,
    adoptedEpoch: 0,
    keys: 0,
    bytes: 0,
    noRoom: null,
    probeRid: 0,
    probeSentMs: 0,
    suspect: false,
    reportedBy: new Map(),
    hasHungDisk: false,
  };
}

/** M1: the manager counts from receipt, and a little longer, for clocks may differ in rate. */
export function extendLease(member: Member, leaseMs: number, nowMs: number): void {
  member.leaseEndMs = Math.max(member.leaseEndMs, nowMs + leaseMs * (1 + clockDriftRatio));
}

export function recordHeartbeat(member: Member, message: HeartbeatMessage, nowMs: number): void {
  member.heardAtMs = nowMs;
  member.leasesAssumed = 0;
  member.adoptedEpoch = Math.max(member.adoptedEpoch, message.epoch);
  member.keys = message.keys;
  member.bytes = message.bytes;
  member.noRoom = message.noRoom;
  member.suspect = false;
}

/**
 * D3: it has adopted that map, and with it cleared what others hold whole without it (attic.ts); a slot that it has left it cleared then. *[found:
 * an heir was chosen for what it had cleared long before, and a learner's part was dropped for it]*
 */
export function forgetCleared(member: Member, map: ClusterMap): void {
  const { id, incarnation, diskSlots } = member;
  if (diskSlots.size === 0 || map.node(id)?.incarnation !== incarnation) return;
  const isCleared = (slot: number): boolean => {
    const assignment = map.slots[slot];
    if (assignment === undefined) return true;
    const { replicas, learners } = assignment;
    return learners.length === 0 && replicas.length >= map.settings.replicas && !replicas.includes(id);
  };
  const held = [...diskSlots].filter(([slot]) => !isCleared(slot));
  if (held.length < diskSlots.size) member.diskSlots = new Map(held);
}

/** A report counts for `countsMs`. */
export function recordReport(member: Member, reporterId: number, nowMs: number, countsMs: number): void {
  const reports = member.reportedBy.get(reporterId);
  if (reports !== undefined && nowMs - reports.latestMs <= countsMs) reports.latestMs = nowMs;
  else member.reportedBy.set(reporterId, { sinceMs: nowMs, latestMs: nowMs });
}

/** Nodes that have reported this one for `persistMs` without a pause, and still do; itself, too. */
export function reporters(member: Member, nowMs: number, countsMs: number, persistMs: number): number[] {
  const ids: number[] = [];
  for (const [id, { sinceMs, latestMs }] of member.reportedBy) {
    if (nowMs - latestMs > countsMs) member.reportedBy.delete(id);
    else if (latestMs - sinceMs >= persistMs) ids.push(id);
  }
  return ids;
}
