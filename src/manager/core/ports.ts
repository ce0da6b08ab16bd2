/** What the manager core asks of its surroundings: the shell in production, the simulated world in test/sim. */
import type { ManagerState } from './state.js';

export type LogLevel = 'error' | 'warn' | 'info' | 'debug';

export interface ManagerPorts {
  /** Milliseconds of this host's monotonic clock. */
  nowMs(): number;
  /** This host's wall clock, in microseconds; it never goes back while the manager lives (manager-clock.ts). */
  clockUs(): number;
  /** Uniform in [0, 1). */
  random(): number;
  /** Starts a process for this node id. Its end is told through `ManagerCore.onProcessExit`. */
  spawn(nodeId: number): void;
  /**
   * Tells the end of this process, too: it has a forked node's id, has just registered, and an earlier manager may have forked it.
   * @returns false if this host has no such process: it runs elsewhere, and nothing here tells its end
   */
  watch(nodeId: number, pid: number): boolean;
  /** Makes the state durable, then calls `ManagerCore.onPersisted(state.serial)`, at once or later, in order. */
  persist(state: ManagerState): void;
  log(level: LogLevel, text: string): void;
}

export interface ManagerTimings {
  /** A reported node must answer a probe within this, or it is suspected. */
  readonly probeMsMax: number;
  /**
   * How long a node's report on another counts. Nodes that cannot reach one report it again and again; one that stood still and
   * stands still anew is reported no sooner than that.
   */
  readonly reportCountsMs: number;
  /** How long nodes must report another, which answers the manager, before it is taken for cut off from them; more than `probeMsMax`. */
  readonly reportPersistMs: number;
  /** How long a node that most of its fellows cannot reach, or whose disk hangs, is left without slots after the last report. */
  readonly isolationMs: number;
  /** It is doubled each time the same node's disk hangs anew, up to this; forgiven when all has gone well for as long. */
  readonly isolationMsMax: number;
  /** How long a dead node's place is kept for its next life before others take over its slots. */
  readonly rejoinGraceMs: number;
  /** Pause before a dead node is started again; not at once, for starting a process takes what failing over needs. */
  readonly respawnMsMin: number;
  readonly respawnMsMax: number;
  /** A node that has been up for this long begins anew with the shortest back-off. */
  readonly respawnForgiveMs: number;
  /** How many slots an administrator's task moves at once. */
  readonly stepsAtOnceMax: number;
  /** How long a task waits for one node to come up, or back. */
  readonly taskWaitMsMax: number;
  /** At least this long between two maps, or a map and a fence, for which nobody waits. */
  readonly stepEveryMs: number;
  /** The same while clients ask for next to nothing, whom the steps could be in the way of. */
  readonly stepEveryIdleMs: number;
  /** How long clients may be told later than nodes of such a map, at most. */
  readonly clientsWaitMs: number;
}

export const managerTimings: ManagerTimings = {
  probeMsMax: 200,
  reportCountsMs: 250,
  reportPersistMs: 300,
  isolationMs: 3000,
  isolationMsMax: 600_000,
  rejoinGraceMs: 2000,
  respawnMsMin: 150,
  respawnMsMax: 10_000,
  respawnForgiveMs: 10_000,
  stepsAtOnceMax: 16,
  taskWaitMsMax: 600_000,
  stepEveryMs: 400,
  stepEveryIdleMs: 20,
  clientsWaitMs: 40,
};
