/**
 * What an administrator may ask of the manager, as the JSON of ADMIN and ADMIN_RESULT. Every command answers at once;
 * what takes longer is a task, one at a time, that goes on whoever asks and survives a restart of the manager.
 */

/** What a rebalancing makes even: slots by count, by bytes held, or by operations asked for of late. */
export const rebalanceMeasures = ['slots', 'bytes', 'load'] as const;
export type RebalanceMeasure = (typeof rebalanceMeasures)[number];

/** Most that `mbPerSecond` of a request may be. */
export const mbPerSecondMax = 100_000;

export type AdminRequest =
  /** Forks nodes on the manager's host; they take part once they are rebalanced to. */
  | { readonly command: 'add-nodes'; readonly count: number }
  /** Forks a node again that has died, where dead nodes are not started again by themselves. */
  | { readonly command: 'start-node'; readonly nodeId: number }
  /** Moves everything off the node; then it is no member any more, and ends if the manager forked it. */
  | { readonly command: 'drain'; readonly nodeId: number; readonly mbPerSecond?: number }
  | {
      readonly command: 'rebalance';
      readonly by: RebalanceMeasure;
      /** Only tells what it would move. */
      readonly dryRun?: boolean;
      readonly mbPerSecond?: number;
    }
  | { readonly command: 'set-replicas'; readonly replicas: number; readonly mbPerSecond?: number }
  /** Every node that the manager forked, one after the other, each once all slots are whole. */
  | { readonly command: 'restart-rolling' }
  /** Slots that wait for data go on with what a node that is there has of them, or empty; nodes that were silent for long are taken for dead (D3, M3). */
  | { readonly command: 'accept-loss' }
  /** Ends the task under way: what was moved stays moved, the rest is left. */
  | { readonly command: 'cancel' }
  /** How far the task under way is. */
  | { readonly command: 'progress' }
  /** The slots that are asked most, so many of them at most. */
  | { readonly command: 'hot'; readonly count: number };

/** One replica of a slot that goes from one node to another; -1: a copy more, or one less. */
export interface SlotMove {
  readonly slot: number;
  readonly from: number;
  readonly to: number;
}

export interface TaskProgress {
  readonly task: 'drain' | 'rebalance' | 'set-replicas' | 'restart-rolling';
  readonly state: 'running' | 'done' | 'failed' | 'cancelled';
  /** Steps: moves of slots, or nodes restarted. */
  readonly done: number;
  readonly total: number;
  /** Keys and values that the finished and the outstanding moves are of; 0 where nothing is copied. */
  readonly bytesDone: number;
  readonly bytesTotal: number;
  /** In one line: why it failed and how to go on, or what is to be known of it all the same. */
  readonly note?: string;
}

/** What one slot holds, and how much it is asked, smoothed over some seconds. */
export interface HotSlot {
  readonly slot: number;
  readonly readsPerSecond: number;
  readonly writesPerSecond: number;
  readonly keys: number;
  /** Of keys and values, without overhead. */
  readonly bytes: number;
  /** Node ids, primary first. */
  readonly replicas: readonly number[];
}

export type AdminResult =
  | {
      readonly ok: true;
      readonly nodeIds?: readonly number[];
      readonly moves?: readonly SlotMove[];
      readonly task?: TaskProgress | null;
      readonly slots?: number;
      readonly hot?: readonly HotSlot[];
    }
  /** One line: what is wrong and how to mend it. */
  | { readonly ok: false; readonly error: string };
