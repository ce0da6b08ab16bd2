/**
 * The fixed part of every record, 32 bytes outside the JS heap, found by the record's number:
 *
 *     word 0, 1   hlc, as a float of 64 bits
 *     word 2      clientId, lower 32 bits
 *     word 3      clientId, upper 16 bits; number of its index, 16 bits
 *     word 4      where its block is; of a free number: the next free one of its page
 *     word 5      bytes of the value
 *     word 6      own-clock time at which it was stored, in 1/64 ms, lower 32 bits
 *     word 7      the same, upper 16 bits; bytes of the key, 8 bits; flags, 8 bits
 *
 * 4458 years of hlc and 139 years of own clock fit. What most records lack (seq, epoch, expiry, list of conditional
 * writes, a key of 255 bytes or more) is in the block.
 *
 * A number stays with its record while that is there, and afterwards as long as somebody holds it: so whoever keeps a
 * number across events holds it, and can ask whether the record still is the one he meant. 0 is no record.
 */
import type { HeldMemory } from './memory/held-memory.js';
import { Page } from './pages.js';

const recordWords = 8;
const recordShift = 15;
// Shifted: what `**` gives is a floating-point number to the engine.
const recordsPerPage = 1 << recordShift;
const inPage = recordsPerPage - 1;

const two16 = 0x10000;
const two32 = 0x100000000;
const storedTicksPerMs = 64;

/** Bits of a record. */
export const Flag = {
  present: 1,
  valid: 2,
  /** Else a tombstone. */
  hasValue: 4,
  /** The block begins with an extension. */
  extended: 8,
  /** The block is too large for the arena. */
  large: 16,
  /** Three bits for who holds the number (`Hold`). */
  firstHold: 32,
} as const;
const holdBits = 7 * Flag.firstHold;

/** Words of a record for those that read several at once, and how they are made up. */
export const Word = { clientLow: 2, clientHigh: 3, block: 4, valueLength: 5, keyAndFlags: 7 } as const;
export const keyLengthShift = 8;
export const keyLengthMask = 0xff;

/** Numbers of one page: which are free. */
interface NumberPage {
  readonly page: Page;
  used: number;
  /** Numbers from here on in the page were never used. */
  fresh: number;
  /** First of the chain of those that are free again; 0: none. */
  free: number;
}

export class RecordTable {
  readonly #pages: (NumberPage | undefined)[] = [];
  readonly #held: HeldMemory;
  /** No page before this one has a free number. */
  #lowest = 0;

  constructor(held: HeldMemory) {
    this.#held = held;
  }

  /** @returns the number of a new record: all its fields are 0 */
  add(): number {
    let at = this.#lowest;
    let numbers = this.#pages[at];
    while (numbers?.free === 0 && numbers.fresh === recordsPerPage) numbers = this.#pages[++at];
    this.#lowest = at;
    // Number 0 is none.
    numbers ??= this.#pages[at] = {
      page: new Page(4 * recordWords * recordsPerPage, this.#held),
      used: 0,
      fresh: at === 0 ? 1 : 0,
      free: 0,
    };
    numbers.used++;
    const record = numbers.free === 0 ? at * recordsPerPage + numbers.fresh++ : numbers.free;
    const word = (record & inPage) * recordWords;
    if (numbers.free === record) numbers.free = numbers.page.words[word + 4] ?? 0;
    numbers.page.grow(4 * (word + recordWords));
    numbers.page.words.fill(0, word, word + recordWords);
    return record;
  }

