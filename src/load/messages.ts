/** Between the command and its client processes: one order at a time, answered by `done` or `failed`. */
import type { LoadPlan } from './plan.js';
import type { Recording } from './recorder.js';

export type Order =
  /** First of all: connect. */
  | { readonly type: 'open'; readonly plan: LoadPlan; readonly process: number }
  | { readonly type: 'fill' }
  | { readonly type: 'run' }
  /** Delete what was filled in and inserted. */
  | { readonly type: 'clean' }
  /** No order of its own: what is under way ends early. */
  | { readonly type: 'stop' };

export interface RunReport extends Recording {
  /** Operations that had not ended when the patience with them was at its end. */
  readonly unfinished: number;
  /** Open loop: operations that were due and never begun. */
  readonly notBegun: number;
  /** Keys of this process by slot: its part of the shared ones and those that it has inserted. */
  readonly keysBySlot: readonly number[];
  /** CPU time of this process in the measured time, as a share of one core. */
  readonly cpuShare: number;
}

export interface CleanReport {
  readonly deleted: number;
  /** Keys that may still be there. */
  readonly left: number;
  /** Why, by error code. */
  readonly errors: Readonly<Record<string, number>>;
}

export type Answer =
  /** Several times a second while an order is obeyed: how many operations it has done, of how many; 0: unknown. */
  | { readonly type: 'progress'; readonly done: number; readonly total: number }
  | { readonly type: 'done'; readonly run?: RunReport; readonly clean?: CleanReport }
  /** `code` of a GTStoreError, else undefined. */
  | { readonly type: 'failed'; readonly message: string; readonly code: string | undefined };
