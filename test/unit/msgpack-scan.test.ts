import { decode as decodeOther, encode as encodeOther } from '@msgpack/msgpack';
import { expect } from 'chai';
import fc from 'fast-check';
import { Packr } from 'msgpackr';
import { deepStrictEqual } from 'node:assert/strict';
import { Buffer } from 'node:buffer';
import {
  MsgpackError,
  scanDepthMax,
  scanMsgpack,
  type ScanOptions,
} from '../../src/protocol/msgpack-scan.js';
import { decodeValue, encodeValue, type StoreValue } from '../../src/protocol/value-codec.js';

const plainPackr = new Packr({
  useRecords: false,
  mapsAsObjects: true,
  variableMapSize: true,
  int64AsType: 'number',
});
/** Everything this library can do, for hostile input that is nearly right. */
const generousPackr = new Packr({ moreTypes: true, structuredClone: true });

function scan(bytes: Uint8Array, options?: ScanOptions): void {
  scanMsgpack(bytes, 0, bytes.length, options);
}

function accepts(bytes: Uint8Array): boolean {
  try {
    scan(bytes);
    return true;
  } catch (error) {
    if (!(error instanceof MsgpackError)) throw error;
    return false;
  }
}

const hex = (text: string): Buffer => Buffer.from(text.replaceAll(' ', ''), 'hex');

/** Containers inside one another: `depth` times the head, then one item that closes all. */
function nested(head: string, depth: number): Buffer {
  return hex(`${head.repeat(depth)}c0`);
}

/** Bytes of whichever class as Uint8Array; throws at a prototype that is not ordinary. */
function plain(value: unknown): unknown {
  if (value instanceof Uint8Array) return new Uint8Array(value);
  if (typeof value !== 'object' || value === null) return value;
  if (Array.isArray(value)) {
    expect(Object.getPrototypeOf(value)).to.equal(Array.prototype);
    return value.map(plain);
  }
  expect(Object.getPrototypeOf(value)).to.equal(Object.prototype);
  return Object.fromEntries(Object.entries(value).map(([key, each]) => [key, plain(each)]));
}

