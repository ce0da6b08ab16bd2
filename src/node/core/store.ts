/**
 * What a replica asks of the storage behind it.
 *
 * A record - one key at one replica - is a number: its fields are the store's, outside the JS heap. Whoever keeps a
 * number longer than the call it was got in may find that the record has been removed meanwhile (a slot that was
 * cleared, a tombstone that was swept). So he holds it: a number that is held is given to no other record, and `exists`
 * says whether the record is still there.
 */
import type { AppliedList } from '../../protocol/applied-list.js';
import type { KeyView } from '../../protocol/key-view.js';
import type { PlainValue } from '../../protocol/messages.js';
import type { MutableVersion, Version } from '../../protocol/version.js';

/** Number of a record. */
export type RecordId = number;

/** What a look-up gives if there is none. */
export const noRecord: RecordId = 0;

/** Who may keep the number of a record across events; each at most once a record. */
export const Hold = {
  /** The settle queue. */
  settle: 1,
  /** The work that waits at the key. */
  work: 2,
  /** A write to the other members that is under way. */
  write: 4,
} as const;
export type Hold = (typeof Hold)[keyof typeof Hold];

/** A walk through the records of a slot. It holds no record, and may be dropped at any time. */
export interface RecordWalk {
  /** @returns the next record; `noRecord` at the end */
  next(): RecordId;
}

export interface KeyStore {
  readonly keys: number;
  /** Bytes of keys and values, without overhead. */
  readonly bytes: number;
  /** No value is to be stored but to settle what is there already: it holds as much as it may, or `isSystemLow`. */
  readonly isFull: boolean;
  /** Hardly any memory is left to the system that it is in. */
  readonly isSystemLow: boolean;
  /** Not even the memory that is kept for deletes is left. */
  readonly isSystemSpent: boolean;
  keysIn(slot: number): number;
  /** Of keys and values, without overhead. */
  bytesIn(slot: number): number;

  /** @returns the record of the key, or `noRecord` */
  get(slot: number, key: string | KeyView): RecordId;
  /** The record of the key; if there is none, a new one of version zero: INVALID, without value. */
  getOrInsert(slot: number, key: string | KeyView): RecordId;
  remove(record: RecordId): void;
  /** Removes all records of the slot. They are gone at once; their memory is freed by `reclaim`. */
  clearSlot(slot: number): void;
  /** All records of one slot become those of another, which has none of the same keys; in time by the fewer of them. */
  moveSlot(from: number, to: number): void;
  /** Frees memory of cleared slots, a bounded piece; call it on every tick. */
  reclaim(): void;
  /** Memory of cleared slots is not free yet. */
  readonly isReclaiming: boolean;
  /**
   * Walks the records of a slot, in no order that means anything. A record that is there from the beginning to the
   * end is met exactly once; one that is added or removed meanwhile may be met or not.
   */
  walk(slot: number): RecordWalk;

  /**
   * Whether a record whose number was held is still there. A number that was not held is told of, too; it may be another record's
   * by now.
   */
  exists(record: RecordId): boolean;
  hold(record: RecordId, by: Hold): void;
  /** @returns whether he did not hold it before */
  holdAnew(record: RecordId, by: Hold): boolean;
  /** The record may have been removed; then the number is not to be used any more. */
  release(record: RecordId, by: Hold): void;
  holds(record: RecordId, by: Hold): boolean;
  /** Whether anybody holds it. */
  isHeld(record: RecordId): boolean;

  slotOf(record: RecordId): number;
  keyOf(record: RecordId): string;

  /** @returns negative, 0 or positive as `version` is before, equal to or after that of the record */
  compareVersion(version: Version, record: RecordId): number;
  copyVersion(record: RecordId, to: MutableVersion): void;
  /** One to keep. */
  versionOf(record: RecordId): Version;
  /** Microseconds: the first part of the version. */
  hlcOf(record: RecordId): number;
  /** VALID: known to be committed. */
  isValid(record: RecordId): boolean;
  setValid(record: RecordId): void;
  /** Without one it is a tombstone. */
  hasValue(record: RecordId): boolean;
  /** The value, or null for a tombstone: a view that is good until the next change to the store. */
  valueOf(record: RecordId): Uint8Array | null;
  /** Where the value lies, and its version: of a VALID key with a value and nothing unusual. False: it is no such one. */
  plainValueOf(record: RecordId, to: PlainValue): boolean;
  /** Manager-clock milliseconds; 0: never. An expired value is treated as a tombstone. */
  expiresAtMs(record: RecordId): number;
  /** Own-clock milliseconds at which the version was stored, a fraction of one later at most. */
  storedAtMs(record: RecordId): number;
  /** A copy of the list of conditional writes (RMW5), or null. */
  appliedOf(record: RecordId): AppliedList | null;
  /** What `compareApplied` says of that list and the record's, which it does not copy. */
  compareApplied(applied: AppliedList | null, record: RecordId): number;
  setApplied(record: RecordId, applied: AppliedList): void;

  /**
   * Gives the record a new version, which is INVALID, and a copy of `value`, which may be a view onto a network
   * buffer; null: a tombstone. The list of conditional writes stays as it is.
   */
  write(
    record: RecordId,
    version: Version,
    value: Uint8Array | null,
    expiresAtMs: number,
    storedAtMs: number,
  ): void;

  /**
   * The same, of a plain version and the `length` bytes of `memory` at `at`, without end of life. False: it does not fit in the
   * place of what is there; nothing has changed.
   */
  writePlain(
    record: RecordId,
    hlc: number,
    clientId: number,
    memory: ArrayBufferLike,
    at: number,
    length: number,
    storedAtMs: number,
  ): boolean;
  /**
   * The record is VALID, if it is there, has that plain version and no `Hold.work`. False: that does not hold, and nothing has
   * changed.
   */
  validatePlain(record: RecordId, hlc: number, clientId: number): boolean;
}
