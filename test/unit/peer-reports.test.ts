// A node that stood still takes nobody's silence for more than its own absence (PROTOCOL M2, RMW4).
import { expect } from 'chai';
import { MessageType } from '../../src/protocol/messages.js';
import { versionZero } from '../../src/protocol/version.js';
import { KeepingLink, NodeOnTable, self } from '../support/node-core.js';

const answerMsMax = 250;

describe('M2: a node that drives a write which nobody answers', () => {
  let stage: NodeOnTable;
  const client = new KeepingLink();

  beforeEach(() => {
    stage = new NodeOnTable();
    for (const id of [2, 3]) stage.peers.set(id, new KeepingLink());
    stage.map([{ replicas: [self, 2, 3] }]);
    stage.pass(1000);
    const condition = { opClientId: 5, opNumber: 1, retried: false, wantValue: false, expectAbsent: true };
    const { epoch } = stage.core.membership;
    const entry = { expected: { ...versionZero }, key: 'a', value: new Uint8Array([1]), expiresAtMs: 0 };
    stage.core.onRequest(client, { type: MessageType.condition, rid: 3, epoch, ...condition, ...entry });
    expect(stage.peers.get(2)?.take(MessageType.write).length).to.equal(1);
  });

  function reported(): number[] {
    return stage.manager?.take(MessageType.report).map(({ nodeId }) => nodeId) ?? [];
  }

  function standStill(forMs: number): void {
    stage.nowMs += forMs;
    stage.core.tick();
    stage.lease();
  }

  it('reports who does not answer in time', () => {
    stage.pass(answerMsMax + 10);
    expect(reported()).to.deep.equal([2, 3]);
  });

  it('reports nobody because of the time for which it stood still itself', () => {
    standStill(answerMsMax * 3);
    stage.pass(answerMsMax - 20);
    expect(reported()).to.deep.equal([]);
    stage.pass(40);
    expect(reported()).to.deep.equal([2, 3]);
  });

  it('reports the silent although it stands still again and again', () => {
    for (let i = 0; i < 4; i++) standStill(answerMsMax * 0.6);
    expect(reported()).to.include.members([2, 3]);
  });
});
