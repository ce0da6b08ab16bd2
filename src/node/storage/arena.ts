/**
 * Blocks of memory without holes between them.
 *
 * Each size class has pages of its own, filled with blocks of that one size from the first to the last. When a block
 * is freed, the last one of its class moves into its place; its owner, whose number is the first word of every block,
 * is told. So there is never any fragmentation between blocks, nothing to compact later, and no pause for it:
 *
 * - inside a block less than 4 bytes are lost up to 256 bytes, at most 1/16 above;
 * - at the end of a page of 4 MiB less than a block (64 KiB at most);
 * - of each class, the last page is filled in part, and up to 64 KiB are taken ahead, or what is not yet worth giving
 *   back: as much as is filled.
 *
 * What one class gives up is free for all others: it goes back to the system.
 */
import type { HeldMemory } from './memory/held-memory.js';
import { copyWords, Page } from './pages.js';

/** Few pages, since what is known of each takes its share of the processor's cache. */
const pageWordsMax = 1024 * 1024;
/** A block is found by `page * pageWordsMax + word` in the page: 2^32 words in all, 16 GiB. */
const pageShift = Math.log2(pageWordsMax);
const wordMask = pageWordsMax - 1;
const arenaPagesMax = 1 << (32 - pageShift);
/** Pages left for those who may not be refused. Each class may need one. */
const pagesReserved = 256;

/** Sizes go word by word up to here, and then in 16 steps from one power of two to the next. */
const fineWordsMax = 64;
const stepsPerDoubling = 16;
/** Largest block. */
export const blockWordsMax = 16 * 1024;

/** Empty pages that are kept for the next class that needs one. */
const sparePagesMax = 32;

export interface BlockOwner {
  /** The block of this owner is at `ref` now, with all it held. */
  moved(owner: number, ref: number): void;
}

/** Words of the blocks of a class, and the class of a number of words. */
export function classOf(words: number): number {
  if (words <= fineWordsMax) return words;
  const power = 31 - Math.clz32(words - 1);
  const step = 1 << (power - 4);
  return fineWordsMax + (power - 6) * stepsPerDoubling + Math.ceil((words - (1 << power)) / step);
}

export function wordsOfClass(sizeClass: number): number {
  if (sizeClass <= fineWordsMax) return sizeClass;
  const above = sizeClass - fineWordsMax - 1;
  const power = 6 + Math.floor(above / stepsPerDoubling);
  return (1 << power) + ((above % stepsPerDoubling) + 1) * (1 << (power - 4));
}

/** The blocks of one size. */
interface SizeClass {
  readonly words: number;
  readonly blocksPerPage: number;
  /** Numbers of its pages; all but the last are full. */
  readonly pages: number[];
  /** Blocks in the last page. */
  inLast: number;
}

export class Arena {
  readonly #owner: BlockOwner;
  readonly #held: HeldMemory;
  readonly #pagesMax: number;
  readonly #pages: (Page | undefined)[] = [];
  /** Places in `#pages` without a page. */
  readonly #freeNumbers: number[] = [];
  /** Numbers of empty pages. */
  readonly #spare: number[] = [];
  readonly #classes: SizeClass[] = [];

  /** Only a reserve of pages is left. */
  isFull = false;

  constructor(owner: BlockOwner, held: HeldMemory, pagesMax = arenaPagesMax) {
    this.#owner = owner;
    this.#held = held;
    this.#pagesMax = pagesMax;
  }

  /** The page that a block lies in. */
  pageOf(ref: number): Page {
    const page = this.#pages[ref >>> pageShift];
    if (page === undefined) throw new RangeError(`no block at ${ref}`);
    return page;
  }

  /** Where in its page a block begins, as an index of words. */
  wordOf(ref: number): number {
    return ref & wordMask;
  }

  /** @returns a block of at least `words`, of which the first holds `owner` and all others anything. */
  allocate(words: number, owner: number): number {
    const sizeClass = this.#classOf(words);
    let number = sizeClass.pages.at(-1);
    if (number === undefined || sizeClass.inLast === sizeClass.blocksPerPage) {
      number = this.#takePage();
      sizeClass.pages.push(number);
      sizeClass.inLast = 0;
    }
    const word = sizeClass.inLast * sizeClass.words;
    const ref = ((number << pageShift) | word) >>> 0;
    const page = this.pageOf(ref);
    page.grow(4 * (word + sizeClass.words));
    page.words[word] = owner;
    sizeClass.inLast++;
    return ref;
  }

  /** @param words as it was allocated with */
  free(ref: number, words: number): void {
    const sizeClass = this.#classOf(words);
    const number = sizeClass.pages.at(-1);
    if (number === undefined) throw new RangeError(`no block of ${words} words`);
    const word = --sizeClass.inLast * sizeClass.words;
    const last = ((number << pageShift) | word) >>> 0;
    if (last !== ref) {
      this.#copy(last, ref, sizeClass.words);
      this.#owner.moved(this.pageOf(ref).words[ref & wordMask] ?? 0, ref);
    }
    if (sizeClass.inLast > 0) {
      this.pageOf(last).shrink(4 * word);
      return;
    }
    sizeClass.pages.pop();
    sizeClass.inLast = sizeClass.pages.length === 0 ? 0 : sizeClass.blocksPerPage;
    this.#givePage(number);
  }

  #classOf(words: number): SizeClass {
    const index = classOf(words);
    const known = this.#classes[index];
    if (known !== undefined) return known;
    // No holes in the array: those before it come into being, too.
    for (let i = this.#classes.length; i <= index; i++) {
      const size = Math.max(1, wordsOfClass(i));
      const blocksPerPage = Math.floor(pageWordsMax / size);
      this.#classes.push({ words: size, blocksPerPage, pages: [], inLast: 0 });
    }
    return this.#classOf(words);
  }

  #copy(from: number, to: number, words: number): void {
    copyWords(this.pageOf(from).words, from & wordMask, this.pageOf(to).words, to & wordMask, words);
  }

  #takePage(): number {
    let number = this.#spare.pop();
    if (number === undefined) {
      number = this.#freeNumbers.pop() ?? this.#pages.length;
      if (number >= this.#pagesMax) throw new RangeError('the store is full: 16 GiB of keys and values');
      this.#pages[number] = new Page(4 * pageWordsMax, this.#held);
    }
    this.#noteUse();
    return number;
  }

  #givePage(number: number): void {
    const page = this.#pages[number];
    if (this.#spare.length < sparePagesMax) {
      page?.shrink(0);
      this.#spare.push(number);
    } else {
      page?.release();
      this.#pages[number] = undefined;
      this.#freeNumbers.push(number);
    }
    this.#noteUse();
  }

  #noteUse(): void {
    const used = this.#pages.length - this.#freeNumbers.length - this.#spare.length;
    this.isFull = used > this.#pagesMax - pagesReserved;
  }
}
