// D2: digests that differ exactly where two replicas of a slot do.
import { expect } from 'chai';
import fc from 'fast-check';
import {
  BucketDigests,
  bucketsFor,
  countBits,
  EntryDigest,
  EntryDigests,
  hasBit,
  KnownEntries,
} from '../../src/node/core/slot-digest.js';
import { noRecord } from '../../src/node/core/store.js';
import { ArenaStore } from '../../src/node/storage/arena-store.js';
import type { Version } from '../../src/protocol/version.js';

const slot = 5;

interface Held {
  readonly version: Version;
  readonly isValid: boolean;
  readonly applied: readonly number[] | null;
}

type Content = ReadonlyMap<string, Held>;

function storeOf(content: Content): ArenaStore {
  const store = new ArenaStore();
  for (const [key, { version, isValid, applied }] of content) {
    const record = store.getOrInsert(slot, key);
    store.write(record, version, Buffer.from('v'), 0, 0);
    if (applied !== null) store.setApplied(record, applied);
    if (isValid) store.setValid(record);
  }
  return store;
}

function forEach(store: ArenaStore, visit: (entry: EntryDigest, key: string) => void): void {
  const entry = new EntryDigest();
  const walk = store.walk(slot);
  for (let record = walk.next(); record !== noRecord; record = walk.next()) {
    entry.read(store, record);
    visit(entry, store.keyOf(record));
  }
}

function digestsOf(content: Content, buckets: number): BucketDigests {
  const digests = new BucketDigests(buckets);
  forEach(storeOf(content), (entry) => {
    digests.add(entry);
  });
  return digests;
}

const number = fc.oneof(fc.nat(3), fc.maxSafeNat());
const version = fc.record({ hlc: number, clientId: number, seq: fc.nat(2), epoch: fc.nat(2) });
const held: fc.Arbitrary<Held> = fc.record({
  version,
  isValid: fc.boolean(),
  applied: fc.option(fc.array(number, { minLength: 4, maxLength: 10 })),
});
const key = fc.nat(60).map((n) => `key-${n}`);
const contents = fc.array(fc.tuple(key, held), { maxLength: 60, size: 'max' }).map((all) => new Map(all));

describe('D2: digests of a slot', () => {
  it('has about eight keys in a bucket, and a power of two of them', () => {
    expect([0, 8, 9, 1000, 1e9].map(bucketsFor)).to.deep.equal([1, 1, 2, 128, 65_536]);
  });

  it('finds exactly the buckets that hold different entries, in whatever order they were stored', () => {
    const property = fc.property(contents, contents, fc.constantFrom(1, 4, 16), (mine, more, buckets) => {
      const theirs = new Map([...more, ...[...mine].reverse()]);
      const bits = digestsOf(mine, buckets).differing(digestsOf(theirs, buckets).toBytes());
      const differing = new Set<number>();
      forEach(storeOf(theirs), (entry, name) => {
        if (!mine.has(name)) differing.add(new BucketDigests(buckets).bucketOf(entry));
      });
      const found = Array.from({ length: buckets }, (_, i) => i).filter((i) => hasBit(bits, i));
      expect(found).to.deep.equal([...differing].sort((a, b) => a - b));
      expect(countBits(bits)).to.equal(differing.size);
    });
    fc.assert(property, { numRuns: 300 });
  });

  it('tells entries apart by version, by VALID, and by their lists of conditional writes', () => {
    const base: Held = {
      version: { hlc: 1, clientId: 2, seq: 3, epoch: 4 },
      isValid: true,
      applied: [1, 2, 3, 4],
    };
    const others: Held[] = [
      ...(['hlc', 'clientId', 'seq', 'epoch'] as const).map((name) => ({
        ...base,
        version: { ...base.version, [name]: base.version[name] + 2 ** 32 },
      })),
      { ...base, isValid: false },
      { ...base, applied: null },
      { ...base, applied: [1, 2, 3, 5] },
    ];
    const bytes = digestsOf(new Map([['k', base]]), 1).toBytes();
    for (const other of others)
      expect(countBits(digestsOf(new Map([['k', other]]), 1).differing(bytes))).to.equal(1);
  });

  it('tells digests apart by all of their 64 bits', () => {
    const words = [0, 1, 2 ** 31, 2 ** 32 - 1];
    const digests = words.flatMap((high) => words.map((low) => ({ high, low })));
    const property = fc.property(fc.shuffledSubarray(digests), (some) => {
      const known = new EntryDigests();
      for (const digest of some) known.add(digest);
      const table = new KnownEntries(known.toBytes());
      for (const digest of digests) {
        const entry = Object.assign(new EntryDigest(), digest);
        expect(table.meet(entry)).to.equal(some.includes(digest));
      }
      expect(countBits(table.missing)).to.equal(0);
    });
    fc.assert(property, { numRuns: 200 });
  });

  it('knows the entries of a list, and which of them were never met', () => {
    const property = fc.property(contents, fc.array(key), (content, gone) => {
      const known = new EntryDigests();
      const names: string[] = [];
      forEach(storeOf(content), (entry, name) => {
        known.add(entry);
        names.push(name);
      });
      const table = new KnownEntries(known.toBytes());
      const left = new Map([...content].filter(([name]) => !gone.includes(name)));
      forEach(storeOf(left), (entry) => {
        expect(table.meet(entry)).to.equal(true);
      });
      const missing = names.filter((_, i) => hasBit(table.missing, i));
      expect(missing.sort()).to.deep.equal([...content.keys()].filter((name) => !left.has(name)).sort());
    });
    fc.assert(property, { numRuns: 200 });
  });
});
