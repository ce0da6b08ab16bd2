import { Buffer } from 'node:buffer';
import { expect } from 'chai';
import { KeyView } from '../../src/protocol/key-view.js';
import {
  betterPartitionerThan,
  partitionerNamed,
  partitionerNames,
  partitionView,
} from '../../src/protocol/partition.js';
import type { Partitioner } from '../../src/protocol/partition.js';

function named(name: string): Partitioner {
  const partitioner = partitionerNamed(name);
  if (partitioner === undefined) throw new Error(`no ${name}`);
  return partitioner;
}

/** Share of the keys in the fullest of `slots` slots, as many times an even share. */
function excess(partitioner: Partitioner, keys: readonly string[], slots: number): number {
  const counts = new Array<number>(slots).fill(0);
  for (const key of keys) {
    const slot = partitioner(key) % slots;
    counts[slot] = (counts[slot] ?? 0) + 1;
  }
  return (Math.max(...counts) * slots) / keys.length;
}

describe('partitioners', () => {
  it('xxhash32 gives the values of the reference implementation, seed 0', () => {
    const rising = String.fromCharCode(...Array.from({ length: 256 }, (_, i) => i));
    const falling = String.fromCharCode(...Array.from({ length: 255 }, (_, i) => 255 - i));
    const vectors: readonly (readonly [string, number])[] = [
      ['', 0x02cc5d05],
      ['a', 0x550d7456],
      ['abc', 0x32d153ff],
      ['abcd', 0xa3643705],
      ['0123456789abcdef', 0xc2c45b69],
      ['user:0000012345', 0x5222123b],
      ['The quick brown fox jumps over the lazy dog', 0xe85ea4de],
      ['x'.repeat(250), 0xa19ba76f],
      [rising, 0x59441253],
      [falling, 0xf036442e],
    ];
    for (const [key, hash] of vectors) expect(named('xxhash32')(key), key).to.equal(hash);
  });

  it('fnv1a and xxhash32 spread keys that differ in a few digits; the sum of bytes does not', () => {
    const keys = Array.from({ length: 25_600 }, (_, i) => `user:${String(i).padStart(8, '0')}`);
    for (const name of ['fnv1a', 'xxhash32']) expect(excess(named(name), keys, 256), name).to.be.below(1.6);
    expect(excess(named('ascii-sum'), keys, 256)).to.be.above(5);
    expect(betterPartitionerThan('ascii-sum')).to.equal('xxhash32');
    expect(betterPartitionerThan('fnv1a')).to.equal(null);
  });

  it('all of them see the same key in a frame as in a string', () => {
    for (const name of partitionerNames) {
      for (const key of ['', 'k', 'key:\xff\x80', 'x'.repeat(99)]) {
        const view = new KeyView();
        view.bytes = Buffer.from(`ab${key}cd`, 'latin1');
        view.at = 2;
        view.length = key.length;
        expect(view.text).to.equal(key);
        expect(partitionView(named(name), view), `${name} of ${key}`).to.equal(named(name)(key));
      }
    }
  });

  it('all of them give the same number for the same key, a whole one, never negative', () => {
    for (const name of partitionerNames) {
      for (const key of ['', 'k', '\xff'.repeat(99)]) {
        const hash = named(name)(key);
        expect(Number.isSafeInteger(hash) && hash >= 0, `${name} of ${key}`).to.equal(true);
        expect(named(name)(key)).to.equal(hash);
      }
    }
    expect(partitionerNamed('md5')).to.equal(undefined);
  });
});
