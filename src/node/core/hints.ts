/**
 * What a learner that came back with its disk need not be sent (PROTOCOL M5, D2). The entries of the attic are hints: each
 * is taken over only when a full replica has said, by a digest, that it holds the very same - as if it had sent it then.
 */
import { versionZero } from '../../protocol/version.js';
import type { Entry } from '../../protocol/messages.js';
import { atticSlot } from './attic.js';
import { BucketDigests, countBits, EntryDigest, EntryDigests, hasBit } from './slot-digest.js';
import { noRecord } from './store.js';
import type { KeyStore, RecordWalk } from './store.js';

/** Where more than this share of the buckets differs, copying the whole slot costs no more. */
const differingShareMax = 0.5;
/** Entries taken over in one call. */
const confirmedPerCall = 1024;

export class Hints {
  readonly #store: KeyStore;
  readonly #slot: number;
  readonly #entry = new EntryDigest();
  #buckets = new BucketDigests(1);
  /** Buckets that differ. */
  wanted: Uint8Array = new Uint8Array(0);
  /** Of the entries known in them: the replica does not hold them. */
  #missing: Uint8Array = new Uint8Array(0);
  #walk: RecordWalk | null = null;
  #walked = 0;

  constructor(store: KeyStore, slot: number) {
    this.#store = store;
    this.#slot = atticSlot(slot);
  }

  get buckets(): number {
    return this.#buckets.buckets;
  }

  /** @returns whether the hints are worth going on with */
  compare(buckets: number, theirs: Uint8Array): boolean {
    this.#buckets = new BucketDigests(buckets);
    this.#forEach(() => {
      this.#buckets.add(this.#entry);
    });
    this.wanted = this.#buckets.differing(theirs);
    return countBits(this.wanted) <= buckets * differingShareMax;
  }

  /** Digests of the entries in buckets that differ. */
  known(): Uint8Array {
    const known = new EntryDigests();
    this.#forEach(() => {
      if (hasBit(this.wanted, this.#buckets.bucketOf(this.#entry))) known.add(this.#entry);
    });
    return known.toBytes();
  }

  #forEach(visit: () => void): void {
    const walk = this.#store.walk(this.#slot);
    for (let record = walk.next(); record !== noRecord; record = walk.next()) {
      this.#entry.read(this.#store, record);
      visit();
    }
  }

  /** @param missing a bit for each of `known` */
  begin(missing: Uint8Array): void {
    this.#missing = missing;
    this.#walk = this.#store.walk(this.#slot);
    this.#walked = 0;
  }

  /**
   * Takes a bounded number of entries over: those of equal buckets, and those of others that are not missing. In the
   * order of `known`, for the attic does not change.
   * @returns whether that were the last ones
   */
  confirm(merge: (entry: Entry) => void): boolean {
    const store = this.#store;
    for (let count = 0; count < confirmedPerCall; count++) {
      const record = this.#walk?.next() ?? noRecord;
      if (record === noRecord) return true;
      this.#entry.read(store, record);
      if (hasBit(this.wanted, this.#buckets.bucketOf(this.#entry)) && hasBit(this.#missing, this.#walked++))
        continue;
      const version = { ...versionZero };
      store.copyVersion(record, version);
      merge({
        key: store.keyOf(record),
        version,
        valid: true,
        value: copyOf(store.valueOf(record)),
        expiresAtMs: store.expiresAtMs(record),
        applied: store.appliedOf(record),
      });
    }
    return false;
  }
}

/** The view onto the attic would not outlive the first change to the store. */
function copyOf(value: Uint8Array | null): Uint8Array | null {
  return value === null ? null : Uint8Array.from(value);
}
