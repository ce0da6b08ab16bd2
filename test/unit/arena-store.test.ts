/** The store of one node against the plainest model of it: a Map of objects. And what it does with its memory. */
import { Buffer } from 'node:buffer';
import { expect } from 'chai';
import fc from 'fast-check';
import { SettleQueue } from '../../src/node/core/settle-queue.js';
import { Hold, noRecord } from '../../src/node/core/store.js';
import { ArenaStore } from '../../src/node/storage/arena-store.js';
import { KeyView } from '../../src/protocol/key-view.js';
import { versionZero } from '../../src/protocol/version.js';
import type { Version } from '../../src/protocol/version.js';
import { isPlain, keyOf, keysMax, played, put, slotCount, slotOf, steps } from '../support/arena-model.js';
import type { Model } from '../support/arena-model.js';

function describeRecord(store: ArenaStore, record: number): Omit<Model, 'n'> & { key: string; slot: number } {
  const its = { ...versionZero };
  store.copyVersion(record, its);
  const bytes = store.valueOf(record);
  expect(store.compareVersion(its, record)).to.equal(0);
  expect(store.compareVersion({ ...its, epoch: its.epoch + 1 }, record)).to.be.greaterThan(0);
  expect(store.hasValue(record)).to.equal(bytes !== null);
  return {
    key: store.keyOf(record),
    slot: store.slotOf(record),
    version: its,
    value: bytes === null ? null : [...bytes],
    expiresAtMs: store.expiresAtMs(record),
    valid: store.isValid(record),
    applied: store.appliedOf(record),
  };
}

function contents(store: ArenaStore): Map<string, unknown> {
  const found = new Map<string, unknown>();
  for (let slot = 0; slot < slotCount; slot++) {
    const walk = store.walk(slot);
    for (let record = walk.next(); record !== noRecord; record = walk.next()) {
      const described = describeRecord(store, record);
      expect(found.has(described.key), 'met once').to.equal(false);
      expect(described.slot).to.equal(slot);
      expect(store.get(slot, described.key)).to.equal(record);
      expect(store.exists(record)).to.equal(true);
      expect(store.storedAtMs(record)).to.equal(Number(described.key.replaceAll('\xff', '').slice(4)));
      found.set(described.key, described);
    }
  }
  return found;
}

function bytesOf(models: readonly Model[]): number {
  return models.reduce((sum, { n: at, value: bytes }) => sum + keyOf(at).length + (bytes?.length ?? 0), 0);
}

