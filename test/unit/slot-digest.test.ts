// Copy by difference: digests that differ exactly where two replicas of a slot do.
import { expect } from 'chai';
import fc from 'fast-check';
import {
  bucketCountFor,
  bucketOf,
  bucketsMax,
  digestOf,
  SlotDigest,
} from '../../src/node/core/slot-digest.js';
import type { KeyStore } from '../../src/node/core/store.js';
import { ArenaStore } from '../../src/node/storage/arena-store.js';
import type { Version } from '../../src/protocol/version.js';

const slot = 5;

interface Entry {
  readonly version: Version;
  readonly isValid: boolean;
  readonly applied: readonly number[] | null;
}

function put(store: KeyStore, key: string, { version, isValid, applied }: Entry): void {
  const record = store.getOrInsert(slot, key);
  store.write(record, version, Buffer.from('v'), 0, 0);
  if (applied !== null) store.setApplied(record, applied);
  if (isValid) store.setValid(record);
}

function storeOf(entries: Iterable<readonly [string, Entry]>): ArenaStore {
  const store = new ArenaStore();
  for (const [key, entry] of entries) put(store, key, entry);
  return store;
}

const number = fc.oneof(fc.nat(3), fc.maxSafeNat());
const version = fc.record({
  hlc: number,
  clientId: fc.oneof(fc.nat(3), fc.nat(2 ** 48 - 1)),
  seq: fc.nat(2),
  epoch: fc.nat(2),
});
const anyEntry: fc.Arbitrary<Entry> = fc.record({
  version,
  isValid: fc.boolean(),
  applied: fc.option(
    version.map(({ hlc, clientId, seq, epoch }) => [hlc, clientId, seq, epoch]),
    { nil: null },
  ),
});
const key = fc.nat(60).map((n) => `key-${n}`);
const entries = fc.array(fc.tuple(key, anyEntry), { maxLength: 60 }).map((all) => new Map(all));

/** Of a key that is there, one field; else all of them. */
const changes = fc.array(fc.tuple(key, fc.constantFrom('version', 'isValid', 'applied'), anyEntry), {
  maxLength: 10,
});

/** What a digest may see of an entry: an absent list of conditional writes is the list of version zero. */
const seen = (of: Entry | undefined): string =>
  of === undefined ? '' : JSON.stringify([of.version, of.isValid, of.applied ?? [0, 0, 0, 0]]);

describe('the digest of a slot', () => {
  it('differs in the buckets of the keys that differ, and in no other, whatever the order', () => {
    fc.assert(
      fc.property(entries, changes, fc.constantFrom(1, 4, 64), (before, changed, count) => {
        const after = new Map(before);
        for (const [name, field, entry] of changed)
          after.set(name, { ...entry, ...before.get(name), [field]: entry[field] });
        const mine = SlotDigest.of(storeOf(before), slot, count);
        const theirs = SlotDigest.of(storeOf([...after].reverse()), slot, count);
        const expected = new Set<number>();
        for (const each of after.keys()) {
          if (seen(before.get(each)) !== seen(after.get(each))) expected.add(bucketOf(each, count));
        }
        expect(mine.differences(theirs)).to.deep.equal([...expected].sort((a, b) => a - b));
        expect(theirs.differences(mine)).to.deep.equal(mine.differences(theirs));
      }),
      { numRuns: 300 },
    );
  });

  it('depends on every field', () => {
    const of = (name: string, v: Version, isValid: boolean, applied: readonly number[] | null): string => {
      const out = { high: 0, low: 0 };
      digestOf(name, v, isValid, applied, out);
      return `${out.high} ${out.low}`;
    };
    const zero = { hlc: 1, clientId: 1, seq: 1, epoch: 1 };
    const all = [
      of('k', zero, true, null),
      of('l', zero, true, null),
      of('k', zero, false, null),
      ...Object.keys(zero).flatMap((field) => [
        of('k', { ...zero, [field]: 2 }, true, null),
        // The upper word counts, too.
        of('k', { ...zero, [field]: 1 + 2 ** 32 }, true, null),
      ]),
      ...[0, 1, 2, 3].map((place) => of('k', zero, true, [0, 0, 0, 0].fill(7, place, place + 1))),
    ];
    expect(new Set(all).size).to.equal(all.length);
  });

  it('has buckets of about eight keys, evenly filled', () => {
    expect([0, 1, 8, 9, 16, 17, 100_000].map(bucketCountFor)).to.deep.equal([1, 1, 1, 2, 2, 4, 16_384]);
    expect(bucketCountFor(1e9)).to.equal(bucketsMax);
    const counts = new Array<number>(1024).fill(0);
    for (let i = 0; i < 8192; i++) {
      const bucket = bucketOf(`user:${i}:name`, 1024);
      counts[bucket] = (counts[bucket] ?? 0) + 1;
    }
    // A Poisson distribution of mean 8 has 30 less than once in a thousand million.
    expect(Math.max(...counts)).to.be.lessThan(30);
    expect(counts.filter((count) => count === 0).length).to.be.lessThan(10);
  });

  it('refuses numbers of buckets that are none', () => {
    for (const count of [0, 3, -4, 0.5, 2 * bucketsMax, NaN])
      expect(() => new SlotDigest(count), String(count)).to.throw(RangeError);
    expect(() => new SlotDigest(2).differences(new SlotDigest(4))).to.throw(RangeError);
  });
});
