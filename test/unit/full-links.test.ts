// Back-pressure: what waits for one peer is bounded, and whoever would exceed it waits instead of losing the connection.
import { expect } from 'chai';
import { noWants, Outcome } from '../../src/client/core/operation.js';
import type { Operation } from '../../src/client/core/operation.js';
import { FencedReason, MessageType, RefusedReason } from '../../src/protocol/messages.js';
import { ClientOnTable } from '../support/client-core.js';
import { KeepingLink, NodeOnTable, self } from '../support/node-core.js';

const replicas = [4, 2, 5];
const value = Buffer.from([1]);

function sentTo(table: ClientOnTable): number[] {
  return replicas.map((id) => table.links.get(id)?.sent.length ?? 0);
}

describe('a client with a connection that is full', () => {
  let table: ClientOnTable;
  let manager: KeepingLink;
  beforeEach(() => {
    table = new ClientOnTable(replicas);
    manager = table.manager = new KeepingLink();
  });

  it('sends a put to none of its members before there is room at all of them, and reports nobody', () => {
    table.fill(5);
    table.fill(2);
    const operation = table.core.put('k', value, 0, 5000, null);
    expect(sentTo(table)).to.deep.equal([0, 0, 0]);
    table.fill(2, false);
    table.core.onRoom();
    expect(sentTo(table)).to.deep.equal([0, 0, 0]);
    table.fill(5, false);
    table.core.onRoom();
    expect(sentTo(table)).to.deep.equal([1, 1, 1]);
    const { rid = 0 } = operation ?? {};
    for (const id of replicas) table.core.onNodeMessage(id, { type: MessageType.ack, rid });
    expect(operation?.outcome).to.equal(Outcome.done);
    expect(manager.take(MessageType.report)).to.deep.equal([]);
  });

  it('asks the manager for nothing because of that', () => {
    table.fill(5);
    for (let n = 0; n < 10; n++) table.core.put(`k-${n}`, value, 0, 5000, null);
    table.nowMs += 300;
    table.core.tick();
    expect(manager.sent).to.deep.equal([]);
  });

  it('gives everybody a turn while there is room for a few at a time, and newcomers all the while', () => {
    table.fill(4);
    const early = Array.from({ length: 6 }, (_, n) => `early-${n}`);
    for (const key of early) table.core.put(key, value, 0, 5000, null);
    const sent: string[] = [];
    for (let turn = 0; turn < 5; turn++) {
      let room = 2;
      table.fill(4, false);
      table.onSend = () => {
        if (--room === 0) table.fill(4);
      };
      table.core.onRoom();
      for (const { rid, key } of table.links.get(4)?.take(MessageType.write) ?? []) {
        sent.push(key);
        for (const id of replicas) table.core.onNodeMessage(id, { type: MessageType.ack, rid });
        // In the place that was just left.
        table.core.put(`late-${sent.length}`, value, 0, 5000, null);
      }
    }
    expect(sent).to.include.members(early);
  });

  it('tells the caller of a put that has waited for too long that it is not applied', () => {
    table.fill(5);
    const operation = table.core.put('k', value, 0, 5000, null);
    table.nowMs = 6000;
    table.core.tick();
    expect(operation?.outcome).to.equal(Outcome.timedOut);
  });

  it('waits with a conditional write while it is that to the primary', () => {
    table.fill(4);
    table.core.putIf('k', null, value, 0, noWants, 5000, null);
    expect(sentTo(table)).to.deep.equal([0, 0, 0]);
    table.fill(4, false);
    table.core.onRoom();
    expect(sentTo(table)).to.deep.equal([1, 0, 0]);
  });

  it('reads from another replica, and waits if all are', () => {
    table.fill(4);
    table.core.get('k', false, 5000, null);
    expect(sentTo(table)).to.deep.equal([0, 1, 0]);
    for (const id of replicas) table.fill(id);
    table.core.get('k', false, 5000, null);
    expect(sentTo(table)).to.deep.equal([0, 1, 0]);
    table.fill(5, false);
    table.core.onRoom();
    expect(sentTo(table)).to.deep.equal([0, 1, 1]);
  });
});