  /** The number is free, unless somebody holds it. */
  #recycleIfIdle(record: number): void {
    const flags = this.flags(record);
    if ((flags & (Flag.present | holdBits)) !== 0) return;
    const at = record >>> recordShift;
    const numbers = this.#pages[at];
    if (numbers === undefined) return;
    this.#words(record)[this.wordOf(record) + 4] = numbers.free;
    numbers.free = record;
    this.#lowest = Math.min(this.#lowest, at);
    if (--numbers.used > 0) return;
    if (at === 0) {
      // This one stays: a single key that comes and goes shall not cost a page each time.
      numbers.free = 0;
      numbers.fresh = 1;
      numbers.page.shrink(0);
      return;
    }
    numbers.page.release();
    this.#pages[at] = undefined;
  }

  /** False: all records of its page are gone, and so is the page. Whoever keeps a number without holding it asks first. */
  hasPage(record: number): boolean {
    return this.#pages[record >>> recordShift] !== undefined;
  }

  /** The page of a record, and the word at which the record begins there. */
  pageOf(record: number): Page {
    const numbers = this.#pages[record >>> recordShift];
    if (numbers === undefined) throw new RangeError(`there is no record ${record}`);
    return numbers.page;
  }

  #words(record: number): Uint32Array {
    return this.pageOf(record).words;
  }

  wordOf(record: number): number {
    return (record & inPage) * recordWords;
  }

  // --- version ---------------------------------------------------------------------------------------------------

  hlc(record: number): number {
    return this.pageOf(record).floats[this.wordOf(record) >>> 1] ?? 0;
  }

  clientId(record: number): number {
    return clientIdAt(this.#words(record), this.wordOf(record));
  }

  /** Everything that a write changes here: the record is INVALID now. */
  setWritten(record: number, hlc: number, clientId: number, storedAtMs: number, hasValue: boolean): void {
    const { words, floats } = this.pageOf(record);
    const at = this.wordOf(record);
    const ticks = Math.ceil(storedAtMs * storedTicksPerMs);
    const rest = (words[at + 7] ?? 0) & 0xffff & ~(Flag.valid | Flag.hasValue);
    floats[at >>> 1] = hlc;
    words[at + 2] = clientId >>> 0;
    words[at + 3] = ((words[at + 3] ?? 0) & ~0xffff) | (clientId / two32);
    words[at + 6] = ticks >>> 0;
    words[at + 7] = ((ticks / two32) << 16) | rest | (hasValue ? Flag.hasValue : 0);
  }

  // --- the rest ----------------------------------------------------------------------------------------------------

  index(record: number): number {
    return (this.#words(record)[this.wordOf(record) + 3] ?? 0) >>> 16;
  }

  setIndex(record: number, index: number): void {
    const words = this.#words(record);
    const at = this.wordOf(record) + 3;
    words[at] = ((words[at] ?? 0) & 0xffff) | (index << 16);
  }

  block(record: number): number {
    return this.#words(record)[this.wordOf(record) + 4] ?? 0;
  }

  setBlock(record: number, ref: number): void {
    this.#words(record)[this.wordOf(record) + 4] = ref;
  }

  valueLength(record: number): number {
    return this.#words(record)[this.wordOf(record) + 5] ?? 0;
  }

  setValueLength(record: number, bytes: number): void {
    this.#words(record)[this.wordOf(record) + 5] = bytes;
  }

  /** Up to 1/64 ms later than it was set. */
  storedAtMs(record: number): number {
    const words = this.#words(record);
    const at = this.wordOf(record);
    const ticks = ((words[at + 7] ?? 0) >>> 16) * two32 + (words[at + 6] ?? 0);
    return ticks / storedTicksPerMs;
  }

  /** Of a key of 255 bytes or more: 255. */
  keyLength(record: number): number {
    return ((this.#words(record)[this.wordOf(record) + 7] ?? 0) >>> 8) & 0xff;
  }

  setKeyLength(record: number, bytes: number): void {
    const words = this.#words(record);
    const at = this.wordOf(record) + 7;
    words[at] = ((words[at] ?? 0) & ~0xff00) | (Math.min(bytes, 0xff) << 8);
  }

  // --- flags -------------------------------------------------------------------------------------------------------

  flags(record: number): number {
    return (this.#words(record)[this.wordOf(record) + 7] ?? 0) & 0xff;
  }

  has(record: number, flag: number): boolean {
    return ((this.#words(record)[this.wordOf(record) + 7] ?? 0) & flag) !== 0;
  }

  setFlag(record: number, flag: number): void {
    const words = this.#words(record);
    const at = this.wordOf(record) + 7;
    words[at] = (words[at] ?? 0) | flag;
  }

  /** @returns whether it was not set before */
  setFlagAnew(record: number, flag: number): boolean {
    const words = this.#words(record);
    const at = this.wordOf(record) + Word.keyAndFlags;
    const before = words[at] ?? 0;
    words[at] = before | flag;
    return (before & flag) === 0;
  }

  clearFlag(record: number, flag: number): void {
    const words = this.#words(record);
    const at = this.wordOf(record) + 7;
    words[at] = (words[at] ?? 0) & ~flag;
  }

  /** The record is gone; its number is free as soon as nobody holds it. */
  remove(record: number): void {
    this.clearFlag(record, Flag.present);
    this.#recycleIfIdle(record);
  }

  isHeld(record: number): boolean {
    return this.has(record, holdBits);
  }

  release(record: number, holdFlag: number): void {
    this.clearFlag(record, holdFlag);
    this.#recycleIfIdle(record);
  }
}

/** The clientId of the record that begins at `at`. */
export function clientIdAt(words: Uint32Array, at: number): number {
  return ((words[at + Word.clientHigh] ?? 0) & 0xffff) * two32 + (words[at + Word.clientLow] ?? 0);
}

/** Numbers of indexes fit into 16 bits of a record. */
export const indexesMax = two16;
