// W10: what is deleted or has expired is dropped in the end, however much of it there is.
import { expect } from 'chai';
import { MessageType, WriteKind } from '../../src/protocol/messages.js';
import { KeepingLink, NodeOnTable, self } from '../support/node-core.js';

const second = 1000;

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
});
