// Promises not to adopt a newer map (PROTOCOL M8), and that they are given back.
import { expect } from 'chai';
import { MessageType } from '../../src/protocol/messages.js';
import { KeepingLink, NodeOnTable, self } from '../support/node-core.js';

const leaseMs = 1000;
const other = 2;

/** A node whose manager is away, beside another one, and what a release would free. */
function deserted(): { node: NodeOnTable; link: KeepingLink; adopted: () => number } {
  const node = new NodeOnTable();
  const link = new KeepingLink();
  node.peers.set(other, link);
  node.map([{ replicas: [self, other] }]);
  node.pass(leaseMs / 2);
  return { node, link, adopted: () => node.core.membership.epoch };
}

function ask(
  node: NodeOnTable,
  link: KeepingLink,
  rid: number,
  epoch = node.core.membership.epoch,
): boolean | undefined {
  node.core.onRequest(link, { type: MessageType.promiseAsk, rid, nodeId: other, incarnation: 7, epoch });
  return link.take(MessageType.promise)[0]?.granted;
}

function release(node: NodeOnTable, link: KeepingLink, rid: number, incarnation = 7): void {
  node.core.onRequest(link, { type: MessageType.release, rid, nodeId: other, incarnation });
}

describe('promises of nodes', () => {
  it('M8: who has promised adopts a newer map when the promise is given back, and not before it ends otherwise', () => {
    for (const isReleased of [true, false]) {
      const { node, link, adopted } = deserted();
      const { manager } = node;
      node.manager = undefined;
      expect(ask(node, link, 5)).to.equal(true);
      node.manager = manager;
      node.map([{ replicas: [self] }]);
      expect(adopted(), 'while the promise lasts').to.equal(1);
      if (isReleased) release(node, link, 5);
      else node.pass(leaseMs);
      expect(adopted()).to.equal(2);
    }
  });

  it('M8: a release overtaken by a later question, or of another incarnation, frees nobody', () => {
    const { node, link, adopted } = deserted();
    const { manager } = node;
    node.manager = undefined;
    expect(ask(node, link, 5)).to.equal(true);
    expect(ask(node, link, 9)).to.equal(true);
    node.manager = manager;
    node.map([{ replicas: [self] }]);
    release(node, link, 5);
    release(node, link, 9, 6);
    expect(adopted()).to.equal(1);
    release(node, link, 9);
    expect(adopted()).to.equal(2);
  });

  it('M8: who holds a lease again, or waits for a newer map itself, gives back what it was promised and serves by it no more', () => {
    for (const isLeased of [true, false]) {
      const { node, link } = deserted();
      const { manager } = node;
      node.manager = undefined;
      node.pass(2 * leaseMs);
      const question = link.take(MessageType.promiseAsk).at(-1);
      const rid = question?.rid ?? -1;
      node.core.onPeerMessage(other, { type: MessageType.promise, rid, epoch: 1, granted: true });
      expect(node.core.lease.holds(0), 'by a promise').to.equal(true);
      expect(ask(node, link, 5)).to.equal(true);
      expect(link.take(MessageType.release)).to.deep.equal([]);
      node.manager = manager;
      if (isLeased) node.pass(leaseMs);
      else node.map([{ replicas: [self] }]);
      const released = link.take(MessageType.release);
      expect(released).to.deep.equal([{ type: MessageType.release, rid, nodeId: self, incarnation: 7 }]);
      expect(node.core.lease.holds(0)).to.equal(isLeased);
    }
  });

  it('M1, M8: whose host was suspended serves by nothing that was granted before, and gives promises back', () => {
    const { node, link } = deserted();
    const { manager } = node;
    node.manager = undefined;
    node.pass(2 * leaseMs);
    const rid = link.take(MessageType.promiseAsk).at(-1)?.rid ?? -1;
    node.core.onPeerMessage(other, { type: MessageType.promise, rid, epoch: 1, granted: true });
    node.core.lease.onSuspended();
    expect(link.take(MessageType.release).length).to.equal(1);

    node.manager = manager;
    node.pass(leaseMs);
    expect(node.core.lease.holds(0)).to.equal(true);
    // A lease of the next map, which comes after the host has slept.
    node.nowMs += leaseMs / 5;
    node.core.tick();
    const [heartbeat] = manager?.take(MessageType.heartbeat) ?? [];
    const granted = {
      type: MessageType.lease,
      rid: heartbeat?.rid ?? 0,
      epoch: 2,
      leaseMs,
      clockUs: 0,
    } as const;
    node.core.onManagerMessage(granted);
    node.core.lease.onSuspended();
    node.lease = () => undefined;
    node.map([{ replicas: [self, other] }]);
    expect(node.core.membership.epoch).to.equal(2);
    expect(node.core.lease.holds(0)).to.equal(false);
  });

  it('M8, W10: whose host was suspended serves by no promise before the manager has told the clock again', () => {
    const { node, link } = deserted();
    const { manager } = node;
    const promise = (): void => {
      const rid = link.take(MessageType.promiseAsk).at(-1)?.rid ?? -1;
      node.core.onPeerMessage(other, { type: MessageType.promise, rid, epoch: 1, granted: true });
    };
    node.manager = undefined;
    node.pass(2 * leaseMs);
    promise();
    expect(node.core.lease.holds(0)).to.equal(true);
    node.core.lease.onSuspended();
    node.pass(leaseMs / 2);
    promise();
    expect(node.core.lease.holds(0)).to.equal(false);
    node.manager = manager;
    node.pass(leaseMs);
    expect(node.core.lease.holds(0)).to.equal(true);
  });

  it('M8: who was out of reach is told of it when it is back', () => {
    const { node, link } = deserted();
    const { manager } = node;
    node.manager = undefined;
    node.pass(leaseMs);
    node.peers.delete(other);
    node.manager = manager;
    node.pass(leaseMs / 2);
    expect(link.take(MessageType.release)).to.deep.equal([]);
    const again = new KeepingLink();
    node.peers.set(other, again);
    node.pass(10);
    expect(again.take(MessageType.release)).to.have.length(1);
    node.pass(leaseMs);
    expect(again.take(MessageType.release)).to.deep.equal([]);
  });

  it('M8: who hears the manager, or has a newer map waiting, promises nothing', () => {
    const { node, link } = deserted();
    const { manager } = node;
    expect(ask(node, link, 5), 'beside the manager').to.equal(false);
    node.manager = undefined;
    expect(ask(node, link, 6)).to.equal(true);
    node.manager = manager;
    node.map([{ replicas: [self] }]);
    node.manager = undefined;
    expect(node.core.membership.epoch, 'the map waits').to.equal(1);
    expect(ask(node, link, 7)).to.equal(false);
  });

  it('M8: nobody promises anything to a node of another epoch, nor relies on one of another epoch', () => {
    const { node, link } = deserted();
    node.manager = undefined;
    for (const epoch of [0, 2]) expect(ask(node, link, 5, epoch), `epoch ${epoch}`).to.equal(false);
    node.pass(2 * leaseMs);
    const rid = link.take(MessageType.promiseAsk).at(-1)?.rid ?? -1;
    node.core.onPeerMessage(other, { type: MessageType.promise, rid, epoch: 2, granted: true });
    expect(node.core.lease.holds(0)).to.equal(false);
  });

  it('M8: a promise counts in the epoch in which it was made: the member may be in another life in the next', () => {
    for (const isEarly of [true, false]) {
      const { node, link } = deserted();
      node.manager = undefined;
      node.pass(2 * leaseMs);
      const rid = link.take(MessageType.promiseAsk).at(-1)?.rid ?? -1;
      const promise = { type: MessageType.promise, rid, epoch: 1, granted: true } as const;
      if (isEarly) node.core.onPeerMessage(other, promise);
      expect(node.core.lease.holds(0)).to.equal(isEarly);
      node.map([{ replicas: [self, other] }]);
      if (!isEarly) node.core.onPeerMessage(other, promise);
      expect(node.core.membership.epoch).to.equal(2);
      expect(node.core.lease.holds(0), isEarly ? 'it came before' : 'it came late').to.equal(false);
    }
  });

  it('M8: a question that comes behind a later one does not let that one be released by its own', () => {
    const { node, link, adopted } = deserted();
    const { manager } = node;
    node.manager = undefined;
    expect(ask(node, link, 9)).to.equal(true);
    expect(ask(node, link, 5)).to.equal(true);
    node.manager = manager;
    node.map([{ replicas: [self] }]);
    release(node, link, 5);
    expect(adopted()).to.equal(1);
    release(node, link, 9);
    expect(adopted()).to.equal(2);
  });

  it('M8: a promise outlasts the life of who made it', () => {
    const { node, link, adopted } = deserted();
    const { manager } = node;
    node.manager = undefined;
    expect(ask(node, link, 5)).to.equal(true);
    node.manager = manager;
    node.core.onManagerMessage({ type: MessageType.removed, incarnation: 7, epoch: 2 });
    node.map([{ replicas: [other], learners: [self] }], {}, 8);
    expect(node.core.membership.incarnation).to.equal(8);
    expect(adopted()).to.equal(1);
    release(node, link, 5);
    expect(adopted()).to.equal(2);
  });
});
