/** The generators that benchmarks drive their clients with, and the statistics of what comes back. */
import { expect } from 'chai';
import fc from 'fast-check';
import { FloorReader, FloorType, FloorWriter, makeFrames, ridOffset } from '../../bench/floor-frames.js';
import { sampleEvery, together } from '../../bench/driver.js';
import type { ClientResult } from '../../bench/driver.js';
import { bytesField, framed } from '../../bench/peers/grpc.js';
import { MemcachedReader } from '../../bench/peers/memcached-reader.js';
import { mean, median, percentile, relativeSpread } from '../../bench/stats.js';
import {
  Random,
  chooser,
  computedKey,
  keyBytes,
  keySource,
  makeKeys,
  putDecider,
} from '../../bench/workload.js';
import type { Pattern } from '../../bench/workload.js';

/** How often each key was chosen. */
function chosen(pattern: Pattern, count: number, draws: number): number[] {
  const next = chooser(pattern, count, new Random(1));
  const counts = new Array<number>(count).fill(0);
  for (let draw = 0; draw < draws; draw++) {
    const index = next();
    counts[index] = (counts[index] ?? NaN) + 1;
  }
  expect(counts, 'no other number was drawn').to.have.length(count);
  return counts;
}

const sum = (values: readonly number[]): number => values.reduce((all, each) => all + each, 0);

describe('benchmark workload', () => {
  it('keys are 20 bytes, distinct, and the same for every client', () => {
    const keys = makeKeys(5000);
    expect(new Set(keys)).to.have.property('size', 5000);
    expect(keys.every((key) => Buffer.byteLength(key) === keyBytes)).to.equal(true);
    expect(makeKeys(5000)).to.deep.equal(keys);
    const others = new Set(makeKeys(5000, 8));
    expect(keys.filter((key) => others.has(key))).to.deep.equal([]);
  });

  it('computed keys are 20 bytes, distinct and scattered, without being kept', () => {
    const keys = new Set<string>();
    for (let index = 0; index < 100_000; index++) keys.add(computedKey(index));
    expect(keys.size).to.equal(100_000);
    expect([...keys].every((key) => /^[a-z0-5]{20}$/.test(key))).to.equal(true);
    const firstLetters = new Set([...keys].slice(0, 1000).map((key) => key[0]));
    expect(firstLetters.size).to.equal(32);
    expect(keySource({ keyCount: 5_000_000, areKeysComputed: true, keySeed: 7 })(4_999_999)).to.equal(
      computedKey(4_999_999),
    );
  });

  it('computed keys of two numbers differ (the first seven letters carry all bits)', () => {
    fc.assert(
      fc.property(fc.nat(2 ** 32 - 1), fc.nat(2 ** 32 - 1), (a, b) => {
        fc.pre(a !== b);
        return computedKey(a).slice(0, 7) !== computedKey(b).slice(0, 7);
      }),
    );
  });

  it('uniform: every key about as often', () => {
    const counts = chosen('uniform', 100, 100_000);
    for (const count of counts) expect(count).to.be.within(850, 1150);
  });

  it('hot: 90 % of the requests go to 10 % of the keys', () => {
    const counts = chosen('hot', 1000, 100_000);
    expect(sum(counts.slice(0, 100)) / 100_000).to.be.within(0.89, 0.91);
    expect(Math.min(...counts.slice(100)), 'no cold key is left out').to.be.greaterThan(0);
  });

  it('zipf: the n-th key is asked for n^0.99 times less than the first', () => {
    const counts = chosen('zipf', 1000, 400_000);
    for (const rank of [2, 5, 20]) {
      expect((counts[0] ?? 0) / (counts[rank - 1] ?? 0) / rank ** 0.99).to.be.within(0.9, 1.1);
    }
  });

  it('patterns stay within a single key', () => {
    for (const pattern of ['uniform', 'hot', 'zipf', 'one-key'] as const) {
      expect(chosen(pattern, 1, 1000)).to.deep.equal([1000]);
    }
  });

  it('puts come as often as told, never for 0, always for 1', () => {
    const share = (ratio: number): number => {
      const isPut = putDecider(ratio, new Random(1));
      return sum(Array.from({ length: 10_000 }, () => (isPut() ? 1 : 0))) / 10_000;
    };
    expect(share(0)).to.equal(0);
    expect(share(1)).to.equal(1);
    expect(share(0.5)).to.be.within(0.48, 0.52);
  });
});

