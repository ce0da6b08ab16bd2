/** What a replica keeps of a key, and what it asks of the storage behind it. */
import type { AppliedList } from '../../protocol/applied-list.js';
import type { MutableVersion } from '../../protocol/version.js';
import type { KeyWork } from './key-work.js';

/** One key at one replica. Its version is in the record itself, so that comparing touches no second object. */
export interface KeyRecord extends MutableVersion {
  readonly slot: number;
  readonly key: string;
  /** VALID: known to be committed. */
  valid: boolean;
  /** null: a tombstone. Set through `KeyStore.assign` only. */
  readonly value: Uint8Array | null;
  /** Manager-clock milliseconds; 0: never. An expired value is treated as a tombstone. */
  expiresAtMs: number;
  applied: AppliedList | null;
  /** Own-clock milliseconds at which the version was stored. */
  storedAtMs: number;
  /** Own-clock time at which the settle queue looks at it; 0: it is not queued. */
  settleAtMs: number;
  /** Whoever waits for this key; null almost always. */
  work: KeyWork | null;
}

export interface KeyStore {
  readonly keys: number;
  /** Bytes of keys and values, without overhead. */
  readonly bytes: number;
  get(slot: number, key: string): KeyRecord | undefined;
  /** Adds a record of version zero: INVALID, without value. The key must not be there. */
  insert(slot: number, key: string): KeyRecord;
  /** Gives the record a copy of `value` (which may be a view onto a network buffer). */
  assign(record: KeyRecord, value: Uint8Array | null): void;
  remove(record: KeyRecord): void;
  clearSlot(slot: number): void;
  /** Walks the records of a slot; records added or removed meanwhile may be met or not. */
  records(slot: number): IterableIterator<KeyRecord>;
}