describe('scanMsgpack', () => {
  const { value: plainData } = fc.letrec((tie) => ({
    value: fc.oneof(
      { maxDepth: 5, withCrossShrink: true },
      fc.oneof(
        fc.string({ unit: 'binary' }),
        fc.string({ minLength: 20, maxLength: 300, size: 'max' }),
        fc.double(),
        fc.integer(),
        fc.maxSafeInteger(),
        fc.boolean(),
        fc.constant(null),
        fc.uint8Array(),
      ),
      fc.array(tie('value'), { maxLength: 20 }),
      fc.dictionary(
        fc.string({ unit: 'binary' }).filter((key) => key !== '__proto__'),
        tie('value'),
        { maxKeys: 20, noNullPrototype: true },
      ),
    ),
  }));

  it('accepts what two libraries make of plain data', () => {
    fc.assert(
      fc.property(plainData, (value) => {
        scan(plainPackr.pack(value));
        scan(encodeOther(value));
      }),
      { numRuns: 500 },
    );
  });

  it('refuses every proper prefix, and any byte after the value', () => {
    fc.assert(
      fc.property(plainData, (value) => {
        const bytes = encodeOther(value);
        for (let length = 0; length < Math.min(bytes.length, 300); length++) {
          expect(accepts(bytes.subarray(0, length))).to.equal(false);
        }
        expect(accepts(Buffer.concat([bytes, Buffer.from([0])]))).to.equal(false);
      }),
    );
  });

  it('looks only at its range', () => {
    const bytes = hex('c1 92 01 02 c1');
    scanMsgpack(bytes, 1, 4);
    for (const [start, end] of [
      [0, 4],
      [1, 5],
      [1, 3],
      [1, 1],
      [-1, 4],
      [1, 6],
      [4, 1],
    ] as const) {
      expect(() => scanMsgpack(bytes, start, end)).to.throw(MsgpackError);
    }
  });

  const refused: [what: string, bytes: string, reason: string, offset: number][] = [
    ['no bytes', '', 'the bytes end', 0],
    ['the never-used byte', '91 c1', 'never-used', 1],
    ['a fixext', 'd4 01 00', 'extension', 0],
    ['a timestamp 32', 'd6 ff 00000000', 'extension', 0],
    ['a timestamp 64', 'd7 ff 0000000000000000', 'extension', 0],
    ['a timestamp 96', 'c7 0c ff 000000000000000000000000', 'extension', 0],
    ['a record of msgpackr', '91 d4 72 40 91 a1 61 01', 'extension', 1],
    ['an empty ext 8', 'c7 00 01', 'extension', 0],
    ['an ext 32', 'c9 00000001 01 00', 'extension', 0],
    ['a str longer than the bytes', 'db ffffffff 61', '4294967295 bytes declared, 1 left', 0],
    ['a bin longer than the bytes', '91 c6 00000002 61', '2 bytes declared, 1 left', 1],
    ['a length cut short', 'da 00', 'the bytes end', 2],
    ['an integer cut short', 'cf 00000000', 'the bytes end', 5],
    ['a float cut short', 'cb 00000000', 'the bytes end', 5],
    ['an array of more items than bytes', 'dd ffffffff c0 c0', '4294967295 items declared', 0],
    ['a map of more entries than pairs of bytes', 'df ffffffff a1 61', '4294967295 items declared', 0],
    ['a map without its last value', '82 a1 61 01 a1 62', 'the bytes end', 6],
    ['a value short', '92 92 01 02', 'the bytes end', 4],
    ['a number as a key', '81 01 01', 'not a string', 1],
    ['nil as a key', '81 c0 01', 'not a string', 1],
    ['binary as a key', '81 c4 01 61 01', 'not a string', 1],
    ['an array as a key', '81 90 01', 'not a string', 1],
    ['a map as a key', '81 80 01', 'not a string', 1],
    ['a number as the second key', '82 a1 61 01 01 01', 'not a string', 4],
    ['__proto__ as a key', '81 a9 5f5f70726f746f5f5f 01', '__proto__', 1],
    ['__proto__ as a key in its longest form', '81 db 00000009 5f5f70726f746f5f5f 80', '__proto__', 1],
    ['__proto__ as a key deep inside', '91 82 a1 61 90 a9 5f5f70726f746f5f5f 01', '__proto__', 5],
    ['a stray continuation byte', 'a1 80', 'UTF-8', 0],
    ['an overlong form', 'a2 c0af', 'UTF-8', 0],
    ['a surrogate in UTF-8', 'a3 eda080', 'UTF-8', 0],
    ['a code point above U+10FFFF', 'a4 f4908080', 'UTF-8', 0],
    ['a sequence cut short', 'a3 61 e282', 'UTF-8', 0],
    ['a key that is not UTF-8', '81 a1 ff 01', 'UTF-8', 1],
    ['bad UTF-8 at the end of long text', `d9 80 ${'61'.repeat(127)} ff`, 'UTF-8', 0],
  ];
  for (const [what, bytes, reason, offset] of refused) {
    it(`refuses ${what}`, () => {
      expect(() => {
        scan(hex(bytes));
      })
        .to.throw(MsgpackError, reason)
        .with.property('offset', offset);
    });
  }

  it('accepts __proto__ as a value, and as keys the other names that objects inherit', () => {
    scan(
      encodeOther([
        '__proto__',
        { a: '__proto__', constructor: 1, prototype: 2, toString: 3, __proto_: 4, '': 5 },
      ]),
    );
  });

  it('bounds depth by its option, arrays and maps alike', () => {
    for (const head of ['91', 'dc0001', 'dd00000001', '81a161', 'de0001a161']) {
      scan(nested(head, scanDepthMax));
      expect(() => {
        scan(nested(head, scanDepthMax + 1));
      }).to.throw(MsgpackError, 'nesting deeper than 32');
      scan(nested(head, 1000), { depthMax: 1000 });
      expect(() => {
        scan(nested(head, 3), { depthMax: 2 });
      }).to.throw(MsgpackError, 'nesting deeper than 2');
    }
    expect(() => {
      scan(hex('90'), { depthMax: 0 });
    }).to.throw(MsgpackError);
  });

  it('does not recurse on hostile depth', () => {
    const depth = 1_000_000;
    const bytes = Buffer.alloc(depth + 1, 0x91);
    bytes[depth] = 0xc0;
    expect(() => {
      scan(bytes);
    }).to.throw(MsgpackError);
    scan(bytes, { depthMax: depth });
  });

  it('bounds the number of items by its option', () => {
    const bytes = encodeOther([1, { a: 2 }, []]);
    scan(bytes, { itemsMax: 6 });
    expect(() => {
      scan(bytes, { itemsMax: 5 });
    }).to.throw(MsgpackError, 'more than 5 items');
  });

  it('keeps no state from a scan that failed', () => {
    expect(accepts(hex('93 92 91'))).to.equal(false);
    scan(hex('92 91 01 02'));
  });
});

