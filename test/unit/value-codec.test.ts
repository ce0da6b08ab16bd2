import { decode as decodeOther, encode as encodeOther } from '@msgpack/msgpack';
import { expect } from 'chai';
import fc from 'fast-check';
import { Packr } from 'msgpackr';
import { deepStrictEqual } from 'node:assert/strict';
import { Buffer } from 'node:buffer';
import { runInNewContext } from 'node:vm';
import { MsgpackError, scanMsgpack } from '../../src/protocol/msgpack-scan.js';
import { decodeValue, encodeValue, valueDepthMax, type StoreValue } from '../../src/protocol/value-codec.js';
import { ValueError, ValueTooLargeError } from '../../src/protocol/value-error.js';

const packr = new Packr({
  useRecords: false,
  mapsAsObjects: true,
  variableMapSize: true,
  int64AsType: 'number',
  useToJSON: false,
});

function roundTrip(value: unknown): StoreValue {
  return decodeValue(encodeValue(value as StoreValue));
}

function expectRoundTrip(value: unknown): void {
  deepStrictEqual(roundTrip(value), value);
}

function refusalOf(value: unknown): string {
  try {
    encodeValue(value as StoreValue);
  } catch (error) {
    expect(error).to.be.instanceOf(ValueError);
    return (error as ValueError).message;
  }
  return expect.fail('it was stored');
}

/** `depth` containers inside one another. */
function nested(depth: number, wrap: (inner: unknown) => unknown): unknown {
  let value: unknown = 'inner';
  for (let i = 0; i < depth; i++) value = wrap(value);
  return value;
}

class Cart {
  items = 1;
}

const text = fc.oneof(
  fc.string({ unit: 'binary' }),
  fc.string({ unit: 'grapheme', minLength: 20, maxLength: 200, size: 'max' }),
  fc.constantFrom(
    '\ufeff',
    `\ufeff${'x'.repeat(100)}`,
    '\ufffd',
    '\u0000',
    '😀'.repeat(100),
    'é'.repeat(300),
  ),
);
const key = fc
  .oneof(
    text,
    fc.constantFrom('', 'constructor', 'prototype', 'toString', 'toJSON', '__defineGetter__', 'length', '0'),
  )
  .filter((name) => name !== '__proto__');
const { value: anyValue } = fc.letrec((tie) => ({
  value: fc.oneof(
    { maxDepth: 5, withCrossShrink: true },
    fc.oneof(
      text,
      fc.double(),
      fc.integer(),
      fc.maxSafeInteger(),
      fc.constantFrom(-0, NaN, Infinity, -Infinity, 2 ** 53, 2 ** 53 + 2, -(2 ** 63), 2 ** 64, 1e308, 5e-324),
      fc.boolean(),
      fc.constant(null),
      fc.uint8Array({ maxLength: 300, size: 'max' }),
    ),
    fc.array(tie('value'), { maxLength: 20 }),
    fc.dictionary(key, tie('value'), { maxKeys: 20, noNullPrototype: true }),
  ),
}));

