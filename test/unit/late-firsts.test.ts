// A first attempt that comes behind a later one of the same operation (PROTOCOL RMW5).
import { expect } from 'chai';
import { appliedEntriesMax } from '../../src/protocol/applied-list.js';
import { ConditionStatus, MessageType } from '../../src/protocol/messages.js';
import type { ConditionResultMessage } from '../../src/protocol/messages.js';
import type { Version } from '../../src/protocol/version.js';
import { versionZero } from '../../src/protocol/version.js';
import { KeepingLink, NodeOnTable } from '../support/node-core.js';

const value = Uint8Array.of(1);
const givenUp = 1;

/** A node alone in its slot, and clients each with a connection of its own. */
class Table extends NodeOnTable {
  #rid = 0;

  constructor() {
    super();
    this.map([{}]);
  }

  /** @param expected null: the key is absent */
  putIf(
    link: KeepingLink,
    opClientId: number,
    opNumber: number,
    expected: Version | null,
    { retried = false, isDelete = false } = {},
  ): ConditionResultMessage | undefined {
    this.core.onRequest(link, {
      ...{ type: MessageType.condition, rid: ++this.#rid, epoch: this.core.membership.epoch },
      ...{ opClientId, opNumber, retried, wants: 0, key: 'lock', value: isDelete ? null : value },
      ...{ expectAbsent: expected === null, expected: expected ?? versionZero, expiresAtMs: 0 },
    });
    return link.take(MessageType.conditionResult)[0];
  }
}

describe('a put-if-absent whose connection was given up', () => {
  it('RMW5: is not run once more by its first attempt, which comes late, when its key has forgotten it', () => {
    const table = new Table();
    const [former, present, others] = [new KeepingLink(), new KeepingLink(), new KeepingLink()];
    let held = table.putIf(present, 5, givenUp, null, { retried: true });
    expect(held?.status).to.equal(ConditionStatus.applied);
    // The lock is given back, and others have it in turn, until its list is of theirs alone.
    for (let count = 1; count <= 1 + appliedEntriesMax / 2; count++) {
      const freed = table.putIf(others, 6, 2 * count, held?.version ?? null, { isDelete: true });
      expect(freed?.status).to.equal(ConditionStatus.applied);
      if (count > appliedEntriesMax / 2) break;
      held = table.putIf(others, 6, 2 * count + 1, null);
      expect(held?.status).to.equal(ConditionStatus.applied);
    }
    expect(table.putIf(former, 5, givenUp, null)?.status).to.equal(ConditionStatus.interrupted);
    expect(table.putIf(others, 7, 1, null)?.status, 'the lock is free').to.equal(ConditionStatus.applied);
  });

  it('RMW5: is run by its first attempt if no other has come, and others of the same client are', () => {
    const table = new Table();
    const link = new KeepingLink();
    const held = table.putIf(link, 5, 1, null);
    expect(held?.status).to.equal(ConditionStatus.applied);
    table.putIf(link, 5, 2, null, { retried: true });
    expect(table.putIf(link, 5, 3, held?.version ?? null, { isDelete: true })?.status).to.equal(
      ConditionStatus.applied,
    );
    expect(table.putIf(link, 5, 4, null)?.status).to.equal(ConditionStatus.applied);
  });
});
