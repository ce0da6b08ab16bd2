import { expect } from 'chai';
import { setImmediate as turn } from 'node:timers/promises';
import { MessageType } from '../../src/protocol/messages.js';
import { noJournal } from '../../src/node/core/journal.js';
import { ArenaStore } from '../../src/node/storage/arena-store.js';
import { Batch } from '../../src/node/storage/disk/batch.js';
import { Copying } from '../support/copying.js';
import { useDisks } from '../support/disk-journal.js';
import { NodeOnTable } from '../support/node-core.js';
import { until } from '../support/until.js';

const megabyte = 1_000_000;

describe('D4: a learner beside a slow disk', function () {
  this.timeout(30_000);
  const disks = useDisks();
  const { write } = Batch.prototype;
  let letGo: () => void;

  beforeEach(() => {
    const gate = new Promise<void>((resolve) => (letGo = resolve));
    Batch.prototype.write = async function (db): Promise<void> {
      await gate;
      return write.call(this, db);
    };
  });
  // Before the disks are closed.
  afterEach(() => {
    letGo();
    Batch.prototype.write = write;
  });

  it('asks for no more than the disk takes: writes of the slots that it fills are not refused', async () => {
    const disk = await disks.open(disks.directory(), {
      durability: 'interval',
      onSaved: () => node.core.onSaved(),
    });
    const node = new NodeOnTable(disk);
    const copying = new Copying({ slots: 40, batchesPerSlot: 25, batchBytes: 100_000, node });
    let rid = 0;
    for (let round = 0; round < 200; round++) {
      copying.pass(10);
      // -1: it is taken, and its answer waits, the disk being late.
      if (round % 10 === 0) expect(copying.put(++rid)).to.be.oneOf([MessageType.ack, -1]);
      await turn();
    }
    expect([disk.journal.isFull, disk.journal.isCrowded]).to.deep.equal([false, false]);
    expect(copying.bytes).to.be.within(8 * megabyte, 16 * megabyte);

    letGo();
    await until(
      () => {
        copying.pass(10);
        return disk.journal.saved === disk.journal.noted && copying.filled === 40;
      },
      { timeoutMs: 20_000 },
    );
    expect(copying.bytes).to.equal(40 * 25 * 100_000);
  });
});

describe('D4: a learner where hardly any room is left', () => {
  for (const where of ['on the disk', 'in memory'] as const) {
    it(`asks for nothing more: what is left ${where} is for what others hold already`, () => {
      let isSpent = true;
      class FullStore extends ArenaStore {
        override get isSystemSpent(): boolean {
          return where === 'in memory' && isSpent;
        }
      }
      const journal = {
        ...noJournal,
        get isSpent(): boolean {
          return where === 'on the disk' && isSpent;
        },
      };
      const node = new NodeOnTable({ store: new FullStore({ hashSeed: 1 }), journal });
      const copying = new Copying({ slots: 2, batchesPerSlot: 2, batchBytes: 100, node });
      copying.pass(1000);
      expect(copying.bytes).to.equal(0);
      isSpent = false;
      copying.pass(1000);
      expect(copying.filled).to.equal(2);
    });
  }
});
