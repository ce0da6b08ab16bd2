// A client whose host was suspended: its monotonic clock stood still, and the cluster's went on.
import { expect } from 'chai';
import { noWants, Outcome } from '../../src/client/core/operation.js';
import { MessageType } from '../../src/protocol/messages.js';
import { ClientOnTable } from '../support/client-core.js';
import type { KeepingLink } from '../support/node-core.js';

const primary = 4;
const minuteMs = 60_000;
const value = Buffer.from([1]);
const someVersion = { hlc: 1, clientId: 2, seq: 0, epoch: 0 };

function linkOf(table: ClientOnTable, id = primary): KeepingLink {
  const link = table.links.get(id);
  if (link === undefined) throw new Error(`no link to ${id}`);
  return link;
}

/** The connection breaks and is made anew. */
function reconnect(table: ClientOnTable): void {
  table.core.onNodeDown(primary);
  table.core.onNodeUp(primary);
}

describe('a client whose host was suspended', () => {
  let table: ClientOnTable;
  beforeEach(() => (table = new ClientOnTable([primary, 2])));

  it('RMW5: does not try a put-if-absent again when the time of its deadline has passed elsewhere', () => {
    const operation = table.core.putIf('k', null, value, 0, noWants, table.nowMs + 10_000, null);
    expect(linkOf(table).take(MessageType.condition)).to.have.length(1);
    table.core.hostSleep.suspended(17 * minuteMs);
    table.nowMs += 20;
    reconnect(table);
    expect(linkOf(table).take(MessageType.condition)).to.have.length(0);
    expect(operation?.outcome).to.equal(Outcome.unknown);
  });

  it('RMW5: nor one that was stopped, even if a connection comes before its deadline is looked at', () => {
    const operation = table.core.putIf('k', null, value, 0, noWants, table.nowMs + 10_000, null);
    linkOf(table).take(MessageType.condition);
    table.nowMs += 17 * minuteMs;
    reconnect(table);
    expect(linkOf(table).take(MessageType.condition)).to.have.length(0);
    expect(operation?.outcome).to.equal(Outcome.unknown);
  });

  it('goes on with everything else: a step of the wall clock looks the same', () => {
    const operations = [
      table.core.get('k', false, table.nowMs + 10_000, null),
      table.core.put('k', value, 0, table.nowMs + 10_000, null),
      table.core.putIf('k', someVersion, value, 0, noWants, table.nowMs + 10_000, null),
    ];
    for (const link of table.links.values()) link.sent = [];
    table.core.hostSleep.suspended(minuteMs);
    reconnect(table);
    // The read goes to the other replica first.
    const sent = [...linkOf(table).sent, ...linkOf(table, 2).take(MessageType.get)];
    expect(sent.map(({ type }) => type)).to.have.members([
      MessageType.get,
      MessageType.write,
      MessageType.condition,
    ]);
    expect(operations.map((operation) => operation?.outcome)).to.deep.equal([0, 0, 0]);
  });

  it('W10: begins no put before the clock has been told anew', () => {
    const deadlineMs = table.nowMs + 10_000;
    const expiresAtMs = table.nowMs + minuteMs;
    table.core.hostSleep.suspended(3 * minuteMs);
    table.core.put('k', value, expiresAtMs, deadlineMs, null);
    table.core.put('l', value, 0, deadlineMs, null);
    table.core.tick();
    reconnect(table);
    expect(linkOf(table).sent).to.deep.equal([]);

    // Nothing else is held up.
    table.core.get('k', false, deadlineMs, null);
    table.core.putIf('m', null, value, expiresAtMs, noWants, deadlineMs, null);
    expect(linkOf(table).sent.map(({ type }) => type)).to.deep.equal([
      MessageType.get,
      MessageType.condition,
    ]);
    linkOf(table).sent = [];

    table.nowMs += 50;
    table.core.hostSleep.clockLearnt();
    const writes = linkOf(table).take(MessageType.write);
    expect(writes.map((write) => write.expiresAtMs)).to.deep.equal([expiresAtMs, 0]);
    for (const { version } of writes) expect(version.hlc).to.be.at.least(1000 * table.nowMs);
  });

  it('W10: tells that nothing was applied when nobody has told the time', () => {
    const operation = table.core.put('k', value, 0, table.nowMs + 10_000, null);
    for (const id of [primary, 2])
      table.core.onNodeMessage(id, { type: MessageType.ack, rid: operation?.rid ?? 0 });
    table.core.hostSleep.suspended(minuteMs);
    const held = table.core.put('k', value, 0, table.nowMs + 100, null);
    table.nowMs += 100;
    table.core.tick();
    expect(held?.outcome).to.equal(Outcome.timedOut);
  });
});
