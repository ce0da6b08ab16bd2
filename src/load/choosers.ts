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

/** @param keys - as many as there are now; only `latest` looks again */
export function chooserOf(
  distribution: Distribution,
  keys: { readonly length: number },
  random: Random,
): Chooser {
  switch (distribution) {
    case 'uniform':
      return { next: () => random.below(keys.length) };
    case 'hotcold':
      return new HotCold(keys.length, random);
    case 'zipfian':
      return new ScrambledZipfian(keys.length, random);
    case 'latest':
      return new Latest(keys, random);
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

/** Zipfian ranks scattered over the keys: the popular ones are anywhere. As in YCSB, several ranks share a key. */
class ScrambledZipfian implements Chooser {
  readonly #ranks: Zipfian;
  readonly #count: number;

  constructor(count: number, random: Random) {
    this.#ranks = new Zipfian(scrambledItems, scrambledZeta, random);
    this.#count = count;
  }

  next(): number {
    const rank = this.#ranks.next();
    return mix32((rank % 2 ** 32) ^ mix32(Math.floor(rank / 2 ** 32) + 0x9e3779b9)) % this.#count;
  }
}

/** Zipfian from the end of the list: what was inserted last is read most. */
class Latest implements Chooser {
  readonly #keys: { readonly length: number };
  readonly #ranks: Zipfian;

  constructor(keys: { readonly length: number }, random: Random) {
    this.#keys = keys;
    this.#ranks = new Zipfian(keys.length, zetaOf(keys.length), random);
  }

  next(): number {
    const count = this.#keys.length;
    this.#ranks.growTo(count);
    return count - 1 - this.#ranks.next();
  }
}
