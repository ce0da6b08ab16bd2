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
import { homeOf } from './hash-range.js';
import type { Cursor, HashRange } from './hash-range.js';
import { HeldMemory } from './memory/held-memory.js';
import { indexesMax } from './record-table.js';
import { PlainRecords } from './plain-records.js';
import { Outline, Ranges, SlotIndex } from './slot-index.js';
import { SoughtKey } from './sought-key.js';

/** Places of dropped indexes that one call of `reclaim` looks at, and one insertion. */
const reclaimedPerTick = 2048;
const reclaimedPerInsert = 8;

/** In the place of the number of a slot's only range. */
const noRange = -1;
const severalRanges = -2;

export interface ArenaStoreOptions {
  /** Default: by chance. A fixed one makes walks repeatable, and lets others choose keys that collide. */
  readonly hashSeed?: number;
  /** Pages of 4 MiB for keys and values; default: 4096. */
  readonly pagesMax?: number;
  /** Where its memory is counted, and bounded. */
  readonly held?: HeldMemory;
}

/** The index of a cleared slot, and those of its ranges that still have records. */
interface Dropped {
  readonly index: SlotIndex;
  readonly ranges: HashRange[];
}

export class ArenaStore extends PlainRecords implements KeyStore {
  /** Of the call at hand. */
  readonly #key: SoughtKey;
  readonly #ranges = new Ranges();
  readonly #rangeBlocks: Arena;
  /** Numbers of indexes that were ever in use, dropped ones included. */
  #indexNumbers = 0;
  readonly #freeIndexNumbers: number[] = [];
  readonly #bySlot: (SlotIndex | undefined)[] = [];
  /** By slot: the number of its only range, `noRange` or `severalRanges`. So a look-up passes by the objects. */
  #onlyRanges = new Int32Array(0);
  /** The last one is being freed. */
  readonly #dropped: Dropped[] = [];
  /** Places of its last range that are done. */
  #droppedPlaces = 0;
  #keys = 0;
  #bytes = 0;

  constructor({ hashSeed = randomInt(2 ** 32), pagesMax, held = new HeldMemory() }: ArenaStoreOptions = {}) {
    super(held, pagesMax);
    this.#rangeBlocks = new Arena(this.#ranges, held);
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
    return this.held.bytes;
  }

  get isFull(): boolean {
    return this.held.isFull || this.blocks.isFull;
  }

  get isSystemLow(): boolean {
    return this.held.isSystemLow;
  }

  get isSystemSpent(): boolean {
    return this.held.isSystemSpent;
  }

  keysIn(slot: number): number {
    return this.#bySlot[slot]?.keys ?? 0;
  }

  bytesIn(slot: number): number {
    const index = this.#bySlot[slot];
    return index === undefined ? 0 : this.totals.bytesOf(index.number);
  }

  get(slot: number, key: string | KeyView): RecordId {
    return this.#find(slot, this.#key.read(key));
  }

  getOrInsert(slot: number, key: string | KeyView): RecordId {
    const hash = this.#key.read(key);
    const found = this.#find(slot, hash);
    return found === noRecord ? this.#insert(slot, hash) : found;
  }

  /** The record of the key that was read last. */
  #find(slot: number, hash: number): RecordId {
    const range = this.#rangeOf(slot, hash);
    if (range === noRange) return noRecord;
    const { outlines } = this.#ranges;
    const outline = this.#ranges.outlineOf(range);
    const ref = outlines[outline + Outline.ref] ?? 0;
    const home = homeOf(hash, outlines[outline + Outline.depth] ?? 0, outlines[outline + Outline.homes] ?? 0);
    const { words } = this.#rangeBlocks.pageOf(ref);
    for (let at = this.#rangeBlocks.wordOf(ref) + 1 + home; ; at += 2) {
      const record = words[at + 1] ?? 0;
      const its = words[at] ?? 0;
      if (record === 0 || its > hash) return noRecord;
      if (its === hash && this.hasKey(record, this.#key)) return record;
    }
  }

  /** The number of the range that holds such hashes; `noRange`: the slot has none. */
  #rangeOf(slot: number, hash: number): number {
    const range = this.#onlyRanges[slot] ?? noRange;
    return range === severalRanges ? (this.#bySlot[slot]?.rangeOf(hash).number ?? noRange) : range;
  }

  #insert(slot: number, hash: number): RecordId {
    const key = this.#key;
    const index = this.#bySlot[slot] ?? this.#addIndex(slot);
    // Whoever fills a slot anew right after it was cleared shall not need memory for both.
    if (this.isReclaiming) this.#reclaim(reclaimedPerInsert);
    const record = this.create(index.number, key);
    index.add(hash, record);
    this.#noteRanges(index, slot);
    this.totals.addBytes(index.number, key.length);
    this.#keys++;
    this.#bytes += key.length;
    return record;
  }