describe('hostile bytes', () => {
  /** mulberry32: the same bytes in every run. */
  function randomFrom(seed: number): (below: number) => number {
    let state = seed;
    return (below) => {
      state = (state + 0x6d2b79f5) | 0;
      let t = Math.imul(state ^ (state >>> 15), state | 1);
      t ^= t + Math.imul(t ^ (t >>> 7), t | 61);
      return ((t ^ (t >>> 14)) >>> 0) % below;
    };
  }

  const item = { id: 7, name: 'café', price: 2.55, tags: ['a', 'b'], raw: new Uint8Array(5) };
  const samples: Buffer[] = [
    ...[
      item,
      [item, item],
      'text',
      'x'.repeat(200),
      'é'.repeat(80),
      new Uint8Array(70),
      1e10,
      -5,
      null,
      [],
      {},
    ],
    ...[
      { constructor: { prototype: { a: 1 } }, toString: '' },
      [[[[[[]]]]]],
      Array.from({ length: 40 }, (_, i) => i),
    ],
  ].map((value) => encodeValue(value as StoreValue));
  samples.push(
    ...[item, [item, item, item], new Date(0), new Map([[1, 2]]), new Set([1]), /a/u, 10n, undefined].map(
      (value) => Buffer.from(generousPackr.pack([value])),
    ),
    hex('81 a9 5f5f70726f746f5f5f 81 a1 61 01'),
  );

  it('are either refused or decoded to what the libraries see, whatever is done to them', () => {
    const random = randomFrom(20_240_229);
    let accepted = 0;
    for (let i = 0; i < 100_000; i++) {
      const bytes = i % 4 === 0 ? randomBytes(random) : mutated(samples[random(samples.length)]!, random);
      const value = decodedOrError(bytes);
      if (!accepts(bytes)) {
        expect(value).to.be.instanceOf(MsgpackError);
        continue;
      }
      accepted++;
      // Neither library throws or makes anything but plain data of what the scan accepts.
      plain(plainPackr.unpack(Buffer.from(bytes)));
      const seen = plain(decodeOther(bytes));
      if (value instanceof MsgpackError) {
        expect(value.reason).to.equal('an integer beyond 2^53 - 1');
        continue;
      }
      deepStrictEqual(value, seen);
      deepStrictEqual(decodeValue(encodeValue(value)), value);
    }
    expect(accepted).to.be.within(5_000, 50_000);
  });

  function decodedOrError(bytes: Buffer): StoreValue | MsgpackError {
    try {
      return decodeValue(bytes);
    } catch (error) {
      if (error instanceof MsgpackError) return error;
      throw error;
    }
  }

  function randomBytes(random: (below: number) => number): Buffer {
    return Buffer.from(Array.from({ length: random(24) }, () => random(256)));
  }

  function mutated(sample: Buffer, random: (below: number) => number): Buffer {
    let bytes = Buffer.from(sample);
    for (let changes = 1 + random(3); changes > 0 && bytes.length > 0; changes--) {
      const at = random(bytes.length);
      const head = Buffer.from([0xc0 + random(0x40)]);
      switch (random(5)) {
        case 0:
          bytes[at] = random(256);
          break;
        case 1:
          bytes[at] = bytes[at]! ^ (1 << random(8));
          break;
        case 2:
          bytes = bytes.subarray(0, at);
          break;
        case 3:
          bytes = Buffer.concat([bytes.subarray(0, at), head, bytes.subarray(at)]);
          break;
        default:
          bytes = Buffer.concat([bytes.subarray(0, at), bytes.subarray(at + 1)]);
      }
    }
    return bytes;
  }
});