describe('arena store', () => {
  it('holds what was stored, and counts it', () => {
    fc.assert(
      fc.property(steps, (all) => {
        const { store, model } = played(all);

        const expected = [...model.values()].map(({ n: at, ...rest }) => [
          keyOf(at),
          { key: keyOf(at), slot: slotOf(at), ...rest },
        ]);
        expect(contents(store)).to.deep.equal(new Map(expected as [string, unknown][]));
        for (let at = 0; at <= keysMax; at++)
          expect(store.get(slotOf(at), keyOf(at)) !== noRecord).to.equal(model.has(at));
        expect(store.keys).to.equal(model.size);
        for (let slot = 0; slot < slotCount; slot++) {
          const inSlot = [...model.values()].filter((m) => slotOf(m.n) === slot);
          expect(store.keysIn(slot)).to.equal(inSlot.length);
          expect(store.bytesIn(slot)).to.equal(bytesOf(inSlot));
        }
        expect(store.bytes).to.equal(bytesOf([...model.values()]));
      }),
      { numRuns: 60 },
    );
  });

  it('tells where the plain value of a VALID key lies, and nothing of any other key', () => {
    fc.assert(
      fc.property(steps, (all) => {
        const { store, model } = played(all);
        const found = {
          hlc: 0,
          clientId: 0,
          memory: new ArrayBuffer(0) as ArrayBufferLike,
          at: 0,
          length: 0,
        };
        for (const each of model.values()) {
          const record = store.get(slotOf(each.n), keyOf(each.n));
          const isThere = store.plainValueOf(record, found);
          expect(isThere).to.equal(each.valid && each.value !== null && isPlain(each));
          if (!isThere) continue;
          expect([...new Uint8Array(found.memory, found.at, found.length)]).to.deep.equal(each.value);
          const { hlc, clientId } = each.version;
          expect([found.hlc, found.clientId]).to.deep.equal([hlc, clientId]);
        }
      }),
      { numRuns: 30 },
    );
  });

  it('leaves a VALIDATE of what somebody works at, or of what is gone, to be looked at', () => {
    const store = new ArenaStore();
    const record = put(store, 0, 'k', Uint8Array.of(1));
    store.hold(record, Hold.work);
    expect(store.validatePlain(record, 1, 1)).to.equal(false);
    expect(store.isValid(record)).to.equal(false);
    store.release(record, Hold.work);
    expect(store.holdAnew(record, Hold.settle)).to.equal(true);
    expect(store.holdAnew(record, Hold.settle)).to.equal(false);
    store.clearSlot(0);
    expect(store.validatePlain(record, 1, 1)).to.equal(false);
    store.release(record, Hold.settle);
  });

  it('knows nothing of the number of a record that is gone with all its neighbours', () => {
    const store = new ArenaStore();
    const recordsPerPage = 32_768;
    const records = Array.from({ length: recordsPerPage + 9 }, (_, i) => put(store, 0, `k${i}`, null));
    const beyond = records.filter((record) => record >= recordsPerPage);
    expect(beyond.length).to.be.greaterThan(5);
    for (const record of beyond) store.remove(record);
    for (const record of beyond) {
      expect(store.exists(record)).to.equal(false);
      expect(store.validatePlain(record, 1, 1)).to.equal(false);
    }
  });

  it('finds the same key in a frame and in a string, of any length', () => {
    const store = new ArenaStore();
    for (const key of ['', 'k', 'key', 'four', '\xff\x80'.repeat(10), 'x'.repeat(254), 'y'.repeat(70_000)]) {
      const view = new KeyView();
      view.bytes = Buffer.from(`abc${key}def`, 'latin1');
      view.at = 3;
      view.length = key.length;
      expect(store.get(0, view)).to.equal(noRecord);
      const record = store.getOrInsert(0, view);
      expect(store.keyOf(record)).to.equal(key);
      expect(store.get(0, key)).to.equal(record);
      expect(store.get(0, view)).to.equal(record);
      expect(store.getOrInsert(0, view)).to.equal(record);
      expect(store.get(1, view)).to.equal(noRecord);
    }
  });

  it('keeps a copy of a value, whatever becomes of the bytes it was given', () => {
    const store = new ArenaStore();
    const given = Uint8Array.of(1, 2, 3);
    const record = put(store, 0, 'key', given);
    given.fill(0);
    expect(store.valueOf(record)).to.deep.equal(Uint8Array.of(1, 2, 3));
    // Of the same length, and of others.
    put(store, 0, 'key', Uint8Array.of(4, 5, 6));
    expect(store.valueOf(record)).to.deep.equal(Uint8Array.of(4, 5, 6));
    for (const length of [2000, 100_000, 100_001, 5, 0]) {
      put(store, 0, 'key', new Uint8Array(length).fill(7));
      expect(store.valueOf(record)).to.deep.equal(new Uint8Array(length).fill(7));
    }
  });

  it('meets every record that is there all through a walk, once, however many come and go', () => {
    const store = new ArenaStore();
    const name = (at: number): string => `key-${at}`;
    const stays = new Set<string>();
    for (let at = 0; at < 5000; at++) {
      store.getOrInsert(0, name(at));
      if (at % 3 !== 0) stays.add(name(at));
    }
    const met: string[] = [];
    let next = 5000;
    const walk = store.walk(0);
    for (let record = walk.next(); record !== noRecord; record = walk.next()) {
      met.push(store.keyOf(record));
      // Enough for ranges to be split and built anew, under the walk.
      for (let i = 0; i < 4 && next < 25_000; i++) store.getOrInsert(0, name(next++));
      const gone = store.get(0, name(3 * met.length));
      if (gone !== noRecord) store.remove(gone);
    }
    const seen = new Set(met);
    expect(seen.size).to.equal(met.length);
    expect([...stays].filter((key) => !seen.has(key))).to.deep.equal([]);
  });

  it('clears a slot at once and frees it bit by bit, while the slot fills anew', () => {
    const store = new ArenaStore();
    const bytes = new Uint8Array(100).fill(1);
    for (let at = 0; at < 20_000; at++) put(store, 0, `key-${at}`, bytes);
    put(store, 1, 'other', bytes);
    const full = store.bytesHeld;
    store.clearSlot(0);
    expect(store.keys).to.equal(1);
    expect(store.bytes).to.equal(105);
    expect(store.get(0, 'key-5')).to.equal(noRecord);
    expect(store.walk(0).next()).to.equal(noRecord);
    for (let at = 0; at < 20_000; at++) put(store, 0, `new-${at}`, bytes);
    expect(store.bytesHeld, 'no more than for one filling').to.be.lessThan(1.1 * full);
    expect(store.keys).to.equal(20_001);
    store.clearSlot(0);
    for (let tick = 0; tick < 20; tick++) store.reclaim();
    // Of each record 32 bytes stay until the others of its page are gone, too.
    expect(store.bytesHeld).to.be.lessThan(40 * 20_000 + 200_000);
    expect(store.valueOf(store.get(1, 'other'))).to.deep.equal(bytes);
  });
});

