/**
 * CPU time of other processes, where the system tells (Linux). On a busy machine it says more than the clock: it does
 * not count what others took.
 */
import { readFileSync, readdirSync } from 'node:fs';
import { availableParallelism } from 'node:os';
import { childrenOf } from '../src/testing/processes.js';

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

/** CPU time at one moment, in microseconds. */
export interface CpuSample {
  readonly atMs: number;
  readonly systemUs: number;
  /** By id, of this process and all that it has started, directly or not. */
  readonly ownUs: ReadonlyMap<number, number>;
}

export function cpuSample(): CpuSample {
  const ownUs = new Map(family(process.pid).map((pid) => [pid, cpuUsOf(pid)]));
  return { atMs: performance.now(), systemUs: systemCpuUs(), ownUs };
}

/** The process, those that it has started, those that they have, and so on. */
export function family(pid: number): number[] {
  return [pid, ...childrenOf(pid).flatMap(family)];
}

/** Share of all cores that others than the own processes took between two samples; NaN: unknown. */
export function foreignShare(before: CpuSample, after: CpuSample, cores = availableParallelism()): number {
  let ownUs = 0;
  for (const [pid, us] of after.ownUs) {
    const taken = us - (before.ownUs.get(pid) ?? 0);
    // One that ended just now cannot be asked any more.
    if (!Number.isNaN(taken)) ownUs += taken;
  }
  const foreignUs = after.systemUs - before.systemUs - ownUs;
  return Math.max(0, foreignUs / (1000 * (after.atMs - before.atMs) * cores));
}
