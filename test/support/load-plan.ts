/** A plan of the load generator, with what a test does not care about. */
import type { LoadPlan } from '../../src/load/plan.js';
import { getPutWorkload } from '../../src/load/workloads.js';

export function loadPlan(changes: Partial<LoadPlan> = {}): LoadPlan {
  return {
    manager: '127.0.0.1:7400',
    workload: getPutWorkload(0.5, 'uniform'),
    keys: 100,
    keyBytes: 20,
    valueBytes: 100,
    prefix: 'bench:',
    clients: 1,
    processes: 1,
    inFlight: 8,
    seconds: 10,
    warmUpSeconds: 0,
    readFrom: 'primary',
    seed: 1,
    ratePerSecond: null,
    keep: false,
    ...changes,
  };
}
