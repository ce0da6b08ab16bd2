import { expect } from 'chai';
import { MessageType, WriteKind } from '../../src/protocol/messages.js';
import type { Link, WriteMessage } from '../../src/protocol/messages.js';
import { AcceptedWrites } from '../../src/node/core/accepted-writes.js';
import { noRecord } from '../../src/node/core/store.js';
import type { RecordId } from '../../src/node/core/store.js';
import { ArenaStore } from '../../src/node/storage/arena-store.js';

const link = (id: number): Link => ({
  id,
  isFull: false,
  isOfNode: false,
  send: () => undefined,
  sendLazily: () => undefined,
});
const [a, b] = [link(1), link(2)];
const store = new ArenaStore();
let hlc = 1;

function write(key: string, rid: number): [message: WriteMessage, record: RecordId] {
  const version = { hlc: ++hlc, clientId: 7, seq: 0, epoch: 0 };
  const record = store.getOrInsert(0, key);
  store.write(record, version, null, 0, 0);
  const type = MessageType.write;
  const fields = { key, value: null, expiresAtMs: 0, applied: null };
  return [{ type, rid, epoch: 1, kind: WriteKind.plain, version, ...fields }, record];
}

describe('W9: accepted writes', () => {
  let writes: AcceptedWrites;
  beforeEach(() => {
    writes = new AcceptedWrites(store);
  });

  it('a request id stands for the record it was stored in, once', () => {
    const [message, record] = write('once', 70_000);
    writes.note(a, message, record);
    expect(writes.take(a, 70_000)).to.equal(record);
    expect(writes.take(a, 70_000)).to.equal(noRecord);
  });

  it('on its own connection, while that is open', () => {
    const [message, record] = write('own', 1);
    writes.note(a, message, record);
    expect(writes.take(b, 1)).to.equal(noRecord);
    writes.onLinkClosed(a);
    expect(writes.take(a, 1)).to.equal(noRecord);
  });

  it('with its version, whatever the record has by then', () => {
    const [message, record] = write('version', 1);
    const version = { hlc: 2 ** 52, clientId: 2 ** 47, seq: 3, epoch: 4 };
    store.write(record, version, null, 0, 0);
    writes.note(a, { ...message, version }, record);
    store.write(record, { ...version, epoch: 5 }, null, 0, 0);
    expect(writes.take(a, 1)).to.equal(record);
    expect(writes.takenVersion).to.deep.equal(version);
  });

  it('while the record is there; whoever has its number then has another version', () => {
    const [message, record] = write('removed', 1);
    writes.note(a, message, record);
    store.remove(record);
    expect(writes.take(a, 1)).to.equal(noRecord);

    writes.note(a, message, record);
    for (let i = 0; !store.exists(record) && i < 100_000; i++) write(`heir-${i}`, 2);
    expect(store.exists(record)).to.equal(true);
    expect(writes.take(a, 1)).to.equal(record);
    expect(store.compareVersion(writes.takenVersion, record)).not.to.equal(0);

    const [again, recordAgain] = write('cleared', 3);
    writes.note(a, again, recordAgain);
    store.clearSlot(0);
    expect(writes.take(a, 3)).to.equal(noRecord);
  });

  it('until the same id or one with the same low bits is used again, by a write that is accepted or one that is not', () => {
    const [message, record] = write('again', 5);
    for (const rid of [5, 5 + 2 ** 14, 5 + 2 ** 31]) {
      writes.note(a, message, record);
      writes.note(a, { ...message, rid }, noRecord);
      expect(writes.take(a, 5)).to.equal(noRecord);
      expect(writes.take(a, rid)).to.equal(noRecord);
    }
    writes.note(a, message, record);
    writes.note(a, ...write('other', 5 + 2 ** 20));
    expect(writes.take(a, 5)).to.equal(noRecord);
  });

  it('ids far apart each have their place', () => {
    const rids = [16_383, 0, 2 ** 32 - 2, 8_000];
    const pairs = rids.map((rid) => write(`far-${rid}`, rid));
    for (const pair of pairs) writes.note(a, ...pair);
    expect(rids.map((rid) => writes.take(a, rid))).to.deep.equal(pairs.map(([, record]) => record));
  });
});
