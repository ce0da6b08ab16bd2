// One operation at a time through the client's core: what it sends again, and what it takes its outcome to be.
import { expect } from 'chai';
import { noWants, OperationState, Outcome } from '../../src/client/core/operation.js';
import type { Operation } from '../../src/client/core/operation.js';
import { newSlot } from '../../src/protocol/cluster-map.js';
import { ConditionStatus, MessageType, RefusedReason, Want } from '../../src/protocol/messages.js';
import type { ConditionMessage, GetMessage, WriteMessage } from '../../src/protocol/messages.js';
import { defaultSettings } from '../../src/protocol/settings.js';
import { ClientOnTable } from '../support/client-core.js';
import { KeepingLink } from '../support/node-core.js';

const T = MessageType;
const value = Uint8Array.of(1);
const version = { hlc: 1, clientId: 2, seq: 0, epoch: 0 };
const deadlineMs = 60_000;

describe("an operation of the client's core", () => {
  let table: ClientOnTable;
  beforeEach(() => {
    table = new ClientOnTable([4, 2]);
    table.manager = new KeepingLink();
  });

  function linkTo(id: number): KeepingLink {
    const link = table.links.get(id);
    if (link === undefined) throw new Error(`no link to ${id}`);
    return link;
  }

  function put(): Operation {
    return taken(table.core.put('k', value, 0, deadlineMs, null));
  }

  function get(): Operation {
    return taken(table.core.get('k', false, deadlineMs, null));
  }

  function putIf(expected: typeof version | null = version): Operation {
    return taken(table.core.putIf('k', expected, value, 0, noWants, deadlineMs, null));
  }

  function taken(operation: Operation | undefined): Operation {
    if (operation === undefined) throw new Error('the table is full');
    return operation;
  }

  /** What a node was asked last, and no time before. */
  function last(id: number): (WriteMessage | GetMessage | ConditionMessage) | undefined {
    const asked = linkTo(id).sent.filter(
      (message) => message.type === T.write || message.type === T.get || message.type === T.condition,
    );
    linkTo(id).sent = [];
    return asked.at(-1);
  }

  function ack(id: number): void {
    table.core.onNodeMessage(id, { type: T.ack, rid: last(id)?.rid ?? 0 });
  }

  function stale(id: number, hlc = 1): void {
    const theirs = {
      hasEntry: false,
      version: { ...version, hlc },
      value: null,
      expiresAtMs: 0,
      applied: null,
    };
    table.core.onNodeMessage(id, { type: T.stale, rid: last(id)?.rid ?? 0, ...theirs });
  }

  function fenced(id: number, epoch = 1): void {
    table.core.onNodeMessage(id, { type: T.fenced, rid: last(id)?.rid ?? 0, epoch, reason: 1 });
  }

  function refused(id: number, reason: RefusedReason): void {
    table.core.onNodeMessage(id, { type: T.refused, rid: last(id)?.rid ?? 0, reason });
  }

  function interrupted(id: number): void {
    const rid = last(id)?.rid ?? 0;
    const status = ConditionStatus.interrupted;
    table.core.onNodeMessage(id, {
      type: T.conditionResult,
      rid,
      status,
      present: false,
      version,
      value: null,
    });
  }

  function pass(ms: number): void {
    table.nowMs += ms;
    table.core.tick();
  }

  function follow(replicas: readonly number[], learners: readonly number[] = [], incarnation = 7): void {
    const epoch = (table.core.map?.epoch ?? 0) + 1;
    const nodes = [4, 2].map((id) => ({ id, incarnation, host: '127.0.0.1', port: id }));
    const settings = { ...defaultSettings, slotCount: 1 };
    const joinedAt = [...replicas, ...learners].map(() => epoch);
    const slots = [{ ...newSlot(replicas, epoch), learners, joinedAt }];
    table.core.onMap({ clusterId: 'table', epoch, settings, nodes, slots });
  }

  function mapsAsked(): number {
    return table.manager?.take(T.getMap).length ?? 0;
  }

  describe('that is given up', () => {
    it('W8: may be stored if a member has not answered, or has stored it', () => {
      const unanswered = put();
      pass(deadlineMs);
      expect(unanswered.outcome).to.equal(Outcome.unknown);
      const stored = put();
      ack(4);
      fenced(2);
      expect(stored.state).to.equal(OperationState.waiting);
      table.core.giveUp(stored);
      expect(stored.outcome).to.equal(Outcome.unknown);
    });

    it('is not stored if it was never sent, or everybody fenced it', () => {
      const everywhereFenced = put();
      fenced(4);
      fenced(2);
      table.core.giveUp(everywhereFenced);
      expect(everywhereFenced.outcome).to.equal(Outcome.timedOut);
      linkTo(2).isFull = true;
      const unsent = put();
      table.core.giveUp(unsent);
      expect(unsent.outcome).to.equal(Outcome.timedOut);
    });

    it('W8: when the client is closed, the same', () => {
      const unanswered = put();
      linkTo(2).isFull = true;
      const unsent = put();
      table.core.close();
      expect([unanswered.outcome, unsent.outcome]).to.deep.equal([Outcome.unknown, Outcome.closed]);
    });
  });

  describe('that a learner stored', () => {
    beforeEach(() => {
      follow([4], [2]);
    });

    it('W8: in an attempt that failed may be stored, whatever all say later', () => {
      const operation = put();
      ack(2);
      fenced(4);
      pass(10);
      stale(4);
      stale(2);
      expect(operation.outcome).to.equal(Outcome.unknown);
    });

    it('W8: may be stored when it is given up', () => {
      const operation = put();
      ack(2);
      fenced(4);
      table.core.giveUp(operation);
      expect(operation.outcome).to.equal(Outcome.unknown);
    });

    it('W6: is another one after it was raised', () => {
      const operation = put();
      stale(2, 5000);
      stale(4, 5000);
      ack(4);
      ack(2);
      expect(operation.outcome).to.equal(Outcome.done);
      expect(operation.version.hlc).to.be.above(5000);
    });

    it('D4: may be stored when the full replica refused it', () => {
      const operation = put();
      ack(2);
      refused(4, RefusedReason.diskFull);
      expect(operation.outcome).to.equal(Outcome.unknown);
    });

    it('W6: says nothing of the next one', () => {
      put();
      ack(2);
      ack(4);
      const next = put();
      stale(2);
      stale(4);
      expect(next.outcome).to.equal(Outcome.pending);
      expect(last(4)).to.have.property('type', T.write);
    });

    it('W5: is not sent to learners alone', () => {
      follow([], [2]);
      const operation = put();
      expect(last(2)).to.equal(undefined);
      expect(operation.state).to.equal(OperationState.waiting);
    });
  });

  describe('that was refused', () => {
    it('D4: is unknown if another member has stored it, and not applied otherwise', () => {
      const stored = put();
      ack(4);
      refused(2, RefusedReason.diskFull);
      expect(stored.outcome).to.equal(Outcome.unknown);
      const not = put();
      stale(4);
      refused(2, RefusedReason.diskFull);
      expect(not.outcome).to.equal(Outcome.refused);
    });

    it('D4: in an attempt that decided nothing is asked anew', () => {
      const operation = put();
      refused(4, RefusedReason.diskFull);
      table.core.onNodeDown(2);
      last(2);
      pass(10);
      ack(4);
      ack(2);
      expect(operation.outcome).to.equal(Outcome.done);
    });

    it('D4: for what waits for a disk, keeps no read of that node waiting', () => {
      get();
      refused(4, RefusedReason.queueFull);
      put();
      expect(last(2)).to.have.property('type', T.write);
      refused(4, RefusedReason.queueFull);
      get();
      expect(last(4)).to.have.property('type', T.get);
    });
  });

  describe('that is conditional', () => {
    it('RMW5: says that it may have been applied only after an attempt without an answer', () => {
      putIf();
      fenced(4);
      pass(10);
      const second = last(4);
      expect(second).to.include({ type: T.condition, retried: false });
      table.core.onNodeDown(4);
      pass(10);
      expect(last(4)).to.include({ type: T.condition, retried: true });
    });

    it('RMW4: has perhaps been applied when it was interrupted', () => {
      const operation = putIf();
      interrupted(4);
      pass(10);
      expect(last(4)).to.include({ type: T.condition, retried: true });
      table.core.giveUp(operation);
      expect(operation.outcome).to.equal(Outcome.unknown);
    });

    it('W1: makes later puts of its client newer than what it has met', () => {
      const far = { ...version, hlc: 10_000_000 };
      putIf();
      const rid = last(4)?.rid ?? 0;
      const met = { rid, status: ConditionStatus.notApplied, present: true, version: far, value: null };
      table.core.onNodeMessage(4, { type: T.conditionResult, ...met });
      expect(put().version.hlc).to.be.above(far.hlc);
    });

    it('RMW7: wants a turn when it is sent again', () => {
      putIf();
      expect(last(4)).to.include({ wants: 0 });
      table.core.onNodeDown(4);
      pass(10);
      expect(last(4)).to.include({ wants: Want.turn });
    });
  });

  describe('whose node has another life', () => {
    it('W7: is sent again, for the connection it was asked on is dropped', () => {
      put();
      expect(last(4)).to.have.property('type', T.write);
      follow([4, 2], [], 8);
      pass(10);
      expect(last(4)).to.have.property('type', T.write);
    });
  });

  describe('that reads', () => {
    it('R1: asks another replica after one that fenced it', () => {
      get();
      fenced(4);
      pass(10);
      expect(last(2)).to.have.property('type', T.get);
    });

    it('W2: goes by its pause, though an earlier attempt had no room', () => {
      linkTo(4).isFull = linkTo(2).isFull = true;
      const operation = get();
      expect(operation.waitsForRoom).to.equal(true);
      linkTo(4).isFull = false;
      table.core.onRoom();
      fenced(4);
      linkTo(2).isFull = false;
      table.core.onRoom();
      expect(last(2)).to.equal(undefined);
    });

    it('W1: makes later puts of its client newer than what it has read', () => {
      const far = 10_000_000;
      get();
      const read = { type: T.value, rid: last(4)?.rid ?? 0, present: true, value, version } as const;
      table.core.onNodeMessage(4, { ...read, version: { ...version, hlc: far } });
      expect(put().version.hlc).to.be.above(far);
    });
  });

  describe('that wants a newer map', () => {
    it('asks the manager once, however many do', () => {
      for (let count = 0; count < 3; count++) {
        const operation = get();
        fenced(4, 2);
        expect(operation.state).to.equal(OperationState.waiting);
      }
      expect(mapsAsked()).to.equal(1);
    });

    it('M8: asks a node while the manager is away', () => {
      table.manager = undefined;
      get();
      fenced(4, 2);
      expect([4, 2].flatMap((id) => linkTo(id).take(T.getMap))).to.have.length(1);
    });

    it('M7: takes none of the same epoch, nor an older one', () => {
      const { map } = table.core;
      const settings = { ...defaultSettings, slotCount: 1 };
      for (const epoch of [1, 0]) {
        table.core.onMap({ clusterId: 'table', epoch, settings, nodes: [], slots: [newSlot([], epoch)] });
        expect(table.core.map).to.equal(map);
      }
    });
  });

  it('M2: whose node is gone has that reported now and then, and hears of a newer map by it', () => {
    table.core.onNodeDown(4);
    table.core.onNodeDown(4);
    expect(table.manager?.take(T.report)).to.have.length(1);
    table.core.onManagerMessage({ type: T.reportAck, rid: 1, epoch: 1 });
    expect(mapsAsked()).to.equal(0);
    table.core.onManagerMessage({ type: T.reportAck, rid: 1, epoch: 2 });
    expect(mapsAsked()).to.equal(1);
  });

  describe('that is fenced', () => {
    it('W7: has a newer map asked for at once, though others have not answered', () => {
      put();
      fenced(4, 1);
      expect(mapsAsked()).to.equal(0);
      put();
      fenced(4, 2);
      expect(mapsAsked()).to.equal(1);
    });

    it('W7: pauses longer each time, until there is a newer map', () => {
      const operation = get();
      const pauseMs = (): number => {
        linkTo(4).sent = linkTo(2).sent = [];
        operation.retryAtMs = table.nowMs;
        pass(0);
        for (const id of [4, 2]) if (linkTo(id).sent.length > 0) fenced(id);
        return operation.retryAtMs - table.nowMs;
      };
      fenced(4);
      const pauses = [pauseMs(), pauseMs(), pauseMs()];
      expect(pauses).to.deep.equal([4, 8, 16]);
      follow([4, 2]);
      for (const id of [4, 2]) if (linkTo(id).sent.length > 0) fenced(id);
      expect(operation.retryAtMs - table.nowMs).to.equal(2);
    });
  });

  describe('that takes the place of another', () => {
    it('W7: pauses no longer than a first one', () => {
      const former = get();
      former.pauses = 6;
      refused(4, RefusedReason.keyTooLarge);
      const operation = get();
      expect(operation).to.equal(former);
      fenced(4);
      expect(operation.retryAtMs - table.nowMs).to.equal(2);
    });

    it('R1: is asked whoever that one still waited for', () => {
      table = new ClientOnTable([4, 2], 'primary', 1);
      const former = put();
      table.core.giveUp(former);
      last(4);
      expect(get()).to.equal(former);
      expect(last(4)).to.have.property('type', T.get);
    });

    it('W10: has nothing of one that waited for the clock', () => {
      table.core.hostSleep.suspended(1000);
      table.core.giveUp(put());
      table.core.hostSleep.clockLearnt();
      get();
      fenced(4);
      pass(10);
      expect(last(2)).to.have.property('type', T.get);
    });

    it('RMW5: has nothing of a put-if-absent, whose deadline counts what the clock missed', () => {
      const absent = putIf(null);
      refused(4, RefusedReason.memoryFull);
      const operation = get();
      expect(operation).to.equal(absent);
      table.core.hostSleep.suspended(2 * deadlineMs);
      pass(10);
      expect(operation.outcome).to.equal(Outcome.pending);
    });
  });
});
