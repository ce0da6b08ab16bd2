// W10: what is deleted or has expired is dropped in the end, however much of it there is.
import { expect } from 'chai';
import { MessageType, WriteKind } from '../../src/protocol/messages.js';
import { KeepingLink, NodeOnTable, self } from '../support/node-core.js';

const second = 1000;
const other = 2;

class Stage extends NodeOnTable {
  readonly #link = new KeepingLink();
  #rid = 0;

  constructor(tombstoneMs: number) {
    super();
    this.map([{ replicas: [self] }], { tombstoneMs, writeAgeMsMax: tombstoneMs / 3 });
  }

  write(key: string, value: Uint8Array | null, expiresAtMs = 0): void {
    const rid = ++this.#rid;
    const version = { hlc: this.nowMs * 1000, clientId: rid, seq: 0, epoch: 0 };
    const fields = { epoch: this.core.membership.epoch, kind: WriteKind.plain, applied: null };
    this.core.onRequest(this.#link, {
      ...{ type: MessageType.write, rid, key, value, version, expiresAtMs },
      ...fields,
    });
    this.core.onRequest(this.#link, { type: MessageType.validate, rid });
    this.#link.sent = [];
  }
}

describe('W10: records that nothing needs any more', () => {
  it('go as fast as 8,000 of them come in a second', () => {
    const stage = new Stage(3 * second);
    let written = 0;
    let most = 0;
    stage.pass(12 * second, () => {
      for (let i = 0; i < 40; i++) stage.write(`deleted-${written++}`, null);
      for (let i = 0; i < 40; i++) stage.write(`short-${written++}`, Buffer.from('v'), stage.nowMs + 1);
      most = Math.max(most, stage.store.keys);
    });
    expect(written).to.equal(96_000);
    // Those of 3 s are kept, and of the time for a round.
    expect(most).to.be.within(24_000, 60_000);
    stage.pass(10 * second);
    expect(stage.store.keys).to.equal(0);
  });

  describe('of a tombstone', () => {
    const tombstoneMs = 3 * second;

    /** Whether it is there after a while. */
    function isKept(
      { isFull = true, valid = true, aheadMs = 0, lateMs = 0 },
      forMs = tombstoneMs + second,
    ): boolean {
      const node = new NodeOnTable();
      const members = isFull ? { replicas: [self, other] } : { replicas: [other], learners: [self] };
      node.map([members], { tombstoneMs, writeAgeMsMax: second });
      const version = { hlc: (node.nowMs + aheadMs) * 1000, clientId: 3, seq: 0, epoch: 0 };
      node.pass(lateMs);
      const entry = { key: 'k', version, valid, value: null, expiresAtMs: 0, applied: null };
      node.core.replica.merge(0, entry);
      node.pass(forMs);
      return node.store.keys === 1;
    }

    it('go when it is old', () => {
      expect(isKept({})).to.equal(false);
      expect(isKept({}, tombstoneMs - 100)).to.equal(true);
    });

    it('stay while it is not known to be committed, and at a learner', () => {
      expect(isKept({ valid: false })).to.equal(true);
      expect(isKept({ isFull: false })).to.equal(true);
    });

    it('stay while its version is young, or it is here for a short time only', () => {
      expect(isKept({ aheadMs: 2 * second })).to.equal(true);
      expect(isKept({ lateMs: 2 * tombstoneMs }, tombstoneMs - 100)).to.equal(true);
      expect(isKept({ lateMs: 2 * tombstoneMs })).to.equal(false);
    });
  });
});
