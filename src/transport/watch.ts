/**
 * One interval timer for all connections of the process: each scan tells every connection how long it has been
 * since the last. Deadlines counted in scans are late by up to two of them, which heart-beats can bear; in exchange
 * no message touches a clock or a timer.
 *
 * A process that was stopped (SIGSTOP, a sleeping laptop, a long loop turn) must not take its own absence for the
 * silence of its peers. So a scan never counts for more than twice the interval, and it is carried out after the
 * poll phase of its loop turn, when what came during the absence has been read.
 *
 * The timer runs only while there is a connection, and keeps no process alive.
 */
import { AfterPollTimer } from './after-poll.js';
import { monotonicMs } from './real-time.js';

export interface Watched {
  /** @param elapsedMs - milliseconds since the last scan in which this process was running */
  onScan(elapsedMs: number): void;
}

export const scanMs = 100;

const watched = new Set<Watched>();
let timer: AfterPollTimer | undefined;
let scannedAtMs = 0;

export function watch(connection: Watched): void {
  watched.add(connection);
  if (timer !== undefined) return;
  scannedAtMs = monotonicMs();
  timer = new AfterPollTimer(scanMs, scan).unref();
}

export function unwatch(connection: Watched): void {
  watched.delete(connection);
  if (watched.size > 0) return;
  timer?.stop();
  timer = undefined;
}

function scan(): void {
  const nowMs = monotonicMs();
  const elapsedMs = Math.min(nowMs - scannedAtMs, 2 * scanMs);
  scannedAtMs = nowMs;
  for (const connection of watched) connection.onScan(elapsedMs);
}
