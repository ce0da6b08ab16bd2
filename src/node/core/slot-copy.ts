/** One slot that a learner fills. */
import type { Hints } from './hints.js';

/** What is asked for, or, from `compare` on, done with the attic. */
export type Stage = 'whole' | 'digests' | 'difference' | 'compare' | 'sift' | 'merge';
/** What is asked next: some source, the first batch of the stage, or, since some have come, the next one. */
export type Next = 'start' | 'first' | 'more';

export interface SlotCopy {
  readonly slot: number;
  readonly joinedAt: number;
  /** Node asked at present; -1: none yet. */
  source: number;
  /** Request in flight; 0: none. */
  rid: number;
  /** Connection on which it was sent. */
  linkId: number;
  sentMs: number;
  retryAtMs: number;
  failures: number;
  /** Of them, requests that were given up for want of an answer. */
  timeouts: number;
  next: Next;
  done: boolean;
  stage: Stage;
  /** What the attic has of the slot; null: nothing, or nothing worth comparing. */
  hints: Hints | null;
  /** D2: told of once the journal has saved this change. */
  noted: number;
}

export function newCopy(slot: number, joinedAt: number): SlotCopy {
  return {
    slot,
    joinedAt,
    source: -1,
    rid: 0,
    linkId: 0,
    sentMs: 0,
    retryAtMs: -Infinity,
    failures: 0,
    timeouts: 0,
    next: 'start',
    done: false,
    stage: 'whole',
    hints: null,
    noted: 0,
  };
}

export function isLooking({ stage }: SlotCopy): boolean {
  return stage === 'compare' || stage === 'sift' || stage === 'merge';
}