describe('value codec', () => {
  describe('gives back what was stored', () => {
    it('for any value', () => {
      fc.assert(fc.property(anyValue, expectRoundTrip), { numRuns: 2000 });
    });

    it('for numbers at every edge, sign of zero included', () => {
      const edges = [0, 1, 31, 32, 127, 128, 255, 256, 32767, 32768, 65535, 65536, 2 ** 31, 2 ** 32, 2 ** 53];
      for (const edge of edges.flatMap((n) => [n - 1, n, n + 1, n + 0.5])) {
        expectRoundTrip(edge);
        expectRoundTrip(-edge);
        expectRoundTrip({ edge: [edge, -edge] });
      }
    });

    it('for strings and bytes at every change of form', () => {
      for (const length of [0, 1, 24, 25, 31, 32, 33, 48, 49, 255, 256, 65535, 65536, 300_000]) {
        for (const unit of ['a', 'é', '€', '\ufeff']) {
          expectRoundTrip(unit.repeat(length));
          expectRoundTrip([unit.repeat(length), 1]);
        }
        expectRoundTrip(new Uint8Array(length).fill(length));
        expectRoundTrip({ bytes: new Uint8Array(length).fill(length) });
      }
    });

    it('for arrays and objects at every change of form', () => {
      for (const size of [0, 1, 15, 16, 17, 65535, 65536, 70_000]) {
        expectRoundTrip(Array.from({ length: size }, (_, i) => i));
        expectRoundTrip(Object.fromEntries(Array.from({ length: size }, (_, i) => [`key-${i}`, i])));
      }
    });

    it('for keys that look alike, as text or as bytes', () => {
      expectRoundTrip([{ ab: 1 }, { ba: 1 }, { ab: 2 }]);
      for (let code = 0x80; code < 0x800; code++) {
        const name = String.fromCharCode(code);
        // The chars of one are the UTF-8 bytes of the other.
        expectRoundTrip({ [Buffer.from(name).toString('latin1')]: 1 });
        expectRoundTrip({ [name]: 2 });
      }
    });

    it('for the deepest nesting allowed', () => {
      expectRoundTrip(nested(valueDepthMax, (inner) => [inner]));
      expectRoundTrip(nested(valueDepthMax, (inner) => ({ inner })));
    });

    it('for the same object met twice', () => {
      const shared = { a: 1 };
      expectRoundTrip([shared, shared, { shared }]);
    });
  });

  it('gives ordinary objects for those without a prototype or of another realm', () => {
    const bare = Object.assign(Object.create(null) as object, { a: [Object.create(null)] });
    deepStrictEqual(roundTrip(bare), { a: [{}] });
    deepStrictEqual(roundTrip(runInNewContext('({ a: [1, { b: 2 }] })')), { a: [1, { b: 2 }] });
  });

  it('ignores properties that are not enumerable, and reads getters', () => {
    const value = Object.defineProperty(
      {
        get a() {
          return 1;
        },
      },
      'hidden',
      { value: new Date() },
    );
    deepStrictEqual(roundTrip(value), { a: 1 });
  });

  describe('bytes', () => {
    it('come back as a plain Uint8Array of their own, from a Buffer too', () => {
      for (const stored of [new Uint8Array([1, 2, 3]), Buffer.from([1, 2, 3]), new Uint8Array(100)]) {
        const encoded = encodeValue([stored, { stored }]);
        for (const input of [encoded, new Uint8Array(encoded)]) {
          const [first, { stored: second }] = decodeValue(input) as unknown as [
            Uint8Array,
            { stored: Uint8Array },
          ];
          for (const bytes of [first, second, roundTrip(stored) as Uint8Array]) {
            expect(Object.getPrototypeOf(bytes)).to.equal(Uint8Array.prototype);
            expect(bytes.buffer.byteLength).to.equal(bytes.length);
            deepStrictEqual(bytes, new Uint8Array(stored));
          }
        }
      }
    });

    it('are not tied to the buffer they were decoded from', () => {
      for (const value of [new Uint8Array([1, 2, 3]), [new Uint8Array([1, 2, 3])], 'text', { a: 'text' }]) {
        const network = Buffer.from(encodeValue(value));
        const decoded = decodeValue(network);
        network.fill(0);
        deepStrictEqual(decoded, value);
      }
    });

    it('are not tied to the array they were encoded from', () => {
      const bytes = new Uint8Array([1, 2, 3]);
      const encoded = [encodeValue(bytes), encodeValue([bytes])];
      bytes.fill(0);
      expect(encoded.map((each) => each.includes(Buffer.from([1, 2, 3])))).to.deep.equal([true, true]);
    });
  });

  describe('is ordinary msgpack', () => {
    it('that the scan accepts and two libraries read alike', () => {
      fc.assert(
        fc.property(anyValue, (value) => {
          const bytes = encodeValue(value as StoreValue);
          scanMsgpack(bytes, 0, bytes.length);
          deepStrictEqual(withoutBom(decodeOther(bytes)), withoutBom(value));
          deepStrictEqual(withoutBom(packr.unpack(Buffer.from(bytes))), withoutBom(value));
        }),
        { numRuns: 500 },
      );
    });

    /** Depending on length and add-ons the libraries drop a leading U+FEFF; and one gives a Buffer for bytes. */
    function withoutBom(value: unknown): unknown {
      return mapped(value, (leaf) => {
        if (typeof leaf === 'string') return leaf.replaceAll('\ufeff', '');
        return leaf instanceof Uint8Array ? new Uint8Array(leaf) : leaf;
      });
    }

    it('whoever wrote it', () => {
      fc.assert(
        fc.property(anyValue, (value) => {
          // Both libraries write -0 as 0.
          const unsigned = mapped(value, (leaf) => (leaf === 0 ? 0 : leaf));
          deepStrictEqual(decodeValue(encodeOther(unsigned)), unsigned);
          deepStrictEqual(decodeValue(packr.pack(unsigned)), unsigned);
        }),
        { numRuns: 500 },
      );
    });

    function mapped(value: unknown, change: (leaf: unknown) => unknown): unknown {
      if (Array.isArray(value)) return value.map((each) => mapped(each, change));
      if (typeof value !== 'object' || value === null || value instanceof Uint8Array) return change(value);
      const entries = Object.entries(value).map(
        ([name, each]) => [change(name), mapped(each, change)] as const,
      );
      return Object.fromEntries(entries as [string, unknown][]);
    }
  });

  describe('refuses, saying where and what to do', () => {
    const cyclic: Record<string, unknown> = { a: {} };
    cyclic['a'] = { again: [cyclic] };
    const ring: unknown[] = [];
    ring.push(1, ring);

    const refused: [what: string, value: unknown, message: string][] = [
      ['undefined', undefined, 'value: undefined cannot be stored; leave it out, or store null'],
      ['an undefined property', { a: { b: undefined } }, 'value.a.b: undefined cannot be stored'],
      ['an undefined item', [1, undefined], 'value[1]: undefined cannot be stored'],
      ['a hole', [1, [2, , 3]], 'value[1][1]: a hole in an array cannot be stored'], // eslint-disable-line no-sparse-arrays -- meant
      ['a function', { f: () => 1 }, 'value.f: a function cannot be stored'],
      ['a class', Cart, 'value: a function cannot be stored'],
      ['a symbol', [Symbol('x')], 'value[0]: a symbol cannot be stored'],
      ['a bigint', 1n, 'value: a bigint cannot be stored; store it as a string'],
      [
        'a Date',
        { items: [0, 0, 0, { price: new Date() }] },
        'value.items[3].price: a Date cannot be stored; store its ISO string or its milliseconds',
      ],
      ['a Map', new Map(), 'value: a Map cannot be stored; store Object.fromEntries'],
      ['a Set', [new Set()], 'value[0]: a Set cannot be stored; store [...it]'],
      ['a RegExp', /a/u, 'value: a RegExp cannot be stored'],
      ['an Error', new RangeError('x'), 'value: a RangeError cannot be stored'],
      ['a Promise', { p: Promise.resolve(1) }, 'value.p: a Promise cannot be stored; await it first'],
      [
        'an ArrayBuffer',
        new ArrayBuffer(1),
        'value: an ArrayBuffer cannot be stored; store a Uint8Array of it',
      ],
      [
        'another typed array',
        new Float64Array(1),
        'value: a Float64Array cannot be stored; store new Uint8Array(',
      ],
      ['a clamped array', new Uint8ClampedArray(1), 'value: a Uint8ClampedArray cannot be stored'],
      ['a DataView', new DataView(new ArrayBuffer(1)), 'value: a DataView cannot be stored'],
      ['what only looks like bytes', Object.create(Uint8Array.prototype), 'value: an instance of Uint8Array'],
      ['a class instance', { cart: new Cart() }, 'value.cart: an instance of Cart cannot be stored'],
      ['an instance of no named class', Object.create({}), 'value: an instance of Object cannot be stored'],
      ['a boxed string', new String('x'), 'value: an instance of String cannot be stored'],
      [
        'a subclass of Array',
        new (class List extends Array {})(),
        'value: an instance of List cannot be stored',
      ],
      [
        'a named property of an array',
        Object.assign([1], { index: 0 }),
        'value.index: a named property of an array',
      ],
      ['the result of a match', /b/.exec('abc'), 'value.index: a named property of an array'],
      ['a symbol key', { a: { [Symbol('tag')]: 1 } }, 'value.a: the symbol key Symbol(tag) cannot be stored'],
      [
        'a symbol key of an array',
        Object.assign([], { [Symbol('tag')]: 1 }),
        'value: the symbol key Symbol(tag)',
      ],
      ['an own __proto__', JSON.parse('{"a":{"__proto__":{}}}'), 'value.a.__proto__: the key __proto__'],
      ['a lone surrogate', 'a\ud800', 'value: a string with a lone surrogate cannot be stored'],
      [
        'a lone surrogate within',
        ['ok', `${'x'.repeat(99)}\udc00`],
        'value[1]: a string with a lone surrogate',
      ],
      [
        'a lone surrogate in a key',
        { '\ud83d': 1 },
        'value["\\ud83d"]: as a key, a string with a lone surrogate',
      ],
      ['a cycle', cyclic, 'a cycle cannot be stored'],
      ['a cycle of arrays', ring, 'value[1][1]'],
      [
        'too deep nesting',
        nested(valueDepthMax + 1, (inner) => [inner]),
        `${'[0]'.repeat(valueDepthMax)}: nesting deeper than ${valueDepthMax} cannot be stored`,
      ],
      ['a key that is no name', { 'a b': [undefined] }, 'value["a b"][0]: undefined'],
      ['a very long key', { ['k'.repeat(1000)]: undefined }, `value["${'k'.repeat(40)}..."]: undefined`],
    ];
    for (const [what, value, message] of refused) {
      it(what, () => {
        expect(refusalOf(value)).to.include(message);
      });
    }

    it('a cycle as a cycle, wherever it closes', () => {
      expect(refusalOf(ring)).to.include('a cycle cannot be stored');
      expect(refusalOf({ deep: nested(valueDepthMax - 5, () => [ring]) })).to.include(
        'a cycle cannot be stored',
      );
    });

    it('and still works afterwards', () => {
      refusalOf([1, 2, new Date()]);
      expectRoundTrip([1, 2, 3]);
    });
  });

  it('passes on what a getter throws, and lets a getter store values itself', () => {
    const failure = new Error('getter');
    const failing = {
      get a(): never {
        throw failure;
      },
    };
    expect(() => encodeValue([1, failing])).to.throw(failure);
    const inner: StoreValue[] = [];
    const storing = {
      before: 'b',
      get a(): number {
        inner.push(roundTrip({ inner: [1, 2, 3] }));
        return 1;
      },
      after: 'c',
    };
    deepStrictEqual(roundTrip(storing), { before: 'b', a: 1, after: 'c' });
    deepStrictEqual(inner, [{ inner: [1, 2, 3] }]);
  });

  it('gives up on a value beyond the limit, however it grows', () => {
    let doubling: StoreValue = 'x'.repeat(100);
    for (let i = 0; i < valueDepthMax; i++) doubling = [doubling, doubling];
    for (const value of ['x'.repeat(1001), new Uint8Array(1001), Array<number>(1001).fill(1), doubling]) {
      expect(() => encodeValue(value, 1000)).to.throw(ValueTooLargeError, '1000');
    }
    for (const value of ['x'.repeat(997), new Uint8Array(997), ['x'.repeat(996)]]) {
      expect(encodeValue(value, 1000)).to.have.lengthOf(1000);
      expect(() => encodeValue(value, 999)).to.throw(ValueTooLargeError);
    }
  });

  it('gives up before what is too long is copied, wherever it lies', () => {
    const bytes = Buffer.alloc(2 ** 27, 'x');
    const huge = bytes.toString('latin1');
    const before = process.memoryUsage();
    for (const value of [huge, bytes, { a: huge }, { a: bytes }, [['a', huge]], [[bytes]]]) {
      expect(() => encodeValue(value, 2 ** 20)).to.throw(ValueTooLargeError);
    }
    const { external, heapUsed } = process.memoryUsage();
    expect(external - before.external).to.be.below(2 ** 25);
    expect(heapUsed - before.heapUsed).to.be.below(2 ** 25);
    expect(() => encodeValue({ [huge]: 1 }, 2 ** 20)).to.throw(ValueTooLargeError);
    for (const value of [['x'.repeat(996)], [new Uint8Array(996)], { ['x'.repeat(994)]: 1 }]) {
      expect(encodeValue(value, 1000)).to.have.lengthOf.within(999, 1000);
    }
  });

  it('takes bytes as they are, whatever they say of themselves', () => {
    class Long extends Uint8Array {
      override get length(): number {
        return 200;
      }
    }
    const short = Object.defineProperty(Uint8Array.of(1, 2, 3), 'length', { value: 1 });
    for (const value of [new Long([1, 2, 3]), short]) {
      deepStrictEqual(roundTrip(value), Uint8Array.of(1, 2, 3));
      deepStrictEqual(roundTrip({ a: [value] }), { a: [Uint8Array.of(1, 2, 3)] });
    }
    for (const other of [new Float64Array(3), new DataView(new ArrayBuffer(3))]) {
      const posing = Object.setPrototypeOf(other, Uint8Array.prototype) as Uint8Array;
      expect(() => encodeValue(posing)).to.throw(ValueError);
      expect(() => encodeValue([posing])).to.throw(ValueError);
    }
  });

  describe('refuses bytes', () => {
    const refused: [what: string, hex: string][] = [
      ['that are none', ''],
      ['after the value', '0101'],
      ['after a string', 'a16161'],
      ['after binary', 'c4016161'],
      ['that end inside a string', 'a261'],
      ['that end inside binary', 'c40261'],
      ['whose text is not UTF-8', 'a2c0af'],
      ['whose long text is not UTF-8', `d980${'61'.repeat(127)}ff`],
      ['whose key is __proto__', '81a95f5f70726f746f5f5f80'],
      ['with an extension', 'd6ff00000000'],
      ['with an integer that no double equals', 'cf0020000000000001'],
      ['with a negative integer that no double equals', '91d3ffdfffffffffffff'],
      ['nested too deep', `${'91'.repeat(valueDepthMax + 1)}c0`],
    ];
    for (const [what, hex] of refused) {
      it(what, () => {
        expect(() => decodeValue(Buffer.from(hex, 'hex'))).to.throw(MsgpackError);
      });
    }
  });

  it('reads every form of a number', () => {
    const forms: [hex: string, value: number][] = [
      ['cc05', 5],
      ['cd0005', 5],
      ['ce00000005', 5],
      ['cf0000000000000005', 5],
      ['cf001fffffffffffff', 2 ** 53 - 1],
      ['d0fb', -5],
      ['d1fffb', -5],
      ['d2fffffffb', -5],
      ['d3fffffffffffffffb', -5],
      ['d3ffe0000000000001', -(2 ** 53) + 1],
      ['ca3fc00000', 1.5],
      ['fb', -5],
    ];
    for (const [hex, value] of forms) expect(decodeValue(Buffer.from(hex, 'hex')), hex).to.equal(value);
  });
});
