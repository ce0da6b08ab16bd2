import { expect } from 'chai';
import { nodeTimings } from '../../src/node/core/ports.js';
import { FencedReason, MessageType, RefusedReason, Want, WriteKind } from '../../src/protocol/messages.js';
import type { ValueMessage } from '../../src/protocol/messages.js';
import type { Version } from '../../src/protocol/version.js';
import { KeepingLink, NodeOnTable, self } from '../support/node-core.js';

const other = 2;
const mebibyte = 1024 * 1024;
const bytes = (text: string): Uint8Array => Buffer.from(text);

interface Committing {
  readonly version: Version;
  commit(): void;
}

/** One slot of two replicas; each writer has a connection of its own, as if it were a client of its own. */
class Stage extends NodeOnTable {
  readonly reader = new KeepingLink();
  #rid = 0;

  constructor() {
    super();
    this.peers.set(other, new KeepingLink());
    this.map([{ replicas: [self, other] }]);
  }

  /** @returns commits it: the VALIDATE of the client that wrote it. `atOnce`: it came with the request before */
  write(key: string, value: Uint8Array | null, { expiresAtMs = 0, atOnce = false } = {}): Committing {
    if (!atOnce) this.nowMs += 0.125;
    const link = new KeepingLink();
    const rid = ++this.#rid;
    const version = { hlc: this.nowMs * 1000 + rid, clientId: rid, seq: 0, epoch: 0 };
    const fields = { epoch: this.core.membership.epoch, kind: WriteKind.plain, applied: null };
    this.core.onRequest(link, { type: MessageType.write, rid, key, value, version, expiresAtMs, ...fields });
    expect(link.take(MessageType.ack)).to.have.length(1);
    return {
      version,
      commit: () => {
        this.core.onRequest(link, { type: MessageType.validate, rid });
      },
    };
  }

  get(key: string, versionOnly = false): number {
    const rid = ++this.#rid;
    this.core.onRequest(this.reader, { type: MessageType.get, rid, versionOnly, key });
    return rid;
  }

  putIfAbsent(key: string, rid: number, value: Uint8Array): void {
    const { epoch } = this.core.membership;
    this.core.onRequest(this.reader, {
      ...{ type: MessageType.condition, rid, epoch, opClientId: 5, opNumber: rid, retried: false, wants: 0 },
      ...{ expectAbsent: true, expected: { hlc: 0, clientId: 0, seq: 0, epoch: 0 } },
      ...{ key, value, expiresAtMs: 0 },
    });
  }

  /** What was answered since the last call, by request. */
  answers(): Record<number, string | null> {
    const text = ({ value }: ValueMessage): string | null =>
      value === null ? null : Buffer.from(value).toString();
    return Object.fromEntries(this.reader.take(MessageType.value).map((each) => [each.rid, text(each)]));
  }
}

