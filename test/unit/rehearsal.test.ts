import { expect } from 'chai';
import { rehearse } from '../../src/node/rehearsal.js';

describe('the rehearsal of a node', () => {
  it('goes through writes, reads and moves: one store gives all it has to the other', () => {
    const [given, taken] = rehearse();
    expect(given).to.equal(0);
    expect(taken).to.be.greaterThan(100);
  });
});
