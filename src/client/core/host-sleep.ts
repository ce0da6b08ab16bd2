/**
 * What a suspension of this host, for which its monotonic clock stood still, means to what is under way.
 *
 * The deadline of a put-if-absent counts the time that this clock missed: a retry behind it may find the tombstone gone that
 * tells of an earlier attempt (RMW5). Nothing else depends on it; and since a step of the wall clock looks the same, no other
 * call shall fail by it.
 *
 * Nobody here knows then what time it is for the cluster: a new version would be as old as the suspension was long, and might be
 * refused for that as long as the manager is away. So no put begins before the clock has been told anew (W10); reads,
 * conditional writes, and what has begun, go on.
 */
import { OperationState } from './operation.js';
import type { Operation } from './operation.js';
import type { OperationTable } from './operation-table.js';
import type { VersionClock } from './version-clock.js';

export class HostSleep {
  isClockInDoubt = false;
  readonly #table: OperationTable;
  readonly #versions: VersionClock;
  readonly #begin: (operation: Operation) => void;

  constructor(table: OperationTable, versions: VersionClock, begin: (operation: Operation) => void) {
    this.#table = table;
    this.#versions = versions;
    this.#begin = begin;
  }

  /** It was so long. */
  suspended(ms: number): void {
    this.isClockInDoubt = true;
    this.#table.forEach((operation) => {
      if (operation.expectAbsent) operation.deadlineMs -= ms;
    });
  }

  /** The put waits until the clock has been told. */
  hold(operation: Operation): void {
    operation.beginAttempt(0, 0);
    operation.attempts = 0;
    operation.waitsForClock = true;
    operation.state = OperationState.waiting;
    operation.retryAtMs = Infinity;
  }

  /** The cluster's clock is known again. What has a time to live has been given its end already (W11). */
  clockLearnt(): void {
    this.isClockInDoubt = false;
    this.#versions.clockLearnt();
    this.#table.forEach((operation) => {
      if (!operation.waitsForClock) return;
      operation.waitsForClock = false;
      this.#versions.assign(operation.version);
      this.#begin(operation);
    });
  }
}
