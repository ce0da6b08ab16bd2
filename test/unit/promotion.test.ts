import { expect } from 'chai';
import { MessageType, WriteKind } from '../../src/protocol/messages.js';
import { KeepingLink, NodeOnTable, self } from '../support/node-core.js';

const other = 2;

/** A learner of one slot that has taken a write which nobody validates. */
function learner(): { node: NodeOnTable; peer: KeepingLink } {
  const node = new NodeOnTable();
  const peer = new KeepingLink();
  node.peers.set(other, peer);
  node.map([{ replicas: [other], learners: [self], joinedAt: [1, 1] }]);
  const common = { rid: 1, epoch: 1, kind: WriteKind.plain, key: 'open', expiresAtMs: 0, applied: null };
  const version = { hlc: node.nowMs * 1000, clientId: 3, seq: 0, epoch: 0 };
  const client = new KeepingLink();
  node.core.onRequest(client, { type: MessageType.write, ...common, version, value: new Uint8Array(1) });
  expect(client.take(MessageType.ack)).to.have.length(1);
  return { node, peer };
}

function promote(node: NodeOnTable): void {
  node.map([{ replicas: [other, self], joinedAt: [1, 1] }]);
}

describe('R3: a learner that becomes full', () => {
  it('settles what has been INVALID since long before', () => {
    const { node, peer } = learner();
    node.pass(5000);
    expect(peer.take(MessageType.write)).to.have.length(0);
    promote(node);
    node.pass(1500);
    expect(peer.take(MessageType.write).map(({ key }) => key)).to.include('open');
  });

  it('does not look through the slot for it: there may be many slots, with millions of keys', () => {
    const { node } = learner();
    const { walk } = node.store;
    const walked: number[] = [];
    node.store.walk = (slot) => {
      walked.push(slot);
      return walk.call(node.store, slot);
    };
    promote(node);
    expect(walked.filter((slot) => slot === 0)).to.deep.equal([]);
  });
});
