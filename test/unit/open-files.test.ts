// A process that has accepted as many connections as it may still has descriptors for its files and its own connections.
import { expect } from 'chai';
import { expectEnoughFiles } from '../../src/cli/enough-files.js';
import { UsageError } from '../../src/cli/exit.js';
import { connectionsAllowed, filesAllowed } from '../../src/transport/open-files.js';

function limits(files: string): string {
  return [
    'Limit                     Soft Limit           Hard Limit           Units',
    'Max processes             63432                63432                processes',
    `Max open files            ${files.padEnd(20)} 1048576              files`,
    'Max locked memory         unlimited            unlimited            bytes',
    '',
  ].join('\n');
}

describe('connections that a process may accept', () => {
  it('leave descriptors for all else, of a small limit a third', () => {
    expect(['64', '300', '1024', '1048576'].map((files) => connectionsAllowed(limits(files)))).to.deep.equal([
      42, 200, 896, 1_048_448,
    ]);
  });

  it('are not bounded so where the system sets no limit, or tells none', () => {
    expect(connectionsAllowed(limits('unlimited'))).to.equal(Infinity);
    expect(connectionsAllowed('')).to.equal(Infinity);
  });

  it('are bounded by the limit of this very process', function () {
    if (process.platform !== 'linux') this.skip();
    expect(connectionsAllowed()).to.be.within(1, 2 ** 31);
  });

  it('with too few of them a node is not begun, in one line', () => {
    expect(() => {
      expectEnoughFiles(filesAllowed(limits('95')));
    }).to.throw(UsageError, /^no more than 95 files may be open here, and a node needs 96: .*ulimit -n$/);
    expectEnoughFiles(filesAllowed(limits('96')));
    expectEnoughFiles(filesAllowed(''));
  });
});
