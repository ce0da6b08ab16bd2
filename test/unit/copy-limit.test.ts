import { expect } from 'chai';
import { CopyBudget } from '../../src/node/core/copy-budget.js';
import { FencedReason, MessageType } from '../../src/protocol/messages.js';
import { Copying } from '../support/copying.js';

const megabyte = 1_000_000;
const source = 2;
describe('M5: the limit on what a learner copies in a second', () => {
  it('is kept over every few seconds, whatever the size of a batch', () => {
    for (const batchBytes of [1000, 100_000, 900_000]) {
      const copying = new Copying({
        slots: 20,
        batchesPerSlot: 1_000_000,
        batchBytes,
        limit: megabyte,
      });
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
    const copying = new Copying({
      slots: 20,
      batchesPerSlot: 1_000_000,
      batchBytes: 128 * 1024,
      limit: megabyte,
    });
    copying.pass(1000);
    expect(copying.bytes).to.be.within(0.9 * megabyte, 1.5 * megabyte);
  });

  it('0 means none: 32 slots at once while nobody asks for anything, one batch after the other', () => {
    const copying = new Copying({ slots: 50, batchesPerSlot: 1_000_000, batchBytes: 100_000, limit: 0 });
    copying.pass(1000);
    expect(copying.mostUnderWay).to.equal(32);
    expect(copying.bytes).to.be.above(200 * megabyte);
  });

  it('follows a new map, up and down, without owing for what was copied before there was one', () => {
    const copying = new Copying({ slots: 20, batchesPerSlot: 1_000_000, batchBytes: 100_000, limit: 0 });
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
    const copying = new Copying({ slots: 3, batchesPerSlot: 7, batchBytes: 100_000, limit: megabyte });
    copying.pass(4000);
    expect(copying.bytes).to.equal(3 * 7 * 100_000);
    const done = copying.node.manager?.take(MessageType.copyDone) ?? [];
    expect(done.at(-1)?.slots.map(([slot]) => slot)).to.have.members([0, 1, 2]);
  });

  it('a copy that waits for its turn begins anew when its source has forgotten it', () => {
    const copying = new Copying({ slots: 1, batchesPerSlot: 7, batchBytes: 400_000, limit: megabyte });
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

describe('M5: a learner far from its source', () => {
  it('asks for no more at once, beside requests as well, than the source keeps walks for', () => {
    const copying = new Copying({ slots: 256, batchesPerSlot: 8, batchBytes: 1000, answerMs: 300 });
    let rid = 0;
    copying.pass(40_000, () => {
      expect(copying.put(++rid)).to.equal(MessageType.ack);
    });
    expect(copying.mostUnderWay).to.equal(32);
    expect(copying.filled).to.equal(256);
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
