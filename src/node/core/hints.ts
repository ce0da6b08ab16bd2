/**
 * What a learner that came back with its disk need not be sent (PROTOCOL M5, D2). The entries of the attic are hints: each
 * is taken over only when a full replica has said, by a digest, that it holds the very same - as if it had sent it then.
 */
import { wireLimits } from '../../protocol/cold-codec.js';
import type { Entry } from '../../protocol/messages.js';
import { atticEntry, atticSlot } from './attic.js';
import { BucketDigests, countBits, digestBytes, EntryDigest, EntryDigests, hasBit } from './slot-digest.js';
import { noRecord } from './store.js';
import type { KeyStore, RecordWalk } from './store.js';

/** Where more than this share of the buckets differs, copying the whole slot costs no more. */
const differingShareMax = 0.5;
/** Of an entry that is sifted and stays. A power of two, so that sums are exact. */
const keptEffort = 1 / 8;
/** What was read of an entry of the attic, in the order of the walk, which does not change. */
interface Sight {
  readonly bucket: number;
  readonly high: number;
  readonly low: number;
}

export class Hints {
  readonly #store: KeyStore;
  readonly #slot: number;
  readonly #entry = new EntryDigest();
  #buckets = new BucketDigests(1);
  #theirs: Uint8Array = new Uint8Array(0);
  /** Entries read. */
  #sights: Sight[] = [];
  #place = 0;
  /** Buckets that differ. */
  wanted: Uint8Array = new Uint8Array(0);
  /** Of the entries known in them: the replica does not hold them. null: it was not asked. */
  #missing: Uint8Array | null = null;
  #walk: RecordWalk;
  #walked = 0;

  constructor(store: KeyStore, slot: number) {
    this.#store = store;
    this.#slot = atticSlot(slot);
    this.#walk = store.walk(this.#slot);
  }

  get buckets(): number {
    return this.#buckets.buckets;
  }

  /** The replica's digests. What the attic has is now to be read. */
  compareWith(buckets: number, theirs: Uint8Array): void {
    this.#buckets = new BucketDigests(buckets);
    this.#theirs = theirs;
    this.#sights = [];
    this.#walk = this.#store.walk(this.#slot);
  }

  /** Reads so many entries of the attic. @returns how many it has read; fewer: those were the last ones */
  read(entriesMax: number): number {
    const buckets = this.#buckets;
    for (let count = 0; count < entriesMax; count++) {
      const record = this.#walk.next();
      if (record === noRecord) {
        this.wanted = buckets.differing(this.#theirs);
        return count;
      }
      this.#entry.read(this.#store, record);
      buckets.add(this.#entry);
      const { high, low } = this.#entry;
      this.#sights.push({ bucket: buckets.bucketOf(this.#entry), high, low });
    }
    return entriesMax;
  }

  /** All are read: whether the replica holds the very same. */
  get isSame(): boolean {
    return countBits(this.wanted) === 0;
  }

  /** The same: whether the hints are worth going on with. Of one bucket they are if they fit into one question. */
  get isWorthIt(): boolean {
    if (countBits(this.wanted) > Math.max(1, this.buckets * differingShareMax)) return false;
    return this.#knownCount * digestBytes <= wireLimits.knownBytesMax;
  }

  get #knownCount(): number {
    return this.#sights.reduce((sum, { bucket }) => sum + (hasBit(this.wanted, bucket) ? 1 : 0), 0);
  }

  /** Digests of the entries in buckets that differ. */
  known(): Uint8Array {
    const known = new EntryDigests();
    for (const sight of this.#sights) if (hasBit(this.wanted, sight.bucket)) known.add(sight);
    return known.toBytes();
  }

  /** @param missing a bit for each of `known`; null: nothing of the attic is confirmed */
  beginSift(missing: Uint8Array | null): void {
    this.#missing = missing;
    this.#walk = this.#store.walk(this.#slot);
    this.#place = 0;
    this.#walked = 0;
  }

  /**
   * Goes through the entries in the order of `known`, for nobody else changes the attic. What is not confirmed - of buckets
   * that differ, what is missing - is told to `drop` and leaves the attic.
   * @param effortMax as many as may be dropped at once; one that stays is a fraction of the work
   * @returns the effort it took; less than `effortMax`: those were the last ones
   */
  sift(effortMax: number, drop: (key: string) => void): number {
    const store = this.#store;
    let effort = 0;
    while (effort < effortMax) {
      const record = this.#walk.next();
      if (record === noRecord) break;
      effort += keptEffort;
      if (this.#isNextConfirmed()) continue;
      drop(store.keyOf(record));
      store.remove(record);
      effort += 1 - keptEffort;
    }
    return effort;
  }

  #isNextConfirmed(): boolean {
    if (this.#missing === null) return false;
    const bucket = this.#sights[this.#place++]?.bucket ?? 0;
    return !hasBit(this.wanted, bucket) || !hasBit(this.#missing, this.#walked++);
  }

  /** All that is left is confirmed, and is to be taken over. */
  beginMerge(): void {
    this.#walk = this.#store.walk(this.#slot);
  }

  /** Takes a bounded number of entries over. @returns as `sift` */
  merge(entriesMax: number, take: (entry: Entry) => void): number {
    for (let count = 0; count < entriesMax; count++) {
      const record = this.#walk.next();
      if (record === noRecord) return count;
      take(atticEntry(this.#store, record));
    }
    return entriesMax;
  }
}
