// A client writes large values a few at a time, so that small requests need not wait behind them.
import { expect } from 'chai';
import { largeWriteLimits } from '../../src/client/core/large-writes.js';
import { noWants, Outcome } from '../../src/client/core/operation.js';
import { ConditionStatus, MessageType, RefusedReason } from '../../src/protocol/messages.js';
import type { ConditionResultMessage } from '../../src/protocol/messages.js';
import { ClientOnTable } from '../support/client-core.js';

const replicas = [4, 2, 5];
const mebibyte = Buffer.alloc(2 ** 20);
const small = Buffer.alloc(100);
const deadlineMs = 60_000;

function applied(rid: number): ConditionResultMessage {
  const version = { hlc: 1, clientId: 1, seq: 0, epoch: 0 };
  const status = ConditionStatus.applied;
  return { type: MessageType.conditionResult, rid, status, present: true, version, value: null };
}

describe('large values of a client', () => {
  let table: ClientOnTable;
  beforeEach(() => {
    table = new ClientOnTable(replicas);
  });
  const put = (key: string, value: Buffer | null = mebibyte): ReturnType<typeof table.core.put> =>
    table.core.put(key, value, 0, deadlineMs, null);
  const puts = (count: number): void => {
    for (let n = 0; n < count; n++) put(`large-${n}`);
  };
  /** Requests of writes that have come to the primary since the last call. */
  const come = (): { rid: number; key: string }[] =>
    (table.links.get(4)?.take(MessageType.write) ?? []).map(({ rid, key }) => ({ rid, key }));
  const keysCome = (): string[] => come().map(({ key }) => key);
  const acknowledge = (rid: number): void => {
    for (const id of replicas) table.core.onNodeMessage(id, { type: MessageType.ack, rid });
  };

  it('are written two of 1 MiB at a time, the others as soon as one is decided', () => {
    puts(5);
    const [first, second, ...more] = come();
    expect([first?.key, second?.key, more]).to.deep.equal(['large-0', 'large-1', []]);
    acknowledge(second?.rid ?? 0);
    expect(keysCome()).to.deep.equal(['large-2']);
    acknowledge(first?.rid ?? 0);
    expect(keysCome()).to.deep.equal(['large-3']);
  });

  it('go on before what the caller begins when one is decided', () => {
    puts(3);
    const [first] = come();
    acknowledge(first?.rid ?? 0);
    put('late');
    expect(keysCome()).to.deep.equal(['large-2']);
  });

  it('are all written in the end, however many wait', () => {
    puts(300);
    const seen = new Set<string>();
    for (let turn = 0; turn < 300; turn++) {
      for (const { rid, key } of come()) {
        seen.add(key);
        acknowledge(rid);
      }
    }
    expect(seen.size).to.equal(300);
    expect(table.core.inFlight).to.equal(0);
  });

  it('do not keep small ones, reads and deletes waiting', () => {
    puts(5);
    come();
    put('small', small);
    put('deleted', null);
    table.core.get('read', false, deadlineMs, null);
    expect(keysCome()).to.deep.equal(['small', 'deleted']);
    expect(table.links.get(4)?.take(MessageType.get)).to.have.length(1);
  });

  it('may each be larger than all are allowed to be together: then one at a time', () => {
    const vast = Buffer.alloc(2 * largeWriteLimits.bytesEnough);
    put('a', vast);
    put('b', vast);
    const [first] = come();
    expect(first?.key).to.equal('a');
    acknowledge(first?.rid ?? 0);
    expect(keysCome()).to.deep.equal(['b']);
  });

  it('no longer wait for one that takes long: for a disk, a long line, a node that has stopped', () => {
    puts(3);
    come();
    table.nowMs += largeWriteLimits.msMax - 1;
    table.core.tick();
    expect(come()).to.deep.equal([]);
    table.nowMs += 1;
    table.core.tick();
    expect(keysCome()).to.deep.equal(['large-2']);
  });

  it('count once however often they are tried, and not while they wait for another attempt', () => {
    puts(3);
    for (const { rid } of come()) {
      table.core.onNodeMessage(2, { type: MessageType.fenced, rid, epoch: 1, reason: 0 });
      for (const id of [4, 5]) table.core.onNodeMessage(id, { type: MessageType.ack, rid });
    }
    table.core.tick();
    expect(keysCome()).to.deep.equal(['large-2']);
    table.nowMs += 10;
    table.core.tick();
    expect(come()).to.have.length(1);
  });

  it('W6: count on while they start again with a raised version', () => {
    const stale = { hlc: 1e15, clientId: 3, seq: 0, epoch: 0 };
    puts(3);
    const [first] = come();
    const { rid = 0 } = first ?? {};
    const entry = { hasEntry: false, value: null, expiresAtMs: 0, applied: null };
    for (const id of replicas) {
      table.core.onNodeMessage(id, { type: MessageType.stale, rid, version: stale, ...entry });
    }
    const again = come();
    expect(again.map(({ key }) => key)).to.deep.equal(['large-0']);
    acknowledge(again[0]?.rid ?? 0);
    expect(keysCome()).to.deep.equal(['large-2']);
  });

  it('make room when one is refused, or its caller gives up', () => {
    puts(2);
    const [refused] = come();
    const given = put('given up');
    const waiting = put('waiting');
    for (const id of replicas) {
      table.core.onNodeMessage(id, {
        type: MessageType.refused,
        rid: refused?.rid ?? 0,
        reason: RefusedReason.diskFull,
      });
    }
    if (given !== undefined) table.core.giveUp(given);
    expect(given?.outcome).to.equal(Outcome.timedOut);
    table.core.tick();
    expect(keysCome()).to.deep.equal(['waiting']);
    if (waiting !== undefined) table.core.giveUp(waiting);
    expect(waiting?.outcome).to.equal(Outcome.unknown);
    put('next');
    expect(keysCome()).to.deep.equal(['next']);
  });

  it('are as few among conditional writes', () => {
    const putIf = (key: string): void => {
      table.core.putIf(key, null, mebibyte, 0, noWants, deadlineMs, null);
    };
    for (const key of ['a', 'b', 'c']) putIf(key);
    const [first, ...more] = table.links.get(4)?.take(MessageType.condition) ?? [];
    expect(more).to.have.length(1);
    table.core.onNodeMessage(4, applied(first?.rid ?? 0));
    expect(table.links.get(4)?.take(MessageType.condition)).to.have.length(1);
  });

  for (const [bytes, lanes] of [
    [2 ** 20, 30],
    [4_000_000, 2],
    [4_000_000, 30],
  ] as const) {
    it(`have their turn among smaller ones that never end: ${bytes} bytes among ${lanes} times 100,000`, () => {
      const smaller = Buffer.alloc(100_000);
      let count = 0;
      const next = (): unknown => put(`smaller-${count++}`, smaller);
      for (let lane = 0; lane < lanes; lane++) next();
      const underWay = come();
      put('larger', Buffer.alloc(bytes));
      for (let ms = 0; ms < 100; ms++) {
        table.nowMs++;
        acknowledge(underWay.shift()?.rid ?? 0);
        next();
        const more = come();
        if (more.some(({ key }) => key === 'larger')) return;
        underWay.push(...more);
      }
      expect.fail('it has never been sent');
    });
  }

  it('and what waits for a connection do not wait for each other', () => {
    puts(100);
    come();
    table.fill(4);
    put('small', small);
    table.fill(4, false);
    table.core.onRoom();
    expect(keysCome()).to.deep.equal(['small']);

    const other = new ClientOnTable(replicas);
    const conditions = (): number[] =>
      (other.links.get(4)?.take(MessageType.condition) ?? []).map(({ rid }) => rid);
    other.fill(2);
    for (let n = 0; n < 70; n++) other.core.put(`small-${n}`, small, 0, deadlineMs, null);
    for (let n = 0; n < 4; n++) other.core.putIf(`${n}`, null, mebibyte, 0, noWants, deadlineMs, null);
    const first = conditions();
    expect(first).to.have.length(2);
    for (const rid of first) other.core.onNodeMessage(4, applied(rid));
    expect(conditions()).to.have.length(2);
  });

  it('RMW7: go past the others in a conditional write whose turn it is: these may be what waits for its end', () => {
    puts(3);
    come();
    const wants = { value: true, turn: true };
    table.core.putIf('large-0', null, mebibyte, 0, wants, deadlineMs, null);
    expect(table.links.get(4)?.take(MessageType.condition)).to.have.length(1);
  });

  it('that wait when the client is closed are not applied; what is under way is unknown', () => {
    puts(2);
    const waiting = put('waiting');
    const [first] = come();
    table.core.close();
    expect(waiting?.outcome).to.equal(Outcome.closed);
    expect(first).not.to.equal(undefined);
    expect(come()).to.deep.equal([]);
  });
});
