/**
 * The index of one slot: ranges of hashes, and a directory of them by leading bits (extendible hashing). A range that
 * is full is built anew, a seventh larger, or split in two; the others stay as they are. So no single insertion costs
 * more than some 20 us, however many keys there are, and memory never doubles.
 */
import type { Arena, BlockOwner } from './arena.js';
import { HashRange } from './hash-range.js';
import type { Cursor } from './hash-range.js';

const hashBits = 31;

const outlineShift = 2;
const outlinesStart = 256;

/** Words of an outline. */
export const Outline = { ref: 0, homes: 1, depth: 2 } as const;

/** All ranges of a store by number: owners of the blocks in the index's arena. */
export class Ranges implements BlockOwner {
  /**
   * What a look-up must know of a range, 16 bytes each at `outlineOf` its number: that of all of them stays in the
   * processor's cache, where the objects would not.
   */
  outlines = new Uint32Array(outlinesStart << outlineShift);
  readonly #ranges: (HashRange | undefined)[] = [];
  readonly #freeNumbers: number[] = [];

  outlineOf(number: number): number {
    return number << outlineShift;
  }

  moved(owner: number, ref: number): void {
    this.#ranges[owner]?.moved(ref);
    this.outlines[this.outlineOf(owner) + Outline.ref] = ref;
  }

  create(arena: Arena, depth: number, records: number): HashRange {
    const number = this.#freeNumbers.pop() ?? this.#ranges.length;
    const range = new HashRange(arena, number, depth, records);
    this.#ranges[number] = range;
    this.#outline(range);
    return range;
  }

  #outline({ number, ref, homes, depth }: HashRange): void {
    const at = this.outlineOf(number);
    if (at >= this.outlines.length) {
      const grown = new Uint32Array(2 * this.outlines.length);
      grown.set(this.outlines);
      this.outlines = grown;
    }
    this.outlines[at + Outline.ref] = ref;
    this.outlines[at + Outline.homes] = homes;
    this.outlines[at + Outline.depth] = depth;
  }

  release(range: HashRange): void {
    range.release();
    this.#ranges[range.number] = undefined;
    this.#freeNumbers.push(range.number);
  }
}

export class SlotIndex {
  /** Records of this index carry it. */
  readonly number: number;
  keys = 0;
  readonly #arena: Arena;
  readonly #all: Ranges;
  /** By the first `#depth` bits of the hash; a range of less depth is there several times. */
  #ranges: HashRange[];
  #depth = 0;

  constructor(arena: Arena, all: Ranges, number: number) {
    this.#arena = arena;
    this.#all = all;
    this.number = number;
    this.#ranges = [all.create(arena, 0, 0)];
  }

  /** The number of its range, if it has but one, as a slot of few records has; else undefined. */
  get onlyRange(): number | undefined {
    return this.#depth === 0 ? this.#ranges[0]?.number : undefined;
  }

  rangeOf(hash: number): HashRange {
    const range = this.#ranges[hash >>> (hashBits - this.#depth)];
    if (range === undefined) throw new RangeError(`no range for hash ${hash}`);
    return range;
  }

  add(hash: number, record: number): void {
    for (
      let range = this.rangeOf(hash);
      range.isFull || !range.add(hash, record);
      range = this.rangeOf(hash)
    ) {
      if (range.isSplitDue) this.#split(range, hash);
      else this.#rebuild(range, hash, range.grownRecords);
    }
    this.keys++;
  }

  remove(hash: number, record: number): void {
    const range = this.rangeOf(hash);
    range.remove(hash, record);
    this.keys--;
    if (range.isSparse) this.#rebuild(range, hash, range.size);
  }

  /** Moves the cursor to the next record in the order of hashes. @returns false at the end */
  advance(cursor: Cursor): boolean {
    for (;;) {
      const range = this.rangeOf(cursor.hash);
      if (range.advance(cursor)) return true;
      const shift = hashBits - range.depth;
      const next = (cursor.hash >>> shift) + 1;
      if (next >= 2 ** range.depth) return false;
      cursor.hash = next << shift;
      cursor.record = 0;
    }
  }

  /** The ranges, each once. */
  ranges(): HashRange[] {
    return [...new Set(this.#ranges)];
  }

  #rebuild(range: HashRange, hash: number, records: number): void {
    this.#replace(range, hash, [this.#copy(range, range.depth, records, 0, 2 ** hashBits)]);
  }

  #split(range: HashRange, hash: number): void {
    const shift = hashBits - range.depth;
    const low = (hash >>> shift) * 2 ** shift;
    const middle = low + 2 ** (shift - 1);
    const depth = range.depth + 1;
    const half = range.size / 2;
    const halves = [
      this.#copy(range, depth, half, low, middle),
      this.#copy(range, depth, half, middle, low + 2 ** shift),
    ];
    if (depth > this.#depth) {
      this.#ranges = this.#ranges.flatMap((each) => [each, each]);
      this.#depth = depth;
    }
    this.#replace(range, hash, halves);
  }

  /** A range of its own with all records from `low` to `high`, for `records` or as many as it takes. */
  #copy(from: HashRange, depth: number, records: number, low: number, high: number): HashRange {
    for (;;) {
      const range = this.#all.create(this.#arena, depth, records);
      if (range.take(from, low, high)) return range;
      records = range.grownRecords;
      this.#all.release(range);
    }
  }

  /** Puts `next` in the place of `range`, which holds `hash`; one or two of equal depth. */
  #replace(range: HashRange, hash: number, next: readonly HashRange[]): void {
    const shift = this.#depth - range.depth;
    const first = (hash >>> (hashBits - range.depth)) << shift;
    const share = (1 << shift) / next.length;
    next.forEach((each, i) => this.#ranges.fill(each, first + i * share, first + (i + 1) * share));
    this.#all.release(range);
  }
}