describe('two slots that become one', () => {
  const version = (hlc: number): Version => ({ hlc, clientId: 1, seq: 0, epoch: 0 });

  for (const [many, few] of [
    [3000, 40],
    [40, 3000],
    [5000, 5000],
    [10, 0],
  ] as const) {
    it(`${many} keys and ${few}: nothing is lost, and all is counted`, () => {
      const store = new ArenaStore();
      const fill = (slot: number, name: string, count: number): number[] =>
        Array.from({ length: count }, (_, i) => {
          const record = store.getOrInsert(slot, `${name}-${i}`);
          store.write(record, version(i + 1), Buffer.from(`${name} ${i}`), 0, 0);
          if (i % 3 === 0) store.setValid(record);
          return record;
        });
      const moved = fill(9, 'moved', many);
      const there = fill(2, 'there', few);
      const { keys, bytes } = store;
      const bytesThere = store.bytesIn(9) + store.bytesIn(2);
      for (const record of there) store.hold(record, Hold.settle);
      store.moveSlot(9, 2);
      expect([store.keys, store.bytes]).to.deep.equal([keys, bytes]);
      expect([store.keysIn(9), store.bytesIn(9)]).to.deep.equal([0, 0]);
      expect([store.keysIn(2), store.bytesIn(2)]).to.deep.equal([keys, bytesThere]);
      for (const [name, records] of [['moved', moved] as const, ['there', there] as const]) {
        records.forEach((record, i) => {
          expect(store.get(2, `${name}-${i}`)).to.equal(record);
          expect(store.get(9, `${name}-${i}`)).to.equal(noRecord);
          expect(store.slotOf(record)).to.equal(2);
          expect(Buffer.from(store.valueOf(record) ?? []).toString()).to.equal(`${name} ${i}`);
        });
      }
      const met = new Set<number>();
      const walk = store.walk(2);
      for (let record = walk.next(); record !== noRecord; record = walk.next()) met.add(record);
      expect(met.size).to.equal(keys);
      for (const record of [...moved, ...there]) store.remove(record);
      expect([store.keys, store.bytes, store.keysIn(2)]).to.deep.equal([0, 0, 0]);
      // Numbers of indexes are used again.
      fill(9, 'again', 10);
      expect([store.keysIn(9), store.keysIn(2)]).to.deep.equal([10, 0]);
    });
  }
});