  #noteRanges(index: SlotIndex, slot: number): void {
    this.#onlyRanges[slot] = index.onlyRange ?? severalRanges;
  }

  #addIndex(slot: number): SlotIndex {
    const free = this.#freeIndexNumbers.pop();
    if (free === undefined && this.#indexNumbers === indexesMax) {
      if (this.#dropped.length === 0) throw new RangeError(`more than ${indexesMax} slots`);
      this.#reclaim(Infinity);
      return this.#addIndex(slot);
    }
    const number = free ?? this.#indexNumbers++;
    const index = new SlotIndex(this.#rangeBlocks, this.#ranges, number);
    this.totals.begin(number);
    this.#place(index, slot);
    return index;
  }

  remove(record: RecordId): void {
    const slot = this.slotOf(record);
    const index = this.#bySlot[slot];
    if (index === undefined || !this.isPresent(record)) return;
    index.remove(this.hashOf(record, this.#key), record);
    this.#noteRanges(index, slot);
    const bytes = this.bytesOf(record);
    this.totals.addBytes(index.number, -bytes);
    this.#keys--;
    this.#bytes -= bytes;
    this.destroy(record);
  }

  clearSlot(slot: number): void {
    const index = this.#bySlot[slot];
    if (index === undefined) return;
    this.#keys -= index.keys;
    this.#bytes -= this.totals.bytesOf(index.number);
    this.totals.drop(index.number);
    this.#displace(slot);
    this.#dropped.unshift({ index, ranges: index.ranges() });
  }

  moveSlot(from: number, to: number): void {
    const moved = this.#bySlot[from];
    if (moved === undefined) return;
    const there = this.#bySlot[to] ?? null;
    this.#displace(from);
    if (there === null) this.#place(moved, to);
    else if (there.keys > moved.keys) this.#place(this.#join(moved, there), to);
    else this.#place(this.#join(there, moved), to);
  }

  /** @returns `to`, with all records of the other one, which is no more */
  #join(from: SlotIndex, to: SlotIndex): SlotIndex {
    for (const range of from.ranges()) {
      for (let place = 0; place < range.places; place++) {
        const record = range.recordAt(place);
        if (record === noRecord) continue;
        this.setIndexNumber(record, to.number);
        to.add(this.hashOf(record, this.#key), record);
      }
      this.#ranges.release(range);
    }
    this.totals.addBytes(to.number, this.totals.bytesOf(from.number));
    this.totals.drop(from.number);
    this.#freeIndexNumbers.push(from.number);
    return to;
  }

  #displace(slot: number): void {
    this.#bySlot[slot] = undefined;
    this.#onlyRanges[slot] = noRange;
  }

  #place(index: SlotIndex, slot: number): void {
    // No holes: an array that begins far from 0 would become a dictionary, looked into with every message.
    while (this.#bySlot.length < slot) this.#bySlot.push(undefined);
    this.#bySlot[slot] = index;
    this.totals.place(index.number, slot);
    if (slot >= this.#onlyRanges.length) {
      const grown = new Int32Array(Math.max(slot + 1, 2 * this.#onlyRanges.length)).fill(noRange);
      grown.set(this.#onlyRanges);
      this.#onlyRanges = grown;
    }
    this.#noteRanges(index, slot);
  }

  get isReclaiming(): boolean {
    return this.#dropped.length > 0;
  }

  reclaim(): void {
    if (this.isReclaiming) this.#reclaim(reclaimedPerTick);
  }

  #reclaim(places: number): void {
    for (let last = this.#dropped.at(-1); last !== undefined && places > 0; last = this.#dropped.at(-1)) {
      const range = last.ranges.at(-1);
      if (range === undefined) {
        this.#dropped.pop();
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
    return this.isPresent(record) && this.slotOf(record) >= 0;
  }

  /** @returns -1 of a slot that was cleared */
  slotOf(record: RecordId): number {
    return this.totals.slotOf(this.indexNumberOf(record));
  }

  override write(
    record: RecordId,
    version: Version,
    value: Uint8Array | null,
    expiresAtMs: number,
    storedAtMs: number,
  ): void {
    const before = this.valueLengthOf(record);
    super.write(record, version, value, expiresAtMs, storedAtMs);
    const more = this.valueLengthOf(record) - before;
    if (more === 0) return;
    this.#bytes += more;
    this.totals.addBytes(this.indexNumberOf(record), more);
  }
}
