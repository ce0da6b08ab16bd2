/**
 * Keys and values in memory, outside the JS heap, so that the collector has nothing to do however many they are: records
 * (records.ts), found through an index per slot (slot-index.ts), so that a slot can be walked and dropped by itself.
 *
 * A slot that is cleared is gone at once: its index is set aside, and its records are freed bit by bit.
 */
import { randomInt } from 'node:crypto';
import type { KeyView } from '../../protocol/key-view.js';
import type { Version } from '../../protocol/version.js';
import { noRecord } from '../core/store.js';
import type { KeyStore, RecordId, RecordWalk } from '../core/store.js';
import { Arena } from './arena.js';
import type { Cursor, HashRange } from './hash-range.js';
import { indexesMax } from './record-table.js';
import { Records } from './records.js';
import { Ranges, SlotIndex } from './slot-index.js';
import { SoughtKey } from './sought-key.js';

/** Places of dropped indexes that one call of `reclaim` looks at, and one insertion. */
const reclaimedPerTick = 2048;
const reclaimedPerInsert = 8;

export interface ArenaStoreOptions {
  /** Default: by chance. A fixed one makes walks repeatable, and lets others choose keys that collide. */
  readonly hashSeed?: number;
}

/** The index of a cleared slot, and those of its ranges that still have records. */
interface Dropped {
  readonly index: SlotIndex;
  readonly ranges: HashRange[];
}

export class ArenaStore extends Records implements KeyStore {
  /** Of the call at hand. */
  readonly #key: SoughtKey;
  readonly #ranges = new Ranges();
  readonly #rangeBlocks = new Arena(this.#ranges);
  /** By number, dropped ones included. */
  readonly #indexes: (SlotIndex | undefined)[] = [];
  readonly #freeIndexNumbers: number[] = [];
  readonly #bySlot: (SlotIndex | undefined)[] = [];
  /** The last one is being freed. */
  readonly #dropped: Dropped[] = [];
  /** Places of its last range that are done. */
  #droppedPlaces = 0;
  #keys = 0;
  #bytes = 0;

  constructor({ hashSeed = randomInt(2 ** 32) }: ArenaStoreOptions = {}) {
    super();
    this.#key = new SoughtKey(hashSeed);
  }

  get keys(): number {
    return this.#keys;
  }

  get bytes(): number {
    return this.#bytes;
  }

  /** Memory held for all of it, used or not. */
  get bytesHeld(): number {
    return this.recordBytesHeld + this.#rangeBlocks.bytes;
  }

  keysIn(slot: number): number {
    return this.#bySlot[slot]?.keys ?? 0;
  }

  bytesIn(slot: number): number {
    return this.#bySlot[slot]?.bytes ?? 0;
  }

  invalidIn(slot: number): number {
    return this.#bySlot[slot]?.invalid ?? 0;
  }

  get(slot: number, key: string | KeyView): RecordId {
    const index = this.#bySlot[slot];
    return index === undefined ? noRecord : this.#find(index, this.#key.read(key));
  }

  getOrInsert(slot: number, key: string | KeyView): RecordId {
    const hash = this.#key.read(key);
    const index = this.#bySlot[slot] ?? this.#addIndex(slot);
    const found = this.#find(index, hash);
    return found === noRecord ? this.#insert(index, hash) : found;
  }

