/** What a run shall do, as plain data: it travels to the client processes. */
import type { Workload } from './workloads.js';

export interface LoadPlan {
  /** The manager's address as users write it. */
  readonly manager: string;
  readonly workload: Workload;
  /** How many keys are filled in before. */
  readonly keys: number;
  /** Length of a key, the prefix included. */
  readonly keyBytes: number;
  /** Length of a value: text of one-byte characters. */
  readonly valueBytes: number;
  readonly prefix: string;
  /** Instances of GTStoreClient, each with its own connections. */
  readonly clients: number;
  /** Processes they are spread over. */
  readonly processes: number;
  /** Operations that each client keeps under way. */
  readonly inFlight: number;
  readonly seconds: number;
  readonly warmUpSeconds: number;
  readonly readFrom: 'primary' | 'any';
  readonly seed: number;
  /** Operations per second that all clients together begin; null: each begins the next when one has ended. */
  readonly ratePerSecond: number | null;
  /** Do not delete the keys at the end. */
  readonly keep: boolean;
}

/** How many of the clients the process of that index runs. */
export function clientsOf(plan: Pick<LoadPlan, 'clients' | 'processes'>, process: number): number {
  return Math.floor(plan.clients / plan.processes) + (process < plan.clients % plan.processes ? 1 : 0);
}
