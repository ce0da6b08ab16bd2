// D4: what a store holds in memory is counted as it comes and goes, and bounded.
import { expect } from 'chai';
import { noRecord } from '../../src/node/core/store.js';
import { ArenaStore } from '../../src/node/storage/arena-store.js';
import { HeldMemory } from '../../src/node/storage/memory/held-memory.js';
import { LogLines } from '../support/disk-journal.js';

const MB = 2 ** 20;
const version = { hlc: 1, clientId: 1, seq: 0, epoch: 0 };

function put(store: ArenaStore, key: string, bytes: number): void {
  store.write(store.getOrInsert(0, key), version, new Uint8Array(bytes), 0, 0);
}

function remove(store: ArenaStore, key: string): void {
  const record = store.get(0, key);
  if (record !== noRecord) store.remove(record);
}

describe('the memory that a store holds', () => {
  for (const bytes of [100, 40_000, 300_000]) {
    it(`D4: with values of ${bytes} bytes it is full at its limit, and not any more when enough has gone`, () => {
      const log = new LogLines();
      const store = new ArenaStore({ held: new HeldMemory({ bytesMax: 8 * MB, log }) });
      let count = 0;
      for (; !store.isFull; count++) put(store, `key-${count}`, bytes);
      expect(store.bytesHeld).to.be.within(8 * MB, 8 * MB + bytes + MB / 8);
      expect(count * bytes).to.be.within(4 * MB, 8 * MB + bytes);
      expect(store.isSystemLow).to.equal(false);
      expect(log.lines).to.have.length(1);
      expect(log.lines[0]).to.match(
        /^error memory: 8\.\d MB held, --max-memory is 8\.0 MB: new values are refused; delete keys, /,
      );
      // Deletes: the record stays, the value goes.
      let deleted = 0;
      for (; store.isFull && deleted < count; deleted++)
        store.write(store.getOrInsert(0, `key-${deleted}`), { ...version, hlc: 2 }, null, 0, 0);
      expect(deleted / count).to.be.within(0.02, 0.6);
      expect(store.bytesHeld).to.be.at.most(0.95 * 8 * MB);
      expect(log.lines.slice(1)).to.deep.equal([
        `info memory: ${(store.bytesHeld / MB).toFixed(1)} MB held, --max-memory is 8.0 MB: values are taken again`,
      ]);
      for (let n = 0; n < count; n++) remove(store, `key-${n}`);
      expect(store.bytesHeld, 'all gone').to.be.at.most(MB / 8);
    });
  }

  it('D4: a large value that is replaced by a larger or a small one, or by none, is given back', () => {
    const store = new ArenaStore();
    put(store, 'k', 10);
    const before = store.bytesHeld;
    for (const bytes of [200_000, 900_000, 900_000, 100_000]) put(store, 'k', bytes);
    expect(store.bytesHeld - before).to.be.within(90_000, 110_000);
    put(store, 'k', 10);
    expect(store.bytesHeld).to.be.within(before, before + 8192);
    put(store, 'k', 200_000);
    store.clearSlot(0);
    while (store.isReclaiming) store.reclaim();
    expect(store.bytesHeld).to.be.at.most(before);
  });

  it('D4: it is full, too, while its system has hardly any left, and tells it what it takes', () => {
    const system = {
      isLow: false,
      isSpent: false,
      taken: 0,
      onTaken: (bytes: number) => (system.taken += bytes),
    };
    const store = new ArenaStore({ held: new HeldMemory({ system }) });
    for (let n = 0; n < 100; n++) put(store, `key-${n}`, 100_000);
    expect(system.taken).to.be.within(10_000_000, 10_200_000);
    expect([store.isFull, store.isSystemLow]).to.deep.equal([false, false]);
    system.isLow = true;
    expect([store.isFull, store.isSystemLow, store.isSystemSpent]).to.deep.equal([true, true, false]);
    system.isSpent = true;
    expect(store.isSystemSpent).to.equal(true);
  });
});
