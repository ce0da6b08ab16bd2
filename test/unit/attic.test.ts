// D2: what a node that is started reads of its disk, and what it may say of the disk because of that. M6: what a node keeps that was removed.
import { expect } from 'chai';
import { noJournal } from '../../src/node/core/journal.js';
import { ArenaStore } from '../../src/node/storage/arena-store.js';
import { MessageType } from '../../src/protocol/messages.js';
import type { DiskContent, Entry } from '../../src/protocol/messages.js';
import { KeepingLink, NodeOnTable, self } from '../support/node-core.js';

describe('D2: a learner that has read its slot from its disk', () => {
  function learnerAfter(content: DiskContent): NodeOnTable {
    const stage = new NodeOnTable();
    const version = { hlc: 1, clientId: 1, seq: 0, epoch: 0 };
    const { attic } = stage.core;
    attic.add(0, 'k', version, Buffer.from('v'), 0, null, stage.nowMs);
    attic.loaded(content);
    stage.map([{ replicas: [2], learners: [self] }]);
    return stage;
  }

  it('fills it over what is there', () => {
    const { attic } = learnerAfter({ clusterId: 'table', slots: [[0, 1]], clockUs: 1 }).core;
    expect([attic.has(0), attic.isOverlaid(0)]).to.deep.equal([true, true]);
  });

  it('saves it anew if the disk was damaged and begun anew meanwhile: nothing is there any more', () => {
    const { attic } = learnerAfter({ clusterId: '', slots: [], clockUs: 0 }).core;
    expect([attic.has(0), attic.isOverlaid(0)]).to.deep.equal([true, false]);
  });

  it('removes what the others do not have before it labels the slot, though most of it differs and is copied whole', () => {
    const noted: string[] = [];
    const journal = {
      ...noJournal,
      remove: (slot: number, key: string) => noted.push(`remove ${slot} ${key}`),
      label: (slot: number) => noted.push(`label ${slot}`),
    };
    const stage = new NodeOnTable({ store: new ArenaStore({ hashSeed: 1 }), journal });
    const source = new KeepingLink();
    stage.peers.set(2, source);
    const { core } = stage;
    const version = { hlc: 1, clientId: 1, seq: 0, epoch: 0 };
    for (const key of ['gone', 'kept'])
      core.attic.add(0, key, version, Buffer.from('v'), 0, null, stage.nowMs);
    core.attic.loaded({ clusterId: 'table', slots: [[0, 1]], clockUs: 1 });
    stage.map([{ replicas: [2], learners: [self] }]);
    stage.pass(100);
    const [asked] = source.take(MessageType.digestAsk);
    const buckets = 4;
    const digests = new Uint8Array(8 * buckets).fill(1);
    core.onPeerMessage(2, { type: MessageType.digests, rid: asked?.rid ?? 0, done: true, buckets, digests });
    stage.pass(100);
    const [copy] = source.take(MessageType.copy);
    const value = Buffer.from('new');
    const entry = {
      key: 'kept',
      version: { ...version, hlc: 2 },
      valid: true,
      value,
      expiresAtMs: 0,
      applied: null,
    };
    core.onPeerMessage(2, { type: MessageType.copyBatch, rid: copy?.rid ?? 0, entries: [entry], done: true });
    stage.pass(100);
    expect(noted).to.deep.equal(['remove 0 gone', 'label 0']);
  });
});

describe('M6: a node that was removed while it lives', () => {
  const version = { hlc: 1, clientId: 1, seq: 0, epoch: 0 };

  /** Full in slot 0, with a key that is VALID and one that a replay is to settle. */
  function removed(): NodeOnTable {
    const stage = new NodeOnTable();
    stage.peers.set(2, new KeepingLink());
    stage.map([{ replicas: [self, 2] }]);
    const { core, store } = stage;
    core.replica.merge(0, { ...entryOf('valid'), valid: true });
    core.replica.merge(0, { ...entryOf('invalid'), valid: false });
    // Its replay is under way, or waits for its turn.
    stage.pass(2000);
    expect(store.isValid(store.get(0, 'invalid'))).to.equal(false);
    core.onManagerMessage({ type: MessageType.removed, incarnation: 7, epoch: 2 });
    return stage;
  }

  function entryOf(key: string): Entry {
    return {
      ...{ key, version, value: Buffer.from(key), expiresAtMs: 0, applied: null },
      valid: true,
    };
  }

  it('says what it had whole, and serves none of it', () => {
    const stage = removed();
    const [register] = stage.manager?.take(MessageType.register) ?? [];
    expect(register?.disk).to.deep.include({ clusterId: '', slots: [[0, 1]] });
    expect([stage.store.keysIn(0), stage.core.attic.has(0)]).to.deep.equal([0, true]);
  });

  it('compares it with what the others have, and need not be sent what is the same', () => {
    const stage = removed();
    stage.map([{ replicas: [2], learners: [self] }], {}, 8);
    stage.pass(100);
    const [asked] = stage.peers.get(2)?.take(MessageType.digestAsk) ?? [];
    expect(asked).to.include({ slot: 0, first: true });
  });

  it('goes on with it when all others are lost: as it was, VALID or to be settled', () => {
    const stage = removed();
    const { core, store } = stage;
    stage.map([{ replicas: [2], learners: [self] }], {}, 8);
    expect(store.keysIn(0)).to.equal(0);
    stage.peers.clear();
    stage.map([{ replicas: [self], joinedAt: [2] }], {}, 8);
    expect([store.keysIn(0), store.isValid(store.get(0, 'valid'))]).to.deep.equal([2, true]);
    const open = store.get(0, 'invalid');
    expect([store.isValid(open), core.attic.has(0)]).to.deep.equal([false, false]);
    // It is alone: what it has is decided.
    stage.pass(2000);
    expect(store.isValid(open)).to.equal(true);
  });

  it('drops it when the others hold the slot whole without it', () => {
    const stage = removed();
    stage.map([{ replicas: [2, 3, 4] }], {}, 8);
    expect([stage.core.attic.has(0), stage.store.keysIn(0)]).to.deep.equal([false, 0]);
  });
});