describe('R2: reads that wait together, on one connection', () => {
  it('are answered as long as it has room, the others when it has room again', () => {
    const stage = new Stage();
    const first = stage.write('k', bytes('1'));
    const rids = [stage.get('k'), stage.get('k'), stage.get('k')];
    const { reader } = stage;
    reader.onSent = () => (reader.isFull = true);
    first.commit();
    expect(stage.answers()).to.deep.equal({ [rids[0] ?? 0]: '1' });
    stage.pass(50);
    expect(stage.answers(), 'full').to.deep.equal({});
    reader.isFull = false;
    stage.pass(10);
    expect(stage.answers()).to.deep.equal({ [rids[1] ?? 0]: '1' });
    reader.onSent = () => undefined;
    reader.isFull = false;
    stage.pass(10);
    expect(stage.answers()).to.deep.equal({ [rids[2] ?? 0]: '1' });
    expect(stage.core.replica.waiters).to.equal(0);
  });

  it('and get what came instead, if that is committed before there is room', () => {
    const stage = new Stage();
    const first = stage.write('k', bytes('1'));
    const rids = [stage.get('k'), stage.get('k')];
    stage.reader.isFull = true;
    first.commit();
    const second = stage.write('k', bytes('2'));
    const third = stage.write('k', bytes('3'));
    stage.reader.isFull = false;
    stage.pass(20);
    expect(stage.answers()).to.deep.equal({});
    second.commit();
    third.commit();
    stage.pass(10);
    const answers = stage.answers();
    expect(Object.keys(answers).map(Number)).to.deep.equal(rids);
    for (const text of Object.values(answers)) expect(text).to.be.oneOf(['2', '3']);
    expect(stage.core.replica.waiters).to.equal(0);
  });

  it('a conditional write that would be answered with a value is to be tried again', () => {
    const stage = new Stage();
    const first = stage.write('k', bytes('1'));
    const { rid, epoch } = { rid: 77, epoch: stage.core.membership.epoch };
    const condition = {
      opClientId: 5,
      opNumber: 1,
      key: 'k',
      retried: false,
      wants: Want.value,
      expectAbsent: false,
    };
    const expected = { hlc: 1, clientId: 1, seq: 0, epoch: 0 };
    const fields = { rid, epoch, expected, value: bytes('2'), expiresAtMs: 0 };
    stage.core.onRequest(stage.reader, { type: MessageType.condition, ...condition, ...fields });
    stage.reader.isFull = true;
    first.commit();
    const [fenced] = stage.reader.take(MessageType.fenced);
    expect(fenced?.rid).to.equal(rid);
    expect(stage.reader.take(MessageType.conditionResult)).to.deep.equal([]);
  });
});

