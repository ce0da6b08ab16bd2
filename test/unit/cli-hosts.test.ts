// What may follow --host: every address at once, however it is written, is known for what it is.
import { expect } from 'chai';
import { isAnyAddress, resolveHost } from '../../src/cli/hosts.js';
import { failureOf } from '../support/snapshot-files.js';

describe('--host', () => {
  for (const host of ['0.0.0.0', '::', '::0', '0:0:0:0:0:0:0:0', '::ffff:0.0.0.0', '0', '0x0']) {
    it(`${host} is every address`, async () => {
      expect(isAnyAddress(await resolveHost('--host', host))).to.equal(true);
    });
  }

  for (const host of ['127.0.0.1', '::1', '192.0.2.1', '::ffff:127.0.0.1']) {
    it(`${host} is one`, async () => {
      expect(isAnyAddress(await resolveHost('--host', host))).to.equal(false);
    });
  }

  it('nothing is no host', async () => {
    expect((await failureOf(resolveHost('--host', ''))).message).to.match(/^--host must be .* not empty$/);
  });
});
