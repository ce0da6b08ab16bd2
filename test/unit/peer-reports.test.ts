// Whom a node takes for out of reach, and reports, and for whom it waits (PROTOCOL M2, RMW4).
import { expect } from 'chai';
import { noRecord } from '../../src/node/core/store.js';
import { ConditionStatus, FencedReason, MessageType, WriteKind } from '../../src/protocol/messages.js';
import { versionZero } from '../../src/protocol/version.js';
import { KeepingLink, NodeOnTable, putIfAbsent, self } from '../support/node-core.js';

const answerMsMax = 250;
const askAfterMs = 70;

describe('M2: a node that drives a write which nobody answers', () => {
  let stage: NodeOnTable;
  let writeRid: number;
  const client = new KeepingLink();

  beforeEach(() => {
    stage = new NodeOnTable();
    client.sent = [];
    for (const id of [2, 3]) stage.peers.set(id, new KeepingLink());
    stage.map([{ replicas: [self, 2, 3] }]);
    stage.pass(1000);
    putNew('a');
    writeRid = stage.peers.get(2)?.take(MessageType.write)[0]?.rid ?? 0;
    expect(writeRid).to.be.greaterThan(0);
  });

  /** A client writes that key on the condition that it is not there. */
  function putNew(key: string): void {
    const { epoch } = stage.core.membership;
    const entry = { expected: { ...versionZero }, key, value: new Uint8Array([1]), expiresAtMs: 0 };
    stage.core.onRequest(client, { type: MessageType.condition, rid: 3, epoch, ...putIfAbsent, ...entry });
  }

  /** Of the conditional writes that were begun, and of replays, at node 2. */
  function begun(kind: WriteKind): string[] {
    const writes = stage.peers.get(2)?.take(MessageType.write) ?? [];
    return writes.filter((write) => write.kind === kind).map(({ key }) => key);
  }

  function reported(): number[] {
    return stage.manager?.take(MessageType.report).map(({ nodeId }) => nodeId) ?? [];
  }

  function standStill(forMs: number): void {
    stage.nowMs += forMs;
    stage.core.tick();
    stage.lease();
  }

  /** The peers say that they are there. */
  function answerProbes(): void {
    for (const [id, peer] of stage.peers) {
      for (const { rid } of peer.take(MessageType.probe)) {
        stage.core.onPeerMessage(id, { type: MessageType.probeAck, rid });
      }
    }
  }

  it('reports who does not answer in time, neither the write nor whether it is there', () => {
    stage.pass(askAfterMs + answerMsMax - 10);
    expect(reported()).to.deep.equal([]);
    stage.pass(20);
    expect(reported()).to.deep.equal([2, 3]);
  });

  it('reports it again and again, until something is heard of it', () => {
    stage.pass(answerMsMax + 520);
    expect(reported().filter((id) => id === 2).length).to.be.greaterThan(4);
    answerProbes();
    stage.pass(100);
    expect(reported()).to.deep.equal([]);
  });

  it('reports nobody whose disk is slow, and waits for it: they say that they are there', () => {
    stage.pass(2000, answerProbes);
    expect(reported()).to.deep.equal([]);
    expect(client.take(MessageType.conditionResult)).to.deep.equal([]);
    for (const id of [2, 3]) stage.core.onPeerMessage(id, { type: MessageType.ack, rid: writeRid });
    expect(client.take(MessageType.conditionResult).map(({ status }) => status)).to.deep.equal([
      ConditionStatus.applied,
    ]);
  });

  it('asks one at a time whether it is there', () => {
    stage.pass(1500);
    expect(stage.peers.get(2)?.take(MessageType.probe).length).to.equal(1);
  });

  it('asks again as long as the write is late, but not with every tick', () => {
    let asked = 0;
    stage.pass(1000, () => {
      asked += stage.peers.get(2)?.sent.filter(({ type }) => type === MessageType.probe).length ?? 0;
      answerProbes();
    });
    expect(asked).to.be.within(4, 8);
  });

  it('gives up a write that somebody leaves unanswered for seconds, and does not report him: he is there', () => {
    stage.pass(4900, answerProbes);
    expect(client.take(MessageType.conditionResult).length).to.equal(0);
    stage.pass(200, answerProbes);
    expect(client.take(MessageType.conditionResult).length).to.equal(1);
    expect(reported()).to.deep.equal([]);
  });

  it('reports nobody because of the time for which it stood still itself', () => {
    standStill(answerMsMax * 3);
    stage.pass(answerMsMax);
    expect(reported()).to.deep.equal([]);
    stage.pass(40);
    expect(reported()).to.deep.equal([2, 3]);
  });

  it('reports the silent although it stands still again and again', () => {
    for (let i = 0; i < 8; i++) standStill(answerMsMax * 0.6);
    expect(reported()).to.include.members([2, 3]);
  });

  it('reports nobody because of seconds for which it stood still itself', () => {
    standStill(6000);
    stage.pass(200);
    expect(reported()).to.deep.equal([]);
  });

  it('reports at once, and goes on, when a connection ends', () => {
    const link = stage.peers.get(2);
    stage.peers.delete(2);
    stage.core.onPeerDown(2);
    stage.pass(400);
    expect(reported().filter((id) => id === 2).length).to.be.within(4, 6);
    if (link !== undefined) stage.peers.set(2, link);
    stage.pass(150);
    expect(reported()).not.to.include(2);
  });

  it('forgets what it asked of a former life of a member', () => {
    stage.pass(answerMsMax);
    const map = stage.core.membership.map?.toData();
    if (map === undefined) throw new Error('there is no map');
    const nodes = map.nodes.map((node) => (node.id === 2 ? { ...node, incarnation: 8 } : node));
    const next = { ...map, epoch: map.epoch + 1, nodes };
    stage.core.onManagerMessage({ type: MessageType.map, rid: 0, map: next });
    stage.pass(2 * askAfterMs);
    expect(reported()).to.include(3).and.not.to.include(2);
  });

  it('begins no other while somebody is out of reach, which would leave its key INVALID; the next one once he is heard', () => {
    stage.pass(askAfterMs + answerMsMax + 20);
    client.sent = [];
    putNew('b');
    expect(client.take(MessageType.fenced).map(({ reason }) => reason)).to.deep.equal([
      FencedReason.memberUnreachable,
    ]);
    expect(stage.store.get(0, 'b')).to.equal(noRecord);
    expect(begun(WriteKind.conditional)).to.deep.equal([]);
    answerProbes();
    putNew('b');
    expect(begun(WriteKind.conditional)).to.deep.equal(['b']);
    expect(client.sent).to.deep.equal([]);
  });

  it('replays what came to nothing once all are heard again, and not before', () => {
    stage.pass(askAfterMs + answerMsMax + 20);
    begun(WriteKind.replay);
    stage.pass(3000);
    expect(begun(WriteKind.replay)).to.deep.equal([]);
    answerProbes();
    stage.pass(1000, answerProbes);
    expect(begun(WriteKind.replay)).to.include('a');
  });

  it('begins another as soon as the connection that had ended is up again', () => {
    const link = stage.peers.get(2);
    stage.peers.delete(2);
    stage.core.onPeerDown(2);
    stage.pass(400);
    if (link !== undefined) stage.peers.set(2, link);
    for (const id of [2, 3]) stage.core.onPeerMessage(id, { type: MessageType.probeAck, rid: 1 });
    begun(WriteKind.conditional);
    putNew('b');
    expect(begun(WriteKind.conditional)).to.deep.equal(['b']);
  });
});
