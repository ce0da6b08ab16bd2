/**
 * CPU time of other processes, where the system tells (Linux). On a busy machine it says more than the clock: it does
 * not count what others took.
 */
import { readFileSync, readdirSync } from 'node:fs';

/** Microseconds that this process has run so far, all its threads; NaN if unknown. */
export function cpuUsOf(pid: number): number {
  try {
    // schedstat of a process is that of its first thread: the others are asked one by one.
    const tasks = `/proc/${pid}/task`;
    return readdirSync(tasks).reduce((sum, task) => {
      const [nanoseconds] = readFileSync(`${tasks}/${task}/schedstat`, 'utf8').split(' ');
      return sum + Number(nanoseconds) / 1000;
    }, 0);
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
