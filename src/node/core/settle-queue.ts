/**
 * Keys that have become INVALID, oldest first, so that a write its coordinator abandoned is decided soon although
 * nobody asks for the key (R3). Nearly all are VALID again long before their time; then they just fall out. Those of a learner stay
 * until others have decided, or it is full itself: so whoever becomes full has no need to look through the slot for them. A circular
 * array of numbers, because one entry comes and goes with every write; when they came is kept once for all that came within
 * some milliseconds.
 *
 * The queue holds its records: one that was removed meanwhile is known as such when its turn comes, and its number
 * means nothing else until then.
 */
import { Hold } from './store.js';
import type { KeyStore, RecordId } from './store.js';

const capacityStart = 1024;
/** Of what came within so long the last decides when they are looked at. */
const groupMs = 10;

/** Records that came one after the other. */
interface Group {
  count: number;
  readonly firstMs: number;
  lastMs: number;
}

export class SettleQueue {
  readonly #store: KeyStore;
  readonly #afterMs: number;
  #records = new Uint32Array(capacityStart);
  readonly #groups: Group[] = [];
  #head = 0;
  #size = 0;

  constructor(store: KeyStore, afterMs: number) {
    this.#store = store;
    this.#afterMs = afterMs;
  }

  get size(): number {
    return this.#size;
  }

  /** Queues the record to be looked at `afterMs` from now, or a little later. No effect if it is queued already. */
  push(record: RecordId, nowMs: number): void {
    if (!this.#store.holdAnew(record, Hold.settle)) return;
    if (this.#size === this.#records.length) this.#grow();
    const at = (this.#head + this.#size) & (this.#records.length - 1);
    this.#records[at] = record;
    this.#size++;
    this.#note(nowMs);
  }

  #note(nowMs: number): void {
    const { length } = this.#groups;
    // Not at index -1: that is no index to the engine, but a name.
    const group = length === 0 ? undefined : this.#groups[length - 1];
    if (group === undefined || nowMs - group.firstMs >= groupMs) {
      this.#groups.push({ count: 1, firstMs: nowMs, lastMs: nowMs });
    } else {
      group.count++;
      group.lastMs = nowMs;
    }
  }

  #grow(): void {
    const capacity = this.#records.length;
    const records = new Uint32Array(2 * capacity);
    for (let i = 0; i < this.#size; i++) {
      const at = (this.#head + i) & (capacity - 1);
      records[i] = this.#records[at] ?? 0;
    }
    this.#records = records;
    this.#head = 0;
  }

  /** Hands out the records that are due and have been INVALID at one version for `afterMs`. */
  takeDue(nowMs: number, settle: (record: RecordId) => void): void {
    // What comes back meanwhile is younger, and of no group that was there and is due.
    for (let left = this.#groups.length; left > 0; left--) {
      const group = this.#groups[0];
      if (group === undefined || group.lastMs + this.#afterMs > nowMs) return;
      this.#groups.shift();
      for (let count = group.count; count > 0; count--) this.#takeOne(nowMs, settle);
    }
  }

  #takeOne(nowMs: number, settle: (record: RecordId) => void): void {
    const store = this.#store;
    const record = this.#records[this.#head] ?? 0;
    this.#head = (this.#head + 1) & (this.#records.length - 1);
    this.#size--;
    const isOpen = store.exists(record) && !store.isValid(record);
    store.release(record, Hold.settle);
    if (!isOpen) return;
    if (store.storedAtMs(record) + this.#afterMs <= nowMs) settle(record);
    else this.push(record, nowMs);
  }
}