describe('R2: reads of a key that is overwritten while they wait', () => {
  let stage: Stage;
  beforeEach(() => {
    stage = new Stage();
  });

  it('are answered with what they found, once that is committed', () => {
    const first = stage.write('k', bytes('first'));
    const read = stage.get('k');
    stage.write('k', bytes('second'));
    stage.write('k', bytes('third'));
    expect(stage.answers()).to.deep.equal({});
    first.commit();
    const [{ version, present } = expect.fail()] = stage.reader.sent as ValueMessage[];
    expect([version, present]).to.deep.equal([first.version, true]);
    expect(stage.answers()).to.deep.equal({ [read]: 'first' });
    expect(stage.core.replica.waiters).to.equal(0);
  });

  it('or with what came after it, whichever of them is committed first; never with what was before it', () => {
    const first = stage.write('k', bytes('first'));
    const early = stage.get('k');
    const second = stage.write('k', bytes('second'));
    const late = stage.get('k');
    const third = stage.write('k', bytes('third'));
    const latest = stage.get('k');
    const versionOnly = stage.get('k', true);
    stage.write('k', bytes('fourth'));
    second.commit();
    expect(stage.answers()).to.deep.equal({ [early]: 'second', [late]: 'second' });
    first.commit();
    expect(stage.answers()).to.deep.equal({});
    third.commit();
    expect(stage.answers()).to.deep.equal({ [latest]: 'third', [versionOnly]: null });
  });

  it('of writes that came at once, with the last: it is committed with the others', () => {
    const first = stage.write('k', bytes('first'));
    const before = stage.get('k');
    const second = stage.write('k', bytes('second'));
    const between = [stage.get('k')];
    const third = stage.write('k', bytes('third'), { atOnce: true });
    between.push(stage.get('k'));
    const last = stage.write('k', bytes('last'), { atOnce: true });
    between.push(stage.get('k'));
    first.commit();
    expect(stage.answers()).to.deep.equal({ [before]: 'first' });
    // Later ones do not take its place for those who wait.
    stage.write('k', bytes('of another client'));
    second.commit();
    third.commit();
    expect(stage.answers()).to.deep.equal({});
    last.commit();
    expect(stage.answers()).to.deep.equal(Object.fromEntries(between.map((rid) => [rid, 'last'])));
    expect(stage.core.replica.waiters).to.equal(0);
  });

  it('all of them, when what is there at last is committed', () => {
    stage.write('k', bytes('first'));
    const early = stage.get('k');
    stage.write('k', bytes('second'));
    const late = stage.get('k');
    const third = stage.write('k', bytes('third'));
    third.commit();
    expect(stage.answers()).to.deep.equal({ [early]: 'third', [late]: 'third' });
    expect(stage.core.isBusy).to.equal(false);
  });

  it('or with what this node replays, though that is overwritten, too, before the replay is done', () => {
    const peer = stage.peers.get(other);
    stage.write('k', bytes('of a client that died'));
    const early = stage.get('k');
    stage.write('k', bytes('replayed'));
    stage.pass(100);
    const [{ rid, value } = expect.fail()] = peer?.take(MessageType.write) ?? [];
    expect(Buffer.from(value ?? []).toString()).to.equal('replayed');
    stage.write('k', bytes('later'));
    const late = stage.get('k');
    stage.core.onPeerMessage(other, { type: MessageType.ack, rid });
    expect(stage.answers()).to.deep.equal({ [early]: 'replayed' });
    stage.pass(100);
    const [again] = peer?.take(MessageType.write) ?? [];
    stage.core.onPeerMessage(other, { type: MessageType.ack, rid: again?.rid ?? 0 });
    expect(stage.answers()).to.deep.equal({ [late]: 'later' });
  });

  it('a key nobody waits at any more is not replayed before its time', () => {
    const first = stage.write('k', bytes('first'));
    stage.get('k');
    stage.write('k', bytes('second'));
    first.commit();
    const { settleAfterMs } = nodeTimings;
    stage.pass(settleAfterMs - 20);
    expect(stage.peers.get(other)?.take(MessageType.write)).to.deep.equal([]);
    stage.pass(100);
    expect(stage.peers.get(other)?.take(MessageType.write)).to.have.length(1);
  });

  it('a tombstone, and what has expired by then, is absent', () => {
    stage.write('gone', bytes('there')).commit();
    const removal = stage.write('gone', null);
    const expiring = stage.write('old', bytes('old'), { expiresAtMs: stage.nowMs + 5 });
    const reads = [stage.get('gone'), stage.get('old')];
    stage.nowMs += 10;
    stage.write('gone', bytes('again'));
    stage.write('old', bytes('new'));
    removal.commit();
    expiring.commit();
    for (const { present } of stage.reader.sent as ValueMessage[]) expect(present).to.equal(false);
    expect(stage.answers()).to.deep.equal({ [reads[0] ?? 0]: null, [reads[1] ?? 0]: null });
  });

  it('are sent elsewhere by a node that is no replica any more', () => {
    const first = stage.write('k', bytes('first'));
    const read = stage.get('k');
    stage.write('k', bytes('second'));
    stage.map([{ replicas: [other] }]);
    const [{ rid, reason } = expect.fail()] = stage.reader.take(MessageType.fenced);
    expect([rid, reason]).to.deep.equal([read, FencedReason.notReplica]);
    first.commit();
    expect(stage.answers()).to.deep.equal({});
    expect(stage.core.replica.waiters).to.equal(0);
  });

  it('are sent elsewhere by a node without a lease, whatever is committed then (R4)', () => {
    const first = stage.write('k', bytes('first'));
    const read = stage.get('k');
    stage.write('k', bytes('second'));
    stage.nowMs += 2000;
    first.commit();
    const [{ rid, reason } = expect.fail()] = stage.reader.take(MessageType.fenced);
    expect([rid, reason]).to.deep.equal([read, FencedReason.noLease]);
    expect(stage.answers()).to.deep.equal({});
  });

  it('are sent elsewhere when nobody has been served there for long, since a member cannot be reached', () => {
    stage.peers.delete(other);
    stage.write('k', bytes('not known to be committed'));
    const read = stage.get('k');
    stage.pass(nodeTimings.waitMsMax - 500);
    const late = stage.get('k');
    expect(stage.reader.take(MessageType.fenced)).to.deep.equal([]);
    stage.pass(1000);
    const fenced = stage.reader.take(MessageType.fenced);
    expect(fenced.map(({ rid, reason }) => [rid, reason])).to.deep.equal([
      [read, FencedReason.memberUnreachable],
      [late, FencedReason.memberUnreachable],
    ]);
    expect(stage.core.replica.waiters).to.equal(0);
    // And whoever comes then waits for as long again.
    stage.get('k');
    stage.pass(nodeTimings.waitMsMax - 500);
    expect(stage.reader.take(MessageType.fenced)).to.deep.equal([]);
  });

  it('wait on for as long as others are served there', () => {
    stage.peers.delete(other);
    let turns = 0;
    let last = stage.write('k', bytes('first'));
    stage.get('k');
    stage.pass(2 * nodeTimings.waitMsMax, () => {
      if (++turns % 100 !== 0) return;
      // What the reader before found is committed when the next one waits for something else already.
      const next = stage.write('k', bytes('next'));
      stage.get('k');
      last.commit();
      last = next;
    });
    expect(stage.reader.take(MessageType.value)).to.have.length(4);
    expect(stage.reader.take(MessageType.fenced)).to.deep.equal([]);
  });

  it('RMW1: so are conditional writes, and what they would write is held no longer', () => {
    stage.peers.delete(other);
    stage.write('k', bytes('not known to be committed'));
    const condition = (rid: number, value: Uint8Array): void => {
      stage.putIfAbsent('k', rid, value);
    };
    const value = new Uint8Array(mebibyte);
    // No more than 64 MiB of them wait.
    for (let rid = 1; rid <= 65; rid++) condition(rid, value);
    expect(stage.reader.take(MessageType.refused).map(({ rid, reason }) => [rid, reason])).to.deep.equal([
      [65, RefusedReason.queueFull],
    ]);
    stage.pass(nodeTimings.waitMsMax + 500);
    expect(stage.reader.take(MessageType.fenced)).to.have.length(64);
    expect(stage.core.replica.waiters).to.equal(0);
    condition(66, value);
    expect(stage.reader.take(MessageType.refused)).to.deep.equal([]);
  });

  it('RMW1: a conditional write is not put off for as long as others are served', () => {
    const peer = stage.peers.get(other);
    let last = stage.write('k', bytes('first'));
    stage.putIfAbsent('k', 1_000_000, bytes('mine'));
    let results = 0;
    stage.pass(200, () => {
      for (const { rid } of peer?.take(MessageType.write) ?? [])
        stage.core.onPeerMessage(other, { type: MessageType.ack, rid });
      stage.get('k');
      const next = stage.write('k', bytes('next'));
      last.commit();
      last = next;
      results += stage.reader.take(MessageType.conditionResult).length;
    });
    expect(results).to.equal(1);
    expect(stage.reader.take(MessageType.value), 'others').to.have.length.above(15);
  });

  describe('16 MiB are kept at most', () => {
    const value = new Uint8Array(mebibyte - 256);
    const keys = Array.from({ length: 18 }, (_, i) => `k-${i}`);

    /** Every key is read and then overwritten. @returns the reads, and the writes before and after */
    function overwriteAll(): { firsts: Committing[]; reads: number[]; seconds: Committing[] } {
      const firsts = keys.map((key) => stage.write(key, value));
      const reads = keys.map((key) => stage.get(key));
      return { firsts, reads, seconds: keys.map((key) => stage.write(key, bytes('second'))) };
    }

    /** All that can be kept is: the others wait for what came instead. */
    function expectRoom(): void {
      const { firsts, reads, seconds } = overwriteAll();
      for (const { commit } of firsts) commit();
      expect(Object.keys(stage.answers()).map(Number)).to.deep.equal(reads.slice(0, 16));
      for (const { commit } of seconds) commit();
      expect(stage.answers()).to.deep.equal({ [reads[16] ?? 0]: 'second', [reads[17] ?? 0]: 'second' });
    }

    it('and there is room again when readers got what was kept', () => {
      expectRoom();
      expectRoom();
    });

    it('or what came instead', () => {
      const { reads, seconds } = overwriteAll();
      for (const { commit } of seconds) commit();
      expect(Object.keys(stage.answers())).to.have.length(reads.length);
      expectRoom();
    });

    it('or were sent elsewhere', () => {
      overwriteAll();
      stage.map([{ replicas: [other] }]);
      stage.map([{ replicas: [self, other] }]);
      expect(stage.reader.take(MessageType.fenced)).to.have.length(keys.length);
      expectRoom();
    });
  });
});
