/** Keys and values in memory, one hash table per slot, so that a slot can be walked and dropped by itself. */
import { Buffer } from 'node:buffer';
import type { KeyRecord, KeyStore } from '../core/store.js';
import { SlotTable } from './slot-table.js';

type Writable<T> = { -readonly [P in keyof T]: T[P] };

export class MemoryStore implements KeyStore {
  readonly #slots: SlotTable[] = [];
  #keys = 0;
  #bytes = 0;

  get keys(): number {
    return this.#keys;
  }

  get bytes(): number {
    return this.#bytes;
  }

  #slot(slot: number): SlotTable {
    return (this.#slots[slot] ??= new SlotTable());
  }

  get(slot: number, key: string): KeyRecord | undefined {
    return this.#slots[slot]?.get(key);
  }

  insert(slot: number, key: string): KeyRecord {
    const record: KeyRecord = {
      slot,
      key,
      hlc: 0,
      clientId: 0,
      seq: 0,
      epoch: 0,
      valid: false,
      value: null,
      expiresAtMs: 0,
      applied: null,
      storedAtMs: 0,
      settleAtMs: 0,
      work: null,
    };
    this.#slot(slot).add(record);
    this.#keys++;
    this.#bytes += key.length;
    return record;
  }

  assign(record: KeyRecord, value: Uint8Array | null): void {
    const { value: old } = record;
    if (old !== null && old.length === value?.length) {
      // In place: rewriting values of one size makes no garbage. Nobody keeps a value of a record.
      old.set(value);
      return;
    }
    this.#bytes += (value?.length ?? 0) - (old?.length ?? 0);
    (record as Writable<KeyRecord>).value = value === null ? null : copyOf(value);
  }

  remove(record: KeyRecord): void {
    if (!this.#slot(record.slot).remove(record)) return;
    this.#keys--;
    this.#bytes -= record.key.length + (record.value?.length ?? 0);
  }

  clearSlot(slot: number): void {
    const records = this.#slots[slot];
    if (records === undefined) return;
    for (const record of records.records()) this.#bytes -= record.key.length + (record.value?.length ?? 0);
    this.#keys -= records.size;
    this.#slots[slot] = new SlotTable();
  }

  records(slot: number): IterableIterator<KeyRecord> {
    return this.#slot(slot).records();
  }
}

/** Below this size a value shares a pool page with its neighbours; an ArrayBuffer of its own would outweigh it. */
const pooledBytesMax = 1024;

/** A copy, since the argument may be a view that would keep a whole network buffer alive. */
function copyOf(value: Uint8Array): Uint8Array {
  if (value.length <= pooledBytesMax) return Buffer.from(value);
  const copy = Buffer.allocUnsafeSlow(value.length);
  copy.set(value);
  return copy;
}
