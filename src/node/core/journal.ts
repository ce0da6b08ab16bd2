/**
 * Where a node's records are kept beyond its process. Every change goes to it in order, and what is on the disk is
 * always a prefix of that order: so a label that says "this slot is held whole" is never there without its records.
 */
import type { RecordId } from './store.js';

export interface Journal {
  /** ACK and STALE wait for the disk: with `--durability always`, or where that is far behind. */
  readonly isAwaited: boolean;
  /** So much waits for the disk that what can wait shall not be added. */
  readonly isBehind: boolean;
  /** So much waits for the disk that no new write is taken before it has caught up. The disk may have plenty of room. */
  readonly isCrowded: boolean;
  /** Not even what settles writes that others hold already. */
  readonly isOverfull: boolean;
  /** The disk has no room: what needs it is refused. */
  readonly isFull: boolean;
  /** Not even the room that is kept for deletes is left. */
  readonly isSpent: boolean;
  /** What waits for the disk waits for room there. */
  readonly hasNoRoom: boolean;
  /** Number of the last change noted so far; 0: none. */
  readonly noted: number;
  /** Number of the last label. */
  readonly labelled: number;
  /** Changes up to this number are on the disk. */
  readonly saved: number;
  /** The record has changed: all of it is saved anew. Reads the record within the call. */
  save(slot: number, record: RecordId): void;
  remove(slot: number, key: string): void;
  /** From here on the slot is held whole, as a full replica that joined at that epoch. */
  label(slot: number, joinedAt: number): void;
  /** The slot is not held whole any more; its records stay, as hints. */
  unlabel(slot: number): void;
  /** The slot is not held any more: drops label and records. */
  clear(slot: number): void;
}

/** For a node that keeps nothing beyond its process. */
export const noJournal: Journal = {
  isAwaited: false,
  isBehind: false,
  isCrowded: false,
  isOverfull: false,
  isFull: false,
  isSpent: false,
  hasNoRoom: false,
  noted: 0,
  labelled: 0,
  saved: 0,
  save: () => undefined,
  remove: () => undefined,
  label: () => undefined,
  unlabel: () => undefined,
  clear: () => undefined,
};
