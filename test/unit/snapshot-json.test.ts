// Values and keys as lines of JSON: everything comes back, and what is wrong is said with its line.
import { expect } from 'chai';
import fc from 'fast-check';
import { deepStrictEqual } from 'node:assert/strict';
import { type StoreValue, decodeValue, encodeValue } from '../../src/protocol/value-codec.js';
import { SnapshotError } from '../../src/snapshot/errors.js';
import { formatLine, parseLine, textLines } from '../../src/snapshot/json-lines.js';
import { type Json, fromJson, toJson } from '../../src/snapshot/json-value.js';
import { failureOf } from '../support/snapshot-files.js';

const text = fc.oneof(fc.string({ unit: 'binary' }), fc.constantFrom('', '\ufeff', '\u2028', '"\\\n', '💐'));
const name = fc
  .oneof(
    text,
    text.map((rest) => `$${rest}`),
    fc.constantFrom('$', '$$', '$bytes', '$$bytes', '$number', '$$$number', 'toJSON', 'constructor', '0'),
  )
  .filter((each) => each !== '__proto__');
const { value: anyValue } = fc.letrec<{ value: StoreValue }>((tie) => ({
  value: fc.oneof(
    { maxDepth: 5, withCrossShrink: true },
    fc.oneof(
      text,
      fc.double(),
      fc.maxSafeInteger(),
      fc.constantFrom(-0, NaN, Infinity, -Infinity, 2 ** 53 + 2, 5e-324, 1.7976931348623157e308),
      fc.boolean(),
      fc.constant(null),
      fc.uint8Array(),
      fc.constantFrom('NaN', '-0', 'aGk='),
    ),
    fc.array(tie('value')),
    fc.dictionary(name, tie('value'), { noNullPrototype: true }),
    fc.dictionary(fc.constantFrom('$bytes', '$number', '$$number'), tie('value'), {
      maxKeys: 1,
      noNullPrototype: true,
    }),
  ),
}));

describe('values as JSON', () => {
  it('any value comes back as it was', () => {
    fc.assert(
      fc.property(anyValue, (value) => {
        const line = JSON.stringify(toJson(value));
        expect(line).not.to.match(/\n/);
        deepStrictEqual(fromJson(JSON.parse(line) as Json), decodeValue(encodeValue(value)));
      }),
      { numRuns: 1000 },
    );
  });

  it('what JSON has is itself, what it has not is spelled out', () => {
    const cases: [value: StoreValue, json: string][] = [
      ['text', '"text"'],
      [{ a: [1.5, null, true] }, '{"a":[1.5,null,true]}'],
      [new Uint8Array([104, 105]), '{"$bytes":"aGk="}'],
      [Buffer.from([1]), '{"$bytes":"AQ=="}'],
      [
        [NaN, Infinity, -Infinity, -0],
        '[{"$number":"NaN"},{"$number":"Infinity"},{"$number":"-Infinity"},{"$number":"-0"}]',
      ],
      [{ $bytes: 'aGk=' }, '{"$$bytes":"aGk="}'],
      [{ $$x: 1, y$: 2 }, '{"$$$x":1,"y$":2}'],
    ];
    for (const [value, json] of cases) expect(JSON.stringify(toJson(value))).to.equal(json);
  });

  const refused: [json: string, why: RegExp][] = [
    ['{"$bytes":"aGk"}', /base64/],
    ['{"$bytes":7}', /base64/],
    ['{"$number":"nan"}', /one of NaN, Infinity, -Infinity, -0/],
    ['{"$number":1}', /one of NaN/],
    ['{"$number":"NaN","x":1}', /"\$number".*another \$/],
    ['{"a":{"$ref":1}}', /"\$ref".*another \$/],
    ['1e999', /too large/],
    ['['.repeat(100_000) + ']'.repeat(100_000), /nesting/],
  ];
  for (const [json, why] of refused) {
    it(`refuses ${json.slice(0, 30)}`, () => {
      expect(() => fromJson(JSON.parse(json) as Json)).to.throw(why);
    });
  }
});

describe('keys as lines', () => {
  it('key, value and expiry come back', () => {
    fc.assert(
      fc.property(
        text,
        anyValue,
        fc.option(fc.integer({ min: 0, max: 4e12 }), { nil: undefined }),
        (key, value, expiresAtMs) => {
          const line = formatLine({ key, value, expiresAtMs });
          deepStrictEqual(parseLine(line), { key, value: decodeValue(encodeValue(value)), expiresAtMs });
        },
      ),
    );
  });

  const refused: [line: string, why: RegExp][] = [
    ['{"key":"a"', /no JSON.*a line is/],
    ['[1]', /no object.*a line is/],
    ['null', /no object/],
    ['{"value":1}', /"key" must be a string/],
    ['{"key":7,"value":1}', /"key" must be a string/],
    ['{"key":"a"}', /"value" is missing/],
    ['{"key":"a","value":1,"ttl":5}', /"ttl" is unknown/],
    ['{"key":"a","value":1,"expiresAt":5}', /"expiresAt" must be a time/],
    ['{"key":"a","value":1,"expiresAt":"tomorrow"}', /"expiresAt" must be a time/],
    ['{"key":"a","value":1,"expiresAt":"2026-13-40T00:00:00Z"}', /"expiresAt" must be a time/],
  ];
  for (const [line, why] of refused) {
    it(`refuses ${line}`, () => {
      expect(() => parseLine(line)).to.throw(why);
    });
  }
});

describe('lines of a text', () => {
  async function linesOf(chunks: readonly (string | Uint8Array)[], bytesMax = 100): Promise<string[]> {
    async function* input(): AsyncGenerator<Uint8Array> {
      for (const chunk of chunks) yield Buffer.from(chunk);
    }
    const lines: string[] = [];
    for await (const { number, text: line } of textLines(input(), 'in', bytesMax))
      lines.push(`${number} ${line}`);
    return lines;
  }

  it('are the same however the text is cut, blank ones left out', async () => {
    const bytes = Buffer.from('\ufeffone\n\n  \nzwölf 💐\r\nlast');
    const expected = ['1 one', '4 zwölf 💐\r', '5 last'];
    for (let size = 1; size <= bytes.length; size++) {
      const chunks: Uint8Array[] = [];
      for (let at = 0; at < bytes.length; at += size) chunks.push(bytes.subarray(at, at + size));
      expect(await linesOf(chunks)).to.deep.equal(expected);
    }
    expect(await linesOf(['a\n'])).to.deep.equal(['1 a']);
    expect(await linesOf([])).to.deep.equal([]);
  });

  it('one that is too long is refused before it is read to its end', async () => {
    let read = 0;
    async function* endless(): AsyncGenerator<Uint8Array> {
      yield Buffer.from('short\n');
      for (;;) {
        read++;
        yield Buffer.from('x'.repeat(10));
      }
    }
    const walk = async (): Promise<void> => {
      for await (const line of textLines(endless(), 'in', 100)) expect(line.text).to.equal('short');
    };
    const error = await failureOf(walk());
    expect(error).to.be.instanceOf(SnapshotError);
    expect(error.message).to.match(/^in:2: it has more than 100 bytes/);
    expect(read).to.be.below(13);
  });

  it('one that is no UTF-8 is refused with its number', async () => {
    const error = await failureOf(linesOf(['a\nb\n', new Uint8Array([0xff, 0x0a])]));
    expect(error.message).to.equal('in:3: it is no UTF-8');
  });
});
