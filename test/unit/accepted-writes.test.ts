import { expect } from 'chai';
import type { Link } from '../../src/protocol/messages.js';
import { AcceptedWrites } from '../../src/node/core/accepted-writes.js';
import { MemoryStore } from '../../src/node/storage/memory-store.js';

const link = (id: number): Link => ({ id, send: () => undefined, sendLazily: () => undefined });
const [a, b] = [link(1), link(2)];
const store = new MemoryStore();

describe('W9: accepted writes', () => {
  it('a request id stands for the record it was stored in, once', () => {
    const writes = new AcceptedWrites();
    const record = store.insert(0, 'once');
    writes.note(a, 70_000, record);
    expect(writes.take(a, 70_000)).to.equal(record);
    expect(writes.take(a, 70_000)).to.equal(undefined);
  });

  it('on its own connection, while that is open', () => {
    const writes = new AcceptedWrites();
    const record = store.insert(0, 'own');
    writes.note(a, 1, record);
    expect(writes.take(b, 1)).to.equal(undefined);
    writes.onLinkClosed(a);
    expect(writes.take(a, 1)).to.equal(undefined);
  });

  it('while the record has that version', () => {
    const writes = new AcceptedWrites();
    const record = store.insert(0, 'version');
    for (const field of ['hlc', 'clientId', 'seq', 'epoch'] as const) {
      writes.note(a, 1, record);
      record[field]++;
      expect(writes.take(a, 1), field).to.equal(undefined);
    }
    writes.note(a, 1, record);
    expect(writes.take(a, 1)).to.equal(record);
  });

  it('until the same id or one with the same low bits is used again, by a write that is accepted or one that is not', () => {
    const writes = new AcceptedWrites();
    const record = store.insert(0, 'again');
    for (const rid of [5, 5 + 2 ** 14, 5 + 2 ** 31]) {
      writes.note(a, 5, record);
      writes.note(a, rid, null);
      expect(writes.take(a, 5)).to.equal(undefined);
      expect(writes.take(a, rid)).to.equal(undefined);
    }
    writes.note(a, 5, record);
    writes.note(a, 5 + 2 ** 20, store.insert(0, 'other'));
    expect(writes.take(a, 5)).to.equal(undefined);
  });

  it('ids far apart each have their place', () => {
    const writes = new AcceptedWrites();
    const rids = [16_383, 0, 2 ** 32 - 2, 8_000];
    const records = rids.map((rid) => store.insert(1, String(rid)));
    rids.forEach((rid, i) => {
      writes.note(a, rid, records[i] ?? null);
    });
    expect(rids.map((rid) => writes.take(a, rid))).to.deep.equal(records);
  });
});
