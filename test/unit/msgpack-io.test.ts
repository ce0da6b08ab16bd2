import { decode as decodeOther } from '@msgpack/msgpack';
import { expect } from 'chai';
import fc from 'fast-check';
import { Unpackr } from 'msgpackr';
import { Buffer } from 'node:buffer';
import { MsgpackReader } from '../../src/protocol/msgpack-reader.js';
import { MsgpackError, scanMsgpack } from '../../src/protocol/msgpack-scan.js';
import { MsgpackWriter } from '../../src/protocol/msgpack-writer.js';

const unpackr = new Unpackr({ useRecords: false, mapsAsObjects: true, int64AsType: 'number' });

function written(write: (writer: MsgpackWriter) => void): Buffer {
  const writer = new MsgpackWriter(1);
  write(writer);
  return Buffer.from(writer.buf.subarray(0, writer.pos));
}

function readerOf(bytes: Uint8Array): MsgpackReader {
  const reader = new MsgpackReader();
  // Something on both sides that a read across the bounds would pick up.
  reader.reset(Buffer.concat([Buffer.from([1, 1, 1]), bytes, Buffer.from([1, 1, 1])]), 3, 3 + bytes.length);
  return reader;
}

/** What two independent libraries make of the bytes; they must agree. */
function decoded(bytes: Buffer): unknown {
  scanMsgpack(bytes, 0, bytes.length);
  const other = decodeOther(bytes);
  const one: unknown = unpackr.unpack(Buffer.from(bytes));
  expect(plain(one)).to.deep.equal(plain(other));
  return plain(other);
}

/** Bytes of either library as one type. */
function plain(value: unknown): unknown {
  if (value instanceof Uint8Array) return new Uint8Array(value);
  return Array.isArray(value) ? value.map(plain) : value;
}

const edges = [0, 31, 32, 127, 128, 255, 256, 32767, 32768, 65535, 65536, 2 ** 31, 2 ** 32, 2 ** 53 - 1]
  .flatMap((n) => [n - 1, n, n + 1])
  .filter((n) => n >= 0 && Number.isSafeInteger(n));
const anyUint = fc.oneof(fc.constantFrom(...edges), fc.maxSafeNat());
const anyNumber = fc.oneof(
  fc.double(),
  anyUint,
  anyUint.map((n) => -n),
  fc.constantFrom(-0, NaN, Infinity, -Infinity, 2 ** 53, -(2 ** 53), 2 ** 63, 2 ** 64, 1e300, 0.1, -32.5),
);
/** A string whose char codes are bytes, of lengths around each change of form. */
const anyBytes = fc.oneof(
  fc.uint8Array({ maxLength: 40 }),
  fc.constantFrom(31, 32, 33, 255, 256, 65535, 65536).map((length) => new Uint8Array(length).fill(0xe9)),
);

