/**
 * A part of the index of a slot: the records whose hashes begin with the same bits, in the order of their hashes.
 *
 * Open addressing in a block of the index's arena, two words a place: the hash, and the number of the record; 0 there:
 * free. An entry's home is proportional to its hash, and it lies there or after it, behind no larger hash and with no
 * free place in between. So the whole is sorted, which makes two things cheap: a walk goes on after a hash, whatever
 * came, went or moved meanwhile; and a look-up for what is not there ends at the first larger hash.
 *
 * Some places beyond the last home take what is pushed over the end; the very last stays free, as the end of loops.
 */
import type { Arena } from './arena.js';

/** Above this share of used places look-ups would go a long way. */
const loadMax = 0.88;
/** A range that is built anew is filled so far: by a seventh more records it is full again. */
const loadStart = 0.76;
/** Below this share it is built anew, smaller. */
const loadMin = 0.3;
const placesMin = 8;
const smallRecords = 64;
/** Records at which a range is better split; building one anew takes some 20 us. */
const recordsMax = 3000;
/** A place in the order of hashes, and of record numbers where hashes are equal. */
export interface Cursor {
  hash: number;
  record: number;
}

/** Ranges at this depth are not split any more: their homes are told apart by 16 bits after those in common. */
export const depthMax = 15;

export class HashRange {
  /** Words of the page that the block lies in, and the first word of the first place there. */
  words: Uint32Array;
  base: number;
  /** Leading bits of the hash that its records have in common. */
  readonly depth: number;
  readonly number: number;
  readonly #arena: Arena;
  #ref: number;
  #places: number;
  #spill: number;
  #size = 0;

  /** @param number its number as an owner of blocks */
  constructor(arena: Arena, number: number, depth: number, records: number) {
    this.#arena = arena;
    this.number = number;
    this.depth = depth;
    this.#places = placesFor(records);
    this.#spill = spillOf(this.#places);
    this.#ref = arena.allocate(this.#blockWords, number);
    this.words = arena.pageOf(this.#ref).words;
    this.base = arena.wordOf(this.#ref) + 1;
    this.words.fill(0, this.base, this.end);
  }

  get size(): number {
    return this.#size;
  }

  /** Where its block is. */
  get ref(): number {
    return this.#ref;
  }

  /** Places that hashes are at home at; some more follow them. */
  get homes(): number {
    return this.#places;
  }

  get isFull(): boolean {
    return this.#size >= this.#places * loadMax;
  }

  get isSplitDue(): boolean {
    return this.#size >= recordsMax && this.depth < depthMax;
  }

  /** Records to build it anew for, so that it has a tenth more places at least. */
  get grownRecords(): number {
    return Math.max(this.#size, 1.1 * loadStart * this.#places);
  }

  get isSparse(): boolean {
    return this.#places > placesMin && this.#size < this.#places * loadMin;
  }

  /** The word after the last place. */
  get end(): number {
    return this.base + 2 * (this.#places + this.#spill);
  }

  get #blockWords(): number {
    return 1 + 2 * (this.#places + this.#spill);
  }

  /** The arena moved the block. */
  moved(ref: number): void {
    this.#ref = ref;
    this.words = this.#arena.pageOf(ref).words;
    this.base = this.#arena.wordOf(ref) + 1;
  }

  /** The word at which a search for that hash begins. */
  home(hash: number): number {
    return this.base + homeOf(hash, this.depth, this.#places);
  }

  /** @returns false if there is no room: build it anew, or split it, first. */
  add(hash: number, record: number): boolean {
    const { words } = this;
    let at = this.home(hash);
    while (words[at + 1] !== 0 && (words[at] ?? 0) <= hash) at += 2;
    let free = at;
    while (words[free + 1] !== 0) free += 2;
    if (free + 2 >= this.end) return false;
    for (let i = free - 1; i >= at; i--) words[i + 2] = words[i] ?? 0;
    words[at] = hash;
    words[at + 1] = record;
    this.#size++;
    return true;
  }

  remove(hash: number, record: number): void {
    const { words } = this;
    let at = this.home(hash);
    while (words[at + 1] !== record) {
      if (words[at + 1] === 0) throw new RangeError(`record ${record} is not in the index`);
      at += 2;
    }
    // Those after it that are not at home go one back: no search shall end at a gap before what it looks for.
    for (; words[at + 3] !== 0 && this.home(words[at + 2] ?? 0) <= at; at += 2) {
      words[at] = words[at + 2] ?? 0;
      words[at + 1] = words[at + 3] ?? 0;
    }
    words[at] = 0;
    words[at + 1] = 0;
    this.#size--;
  }

  /**
   * Moves the cursor to the first record after it in the order of hash and number. Only records of one hash are out of
   * order among themselves. @returns false if there is none here
   */
  advance(cursor: Cursor): boolean {
    const { words, end } = this;
    const { hash, record } = cursor;
    let at = this.home(hash);
    while (at < end && (words[at + 1] === 0 || (words[at] ?? 0) < hash)) at += 2;
    let found = 0;
    for (; at < end; at += 2) {
      const candidate = words[at + 1] ?? 0;
      const its = words[at] ?? 0;
      if (candidate === 0 || (its === hash && candidate <= record)) continue;
      if (found !== 0 && its !== cursor.hash) break;
      if (found === 0 || candidate < found) found = candidate;
      cursor.hash = its;
    }
    if (found !== 0) cursor.record = found;
    return found !== 0;
  }

  /** Takes all records of `from` with `low <= hash < high`, in order; this range is empty. @returns false: no room */
  take(from: HashRange, low: number, high: number): boolean {
    const { words } = this;
    const source = from.words;
    let place = this.base;
    for (let at = from.base; at < from.end; at += 2) {
      const hash = source[at] ?? 0;
      const record = source[at + 1] ?? 0;
      if (record === 0 || hash < low || hash >= high) continue;
      place = Math.max(place, this.home(hash));
      if (place + 2 >= this.end) return false;
      words[place] = hash;
      words[place + 1] = record;
      place += 2;
      this.#size++;
    }
    return true;
  }

  /** Places there are; some are free. */
  get places(): number {
    return this.#places + this.#spill;
  }

  /** The record at a place; 0: none. */
  recordAt(place: number): number {
    return this.words[this.base + 2 * place + 1] ?? 0;
  }

  release(): void {
    this.#arena.free(this.#ref, this.#blockWords);
  }
}

/** Words from the first place of a range to the home of that hash. */
export function homeOf(hash: number, depth: number, homes: number): number {
  const bits = (hash << (depth + 1)) >>> 16;
  return 2 * ((bits * homes) >>> 16);
}

function placesFor(records: number): number {
  // A small one is built anew so often that it had better double.
  return Math.max(placesMin, Math.ceil(records / (records < smallRecords ? loadStart / 2 : loadStart)));
}

function spillOf(places: number): number {
  return Math.min(24, 4 + (places >>> 1));
}