describe('benchmark statistics', () => {
  it('median, percentile, mean', () => {
    expect(median([3, 1, 2])).to.equal(2);
    expect(median([4, 1, 2, 3])).to.equal(2.5);
    expect(median([])).to.be.NaN;
    const hundred = Array.from({ length: 100 }, (_, index) => 100 - index);
    expect(percentile(hundred, 0.5)).to.equal(50);
    expect(percentile(hundred, 0.99)).to.equal(99);
    expect(percentile(hundred, 0.07), '100 * 0.07 is more than 7').to.equal(7);
    expect(percentile(hundred, 0.991)).to.equal(100);
    expect(percentile(hundred, 1)).to.equal(100);
    expect(percentile(hundred, 0)).to.equal(1);
    expect(percentile([7], 0.999)).to.equal(7);
    expect(percentile([], 0.5)).to.be.NaN;
    expect(mean([1, 2, 6])).to.equal(3);
  });

  it('up to 8 in flight every operation is timed, beyond one of 16', () => {
    expect([1, 7, 8, 9, 64].map(sampleEvery)).to.deep.equal([1, 1, 1, 16, 16]);
  });

  it('the relative spread is that of a normal distribution, and a few wild runs hardly move it', () => {
    const around = [0.97, 0.98, 0.99, 1, 1, 1.01, 1.02, 1.03];
    expect(relativeSpread(around)).to.be.within(0.015, 0.03);
    expect(relativeSpread([...around, 5])).to.be.within(0.015, 0.03);
    expect(relativeSpread([2, 2, 2])).to.equal(0);
  });

  it('what several processes did at the same time adds up; the worse time counts', () => {
    const times = { p50Us: 1, p99Us: 2, p999Us: 3 };
    const one: ClientResult = {
      operations: 100,
      seconds: 1,
      puts: times,
      gets: { ...times, p99Us: 9 },
      clientCpuUs: 5,
      serverCpuUs: [7, 8],
      failures: [],
    };
    const both = together([one, { ...one, operations: 50, gets: times, failures: ['late'] }]);
    expect(both).to.deep.include({ operations: 150, seconds: 1, clientCpuUs: 10, failures: ['late'] });
    expect(both.serverCpuUs, 'both saw the same servers').to.deep.equal([7, 8]);
    expect(both.gets.p99Us).to.equal(9);
  });
});

describe('floor frames', () => {
  it('come out as they went in, however the bytes are cut, large ones too', () => {
    const sizes = [100, 300_000];
    fc.assert(
      fc.property(
        fc.array(fc.tuple(fc.nat(1), fc.boolean(), fc.nat(2 ** 32 - 1)), { minLength: 1, maxLength: 6 }),
        fc.array(fc.integer({ min: 1, max: 400_000 }), { minLength: 1, maxLength: 40 }),
        (messages, cuts) => {
          const bytes = written(sizes, messages);
          const read: [number, number][] = [];
          const reader = new FloorReader((type, rid) => read.push([type, rid]));
          let pos = 0;
          for (let cut = 0; pos < bytes.length; cut++) {
            const chunk = bytes.subarray(pos, pos + (cuts[cut % cuts.length] ?? 1));
            reader.read(chunk, chunk.length);
            pos += chunk.length;
          }
          const expected = messages.map(([, isPut, rid]) => [isPut ? FloorType.put : FloorType.get, rid]);
          expect(read).to.deep.equal(expected);
        },
      ),
      { numRuns: 60 },
    );
  });

  it('come out byte by byte', () => {
    const bytes = written(
      [100],
      [
        [0, true, 77],
        [0, false, 78],
      ],
    );
    const read: number[] = [];
    const reader = new FloorReader((_type, rid) => read.push(rid));
    for (const byte of bytes) reader.read(Uint8Array.of(byte), 1);
    expect(read).to.deep.equal([77, 78]);
  });
});

/** What a writer hands to the socket for these. */
function written(
  sizes: readonly number[],
  messages: readonly (readonly [number, boolean, number])[],
): Buffer {
  const frames = sizes.map(makeFrames);
  const parts = messages.map(([size, isPut, rid]) => {
    const { put, get } = frames[size % frames.length] ?? makeFrames(100);
    const frame = Buffer.from(isPut ? put : get);
    frame.writeUInt32BE(rid, ridOffset);
    return frame;
  });
  return Buffer.concat(parts);
}

describe('floor writer', () => {
  it('writes small frames together and large ones without copying, in order, with their request ids', async () => {
    const chunks: Buffer[] = [];
    const writer = new FloorWriter((bytes, done) => {
      chunks.push(Buffer.from(bytes));
      done();
    });
    const small = makeFrames(100).put;
    const large = makeFrames(300_000).put;
    writer.append(small, 1);
    writer.append(small, 2);
    writer.append(large, 3);
    writer.append(small, 4);
    await new Promise((resolve) => setImmediate(resolve));
    const rids: number[] = [];
    const reader = new FloorReader((_type, rid) => rids.push(rid));
    for (const chunk of chunks) reader.read(chunk, chunk.length);
    expect(rids).to.deep.equal([1, 2, 3, 4]);
    expect(chunks[0]).to.have.length(2 * small.length);
  });
});

describe('protocols of the peers', () => {
  it('gRPC: a field and a message as the format says', () => {
    expect([...bytesField(1, 'ab')]).to.deep.equal([0x0a, 2, 0x61, 0x62]);
    expect([...bytesField(2, 'x'.repeat(300)).subarray(0, 3)]).to.deep.equal([0x12, 0xac, 0x02]);
    expect([...framed(bytesField(1, 'a'), bytesField(2, 'b'))]).to.deep.equal([
      0, 0, 0, 0, 6, 0x0a, 1, 0x61, 0x12, 1, 0x62,
    ]);
  });

  it('memcached: answers come out however the text is cut, also when a value looks like one', () => {
    const text = 'STORED\r\nEND\r\nVALUE k 0 9\r\nEND\r\nab\r\n\r\nEND\r\nERROR\r\n';
    const expected = [
      ['STORED', undefined],
      ['END', undefined],
      ['END', 'END\r\nab\r\n'],
      ['ERROR', undefined],
    ];
    for (let cut = 1; cut <= text.length; cut++) {
      const answers: (string | undefined)[][] = [];
      const reader = new MemcachedReader((status, value) => answers.push([status, value]));
      for (let pos = 0; pos < text.length; pos += cut) reader.read(text.slice(pos, pos + cut));
      expect(answers).to.deep.equal(expected);
    }
  });
});
