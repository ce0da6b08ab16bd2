/**
 * Digests by which two nodes find out what of a slot they both hold, without sending it (PROTOCOL M5, D2).
 *
 * The keys of a slot fall into buckets by a hash of their bytes. A bucket's digest is the sum of those of its entries,
 * and an entry's covers key, version, VALID or INVALID, and the list of conditional writes; the value goes with the
 * version. 64 bits as two words: two different buckets look the same once in 10^19.
 */
import type { AppliedList } from '../../protocol/applied-list.js';
import { wireLimits } from '../../protocol/cold-codec.js';
import { versionZero } from '../../protocol/version.js';
import type { MutableVersion } from '../../protocol/version.js';
import type { KeyStore, RecordId } from './store.js';

/** Keys of a bucket, about: fewer, and the digests weigh more; more, and one change makes more of them look at. */
const keysPerBucket = 8;
const bucketsMax = 2 ** 16;
/** Bytes of a digest. */
export const digestBytes = 8;

/** How many buckets a slot with so many keys is cut into: a power of two. */
export function bucketsFor(keys: number): number {
  let buckets = 1;
  while (buckets * keysPerBucket < keys && buckets < bucketsMax) buckets *= 2;
  return buckets;
}

export function bucketOf({ keyHash }: EntryDigest, buckets: number): number {
  return keyHash & (buckets - 1);
}

/** Of one entry at a time; what is read of it is good until the next. */
export class EntryDigest {
  /** Of the key alone. */
  keyHash = 0;
  high = 0;
  low = 0;
  readonly #version: MutableVersion = { ...versionZero };

  read(store: KeyStore, record: RecordId): void {
    this.readKey(store, record);
    this.readRest(store, record);
  }

  /** Enough to tell the bucket. */
  readKey(store: KeyStore, record: RecordId): void {
    this.#readKey(store.keyOf(record));
  }

  /** Of the record whose key was read last. */
  readRest(store: KeyStore, record: RecordId): void {
    store.copyVersion(record, this.#version);
    this.#addNumber(this.#version.hlc);
    this.#addNumber(this.#version.clientId);
    this.#addNumber(this.#version.seq);
    this.#addNumber(this.#version.epoch);
    this.#add(store.isValid(record) ? 1 : 2);
    const applied: AppliedList | null = store.appliedOf(record);
    if (applied !== null) for (const item of applied) this.#addNumber(item);
    this.high = finish(this.high);
    this.low = finish(this.low);
  }

  #readKey(key: string): void {
    this.high = 0x2545f491;
    this.low = 0x9e3779b9 | 0;
    for (let i = 0; i < key.length; i++) this.#add(key.charCodeAt(i));
    this.#add(key.length);
    this.keyHash = finish(this.low);
  }

  #addNumber(n: number): void {
    this.#add(n >>> 0);
    this.#add(Math.floor(n / 2 ** 32));
  }

  #add(word: number): void {
    this.high = finish(Math.imul(this.high, 5) + 0xe6546b64 + word);
    this.low = finish(Math.imul(this.low, 9) + 0x27d4eb2f + word);
  }
}

function finish(word: number): number {
  word = Math.imul(word ^ (word >>> 16), 0x7feb352d);
  word = Math.imul(word ^ (word >>> 15), 0x846ca68b);
  return (word ^ (word >>> 16)) >>> 0;
}

/** The digests of all buckets of a slot, summed up entry by entry. */
export class BucketDigests {
  readonly buckets: number;
  readonly #words: Uint32Array;

  constructor(buckets: number) {
    this.buckets = buckets;
    this.#words = new Uint32Array(2 * buckets);
  }

  bucketOf(entry: EntryDigest): number {
    return bucketOf(entry, this.buckets);
  }

  get bytes(): number {
    return this.#words.byteLength;
  }

  add(entry: EntryDigest): void {
    const at = 2 * this.bucketOf(entry);
    this.#words[at] = (this.#words[at] ?? 0) + entry.high;
    this.#words[at + 1] = (this.#words[at + 1] ?? 0) ^ entry.low;
  }

