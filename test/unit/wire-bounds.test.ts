// What is within the bounds of one rule must not become, by another, what the wire cannot carry.
import { expect } from 'chai';
import { Hints } from '../../src/node/core/hints.js';
import { atticSlot } from '../../src/node/core/attic.js';
import { ArenaStore } from '../../src/node/storage/arena-store.js';
import { wireLimits } from '../../src/protocol/cold-codec.js';
import { MessageType, RefusedReason, WriteKind } from '../../src/protocol/messages.js';
import type { WriteMessage } from '../../src/protocol/messages.js';
import { defaultSettings, frameBytesMax } from '../../src/protocol/settings.js';
import { payloadOf } from '../support/codec-messages.js';
import { KeepingLink, NodeOnTable, self } from '../support/node-core.js';

describe('bounds of the wire', () => {
  const tooHigh = [
    [WriteKind.plain, 1],
    [WriteKind.replay, Number.MAX_SAFE_INTEGER],
    [WriteKind.conditional, Number.MAX_SAFE_INTEGER],
  ] as const;
  for (const [kind, seq] of tooHigh) {
    it(`W1, RMW2: a write of kind ${kind} with seq ${seq} is refused: no honest one counts so far`, () => {
      const stage = new NodeOnTable();
      stage.map([{ replicas: [self] }]);
      const link = new KeepingLink();
      stage.core.onRequest(link, {
        type: MessageType.write,
        rid: 1,
        epoch: stage.core.membership.epoch,
        kind,
        version: { hlc: stage.nowMs * 1000, clientId: 1, seq, epoch: 0 },
        key: 'k',
        value: Buffer.from([1]),
        expiresAtMs: 0,
        applied: null,
      });
      expect(link.take(MessageType.refused).map(({ reason }) => reason)).to.deep.equal([
        RefusedReason.fromFuture,
      ]);
      expect(stage.store.keys).to.equal(0);
    });
  }

  it('RMW2: a conditional write that would count up beyond what others take is refused, and nothing is left behind', () => {
    const stage = new NodeOnTable();
    const link = new KeepingLink();
    stage.peers.set(2, new KeepingLink());
    stage.map([{ replicas: [self, 2] }]);
    const { epoch } = stage.core.membership;
    const version = { hlc: stage.nowMs * 1000, clientId: 1, seq: 2 ** 47, epoch };
    const rest = { key: 'k', value: Buffer.from([1]), expiresAtMs: 0 };
    stage.core.onRequest(link, {
      ...{ type: MessageType.write, rid: 1, epoch, kind: WriteKind.conditional, version, applied: null },
      ...rest,
    });
    stage.core.onRequest(link, { type: MessageType.validate, rid: 1 });
    stage.core.onRequest(link, {
      ...{ type: MessageType.condition, rid: 2, epoch, opClientId: 5, opNumber: 1, retried: false },
      ...{ wants: 0, expectAbsent: false, expected: version, ...rest },
    });
    expect(link.take(MessageType.refused).map(({ rid, reason }) => [rid, reason])).to.deep.equal([
      [2, RefusedReason.fromFuture],
    ]);
    expect(stage.store.isValid(stage.store.get(0, 'k'))).to.equal(true);
  });

  it('D2: a slot of which too much is known for one question is copied whole', () => {
    const store = new ArenaStore();
    const add = (count: number): void => {
      for (let i = store.keys; i < count; i++) {
        const record = store.getOrInsert(atticSlot(0), `key-${i}`);
        store.write(record, { hlc: i, clientId: 1, seq: 0, epoch: 0 }, Buffer.from([1]), 0, 0);
        store.setValid(record);
      }
    };
    const look = (): Hints => {
      const hints = new Hints(store, 0);
      hints.compareWith(1, new Uint8Array(8));
      hints.read(store.keys + 1);
      return hints;
    };
    const most = wireLimits.knownBytesMax / 8;
    add(most);
    expect(look().isWorthIt).to.equal(true);
    expect(look().known()).to.have.length(wireLimits.knownBytesMax);
    add(most + 1);
    expect(look().isWorthIt).to.equal(false);
  }).timeout(20_000);

  for (const [isSystemLow, why] of [
    [false, RefusedReason.memoryFull],
    [true, RefusedReason.memoryLow],
  ] as const) {
    it(`D4: a node whose store is full refuses values for reason ${why}, in every way, and takes deletes and replays`, () => {
      const stage = new NodeOnTable();
      // So that a version takes as many bytes as in the field.
      stage.nowMs = 1.7e12;
      stage.map([{ replicas: [self] }]);
      const link = new KeepingLink();
      const { epoch } = stage.core.membership;
      const fields = { epoch, expiresAtMs: 0, applied: null } as const;
      const write = (rid: number, kind: WriteKind, value: Uint8Array | null): WriteMessage => {
        const version = { hlc: stage.nowMs * 1000 + rid, clientId: 1, seq: 0, epoch: 0 };
        return { type: MessageType.write, rid, kind, version, key: 'k', value, ...fields };
      };
      const condition = (rid: number, value: Uint8Array | null): void => {
        const id = { opClientId: 5, opNumber: rid, retried: false, wants: 0 };
        const expected = { hlc: 0, clientId: 0, seq: 0, epoch: 0 };
        const rest = { key: 'other', value, expiresAtMs: 0, expectAbsent: true, expected };
        stage.core.onRequest(link, { type: MessageType.condition, rid, epoch, ...id, ...rest });
      };
      const request = Object.assign(link, { sendAck: () => undefined, sendPlainValue: () => undefined });
      /** Of the same length as what is there: it could be written in its place, where it lies in its frame. */
      const isTakenInPlace = (rid: number): boolean => {
        const chunk = Buffer.alloc(1024);
        const length = payloadOf(write(rid, WriteKind.plain, Buffer.from('new'))).copy(chunk);
        return stage.core.replica.plain.onFrame(request, chunk, 0, length);
      };
      stage.core.onRequest(link, write(0, WriteKind.plain, Buffer.from('old')));
      stage.core.onRequest(link, { type: MessageType.validate, rid: 0 });
      expect(isTakenInPlace(1)).to.equal(true);
      link.sent = [];
      Object.defineProperty(stage.store, 'isFull', { value: true });
      Object.defineProperty(stage.store, 'isSystemLow', { value: isSystemLow });
      stage.core.onRequest(link, write(2, WriteKind.plain, Buffer.from('new')));
      condition(3, Buffer.from('new'));
      expect(link.take(MessageType.refused).map(({ rid, reason }) => [rid, reason])).to.deep.equal([
        [2, why],
        [3, why],
      ]);
      expect(isTakenInPlace(4)).to.equal(false);
      condition(5, null);
      expect(link.take(MessageType.conditionResult).map(({ rid }) => rid)).to.deep.equal([5]);
      stage.core.onRequest(link, write(6, WriteKind.plain, null));
      stage.core.onRequest(link, write(7, WriteKind.replay, Buffer.from('old')));
      expect(link.take(MessageType.ack).map(({ rid }) => rid)).to.deep.equal([6, 7]);
      stage.core.onRequest(link, { type: MessageType.validate, rid: 7 });
      const get = { type: MessageType.get, rid: 8, epoch, key: 'k', versionOnly: false } as const;
      stage.core.onRequest(link, get);
      expect(link.take(MessageType.value).map(({ rid, present }) => [rid, present])).to.deep.equal([
        [8, true],
      ]);
    });
  }

  it('M5: a batch of a copy that ends with the largest value is no longer than a frame may be', () => {
    const settings = { ...defaultSettings, valueBytesMax: 8 * 1024 * 1024, slotCount: 1 };
    const stage = new NodeOnTable();
    const learner = 2;
    stage.peers.set(learner, new KeepingLink());
    stage.map([{ replicas: [self], learners: [learner] }], settings);
    const slot = 0;
    for (let i = 0; i < 400; i++) write(stage, `small-${i}`, 40);
    write(stage, 'large', settings.valueBytesMax);
    const link = new KeepingLink();
    const joinedAt = stage.core.membership.map?.joinedAt(slot, learner) ?? 0;
    let longest = 0;
    for (let rid = 1; rid < 1000; rid++) {
      stage.core.onRequest(link, { type: MessageType.copy, rid, slot, joinedAt, first: rid === 1 });
      stage.turn();
      const [batch] = link.sent.splice(0);
      if (batch?.type !== MessageType.copyBatch) throw new Error('no batch came');
      longest = Math.max(longest, payloadOf(batch).length);
      if (batch.done) break;
    }
    expect(longest).to.be.within(settings.valueBytesMax, frameBytesMax(settings));
  });

  function write(stage: NodeOnTable, key: string, bytes: number): void {
    const link = new KeepingLink();
    const version = { hlc: stage.nowMs * 1000, clientId: 1, seq: 0, epoch: 0 };
    const value = new Uint8Array(bytes);
    const { epoch } = stage.core.membership;
    const fields = { epoch, kind: WriteKind.plain, applied: null, expiresAtMs: 0 };
    stage.core.onRequest(link, { type: MessageType.write, rid: 1, key, value, version, ...fields });
    expect(link.take(MessageType.ack)).to.have.length(1);
  }
});
