import { expect } from 'chai';
import { CopyBudget } from '../../src/node/core/copy-budget.js';
import { FencedReason, MessageType } from '../../src/protocol/messages.js';
import type { CopyMessage, Entry } from '../../src/protocol/messages.js';
import { KeepingLink, NodeOnTable, self } from '../support/node-core.js';

const megabyte = 1_000_000;
const source = 2;

/** A learner of `slots` slots, each of which the source has `batchesPerSlot` batches of. */
class Copying {
  readonly node = new NodeOnTable();
  readonly link = new KeepingLink();
  /** Bytes that the source has sent so far. */
  bytes = 0;
  asked: CopyMessage[] = [];
  mostUnderWay = 0;
  readonly #batches = new Map<number, number>();
  readonly #slots: number;
  readonly #batchesPerSlot: number;
  readonly #batchBytes: number;
  #serial = 0;

  constructor(slots: number, batchesPerSlot: number, batchBytes: number, limit: number) {
    this.#slots = slots;
    this.#batchesPerSlot = batchesPerSlot;
    this.#batchBytes = batchBytes;
    this.node.peers.set(source, this.link);
    this.limit(limit);
  }

  /** The same members, another limit. */
  limit(copyBytesPerSecondMax: number): void {
    const slot = { replicas: [source], learners: [self], changedAt: 1 };
    this.node.map(
      Array.from({ length: this.#slots }, () => slot),
      { copyBytesPerSecondMax },
    );
  }

  /** Answers come a tick after they were asked for. */
  pass(ms: number): void {
    this.node.pass(ms, () => {
      for (const message of this.asked.splice(0)) this.answer(message);
      this.asked = this.link.take(MessageType.copy);
      this.mostUnderWay = Math.max(this.mostUnderWay, this.asked.length);
    });
  }

  answer({ rid, slot, first }: CopyMessage): void {
    const sent = first ? 1 : (this.#batches.get(slot) ?? 0) + 1;
    this.#batches.set(slot, sent);
    const key = `key-${++this.#serial}`;
    const value = new Uint8Array(this.#batchBytes - key.length);
    const version = { hlc: this.#serial, clientId: 1, seq: 0, epoch: 0 };
    const entry: Entry = { key, version, valid: true, value, expiresAtMs: 0, applied: null };
    this.bytes += this.#batchBytes;
    const done = sent === this.#batchesPerSlot;
    this.node.core.onPeerMessage(source, { type: MessageType.copyBatch, rid, entries: [entry], done });
  }
}

describe('M5: the limit on what a learner copies in a second', () => {
  it('is kept over every few seconds, whatever the size of a batch', () => {
    for (const batchBytes of [1000, 100_000, 900_000]) {
      const copying = new Copying(20, 1_000_000, batchBytes, megabyte);
      copying.pass(2000);
      for (let round = 0; round < 3; round++) {
        const before = copying.bytes;
        copying.pass(10_000);
        const what = `${batchBytes} bytes a batch`;
        const most = 10 * megabyte;
        expect(copying.bytes - before, what).to.be.within(most * 0.85, most * 1.1);
      }
    }
  });

  it('begins with no more than the burst that may be saved up, and a few batches', () => {
    const copying = new Copying(20, 1_000_000, 128 * 1024, megabyte);
    copying.pass(1000);
    expect(copying.bytes).to.be.within(0.9 * megabyte, 1.5 * megabyte);
  });

  it('0 means none: 32 slots at once while nobody asks for anything, one batch after the other', () => {
    const copying = new Copying(50, 1_000_000, 100_000, 0);
    copying.pass(1000);
    expect(copying.mostUnderWay).to.equal(32);
    expect(copying.bytes).to.be.above(200 * megabyte);
  });

  it('follows a new map, up and down, without owing for what was copied before there was one', () => {
    const copying = new Copying(20, 1_000_000, 100_000, 0);
    copying.pass(1000);
    for (const limit of [2 * megabyte, 8 * megabyte, megabyte]) {
      copying.limit(limit);
      copying.pass(1000);
      const before = copying.bytes;
      copying.pass(5000);
      expect(copying.bytes - before).to.be.within(5 * limit * 0.9, 5 * limit * 1.1);
    }
  });

  it('a copy that waits for its turn goes on where it was, and ends', () => {
    const copying = new Copying(3, 7, 100_000, megabyte);
    copying.pass(4000);
    expect(copying.bytes).to.equal(3 * 7 * 100_000);
    const done = copying.node.manager?.take(MessageType.copyDone) ?? [];
    expect(done.at(-1)?.slots.map(([slot]) => slot)).to.have.members([0, 1, 2]);
  });

  it('a copy that waits for its turn begins anew when its source has forgotten it', () => {
    const copying = new Copying(1, 7, 400_000, megabyte);
    const { node } = copying;
    while (copying.asked[0]?.first !== false) copying.pass(10);
    const { rid } = copying.asked[0];
    copying.asked = [];
    const { epoch } = node.core.membership;
    const reason = FencedReason.notReplica;
    node.core.onPeerMessage(source, { type: MessageType.fenced, rid, epoch, reason });
    while (copying.asked.length === 0) copying.pass(10);
    expect(copying.asked[0]?.first).to.equal(true);
    copying.pass(6000);
    expect(node.manager?.take(MessageType.copyDone).at(-1)?.slots).to.have.length(1);
  });
});

describe('copy budget', () => {
  it('saves up a quarter of a second, and no more', () => {
    const budget = new CopyBudget();
    budget.allows(0, megabyte, 0);
    budget.spend(250_000);
    expect(budget.allows(0, megabyte, 0)).to.equal(false);
    expect(budget.allows(0, megabyte, 60_000)).to.equal(true);
    budget.spend(250_000);
    expect(budget.allows(0, megabyte, 60_000)).to.equal(false);
    expect(budget.allows(0, megabyte, 60_001)).to.equal(true);
  });
});
