/**
 * Keys that have become INVALID, oldest first, so that a write its coordinator abandoned is decided soon although
 * nobody asks for the key (R3). Nearly all are VALID again long before their time; then they just fall out. A
 * circular array, because one entry comes and goes with every write.
 */
import type { KeyRecord } from './store.js';

const capacityStart = 1024;

export class SettleQueue {
  readonly #afterMs: number;
  #ring: (KeyRecord | undefined)[] = new Array<KeyRecord | undefined>(capacityStart);
  #head = 0;
  #size = 0;

  constructor(afterMs: number) {
    this.#afterMs = afterMs;
  }

  get size(): number {
    return this.#size;
  }

  /** Queues the record to be looked at `afterMs` from now. No effect if it is queued already. */
  push(record: KeyRecord, nowMs: number): void {
    if (record.settleAtMs !== 0) return;
    if (this.#size === this.#ring.length) this.#grow();
    record.settleAtMs = nowMs + this.#afterMs;
    this.#ring[(this.#head + this.#size) & (this.#ring.length - 1)] = record;
    this.#size++;
  }

  #grow(): void {
    const next = new Array<KeyRecord | undefined>(this.#ring.length * 2);
    for (let i = 0; i < this.#size; i++) next[i] = this.#ring[(this.#head + i) & (this.#ring.length - 1)];
    this.#ring = next;
    this.#head = 0;
  }

  /** Hands out the records that are due and have been INVALID at one version for `afterMs`. */
  takeDue(nowMs: number, settle: (record: KeyRecord) => void): void {
    for (let left = this.#size; left > 0; left--) {
      const record = this.#ring[this.#head];
      // Queued in the order of time: the rest is younger.
      if (record === undefined || record.settleAtMs > nowMs) return;
      this.#ring[this.#head] = undefined;
      this.#head = (this.#head + 1) & (this.#ring.length - 1);
      this.#size--;
      record.settleAtMs = 0;
      if (record.valid) continue;
      if (record.storedAtMs + this.#afterMs <= nowMs) settle(record);
      else this.push(record, nowMs);
    }
  }
}
