// A turn among puts: for whom, for how long, and what becomes of the puts that wait (PROTOCOL RMW7).
import { expect } from 'chai';
import { ConditionStatus, MessageType, Want, WriteKind } from '../../src/protocol/messages.js';
import type { ConditionMessage, WriteMessage } from '../../src/protocol/messages.js';
import { cloneVersion } from '../../src/protocol/version.js';
import type { Version } from '../../src/protocol/version.js';
import { KeepingLink, NodeOnTable, self } from '../support/node-core.js';

const turnMsMax = 25;
const key = 'k';

describe('RMW7: a turn among puts', () => {
  let stage: NodeOnTable;
  let asker: KeepingLink;
  let putter: KeepingLink;
  let rid: number;

  beforeEach(() => {
    stage = new NodeOnTable();
    stage.map([{ replicas: [self] }]);
    asker = new KeepingLink();
    putter = new KeepingLink();
    rid = 0;
  });

  const versionAt = (step: number): Version => ({
    hlc: stage.nowMs * 1000 + step,
    clientId: 9,
    seq: 0,
    epoch: 0,
  });

  function put(step: number, from = putter, more: Partial<WriteMessage> = {}): number {
    const { epoch } = stage.core.membership;
    const what = { kind: WriteKind.plain, key, value: new Uint8Array([step]), expiresAtMs: 0, applied: null };
    const message = {
      type: MessageType.write,
      rid: ++rid,
      epoch,
      version: versionAt(step),
      ...what,
      ...more,
    };
    stage.core.onRequest(from, message);
    return rid;
  }

  /** A put of which nothing is left to be done. */
  function putValid(step: number): Version {
    const done = put(step);
    stage.core.onRequest(putter, { type: MessageType.validate, rid: done });
    putter.sent = [];
    return versionAt(step);
  }

  function ask(expected: Version, more: Partial<ConditionMessage> = {}): void {
    const { epoch } = stage.core.membership;
    const id = { opClientId: 5, opNumber: ++rid, retried: false, expectAbsent: false, expiresAtMs: 0 };
    const what = { key, value: new Uint8Array([99]), expected, wants: Want.turn };
    stage.core.onRequest(asker, { type: MessageType.condition, rid, epoch, ...id, ...what, ...more });
  }

  const acked = (link = putter): number[] => link.take(MessageType.ack).map((message) => message.rid);
  const statuses = (): ConditionStatus[] =>
    asker.take(MessageType.conditionResult).map(({ status }) => status);
  const isThere = (): Version => {
    const record = stage.store.get(0, key);
    return cloneVersion(stage.store.versionOf(record));
  };

  it('begins for who is refused and wants one; puts wait until the next condition is met, and are taken then', () => {
    putValid(1);
    const found = putValid(2);
    ask(versionAt(1));
    expect(statuses()).to.deep.equal([ConditionStatus.notApplied]);
    const [third, fourth] = [put(3), put(4)];
    expect([acked(), isThere()]).to.deep.equal([[], found]);
    ask(found);
    expect(statuses()).to.deep.equal([ConditionStatus.applied]);
    expect([acked(), isThere()]).to.deep.equal([[third, fourth], versionAt(4)]);
    expect(acked()).to.deep.equal([]);
    const fifth = put(5);
    expect(acked()).to.deep.equal([fifth]);
  });

  it('begins for who has to wait until the key is VALID: no put comes before it', () => {
    const first = put(1);
    ask(versionAt(1));
    const second = put(2);
    expect([acked(), statuses()]).to.deep.equal([[first], []]);
    stage.core.onRequest(putter, { type: MessageType.validate, rid: first });
    expect([acked(), statuses()]).to.deep.equal([[second], [ConditionStatus.applied]]);
  });

  it('is not given to who does not want it, nor because of another conditional write', () => {
    putValid(1);
    const found = putValid(2);
    ask(versionAt(1), { wants: 0 });
    const third = put(3);
    expect(acked()).to.deep.equal([third]);
    const valid = putValid(4);
    ask(valid, { wants: 0 });
    ask(found);
    expect(statuses()).to.deep.equal([
      ConditionStatus.notApplied,
      ConditionStatus.applied,
      ConditionStatus.notApplied,
    ]);
    const last = put(5);
    expect(acked()).to.deep.equal([last]);
  });

  it('ends in time if nobody takes it: at a tick, or with the next put', () => {
    putValid(1);
    putValid(2);
    ask(versionAt(1));
    const third = put(3);
    stage.pass(turnMsMax - 5);
    expect(acked()).to.deep.equal([]);
    stage.pass(10);
    expect(acked()).to.deep.equal([third]);
    expect(stage.core.replica.waiters).to.equal(0);

    putValid(4);
    ask(versionAt(1));
    const fifth = put(5);
    stage.nowMs += turnMsMax;
    const sixth = put(6);
    expect(acked()).to.deep.equal([fifth, sixth]);
  });

  it('holds up puts of no other key, and no replay of the key', () => {
    putValid(1);
    putValid(2);
    ask(versionAt(1));
    const other = put(3, putter, { key: 'other' });
    const replay = put(4, putter, { kind: WriteKind.replay });
    expect(acked()).to.deep.equal([other, replay]);
  });

  it('is not used by what came on a connection that has ended', () => {
    putValid(1);
    putValid(2);
    ask(versionAt(1));
    const gone = new KeepingLink();
    put(3, gone);
    const fourth = put(4);
    stage.core.onLinkClosed(gone);
    stage.pass(turnMsMax + 10);
    expect([acked(), acked(gone)]).to.deep.equal([[fourth], []]);
    expect(stage.core.replica.waiters).to.equal(0);
  });

  it('ends with the slot: what waits is sent elsewhere', () => {
    putValid(1);
    putValid(2);
    ask(versionAt(1));
    const third = put(3);
    stage.map([{ replicas: [2, 3] }]);
    expect(putter.take(MessageType.fenced).map((message) => message.rid)).to.deep.equal([third]);
    expect([acked(), stage.core.replica.waiters]).to.deep.equal([[], 0]);
  });

  it('ends when enough waits', () => {
    putValid(1);
    putValid(2);
    ask(versionAt(1));
    const large = new Uint8Array(1024 * 1024);
    const waiting = Array.from({ length: 64 }, (_, i) => put(3 + i, putter, { value: large }));
    expect([acked(), stage.core.replica.waiters]).to.deep.equal([[], 64]);
    const last = put(100, putter, { value: large });
    expect(acked()).to.deep.equal([...waiting, last]);
    expect(stage.core.replica.waiters).to.equal(0);
  });
});