  toBytes(): Uint8Array {
    return wordsToBytes(this.#words);
  }

  /** A bit for each bucket: whether it differs from what the other side says. */
  differing(theirs: Uint8Array): Uint8Array {
    const mine = this.toBytes();
    const bits = new Uint8Array(Math.ceil(this.buckets / 8));
    for (let bucket = 0; bucket < this.buckets; bucket++) {
      const from = bucket * digestBytes;
      for (let i = from; i < from + digestBytes; i++) if (mine[i] !== theirs[i]) setBit(bits, bucket);
    }
    return bits;
  }
}

/** Big-endian, on every machine. */
function wordsToBytes(words: Uint32Array): Uint8Array {
  const bytes = new Uint8Array(4 * words.length);
  const view = new DataView(bytes.buffer);
  words.forEach((word, i) => {
    view.setUint32(4 * i, word);
  });
  return bytes;
}

/** Digests of single entries, in order. */
export class EntryDigests {
  readonly #words: number[] = [];

  add({ high, low }: Pick<EntryDigest, 'high' | 'low'>): void {
    this.#words.push(high, low);
  }

  toBytes(): Uint8Array {
    return wordsToBytes(Uint32Array.from(this.#words));
  }
}

/** Digests that one question can bring: a low word and a place among so many fit into one double, exactly. */
const placesMax = wireLimits.knownBytesMax / digestBytes;

/**
 * Looks entries up in a list of digests, and keeps which of them were never met. Who sends the list says how long it is: it
 * is kept in 12 bytes a digest, and looked up in as many steps whatever it holds, except for equal low words.
 */
export class KnownEntries {
  /** Sorted: each is a low word with its place in the list behind it. */
  readonly #lows: Float64Array;
  /** In the order of the list. */
  readonly #highs: Uint32Array;
  /** A bit for each digest: it was not met. */
  readonly missing: Uint8Array;

  /** @param digests - up to `wireLimits.knownBytesMax` bytes, of which nothing is kept */
  constructor(digests: Uint8Array) {
    const view = new DataView(digests.buffer, digests.byteOffset, digests.length);
    const count = Math.floor(digests.length / digestBytes);
    this.missing = new Uint8Array(Math.ceil(count / 8));
    this.#lows = new Float64Array(count);
    this.#highs = new Uint32Array(count);
    for (let place = 0; place < count; place++) {
      setBit(this.missing, place);
      this.#highs[place] = view.getUint32(place * digestBytes);
      this.#lows[place] = view.getUint32(place * digestBytes + 4) * placesMax + place;
    }
    this.#lows.sort();
  }

  get bytes(): number {
    return this.#lows.byteLength + this.#highs.byteLength + this.missing.byteLength;
  }

  /** Whether the entry is one of the list; it is met then. */
  meet({ high, low }: EntryDigest): boolean {
    const sought = low * placesMax;
    for (let i = this.#firstFrom(sought); i < this.#lows.length; i++) {
      const place = (this.#lows[i] ?? 0) - sought;
      if (place >= placesMax) return false;
      if (this.#highs[place] !== high) continue;
      this.missing[place >> 3] = (this.missing[place >> 3] ?? 0) & ~(1 << (place & 7));
      return true;
    }
    return false;
  }

  /** Where in `#lows` the first one is that is not below `sought`. */
  #firstFrom(sought: number): number {
    let from = 0;
    let to = this.#lows.length;
    while (from < to) {
      const middle = (from + to) >>> 1;
      if ((this.#lows[middle] ?? 0) < sought) from = middle + 1;
      else to = middle;
    }
    return from;
  }
}

export function hasBit(bits: Uint8Array, index: number): boolean {
  return ((bits[index >> 3] ?? 0) & (1 << (index & 7))) !== 0;
}

function setBit(bits: Uint8Array, index: number): void {
  bits[index >> 3] = (bits[index >> 3] ?? 0) | (1 << (index & 7));
}

export function countBits(bits: Uint8Array): number {
  let count = 0;
  for (let i = 0; i < bits.length * 8; i++) if (hasBit(bits, i)) count++;
  return count;
}