describe('a store that is full', () => {
  it('says so while there is a reserve, and is not any more when something goes', () => {
    const store = new ArenaStore({ pagesMax: 256 + 3 });
    const value = new Uint8Array(60 * 1024);
    const version = { hlc: 1, clientId: 1, seq: 0, epoch: 0 };
    let count = 0;
    for (; !store.isFull; count++) {
      const record = store.getOrInsert(0, `key-${count}`);
      store.write(record, version, value, 0, 0);
    }
    expect(count).to.be.within(100, 300);
    // Of any other size, in the reserve.
    for (let bytes = 0; bytes < 60_000; bytes += 500) put(store, 1, `small-${bytes}`, new Uint8Array(bytes));
    for (let i = 0; i < count; i++) store.remove(store.get(0, `key-${i}`));
    for (let bytes = 0; bytes < 60_000; bytes += 500) store.remove(store.get(1, `small-${bytes}`));
    expect(store.isFull).to.equal(false);
  });
});

describe('numbers of records', () => {
  it('that are held are given to no other record, removed one by one or with their slot', () => {
    for (const removal of ['remove', 'clear'] as const) {
      const store = new ArenaStore();
      const record = put(store, 0, 'gone', Uint8Array.of(1));
      store.hold(record, Hold.settle);
      store.hold(record, Hold.write);
      expect(store.exists(record)).to.equal(true);
      if (removal === 'remove') store.remove(record);
      else store.clearSlot(0);
      expect(store.exists(record), 'at once').to.equal(false);
      store.reclaim();
      expect(store.exists(record), 'and later').to.equal(false);
      const others = Array.from({ length: 100 }, (_, at) => put(store, 0, `key-${at}`, null));
      expect(others).not.to.include(record);
      store.release(record, Hold.settle);
      expect(put(store, 0, 'still held', null)).not.to.equal(record);
      store.release(record, Hold.write);
      const next = put(store, 0, 'gone', null);
      expect(next, 'is used again').to.equal(record);
      expect(store.exists(next)).to.equal(true);
      expect(store.isHeld(next), 'and nobody holds the new one').to.equal(false);
    }
  });

  it('that are released while the slot waits to be freed are used again after that only', () => {
    const store = new ArenaStore();
    const record = put(store, 0, 'gone', null);
    store.hold(record, Hold.settle);
    store.clearSlot(0);
    store.release(record, Hold.settle);
    expect(store.exists(record)).to.equal(false);
    store.reclaim();
    expect(put(store, 0, 'next', null)).to.equal(record);
  });

  it('in the settle queue mean the keys that were queued, or none', () => {
    const store = new ArenaStore();
    const queue = new SettleQueue(store, 1000);
    const settledBy = (nowMs: number): string[] => {
      const keys: string[] = [];
      queue.takeDue(nowMs, (record) => keys.push(store.keyOf(record)));
      return keys;
    };
    // Enough for the queue to grow.
    for (let at = 0; at < 3000; at++) queue.push(put(store, at % 3, `key-${at}`, null), 0);
    const [invalid, valid] = [store.get(1, 'key-1'), store.get(1, 'key-4')];
    queue.push(invalid, 500);
    store.setValid(valid);
    store.remove(store.get(1, 'key-7'));
    store.clearSlot(0);
    store.clearSlot(2);
    store.reclaim();
    for (let at = 0; at < 3000; at++) put(store, 2, `new-${at}`, null);

    expect(settledBy(999)).to.deep.equal([]);
    const expected = Array.from({ length: 1000 }, (_, i) => `key-${3 * i + 1}`).filter(
      (key) => key !== 'key-4' && key !== 'key-7',
    );
    expect(settledBy(1000)).to.deep.equal(expected);
    expect(queue.size).to.equal(0);
    expect(store.isHeld(invalid), 'nothing is held any more').to.equal(false);
  });

  it('are used again: as many as there were keys at once', () => {
    const store = new ArenaStore();
    let highest = 0;
    for (let at = 0; at < 50_000; at++) {
      highest = Math.max(highest, put(store, 0, `key-${at}`, null));
      if (at >= 1000) store.remove(store.get(0, `key-${at - 1000}`));
    }
    expect(highest).to.be.at.most(1002);
  });
});