  /** The record of the key that was read last. */
  #find(index: SlotIndex, hash: number): RecordId {
    const range = index.rangeOf(hash);
    const { words } = range;
    for (let at = range.home(hash); ; at += 2) {
      const record = words[at + 1] ?? 0;
      const its = words[at] ?? 0;
      if (record === 0 || its > hash) return noRecord;
      if (its === hash && this.hasKey(record, this.#key)) return record;
    }
  }

  #insert(index: SlotIndex, hash: number): RecordId {
    const key = this.#key;
    // Whoever fills a slot anew right after it was cleared shall not need memory for both.
    if (this.#dropped.length > 0) this.#reclaim(reclaimedPerInsert);
    const record = this.create(index.number, key);
    index.add(hash, record);
    index.bytes += key.length;
    index.invalid++;
    this.#keys++;
    this.#bytes += key.length;
    return record;
  }

  #addIndex(slot: number): SlotIndex {
    const number = this.#freeIndexNumbers.pop() ?? this.#indexes.length;
    if (number >= indexesMax) {
      if (this.#dropped.length === 0) throw new RangeError(`more than ${indexesMax} slots`);
      this.#reclaim(Infinity);
      return this.#addIndex(slot);
    }
    const index = new SlotIndex(this.#rangeBlocks, this.#ranges, slot, number);
    this.#indexes[number] = index;
    this.#place(index, slot);
    return index;
  }

  remove(record: RecordId): void {
    const index = this.#indexOf(record);
    if (index === undefined || !this.exists(record)) return;
    index.remove(this.hashOf(record, this.#key), record);
    const bytes = this.bytesOf(record);
    index.bytes -= bytes;
    if (!this.isValid(record)) index.invalid--;
    this.#keys--;
    this.#bytes -= bytes;
    this.destroy(record);
  }

  clearSlot(slot: number): void {
    const index = this.#bySlot[slot];
    if (index === undefined) return;
    index.isDropped = true;
    this.#keys -= index.keys;
    this.#bytes -= index.bytes;
    this.#bySlot[slot] = undefined;
    this.#dropped.unshift({ index, ranges: index.ranges() });
  }

  moveSlot(from: number, to: number): void {
    const index = this.#bySlot[from];
    if (index === undefined) return;
    if (this.#bySlot[to] !== undefined) throw new RangeError(`slot ${to} has records`);
    this.#bySlot[from] = undefined;
    this.#place(index, to);
  }

  #place(index: SlotIndex, slot: number): void {
    // No holes: an array that begins far from 0 would become a dictionary, looked into with every message.
    while (this.#bySlot.length < slot) this.#bySlot.push(undefined);
    this.#bySlot[slot] = index;
    index.slot = slot;
  }

  reclaim(): void {
    if (this.#dropped.length > 0) this.#reclaim(reclaimedPerTick);
  }

  #reclaim(places: number): void {
    for (let last = this.#dropped.at(-1); last !== undefined && places > 0; last = this.#dropped.at(-1)) {
      const range = last.ranges.at(-1);
      if (range === undefined) {
        this.#dropped.pop();
        this.#indexes[last.index.number] = undefined;
        this.#freeIndexNumbers.push(last.index.number);
      } else if (this.#droppedPlaces === range.places) {
        last.ranges.pop();
        this.#ranges.release(range);
        this.#droppedPlaces = 0;
      } else {
        const record = range.recordAt(this.#droppedPlaces++);
        if (record !== noRecord) this.destroy(record);
        places--;
      }
    }
  }

  walk(slot: number): RecordWalk {
    const cursor: Cursor = { hash: 0, record: noRecord };
    return {
      next: () => (this.#bySlot[slot]?.advance(cursor) === true ? cursor.record : noRecord),
    };
  }

  exists(record: RecordId): boolean {
    return this.isPresent(record) && this.#indexOf(record)?.isDropped === false;
  }

  slotOf(record: RecordId): number {
    return this.#indexOf(record)?.slot ?? -1;
  }

  #indexOf(record: RecordId): SlotIndex | undefined {
    return this.#indexes[this.indexNumberOf(record)];
  }

  override setValid(record: RecordId): void {
    if (this.isValid(record)) return;
    super.setValid(record);
    const index = this.#indexOf(record);
    if (index !== undefined) index.invalid--;
  }

  override write(
    record: RecordId,
    version: Version,
    value: Uint8Array | null,
    expiresAtMs: number,
    storedAtMs: number,
  ): void {
    const before = this.valueLengthOf(record);
    const index = this.#indexOf(record);
    if (index !== undefined && this.isValid(record)) index.invalid++;
    super.write(record, version, value, expiresAtMs, storedAtMs);
    const more = this.valueLengthOf(record) - before;
    if (more === 0) return;
    this.#bytes += more;
    if (index !== undefined) index.bytes += more;
  }
}