describe('MsgpackWriter and MsgpackReader', () => {
  it('agree on every unsigned integer, with each other and with two libraries', () => {
    fc.assert(
      fc.property(anyUint, (n) => {
        const bytes = written((writer) => writer.uint(n));
        expect(decoded(bytes)).to.equal(n);
        const reader = readerOf(bytes);
        expect(reader.uint()).to.equal(n);
        reader.done();
      }),
      { numRuns: 1000 },
    );
  });

  it('write the smallest form of an integer', () => {
    const lengths = [0, 127, 128, 255, 256, 65535, 65536, 2 ** 32 - 1, 2 ** 32, 2 ** 53 - 1].map(
      (n) => written((writer) => writer.uint(n)).length,
    );
    expect(lengths).to.deep.equal([1, 1, 2, 2, 3, 3, 5, 5, 9, 9]);
    const negative = [-1, -32, -33, -128, -129, -32768, -32769, -(2 ** 31), -(2 ** 31) - 1].map(
      (n) => written((writer) => writer.number(n)).length,
    );
    expect(negative).to.deep.equal([1, 1, 2, 2, 3, 3, 5, 5, 9]);
  });

  it('write any double exactly', () => {
    fc.assert(
      fc.property(anyNumber, (n) => {
        expect(Object.is(decoded(written((writer) => writer.number(n))), n)).to.equal(true);
      }),
      { numRuns: 2000 },
    );
  });

  it('refuse to write what is not an unsigned integer, and write nothing', () => {
    const writer = new MsgpackWriter();
    for (const n of [-1, 0.5, NaN, Infinity, 2 ** 53]) {
      expect(() => writer.uint(n)).to.throw(MsgpackError);
      expect(writer.pos).to.equal(0);
    }
  });

  it('read every msgpack form of an unsigned integer', () => {
    const forms = ['05', 'cc05', 'cd0005', 'ce00000005', 'cf0000000000000005'];
    forms.push('d005', 'd10005', 'd200000005', 'd30000000000000005');
    for (const form of forms) expect(readerOf(Buffer.from(form, 'hex')).uint(), form).to.equal(5);
    expect(readerOf(Buffer.from('cf001fffffffffffff', 'hex')).uint()).to.equal(2 ** 53 - 1);
  });

  it('refuse to read an integer that is negative or beyond 2^53 - 1', () => {
    const forms = ['ff', 'd0ff', 'd1ffff', 'd2ffffffff', 'd3ffffffffffffffff', 'cf0020000000000000'];
    for (const form of forms)
      expect(() => readerOf(Buffer.from(form, 'hex')).uint(), form).to.throw(MsgpackError);
  });

  it('round-trip key bytes, which libraries read as the same UTF-8 text', () => {
    fc.assert(
      fc.property(
        fc.oneof(fc.string({ unit: 'binary', maxLength: 60 }), fc.constant('é'.repeat(40_000))),
        (text) => {
          const keyBytes = Buffer.from(text, 'utf8').toString('latin1');
          const bytes = written((writer) => writer.latin1Str(keyBytes));
          expect(unpackr.unpack(Buffer.from(bytes))).to.equal(text);
          const reader = readerOf(bytes);
          expect(reader.latin1Str(100_000)).to.equal(keyBytes);
          reader.done();
        },
      ),
    );
  });

  it('refuse key bytes with a char that is no byte', () => {
    const writer = new MsgpackWriter();
    for (const text of ['ā', `${'x'.repeat(100)}ā`]) {
      expect(() => writer.latin1Str(text)).to.throw(MsgpackError);
      expect(writer.pos).to.equal(0);
    }
  });

  it('hold key bytes to the limit', () => {
    const bytes = written((writer) => writer.latin1Str('x'.repeat(250)));
    expect(readerOf(bytes).latin1Str(250)).to.have.lengthOf(250);
    expect(() => readerOf(bytes).latin1Str(249)).to.throw(MsgpackError, 'the limit is 249');
  });

  it('write any well-formed text as UTF-8, and nothing for a lone surrogate', () => {
    fc.assert(
      fc.property(fc.string({ unit: 'binary', maxLength: 80 }), (text) => {
        const bytes = written((writer) => expect(writer.tryStr(text)).to.equal(true));
        scanMsgpack(bytes, 0, bytes.length);
        expect(unpackr.unpack(bytes)).to.equal(text);
      }),
    );
    for (const text of ['\ud800', 'a\udc00b', `${'x'.repeat(50)}\ud83d`]) {
      expect(written((writer) => expect(writer.tryStr(text)).to.equal(false))).to.have.lengthOf(0);
    }
  });

  it('round-trip binary', () => {
    fc.assert(
      fc.property(anyBytes, (payload) => {
        const bytes = written((writer) => writer.bin(payload));
        expect(decoded(bytes)).to.deep.equal(payload);
        const reader = readerOf(bytes);
        expect(new Uint8Array(reader.bin())).to.deep.equal(payload);
        reader.done();
      }),
    );
  });

  it('lend binary as a view of the frame', () => {
    const reader = readerOf(written((writer) => writer.bin(Buffer.from('abc'))));
    expect(reader.bin().buffer).to.equal(reader.buf.buffer);
  });

  it('round-trip a whole message', () => {
    const item = fc.oneof(
      anyUint,
      fc.boolean(),
      fc.constant(null),
      fc.string({ unit: 'grapheme-ascii' }),
      anyBytes,
    );
    fc.assert(
      fc.property(fc.array(item, { maxLength: 40 }), (items) => {
        const bytes = written((writer) => {
          writer.array(items.length);
          for (const each of items) {
            if (typeof each === 'number') writer.uint(each);
            else if (typeof each === 'boolean') writer.bool(each);
            else if (typeof each === 'string') writer.latin1Str(each);
            else if (each === null) writer.nil();
            else writer.bin(each);
          }
        });
        expect(decoded(bytes)).to.deep.equal(items);
        const reader = readerOf(bytes);
        expect(reader.array()).to.equal(items.length);
        for (const each of items) {
          if (typeof each === 'number') expect(reader.uint()).to.equal(each);
          else if (typeof each === 'boolean') expect(reader.bool()).to.equal(each);
          else if (typeof each === 'string') expect(reader.latin1Str(1000)).to.equal(each);
          else if (each === null) expect([reader.isNil(), reader.tryNil()]).to.deep.equal([true, true]);
          else expect(new Uint8Array(reader.bin())).to.deep.equal(each);
        }
        reader.done();
      }),
    );
  });

  it('write arrays and maps of every length', () => {
    for (const count of [0, 1, 15, 16, 65535, 65536]) {
      const array = written((writer) => {
        writer.array(count);
        for (let i = 0; i < count; i++) writer.nil();
      });
      expect(decoded(array)).to.have.lengthOf(count);
      expect(readerOf(array).array()).to.equal(count);
      const map = written((writer) => {
        writer.map(count);
        for (let i = 0; i < count; i++) {
          writer.tryStr(`k${i}`);
          writer.nil();
        }
      });
      scanMsgpack(map, 0, map.length);
      expect(Object.keys(decodeOther(map) as object)).to.have.lengthOf(count);
    }
  });

  it('write over the same buffer after a reset', () => {
    const writer = new MsgpackWriter();
    writer.uint(1);
    const before = writer.buf;
    writer.reset();
    writer.uint(2);
    expect(writer.buf).to.equal(before);
    expect([...writer.buf.subarray(0, writer.pos)]).to.deep.equal([2]);
  });

  it('at least double a buffer that must grow', () => {
    const writer = new MsgpackWriter(16);
    const buffers = new Set<Buffer>();
    for (let i = 0; i < 10_000; i++) {
      writer.uint(1000);
      buffers.add(writer.buf);
    }
    expect(buffers.size).to.be.below(15);
    expect(writer.buf.length).to.be.at.most(2 * 30_009);
  });

  describe('on bytes that are not what was expected', () => {
    const reads: [string, (reader: MsgpackReader) => unknown][] = [
      ['uint', (reader) => reader.uint()],
      ['bool', (reader) => reader.bool()],
      ['bin', (reader) => reader.bin()],
      ['latin1Str', (reader) => reader.latin1Str(1000)],
      ['array', (reader) => reader.array()],
    ];

    for (const [name, read] of reads) {
      it(`${name} throws or stays inside the frame, on all heads and lengths`, () => {
        for (let token = 0; token < 256; token++) {
          for (let length = 0; length <= 12; length++) {
            for (const fill of [0x00, 0x01, 0x7f, 0xff]) {
              const bytes = Buffer.alloc(length, fill);
              if (length > 0) bytes[0] = token;
              const reader = readerOf(bytes);
              try {
                read(reader);
                expect(reader.pos).to.be.at.most(reader.end);
              } catch (error) {
                expect(error).to.be.instanceOf(MsgpackError);
              }
            }
          }
        }
      });
    }

    it('an array count above the bytes left is refused', () => {
      expect(() => readerOf(Buffer.from([0xdd, 0xff, 0xff, 0xff, 0xff, 1])).array()).to.throw(MsgpackError);
      expect(() => readerOf(Buffer.from([0x92, 1])).array()).to.throw(MsgpackError);
    });

    it('nil is not seen past the end', () => {
      const reader = new MsgpackReader();
      reader.reset(Buffer.from([0xc0]), 0, 0);
      expect([reader.isNil(), reader.tryNil()]).to.deep.equal([false, false]);
    });

    it('bytes that remain are refused', () => {
      const reader = readerOf(Buffer.from([1, 2]));
      reader.uint();
      expect(() => reader.done()).to.throw(MsgpackError, '1 bytes too many');
    });

    it('a range outside the buffer is refused', () => {
      for (const [start, end] of [
        [0, 3],
        [-1, 1],
        [2, 1],
        [NaN, 1],
      ] as const) {
        expect(() => new MsgpackReader().reset(Buffer.alloc(2), start, end)).to.throw(MsgpackError);
      }
    });
  });
});
