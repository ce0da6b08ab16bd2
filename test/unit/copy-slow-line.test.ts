import { expect } from 'chai';
import { CopyLine } from '../../src/node/core/copy-line.js';
import type { CountingLink } from '../../src/node/core/copy-line.js';
import { MessageType } from '../../src/protocol/messages.js';
import type { CopyMessage } from '../../src/protocol/messages.js';
import type { Connection } from '../../src/transport/connection.js';
import { Copying } from '../support/copying.js';
import { KeepingLink, NodeOnTable, self } from '../support/node-core.js';
import { getOf, Peers, Recorder, valueOf } from '../support/transport-peers.js';
import { until } from '../support/until.js';

const megabyte = 1_000_000;
/** Twenty megabits. */
const slowLine = 2.5 * megabyte;

describe('M5: a learner on a slow line', () => {
  it('asks for each batch once, keeps the line busy, and soon has no more under way than it carries in a second', () => {
    const what = { slots: 40, batchesPerSlot: 2, batchBytes: megabyte };
    const copying = new Copying({ ...what, lineBytesPerSecond: slowLine });
    copying.pass(10_000);
    copying.mostUnderWay = 0;
    copying.pass(24_000);
    expect(copying.mostUnderWay).to.be.within(1, 3);
    expect(copying.bytes).to.equal(80 * megabyte);
    expect(copying.filled).to.equal(40);
  });

  it('has several batches under way where they are small', () => {
    const what = { slots: 40, batchesPerSlot: 20, batchBytes: 30_000 };
    const copying = new Copying({ ...what, lineBytesPerSecond: slowLine });
    copying.pass(11_000);
    expect(copying.filled).to.equal(40);
    expect(copying.mostUnderWay).to.be.within(8, 32);
  });

  it('does not give up an answer that is longer on its way than the time-out, since bytes come in', () => {
    const other = new KeepingLink();
    const what = { slots: 1, batchesPerSlot: 3, batchBytes: 16 * megabyte, others: [3] };
    const copying = new Copying({ ...what, lineBytesPerSecond: slowLine });
    copying.node.peers.set(3, other);
    copying.pass(20_000);
    expect(copying.filled).to.equal(1);
    expect(copying.bytes).to.equal(48 * megabyte);
    expect(other.take(MessageType.copy)).to.deep.equal([]);
  });

  it('fills what is under way by bytes: with large values after many small ones it soon waits for each', () => {
    const line = new CopyLine();
    let nowMs = 0;
    /** Asks for as much as there is room for, and has it all answered. */
    const round = (bytes: number, msEach: number): number => {
      let asked = 0;
      for (; line.hasRoom && asked < 100; asked++) line.asked();
      const sentMs = nowMs;
      for (let i = 0; i < asked; i++) {
        line.answered(bytes, sentMs, (nowMs += msEach));
        line.ended();
      }
      return asked;
    };
    for (let i = 0; i < 20; i++) round(10_000, 0.1);
    expect(round(10_000, 0.1)).to.equal(100);
    round(megabyte, 400);
    for (let i = 0; i < 10; i++) round(megabyte, 400);
    expect(round(megabyte, 400)).to.equal(1);
  });
});

describe('M5: a source that is silent', () => {
  /** A learner of one slot, and the links to its replicas. */
  function learning(replicas: readonly number[]): { node: NodeOnTable; links: KeepingLink[] } {
    const node = new NodeOnTable();
    const links = replicas.map(() => new KeepingLink());
    replicas.forEach((id, i) => node.peers.set(id, links[i] ?? new KeepingLink()));
    node.map([{ replicas: [...replicas], learners: [self] }]);
    return { node, links };
  }
  const asked = (link: KeepingLink | undefined): CopyMessage[] => link?.take(MessageType.copy) ?? [];

  it('is given up after a second for another one, and what it sends then counts for nothing', () => {
    const { node, links } = learning([2, 3]);
    node.pass(20);
    const [first] = asked(links[0]);
    expect(first?.first).to.equal(true);
    node.pass(900);
    expect(asked(links[1])).to.deep.equal([]);
    node.pass(200);
    expect(asked(links[1]).map((message) => message.first)).to.deep.equal([true]);
    const late = { type: MessageType.copyBatch, rid: first?.rid ?? 0, entries: [], done: true } as const;
    node.core.onPeerMessage(2, late);
    node.pass(1000);
    expect(node.manager?.take(MessageType.copyDone)).to.deep.equal([]);
  });

  it('is not asked again where nobody else may be asked: what it sends at last counts', () => {
    const { node, links } = learning([2]);
    node.pass(20);
    const [first] = asked(links[0]);
    node.pass(20_000);
    expect(asked(links[0])).to.deep.equal([]);
    const late = { type: MessageType.copyBatch, rid: first?.rid ?? 0, entries: [], done: true } as const;
    node.core.onPeerMessage(2, late);
    node.pass(20);
    expect(node.manager?.take(MessageType.copyDone)).to.have.length(1);
  });

  it('that has lost the question is asked again after a minute', () => {
    const { node, links } = learning([2]);
    node.pass(20);
    expect(asked(links[0])).to.have.length(1);
    node.pass(61_000);
    expect(asked(links[0])).to.have.length(1);
  });

  it('is asked again at once on a new connection', () => {
    const { node, links } = learning([2]);
    node.pass(20);
    expect(asked(links[0])).to.have.length(1);
    const link = new KeepingLink();
    node.peers.set(2, link);
    node.pass(50);
    expect(asked(link)).to.have.length(1);
  });

  it('is given up at once when its connection has ended', () => {
    const { node, links } = learning([2, 3]);
    node.pass(20);
    expect(asked(links[0])).to.have.length(1);
    node.peers.delete(2);
    node.core.onPeerDown(2);
    node.pass(50);
    expect(asked(links[1])).to.have.length(1);
  });
});

describe('M5: what a learner sees of a line', () => {
  const peers = new Peers();
  afterEach(() => peers.close());

  it('a connection counts the bytes of a long answer', async () => {
    const server = new Recorder((connection, message) => {
      if (message.type === MessageType.get) connection.send(valueOf(message.rid, megabyte));
    });
    const { port } = await peers.listen(server);
    const client = new Recorder();
    const connection: Connection = await peers.dial(port, client);
    const link: Required<CountingLink> = connection;
    const before = link.bytesReceived;
    connection.send(getOf(1));
    await until(() => client.messages.length === 1);
    expect(link.bytesReceived - before).to.be.above(megabyte);
  });
});
