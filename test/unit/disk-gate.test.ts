// Which answers to WRITEs wait for the disk (PROTOCOL D1, D2).
import { expect } from 'chai';
import { Answers } from '../../src/node/core/answers.js';
import { DiskGate } from '../../src/node/core/disk-gate.js';
import { noJournal } from '../../src/node/core/journal.js';
import type { Journal } from '../../src/node/core/journal.js';
import type { RecordId } from '../../src/node/core/store.js';
import { ArenaStore } from '../../src/node/storage/arena-store.js';
import { FencedReason, MessageType, WriteKind } from '../../src/protocol/messages.js';
import { KeepingLink } from '../support/node-core.js';

const value = new Uint8Array([1]);
const version = { hlc: 10, clientId: 1, seq: 0, epoch: 0 };
const write = {
  type: MessageType.write,
  ...{ rid: 7, epoch: 1, key: 'k', version, value, expiresAtMs: 0, applied: null },
} as const;

describe('D1: an ACK', () => {
  let link: KeepingLink;
  let journal: { -readonly [Name in keyof Journal]: Journal[Name] };
  let gate: DiskGate;
  let store: ArenaStore;
  let record: RecordId;

  beforeEach(() => {
    link = new KeepingLink();
    // One change is not on the disk yet.
    journal = { ...noJournal, isAwaited: true, noted: 5, labelled: 3, saved: 4 };
    store = new ArenaStore();
    const fence = (): void => undefined;
    gate = new DiskGate(journal, store, new Answers(store), fence, FencedReason.notReplica);
    record = store.getOrInsert(0, 'k');
    store.write(record, version, value, 0, 0);
  });

  function acks(kind: WriteKind): number {
    gate.ack(link, { ...write, kind }, record);
    return link.take(MessageType.ack).length;
  }

  it('waits for all that was noted before it', () => {
    expect(acks(WriteKind.plain)).to.equal(0);
    gate.onSaved();
    expect(link.take(MessageType.ack)).to.deep.equal([]);
    journal.saved = 5;
    gate.onSaved();
    expect(link.take(MessageType.ack)).to.have.length(1);
    expect(acks(WriteKind.plain)).to.equal(1);
  });

  it('waits for nothing where nobody asks for that', () => {
    journal.isAwaited = false;
    expect(acks(WriteKind.conditional)).to.equal(1);
  });

  it('of a VALID record waits for nothing but the last label (D2): it is on the disk of every member', () => {
    store.setValid(record);
    expect(acks(WriteKind.plain)).to.equal(1);
    journal.labelled = 5;
    expect(acks(WriteKind.plain)).to.equal(0);
  });

  it('of a VALID record waits if it speaks of the list of conditional writes, too (RMW5)', () => {
    store.setValid(record);
    expect(acks(WriteKind.conditional)).to.equal(0);
    expect(acks(WriteKind.replay)).to.equal(0);
  });
});
