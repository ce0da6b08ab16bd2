/**
 * Where a replica notes every change of a record, so that it outlives the process: the disk in production, the
 * simulated one in test/sim. Changes go to it in the order in which they happen, and what is saved is always a prefix
 * of that order.
 */
import type { RecordId } from './store.js';

export interface Journal {
  /** ACK and STALE wait for the disk (`always`). */
  readonly isAwaited: boolean;
  /** The disk has no room: what needs it is refused. */
  readonly isFull: boolean;
  /** Number of the last change noted so far (0: none). */
  readonly noted: number;
  /** Changes up to this number are on the disk. */
  readonly saved: number;
  /** The record has changed: all of it is saved anew. Reads the record within the call. */
  save(slot: number, record: RecordId): void;
  remove(slot: number, key: string): void;
  /** From here on the slot is held whole, as a full replica that joined at that epoch. */
  label(slot: number, joinedAt: number): void;
  /** The slot is not held (any more): drops label and records. */
  clear(slot: number): void;
}

/** Of a node that keeps everything in memory only. */
export const noJournal: Journal = Object.freeze({
  isAwaited: false,
  isFull: false,
  noted: 0,
  saved: 0,
  save: () => undefined,
  remove: () => undefined,
  label: () => undefined,
  clear: () => undefined,
});
