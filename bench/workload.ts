/**
 * What all clients have in common, whatever store they drive: keys of 20 bytes, values, and which key comes next. The
 * generators are small and seeded, so that every client meets the same sequence.
 */

export const keyBytes = 20;
export const valueBytes = 100;
export const keyCount = 10_000;

/** What a client process is told once, when it starts. */
export interface Workload {
  readonly keyCount: number;
  readonly valueBytes: number;
  /** Whether values are bytes, not text. */
  readonly isBinary: boolean;
  /** Client objects (of the floor: sets of connections) in the process; operations in flight are dealt to them in turn. */
  readonly sessions: number;
  /** Whether keys are computed when needed: five million of them would be a load on the client's own heap. */
  readonly areKeysComputed: boolean;
  /** Clients with another seed have other keys. */
  readonly keySeed: number;
}

export const usualWorkload: Workload = {
  keyCount,
  valueBytes,
  isBinary: false,
  sessions: 1,
  areKeysComputed: false,
  keySeed: 7,
};

/** A small generator of its own, so that all clients meet the same sequence: xorshift32. */
export class Random {
  #state: number;

  constructor(seed: number) {
    this.#state = seed | 1;
  }

  /** An unsigned 32-bit number. */
  next(): number {
    let x = this.#state;
    x ^= x << 13;
    x ^= x >>> 17;
    x ^= x << 5;
    this.#state = x;
    return x >>> 0;
  }
}

const alphabet = 'abcdefghijklmnopqrstuvwxyz0123456789';

/** Distinct keys whose byte sums spread over all slots. */
export function makeKeys(count: number, seed = usualWorkload.keySeed): string[] {
  const random = new Random(seed);
  const keys = new Set<string>();
  while (keys.size < count) {
    let key = '';
    while (key.length < keyBytes) key += alphabet[random.next() % alphabet.length] ?? '';
    keys.add(key);
  }
  return [...keys];
}

const scratch = Buffer.alloc(keyBytes);
const letterBits = 5;
const letters = Buffer.from('abcdefghijklmnopqrstuvwxyz012345');
const lettersOf32Bits = 7;
const otherWord = 0x9e3779b9;

/** Key number `index` below 2^32 without keeping any: two numbers never give the same key. */
export function computedKey(index: number): string {
  let word = mixed(index);
  let bits = word;
  for (let at = 0; at < keyBytes; at++) {
    // The first seven letters carry all of a word that `mixed` gives to one index alone; the rest is for looks.
    if (at > 0 && at % lettersOf32Bits === 0) bits = word = mixed(word ^ otherWord);
    scratch[at] = letters[bits & ((1 << letterBits) - 1)] ?? 0;
    bits >>>= letterBits;
  }
  return scratch.toString('latin1');
}

/** The finalizer of MurmurHash3, a bijection of 32-bit numbers. */
function mixed(word: number): number {
  let h = word | 0;
  h = Math.imul(h ^ (h >>> 16), 0x85ebca6b);
  h = Math.imul(h ^ (h >>> 13), 0xc2b2ae35);
  return (h ^ (h >>> 16)) >>> 0;
}

/** Gives the key of a number from 0 to `keyCount - 1`. */
export function keySource(
  workload: Pick<Workload, 'keyCount' | 'areKeysComputed' | 'keySeed'>,
): (index: number) => string {
  if (workload.areKeysComputed) return computedKey;
  const keys = makeKeys(workload.keyCount, workload.keySeed);
  return (index) => keys[index] ?? '';
}

export function makeValue(bytes = valueBytes): string {
  return 'v'.repeat(bytes);
}

/**
 * Which keys are asked for: all alike; 90 % of requests on 10 % of the keys; by Zipf's law, as in YCSB; always the
 * same one.
 */
export type Pattern = 'uniform' | 'hot' | 'zipf' | 'one-key';

const wordCount = 2 ** 32;
const hotKeyRatio = 0.1;
const hotRequestRatio = 0.9;
/** The exponent that YCSB uses. */
const zipfExponent = 0.99;

/** Gives the number of the next key, again and again. */
export function chooser(pattern: Pattern, count: number, random: Random): () => number {
  switch (pattern) {
    case 'uniform':
      return () => random.next() % count;
    case 'hot': {
      const hot = Math.max(1, Math.floor(count * hotKeyRatio));
      const cold = Math.max(1, count - hot);
      return () =>
        random.next() < hotRequestRatio * wordCount
          ? random.next() % hot
          : Math.min(hot + (random.next() % cold), count - 1);
    }
    case 'zipf': {
      const sums = zipfSums(count);
      return () => firstAbove(sums, random.next() / wordCount);
    }
    case 'one-key':
      return () => 0;
  }
}

/** Share of requests on the keys up to each. */
function zipfSums(count: number): Float64Array {
  const sums = new Float64Array(count);
  let sum = 0;
  for (let rank = 1; rank <= count; rank++) sums[rank - 1] = sum += rank ** -zipfExponent;
  return sums.map((part) => part / sum);
}

function firstAbove(sums: Float64Array, share: number): number {
  let low = 0;
  let high = sums.length - 1;
  while (low < high) {
    const middle = (low + high) >>> 1;
    if ((sums[middle] ?? 1) > share) high = middle;
    else low = middle + 1;
  }
  return low;
}

/** Says of each next operation whether it is a put. */
export function putDecider(putRatio: number, random: Random): () => boolean {
  const limit = putRatio * wordCount;
  return () => random.next() < limit;
}
