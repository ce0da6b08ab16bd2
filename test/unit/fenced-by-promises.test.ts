import { expect } from 'chai';
import { FencedReason, MessageType } from '../../src/protocol/messages.js';
import { KeepingLink, NodeOnTable, self } from '../support/node-core.js';

describe('M4, M8: a node that is fenced, whose manager has gone before the map came', () => {
  it('serves on while all other members promise not to adopt that map, and not beside a manager', () => {
    const leaseMs = 1000;
    const other = 2;
    const node = new NodeOnTable();
    const link = new KeepingLink();
    node.peers.set(other, link);
    node.map([{ replicas: [self, other] }]);
    node.pass(leaseMs / 2);
    node.core.onManagerMessage({ type: MessageType.fence, rid: 1, epoch: 2, slots: [0] });
    const { manager } = node;
    const fault = (): number => node.core.replica.serviceFault(0);
    expect(fault()).to.equal(FencedReason.leaving);
    node.manager = undefined;
    node.pass(2 * leaseMs);
    expect(fault()).to.equal(FencedReason.leaving);
    const rid = link.take(MessageType.promiseAsk).at(-1)?.rid ?? -1;
    node.core.onPeerMessage(other, { type: MessageType.promise, rid, epoch: 1, granted: true });
    expect(fault()).to.equal(-1);
    node.manager = manager;
    node.pass(leaseMs);
    expect(node.core.lease.holds(0), 'a lease').to.equal(true);
    expect(fault()).to.equal(FencedReason.leaving);
  });
});
