/**
 * CPU time of other processes, where the system tells (Linux). On a busy machine it says more than the clock: it does
 * not count what others took.
 */
import { readFileSync } from 'node:fs';

/** Microseconds that these processes have run so far, together; NaN if unknown. */
export function cpuUsOf(pids: readonly number[]): number {
  return pids.reduce((sum, pid) => sum + cpuUs(pid), 0);
}

function cpuUs(pid: number): number {
  try {
    const [nanoseconds] = readFileSync(`/proc/${pid}/schedstat`, 'utf8').split(' ');
    return Number(nanoseconds) / 1000;
  } catch {
    return NaN;
  }
}

/** Microseconds that all cores together have been busy since the system started; NaN if unknown. */
export function systemCpuUs(): number {
  try {
    const [first = ''] = readFileSync('/proc/stat', 'utf8').split('\n');
    const [, user, nice, system, , , irq, softIrq, steal] = first.split(/\s+/).map(Number);
    const ticks = [user, nice, system, irq, softIrq, steal].reduce<number>((sum, n) => sum + (n ?? NaN), 0);
    return ticks * tickUs;
  } catch {
    return NaN;
  }
}

/** USER_HZ is 100 on every Linux that runs Node. */
const tickUs = 10_000;
