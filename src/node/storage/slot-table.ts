/**
 * The records of one slot by key. A node spends more of its time in looking up keys than in anything else, and most of
 * that in waiting for memory; so this is a hash table of which a look-up touches little: one entry of a flat array of
 * numbers, which knows the hash, then the record itself. A `Map` chains its entries and visits a key for each: a third
 * more time per message with 100,000 keys.
 *
 * The hash is seeded by chance, so that nobody outside can choose keys that collide.
 *
 * Open addressing: an entry is found at the place that its hash says, or after it before the first free one. A record
 * that is removed leaves a hole behind, until the table is built anew for want of room. A walk goes on in the records
 * as they were when it began.
 */
import { randomInt } from 'node:crypto';
import type { KeyRecord } from '../core/store.js';

const placesMin = 16;
const seed = randomInt(2 ** 32);

export class SlotTable {
  /** In the order in which they were added; undefined: removed. */
  #records: (KeyRecord | undefined)[] = [];
  /** Two numbers a place: the hash, and 1 + the index in `#records`; 0 there: free. */
  #places = new Int32Array(2 * placesMin);
  /** Number of places, a power of two, less 1. */
  #mask = placesMin - 1;
  #size = 0;

  get size(): number {
    return this.#size;
  }

  get(key: string): KeyRecord | undefined {
    const index = this.#indexOf(key);
    return index < 0 ? undefined : this.#records[index];
  }

  /** Index of the record in `#records`; -1: there is none. */
  #indexOf(key: string): number {
    const hash = hashOf(key);
    const places = this.#places;
    const mask = this.#mask;
    for (let place = hash & mask; ; place = (place + 1) & mask) {
      const index = (places[2 * place + 1] ?? 0) - 1;
      if (index < 0) return -1;
      if (places[2 * place] === hash && this.#records[index]?.key === key) return index;
    }
  }

  /** The key must not be there. */
  add(record: KeyRecord): void {
    // At least half of the places are free, or look-ups would go a long way.
    if (2 * this.#records.length > this.#mask) this.#rebuild();
    this.#enter(record, this.#records.push(record));
    this.#size++;
  }

  #enter({ key }: KeyRecord, indexAnd1: number): void {
    const hash = hashOf(key);
    let place = hash & this.#mask;
    while (this.#places[2 * place + 1] !== 0) place = (place + 1) & this.#mask;
    this.#places[2 * place] = hash;
    this.#places[2 * place + 1] = indexAnd1;
  }

  /** @returns whether it was there */
  remove(record: KeyRecord): boolean {
    const index = this.#indexOf(record.key);
    if (index < 0 || this.#records[index] !== record) return false;
    this.#records[index] = undefined;
    this.#size--;
    return true;
  }

  /** Without holes, and with room for as many again. */
  #rebuild(): void {
    this.#records = this.#records.filter((record) => record !== undefined);
    let places = placesMin;
    while (places < 4 * this.#records.length) places *= 2;
    this.#places = new Int32Array(2 * places);
    this.#mask = places - 1;
    this.#records.forEach((record, index) => {
      if (record !== undefined) this.#enter(record, index + 1);
    });
  }

  *records(): IterableIterator<KeyRecord> {
    for (const record of this.#records) if (record !== undefined) yield record;
  }
}

/** 32 bits, signed. */
function hashOf(key: string): number {
  let hash = seed;
  for (let i = 0; i < key.length; i++) {
    hash = Math.imul(hash ^ key.charCodeAt(i), 0x9e3779b1);
    hash ^= hash >>> 15;
  }
  return hash;
}
