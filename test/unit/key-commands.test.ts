// What `gtstore get` prints of a value.
import { expect } from 'chai';
import { formatEntry } from '../../src/cli/key-commands.js';
import type { StoreValue } from '../../src/client/index.js';

const version = { hlc: 1, clientId: 2, seq: 3, epoch: 4 };

describe('what gtstore get prints', () => {
  for (const [value, text, json] of [
    ['as it is', 'as it is', '"as it is"'],
    [7, '7', '7'],
    [null, 'null', 'null'],
    // What JSON has not.
    [Infinity, '{"$number":"Infinity"}', '{"$number":"Infinity"}'],
    [NaN, '{"$number":"NaN"}', '{"$number":"NaN"}'],
    [-0, '{"$number":"-0"}', '{"$number":"-0"}'],
    [{ a: [-Infinity], $b: 1 }, '{"a":[{"$number":"-Infinity"}],"$$b":1}', undefined],
    [[new Uint8Array([104, 105])], '[{"$bytes":"aGk="}]', undefined],
  ] as readonly (readonly [StoreValue, string, string | undefined])[])
    it(text, async () => {
      expect(await formatEntry({ value, version }, false)).to.equal(`${text}\n`);
      const document = `{"value":${json ?? text},"version":${JSON.stringify(version)}}\n`;
      expect(await formatEntry({ value, version }, true)).to.equal(document);
    });

  it('bytes as they are, and nothing else', async () => {
    const value = new Uint8Array([0, 255]);
    expect(await formatEntry({ value, version }, false)).to.equal(value);
    expect(await formatEntry({ value, version }, true)).to.match(/^\{"value":\{"\$bytes":"AP8="\},/);
  });
});
