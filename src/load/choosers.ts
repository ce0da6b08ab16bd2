/**
 * Which key comes next. A chooser gives indexes into the list of keys; the names of the keys are scattered over the
 * slots by themselves (key-names.ts), so that "the first tenth" is no place in the cluster.
 */
import { type Random, mix32 } from './random.js';

export const distributionNames = ['uniform', 'hotcold', 'zipfian', 'latest'] as const;
export type Distribution = (typeof distributionNames)[number];

export interface Chooser {
  /** An index below the number of keys. */
  next(): number;
}

/** What all choosers of a process have in common. */
export interface Choice {
  readonly distribution: Distribution;
  /** As many as there are at any time: `uniform`, `zipfian` and `latest` look again, `hotcold` stays with the first. */
  readonly keys: { readonly length: number };
  /** How many there were when it began. */
  readonly filled: number;
  /** For so many more `zipfian` has places; later ones are not chosen, as in YCSB. */
  readonly expected: number;
  /** The sum that `latest` needs of all that were filled in: adding it up takes a while. */
  readonly zeta: number;
}

/** @param expected - how many keys may be inserted, roughly */
export function choiceOf(
  distribution: Distribution,
  keys: { readonly length: number },
  expected = 0,
): Choice {
  const filled = keys.length;
  return { distribution, keys, filled, expected, zeta: distribution === 'latest' ? zetaOf(filled) : NaN };
}

export function chooserOf(choice: Choice, random: Random): Chooser {
  const { keys } = choice;
  switch (choice.distribution) {
    case 'uniform':
      return { next: () => random.below(keys.length) };
    case 'hotcold':
      return new HotCold(choice.filled, random);
    case 'zipfian':
      return new ScrambledZipfian(choice, random);
    case 'latest':
      return new Latest(choice, random);
  }
}

/** Nine of ten requests go to one key of ten. */
class HotCold implements Chooser {
  static readonly hotRequestShare = 0.9;
  static readonly hotKeyShare = 0.1;
  readonly #hot: number;
  readonly #cold: number;
  readonly #random: Random;

  constructor(count: number, random: Random) {
    this.#hot = Math.max(1, Math.round(count * HotCold.hotKeyShare));
    this.#cold = count - this.#hot;
    this.#random = random;
  }

  next(): number {
    const isHot = this.#cold === 0 || this.#random.fraction() < HotCold.hotRequestShare;
    return isHot ? this.#random.below(this.#hot) : this.#hot + this.#random.below(this.#cold);
  }
}

/** The constant of YCSB: rank r is chosen in proportion to 1 / r^theta. */
const theta = 0.99;
const alpha = 1 / (1 - theta);
const zetaOfTwo = 1 + 0.5 ** theta;

/** Ranks from 0 to below `items`, the lower the likelier (Gray et al., SIGMOD 1994, as in YCSB). */
class Zipfian {
  readonly #random: Random;
  #items: number;
  /** The sum of 1 / r^theta over all ranks. */
  #zeta: number;
  #eta = 0;

  constructor(items: number, zeta: number, random: Random) {
    this.#items = items;
    this.#zeta = zeta;
    this.#random = random;
    this.#prepare();
  }

  #prepare(): void {
    this.#eta = (1 - (2 / this.#items) ** (1 - theta)) / (1 - zetaOfTwo / this.#zeta);
  }

  growTo(items: number): void {
    if (items === this.#items) return;
    this.#zeta += zetaOf(items, this.#items);
    this.#items = items;
    this.#prepare();
  }

  next(): number {
    const fraction = this.#random.fraction();
    const reached = fraction * this.#zeta;
    if (reached < 1) return 0;
    if (reached < zetaOfTwo) return 1;
    const rank = Math.floor(this.#items * (this.#eta * fraction - this.#eta + 1) ** alpha);
    return Math.min(rank, this.#items - 1);
  }
}

/** The sum over the ranks after `from` up to `to`. */
function zetaOf(to: number, from = 0): number {
  let sum = 0;
  for (let rank = from + 1; rank <= to; rank++) sum += 1 / rank ** theta;
  return sum;
}

/** So many ranks YCSB draws from before it scatters them, and their zeta, which would take minutes to add up. */
const scrambledItems = 10_000_000_000;
const scrambledZeta = 26.46902820178302;

/**
 * Zipfian ranks scattered over the keys: the popular ones are anywhere. As in YCSB, several ranks share a key, and keys
 * that are still to be inserted have their places already: what is drawn before it is there is drawn again. So a new
 * key is as popular as any, and takes nothing away from the popularity of one among the others.
 */
class ScrambledZipfian implements Chooser {
  readonly #ranks: Zipfian;
  readonly #keys: { readonly length: number };
  readonly #places: number;

  constructor({ keys, filled, expected }: Choice, random: Random) {
    this.#ranks = new Zipfian(scrambledItems, scrambledZeta, random);
    this.#keys = keys;
    this.#places = filled + expected;
  }

  next(): number {
    for (;;) {
      const rank = this.#ranks.next();
      const index = mix32((rank % 2 ** 32) ^ mix32(Math.floor(rank / 2 ** 32) + 0x9e3779b9)) % this.#places;
      if (index < this.#keys.length) return index;
    }
  }
}

/** Zipfian from the end of the list: what was inserted last is read most. */
class Latest implements Chooser {
  readonly #keys: { readonly length: number };
  readonly #ranks: Zipfian;

  constructor({ keys, filled, zeta }: Choice, random: Random) {
    this.#keys = keys;
    this.#ranks = new Zipfian(filled, zeta, random);
  }

  next(): number {
    const count = this.#keys.length;
    this.#ranks.growTo(count);
    return count - 1 - this.#ranks.next();
  }
}
