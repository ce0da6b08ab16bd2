// When a fence begins and ends at a node (PROTOCOL M4).
import { expect } from 'chai';
import { MessageType } from '../../src/protocol/messages.js';
import { NodeOnTable, self } from '../support/node-core.js';

const slots = [{ replicas: [self] }, { replicas: [self] }];

/** @returns whether each slot is served then */
function fence(node: NodeOnTable, epoch: number): boolean[] {
  node.core.onManagerMessage({ type: MessageType.fence, rid: 1, epoch, slots: [1] });
  return served(node);
}

function served({ core }: NodeOnTable): boolean[] {
  return slots.map((_, slot) => core.replica.serviceFault(slot) === -1);
}

describe('a fence', () => {
  it('M4: lasts until a map of its epoch, whatever comes before', () => {
    const node = new NodeOnTable();
    node.map(slots);
    expect(fence(node, 3)).to.deep.equal([true, false]);
    node.map(slots);
    expect(served(node), 'at epoch 2').to.deep.equal([true, false]);
    node.map(slots);
    expect(served(node), 'at epoch 3').to.deep.equal([true, true]);
  });

  it('M4: that comes behind the map of its epoch, which another node gave out, ends nothing, and is answered', () => {
    const node = new NodeOnTable();
    node.map(slots);
    node.map(slots);
    expect(fence(node, 2)).to.deep.equal([true, true]);
    expect(node.manager?.take(MessageType.fenceAck)).to.deep.equal([
      { type: MessageType.fenceAck, rid: 1, epoch: 2 },
    ]);
  });
});