describe('memory of the store', () => {
  const slots = 8;
  const key = (at: number): string => `key-${String(at).padStart(16, '0')}`;
  const bytes = new Uint8Array(4096).fill(1);

  it('is at most 175 bytes a key of 20 and a value of 100, at whatever number of keys', () => {
    const store = new ArenaStore();
    let worst = 0;
    for (let at = 0; at < 300_000; at++) {
      put(store, at % slots, key(at), bytes.subarray(0, 100));
      if (at >= 100_000 && at % 1000 === 0) worst = Math.max(worst, store.bytesHeld / (at + 1));
    }
    expect(worst).to.be.lessThan(175);
  });

  it('is next to none for a store that holds nothing', () => {
    const store = new ArenaStore();
    expect(store.bytesHeld).to.equal(0);
    put(store, 0, 'key', bytes.subarray(0, 100));
    expect(store.bytesHeld).to.be.at.most(64 * 1024);
  });

  it('stays within a bound of what is stored, whatever sizes come and go', () => {
    const store = new ArenaStore({ hashSeed: 1 });
    const count = 30_000;
    let state = 1;
    const random = (below: number): number => {
      state = (Math.imul(state, 1103515245) + 12345) & 0x7fffffff;
      return Math.floor((state / 0x80000000) * below);
    };
    // The sizes shift all the time, so that what was freed never fits what comes next.
    for (let round = 0; round < 12; round++) {
      const sizeMax = [50, 400, 1500, 120, 3000, 80][round % 6] ?? 0;
      for (let i = 0; i < count; i++) {
        const at = random(count);
        if (random(4) === 0) store.remove(store.getOrInsert(at % slots, key(at)));
        else put(store, at % slots, key(at), bytes.subarray(0, random(sizeMax)));
      }
      // Payload by a sixteenth more, 60 bytes a key, and a part of a page for each size that occurs.
      const bound = store.bytes * (17 / 16) + store.keys * 60 + 8 * 1024 * 1024;
      expect(store.bytesHeld, `round ${round}`).to.be.lessThan(bound);
    }
    for (let at = 0; at < count; at++) {
      const record = store.get(at % slots, key(at));
      if (record !== noRecord && at % 10 !== 0) store.remove(record);
    }
    expect(store.bytesHeld, 'nine of ten removed').to.be.lessThan(
      store.bytes * 2 + count * 40 + 4 * 1024 * 1024,
    );
    for (let at = 0; at < count; at += 10) {
      const record = store.get(at % slots, key(at));
      if (record !== noRecord) store.remove(record);
    }
    expect(store.keys).to.equal(0);
    expect(store.bytesHeld, 'all removed').to.be.lessThan(300 * 1024);
  });

  it('goes back to the system', () => {
    const store = new ArenaStore();
    const count = 100_000;
    for (let at = 0; at < count; at++) put(store, at % slots, key(at), bytes.subarray(0, 1000));
    const full = process.memoryUsage.rss();
    for (let at = 0; at < count; at++) if (at % 20 !== 0) store.remove(store.get(at % slots, key(at)));
    // Of 100 MB stored 5 are left; the collector has no part in that.
    expect(full - process.memoryUsage.rss()).to.be.greaterThan(70_000_000);
  });
});
