/**
 * What a slot holds, in few numbers, so that two nodes find the records in which they differ without sending the others.
 *
 * Keys are dealt into buckets by a hash that is the same everywhere. A bucket's digest is the sum of its entries'
 * digests, so no order matters. An entry's digest is made of its key, its version, whether it is VALID, and the
 * version of its last conditional write: two records that agree in these agree in all else. It has 64 bits, as two words:
 * two buckets that differ look the same by a chance of one in 2^64. Whoever crafts versions to that end harms keys that
 * he could have written anyway.
 */
import type { AppliedList } from '../../protocol/applied-list.js';
import { versionZero } from '../../protocol/version.js';
import type { Version } from '../../protocol/version.js';
import { noRecord } from './store.js';
import type { KeyStore, RecordId } from './store.js';

/** Wanted; a bucket that differs is compared, or copied, as a whole. */
const keysPerBucket = 8;
export const bucketsMax = 2 ** 20;

/** 64 bits. */
export interface Digest {
  high: number;
  low: number;
}

/** A power of two, at which a bucket has about eight of so many keys. */
export function bucketCountFor(keys: number): number {
  let count = 1;
  while (count < bucketsMax && count * keysPerBucket < keys) count *= 2;
  return count;
}

/** @param count - a power of two */
export function bucketOf(key: string, count: number): number {
  return hashOfKey(key, keySeed) & (count - 1);
}

const keySeed = 0x811c9dc5;
const highSeed = 0x9747b28c;
const lowSeed = 0x3c6ef372;

/** FNV-1a with a final avalanche. */
function hashOfKey(key: string, seed: number): number {
  let hash = seed;
  for (let i = 0; i < key.length; i++) hash = Math.imul(hash ^ key.charCodeAt(i), 0x01000193);
  return finish(hash);
}

/** The finaliser of murmur3: every bit depends on every bit. */
function finish(hash: number): number {
  hash = Math.imul(hash ^ (hash >>> 16), 0x85ebca6b);
  hash = Math.imul(hash ^ (hash >>> 13), 0xc2b2ae35);
  return hash ^ (hash >>> 16);
}

function mixWord(hash: number, word: number): number {
  return finish(Math.imul(hash, 5) + 0xe6546b64 + word);
}

/** Both halves of a safe integer. */
function mix(hash: number, n: number): number {
  return mixWord(mixWord(hash, Math.floor(n / 2 ** 32)), n | 0);
}

function mixVersion(hash: number, { hlc, clientId, seq, epoch }: Version): number {
  return mix(mix(mix(mix(hash, hlc), clientId), seq), epoch);
}

function half(
  seed: number,
  key: string,
  version: Version,
  isValid: boolean,
  applied: AppliedList | null,
): number {
  let hash = mixVersion(mixWord(hashOfKey(key, seed), isValid ? 1 : 0), version);
  const [hlc = 0, clientId = 0, seq = 0, epoch = 0] = applied ?? [];
  hash = mix(mix(mix(mix(hash, hlc), clientId), seq), epoch);
  return hash >>> 0;
}

/** Of one entry, into `out`. */
export function digestOf(
  key: string,
  version: Version,
  isValid: boolean,
  applied: AppliedList | null,
  out: Digest,
): void {
  out.high = half(highSeed, key, version, isValid, applied);
  out.low = half(lowSeed, key, version, isValid, applied);
}

const scratch = { ...versionZero };

export function digestOfRecord(store: KeyStore, record: RecordId, out: Digest): void {
  store.copyVersion(record, scratch);
  digestOf(store.keyOf(record), scratch, store.isValid(record), store.appliedOf(record), out);
}

/** The digests of the buckets of one slot. */
export class SlotDigest {
  readonly bucketCount: number;
  /** Of each bucket two words, the higher one first. */
  readonly words: Uint32Array;
  readonly #entry: Digest = { high: 0, low: 0 };

  /** Of no record. @param bucketCount - a power of two */
  constructor(bucketCount: number) {
    if (!(bucketCount >= 1 && bucketCount <= bucketsMax) || !Number.isInteger(Math.log2(bucketCount)))
      throw new RangeError(`${bucketCount} buckets`);
    this.bucketCount = bucketCount;
    this.words = new Uint32Array(2 * bucketCount);
  }

  /** Of all records of the slot as they are now: one step for each. */
  static of(store: KeyStore, slot: number, bucketCount: number): SlotDigest {
    const digest = new SlotDigest(bucketCount);
    const walk = store.walk(slot);
    for (let record = walk.next(); record !== noRecord; record = walk.next()) digest.add(store, record);
    return digest;
  }

  /** For who walks a slot in bounded pieces. */
  add(store: KeyStore, record: RecordId): void {
    const entry = this.#entry;
    digestOfRecord(store, record, entry);
    const at = 2 * bucketOf(store.keyOf(record), this.bucketCount);
    const low = (this.words[at + 1] ?? 0) + entry.low;
    this.words[at + 1] = low;
    this.words[at] = (this.words[at] ?? 0) + entry.high + (low >= 2 ** 32 ? 1 : 0);
  }

  /** Buckets in which they differ, ascending; `other` has as many. */
  differences(other: SlotDigest): number[] {
    if (other.bucketCount !== this.bucketCount)
      throw new RangeError(`${other.bucketCount} buckets beside ${this.bucketCount}`);
    const buckets: number[] = [];
    for (let at = 0; at < this.words.length; at += 2) {
      if (this.words[at] !== other.words[at] || this.words[at + 1] !== other.words[at + 1])
        buckets.push(at / 2);
    }
    return buckets;
  }
}
