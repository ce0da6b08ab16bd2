// Much that waits for a disk is no want of room on it: writes wait for their turn, and none is refused for good.
import { expect } from 'chai';
import { Outcome } from '../../src/client/core/operation.js';
import { noJournal } from '../../src/node/core/journal.js';
import { ArenaStore } from '../../src/node/storage/arena-store.js';
import { MessageType, RefusedReason, WriteKind } from '../../src/protocol/messages.js';
import { versionZero } from '../../src/protocol/version.js';
import { ClientOnTable } from '../support/client-core.js';
import { KeepingLink, NodeOnTable, self } from '../support/node-core.js';

const value = new Uint8Array([1]);

describe('D4: a node for whose disk much waits', () => {
  const journal = { ...noJournal, isCrowded: false, isOverfull: false };
  let stage: NodeOnTable;
  let client: KeepingLink;
  let rid = 0;

  beforeEach(() => {
    Object.assign(journal, { isCrowded: false, isOverfull: false });
    stage = new NodeOnTable({ store: new ArenaStore(), journal });
    client = new KeepingLink();
    stage.peers.set(2, new KeepingLink());
    stage.map([{ replicas: [self, 2] }]);
    stage.pass(50);
  });

  /** @returns why it is refused; null: it is taken */
  function write(kind: WriteKind, bytes: Uint8Array | null): RefusedReason | null {
    const version = { ...versionZero, hlc: stage.nowMs * 1000 + ++rid, clientId: 9 };
    const { epoch } = stage.core.membership;
    const entry = { version, key: 'k', value: bytes, expiresAtMs: 0, applied: null };
    stage.core.onRequest(client, { type: MessageType.write, rid, epoch, kind, ...entry });
    const [refused] = client.take(MessageType.refused);
    expect(client.take(MessageType.ack).length).to.equal(refused === undefined ? 1 : 0);
    return refused?.reason ?? null;
  }

  it('has puts and deletes tried again, takes what settles others, and that has a limit, too', () => {
    const { plain, replay } = WriteKind;
    const all = (): (RefusedReason | null)[] => [
      write(plain, value),
      write(plain, null),
      write(replay, value),
    ];
    expect(all()).to.deep.equal([null, null, null]);
    journal.isCrowded = true;
    const { queueFull } = RefusedReason;
    expect(all()).to.deep.equal([queueFull, queueFull, null]);
    journal.isOverfull = true;
    expect(all()).to.deep.equal([queueFull, queueFull, queueFull]);
  });

  it('has conditional writes tried again before anything is stored', () => {
    journal.isCrowded = true;
    const condition = { opClientId: 5, opNumber: 1, retried: false, wants: 0, expectAbsent: true };
    const entry = { expected: { ...versionZero }, key: 'k', value, expiresAtMs: 0 };
    const { epoch } = stage.core.membership;
    stage.core.onRequest(client, { type: MessageType.condition, rid: 70, epoch, ...condition, ...entry });
    const [refused] = client.take(MessageType.refused);
    expect(refused?.reason).to.equal(RefusedReason.queueFull);
    expect(stage.store.keys).to.equal(0);
  });

  it('tells nobody that it has no room', () => {
    journal.isCrowded = true;
    stage.pass(500);
    expect(stage.peers.get(2)?.take(MessageType.room)).to.deep.equal([]);
  });
});

describe('a client one of whose nodes has too much that waits for its disk', () => {
  const replicas = [4, 2, 5];
  let table: ClientOnTable;
  beforeEach(() => {
    table = new ClientOnTable(replicas);
  });
  const sent = (): number => table.links.get(4)?.take(MessageType.write).length ?? 0;

  it('gives it no write for a moment, then tries again, until the write is done', () => {
    const operation = table.core.put('k', value, 0, 5000, null);
    const refusedRid = operation?.rid ?? 0;
    for (const id of [4, 2]) table.core.onNodeMessage(id, { type: MessageType.ack, rid: refusedRid });
    const refused = { type: MessageType.refused, rid: refusedRid, reason: RefusedReason.queueFull } as const;
    table.core.onNodeMessage(5, refused);
    expect(operation?.outcome).to.equal(Outcome.pending);
    expect(sent()).to.equal(1);
    table.core.put('newcomer', value, 0, 5000, null);
    for (let ms = 0; ms < 90; ms += 10) {
      table.nowMs += 10;
      table.core.tick();
    }
    expect(sent()).to.equal(0);
    table.core.get('k', false, 5000, null);
    expect(table.links.get(4)?.take(MessageType.get)).to.have.lengthOf(1);
    for (let ms = 0; ms < 300; ms += 10) {
      table.nowMs += 10;
      table.core.tick();
    }
    expect(sent()).to.equal(2);
    const { rid = 0 } = operation ?? {};
    for (const id of replicas) table.core.onNodeMessage(id, { type: MessageType.ack, rid });
    expect(operation?.outcome).to.equal(Outcome.done);
  });
});
