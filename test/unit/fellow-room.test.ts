// A slot takes new values only while all of its members have room for them (PROTOCOL D4).
import { expect } from 'chai';
import { noJournal } from '../../src/node/core/journal.js';
import { ArenaStore } from '../../src/node/storage/arena-store.js';
import { ProtocolError } from '../../src/protocol/errors.js';
import { MessageType, RefusedReason, WriteKind } from '../../src/protocol/messages.js';
import { versionZero } from '../../src/protocol/version.js';
import { KeepingLink, NodeOnTable, putIfAbsent, self } from '../support/node-core.js';

const countsMs = 1000;
const value = new Uint8Array([1]);

describe('D4: a node one of whose fellows has no room', () => {
  let stage: NodeOnTable;
  let client: KeepingLink;
  const fellow = new KeepingLink();
  let rid = 0;

  beforeEach(() => {
    stage = new NodeOnTable();
    client = new KeepingLink();
    for (const id of [2, 3]) stage.peers.set(id, new KeepingLink());
    stage.map([{ replicas: [self, 2] }, { replicas: [self, 3] }]);
    stage.pass(50);
  });

  /** Node 2 shares the slot of `b` and not that of `a`, or the other way round. */
  function keyOfSlot(slot: number): string {
    const key = ['a', 'b'].find((each) => stage.core.membership.map?.slotOf(each) === slot);
    if (key === undefined) throw new Error(`no key in slot ${slot}`);
    return key;
  }

  function say(reason: RefusedReason | null): void {
    stage.core.onRequest(fellow, { type: MessageType.room, nodeId: 2, reason });
  }

  /** @returns the reason of its refusal; undefined: it was taken */
  function write(slot: number, bytes: Uint8Array | null = value): RefusedReason | undefined {
    const version = { ...versionZero, hlc: stage.nowMs * 1000 + ++rid, clientId: 9 };
    const { epoch } = stage.core.membership;
    const entry = { version, key: keyOfSlot(slot), value: bytes, expiresAtMs: 0, applied: null };
    stage.core.onRequest(client, { type: MessageType.write, rid, epoch, kind: WriteKind.plain, ...entry });
    const [ack] = client.take(MessageType.ack);
    const [refused] = client.take(MessageType.refused);
    expect([ack?.rid, refused?.rid]).to.include(rid);
    return refused?.reason;
  }

  it('refuses values of the slots they share, for that reason, until it hears that there is room', () => {
    expect(write(0)).to.equal(undefined);
    say(RefusedReason.diskFull);
    expect(write(0)).to.equal(RefusedReason.diskFull);
    expect(write(1)).to.equal(undefined);
    expect(write(0, null)).to.equal(undefined);
    say(null);
    expect(write(0)).to.equal(undefined);
  });

  it('refuses conditional writes before anything is stored or sent', () => {
    say(RefusedReason.memoryLow);
    const entry = { expected: { ...versionZero }, key: keyOfSlot(0), value, expiresAtMs: 0 };
    const { epoch } = stage.core.membership;
    stage.core.onRequest(client, { type: MessageType.condition, rid: 70, epoch, ...putIfAbsent, ...entry });
    expect(client.take(MessageType.refused).map(({ reason }) => reason)).to.deep.equal([
      RefusedReason.memoryLow,
    ]);
    expect(stage.peers.get(2)?.take(MessageType.write)).to.deep.equal([]);
    expect(stage.store.keys).to.equal(0);
  });

  it('takes values again when nothing has been heard of it for a second', () => {
    say(RefusedReason.diskFull);
    stage.pass(countsMs - 100);
    expect(write(0)).to.equal(RefusedReason.diskFull);
    stage.pass(200);
    expect(write(0)).to.equal(undefined);
  });

  it('believes nobody but nodes', () => {
    client.isOfNode = false;
    const lie = { type: MessageType.room, nodeId: 2, reason: RefusedReason.diskFull } as const;
    expect(() => {
      stage.core.onRequest(client, lie);
    }).to.throw(ProtocolError);
    expect(write(0)).to.equal(undefined);
  });
});

describe('D4: a node without room', () => {
  it('says so to all others again and again, and once when there is room', () => {
    const journal = { ...noJournal };
    const stage = new NodeOnTable({ store: new ArenaStore({ hashSeed: 1 }), journal });
    for (const id of [2, 3]) stage.peers.set(id, new KeepingLink());
    stage.map([{ replicas: [self, 2] }, { replicas: [2, 3] }]);
    const told = (): (number | null)[] => {
      const [two, three] = [2, 3].map((id) => stage.peers.get(id)?.take(MessageType.room) ?? []);
      expect(two).to.deep.equal(three);
      return two?.map(({ reason }) => reason) ?? [];
    };
    stage.pass(1000);
    expect(told()).to.deep.equal([]);
    (journal as { isFull: boolean }).isFull = true;
    stage.pass(1000);
    expect(told()).to.deep.equal(Array(5).fill(RefusedReason.diskFull));
    (journal as { isFull: boolean }).isFull = false;
    stage.pass(1000);
    expect(told()).to.deep.equal([null]);
  });
});
