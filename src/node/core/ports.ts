/** What the node core asks of its surroundings: the shell in production, the simulated world in test/sim. */
import type { ClusterMap } from '../../protocol/cluster-map.js';
import type { Link } from '../../protocol/messages.js';
import type { Condition } from './key-work.js';
import type { PeerWrite } from './peer-writes.js';
import type { RecordId } from './store.js';

export type LogLevel = 'error' | 'warn' | 'info' | 'debug';

export interface NodePorts {
  /**
   * Milliseconds of this host's monotonic clock, sampled after the bytes being handled were received. One sample
   * may serve a whole batch: what is read after it was there at it, since nothing else ran in between.
   */
  nowMs(): number;
  /** Has it called as soon as all that has come by now has been handled. */
  nextTurn(work: () => void): void;
  /** Uniform in [0, 1). */
  random(): number;
  /** The open connection that this node dialled to that member (incarnation of the current map), if any. */
  peer(nodeId: number): Link | undefined;
  /** The open connection to the manager, if any. */
  manager(): Link | undefined;
  /** A newer map is in force: dial new members, drop connections to old ones. */
  mapAdopted(map: ClusterMap): void;
  /** The manager gave this node an identity; 0 as incarnation: it has lost it. */
  identityChanged(nodeId: number, incarnation: number): void;
  /** The manager orders the process to end. @param fault - what is wrong with this node; '': nothing */
  stopOrdered(fault: string): void;
  log(level: LogLevel, text: string): void;
}

/** What this node tells others about itself when it joins. */
export interface NodeAddress {
  readonly host: string;
  readonly port: number;
  readonly pid: number;
  /** Nodes with the same label share a fate; '': it stands alone. */
  readonly hostLabel: string;
}

/** How often a node ticks while it is busy, in milliseconds. */
export const busyTickMs = 10;
const calmTickMsMax = 50;
const calmTicksPerLease = 20;

/** The same while nothing waits for ticks: the other deadlines are long, and a tick takes the processor 0.1 to 0.2 ms. */
export function calmTickMs(leaseMs: number): number {
  return Math.max(busyTickMs, Math.min(calmTickMsMax, leaseMs / calmTicksPerLease));
}

/** Delays of the node core, all in milliseconds. Defaults: see `nodeTimings`. */
export interface NodeTimings {
  /** A reader waits this long for a VALIDATE before the replica replays (R2). */
  readonly replayAfterMs: number;
  /** A key that nobody asks for is settled after being INVALID for this long (R3). */
  readonly settleAfterMs: number;
  /**
   * A peer of which nothing has been heard for this long since it was sent a PROBE is out of reach (see-tell). Longer than the
   * manager waits for the answer to its own: else what its fellows saw it might not have seen.
   */
  readonly peerAnswerMsMax: number;
  /** A disk that has taken nothing for this long hangs; nobody waits any longer for what shall be on it. */
  readonly diskHungMsMax: number;
  /** Whoever waits at a key where nobody has been served for this long is sent elsewhere. */
  readonly waitMsMax: number;
  /** At least this long between two reports on the same node. */
  readonly reportEveryMs: number;
}

export const nodeTimings: NodeTimings = {
  replayAfterMs: 10,
  settleAfterMs: 1000,
  peerAnswerMsMax: 250,
  diskHungMsMax: 5000,
  waitMsMax: 2000,
  reportEveryMs: 100,
};

/** What the replica needs of the other parts of its node. */
export interface ReplicaOwner {
  /** A request carried an epoch that this node has not adopted. */
  mapWanted(): void;
  /** The key is VALID and free: run its next conditional write. */
  runCondition(condition: Condition, record: RecordId): void;
  /** A conditional write was decided at all members, or could not be. */
  conditionCommitted(condition: Condition, write: PeerWrite): void;
  conditionInterrupted(condition: Condition): void;
}