describe('a node with a connection to another one that is full', () => {
  const other = 2;
  let stage: NodeOnTable;
  let peer: KeepingLink;
  const key = 'k';
  const version = { hlc: 1_000_000_000, clientId: 3, seq: 0, epoch: 0 };
  beforeEach(() => {
    stage = new NodeOnTable();
    peer = new KeepingLink();
    stage.peers.set(other, peer);
    stage.map([{ replicas: [self, other] }]);
    peer.isFull = true;
  });

  it('R3: replays no write before there is room', () => {
    const plain = { kind: 0, applied: null, expiresAtMs: 0, value } as const;
    const { epoch } = stage.core.membership;
    stage.core.onRequest(new KeepingLink(), {
      type: MessageType.write,
      rid: 1,
      epoch,
      key,
      version,
      ...plain,
    });
    stage.core.onRequest(new KeepingLink(), { type: MessageType.get, rid: 2, versionOnly: false, key });
    stage.pass(200);
    expect(peer.take(MessageType.write)).to.deep.equal([]);
    peer.isFull = false;
    stage.pass(1000);
    expect(peer.take(MessageType.write)).not.to.deep.equal([]);
  });

  it('RMW3: begins no conditional write', () => {
    const client = new KeepingLink();
    stage.core.onRequest(client, {
      type: MessageType.condition,
      rid: 3,
      epoch: stage.core.membership.epoch,
      opClientId: 5,
      opNumber: 1,
      retried: false,
      wants: 0,
      expectAbsent: true,
      expected: version,
      key,
      value,
      expiresAtMs: 0,
    });
    expect(client.take(MessageType.fenced).map(({ reason }) => reason)).to.deep.equal([
      FencedReason.memberUnreachable,
    ]);
    expect(stage.store.keys).to.equal(0);
  });
});

describe('an answer that comes too late', () => {
  const begun = (operation: Operation | undefined): Operation => {
    if (operation === undefined) throw new Error('the table is full');
    return operation;
  };
  const valueOf = (rid: number): Parameters<ClientOnTable['core']['onNodeMessage']>[1] => ({
    type: MessageType.value,
    rid,
    present: true,
    version: { hlc: 1, clientId: 1, seq: 0, epoch: 0 },
    value,
  });

  it('is not taken from a node that has answered, or was not asked: whatever the answer', () => {
    const table = new ClientOnTable(replicas);
    const operation = begun(table.core.put('k', value, 0, 5000, null));
    const { rid } = operation;
    const stranger = 77;
    table.core.onNodeMessage(stranger, { type: MessageType.ack, rid });
    expect(operation.fullAcked).to.equal(false);
    table.core.onNodeMessage(2, { type: MessageType.ack, rid });
    table.core.onNodeMessage(2, { type: MessageType.fenced, rid, epoch: 1, reason: FencedReason.oldEpoch });
    table.core.onNodeMessage(stranger, { type: MessageType.refused, rid, reason: RefusedReason.diskFull });
    for (const id of [4, 5]) table.core.onNodeMessage(id, { type: MessageType.ack, rid });
    expect(operation.outcome).to.equal(Outcome.done);
  });

  it('is not taken from a node that was not asked', () => {
    const table = new ClientOnTable(replicas);
    const operation = begun(table.core.get('k', false, 5000, null));
    table.core.onNodeMessage(2, valueOf(operation.rid));
    expect(operation.outcome).to.equal(Outcome.pending);
    table.core.onNodeMessage(4, valueOf(operation.rid));
    expect(operation.outcome).to.equal(Outcome.done);
  });

  it('meets no other operation: a place that was given up before its answer is used again last', () => {
    const table = new ClientOnTable(replicas);
    const places = (): number => {
      const operation = begun(table.core.get('k', false, 1e9, null));
      const { index } = operation;
      table.core.onNodeMessage(4, valueOf(operation.rid));
      return index;
    };
    const usual = places();
    expect(places()).to.equal(usual);
    const late = begun(table.core.put('k', value, 0, 1e9, null));
    expect(late.index).to.equal(usual);
    table.core.giveUp(late);
    const next = places();
    expect(next).not.to.equal(usual);
    expect(places()).to.equal(next);
  });

  it('nor after a read that was tried elsewhere because of it', () => {
    const table = new ClientOnTable(replicas);
    const slow = begun(table.core.get('k', false, 1e9, null));
    table.nowMs += 400;
    table.core.tick();
    table.nowMs += 100;
    table.core.tick();
    expect(table.links.get(2)?.take(MessageType.get)).to.have.length(1);
    table.core.onNodeMessage(2, valueOf(slow.rid));
    expect(slow.outcome).to.equal(Outcome.done);
    expect(begun(table.core.get('k', false, 1e9, null)).index).not.to.equal(slow.index);
  });
});
