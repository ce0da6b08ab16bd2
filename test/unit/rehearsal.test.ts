import { expect } from 'chai';
import { NodeServer } from '../../src/node/node-server.js';
import { rehearse } from '../../src/node/rehearsal.js';

describe('the rehearsal of a node', () => {
  it('goes through writes, reads and a move, to its end: the other server has what it was given', async () => {
    // As long as it takes: how busy the machine is, is not the question here.
    const { fault, keysGiven } = await rehearse((options) => new NodeServer(options), 20_000);
    expect(fault).to.equal(null);
    expect(keysGiven).to.be.within(24, 48);
  });
});
