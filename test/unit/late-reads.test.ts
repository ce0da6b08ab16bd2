// Reads whose answer takes long: whom else they ask, and whose answer counts.
import { expect } from 'chai';
import { Outcome } from '../../src/client/core/operation.js';
import type { Operation } from '../../src/client/core/operation.js';
import { newSlot } from '../../src/protocol/cluster-map.js';
import { MessageType } from '../../src/protocol/messages.js';
import type { Message } from '../../src/protocol/messages.js';
import { defaultSettings } from '../../src/protocol/settings.js';
import { ClientOnTable } from '../support/client-core.js';
import { KeepingLink } from '../support/node-core.js';

const replicas = [4, 2, 5];
const version = { hlc: 1, clientId: 2, seq: 0, epoch: 0 };

describe('a read whose answer is late', () => {
  let table: ClientOnTable;
  let operation: Operation;
  beforeEach(() => {
    table = new ClientOnTable(replicas);
    table.manager = new KeepingLink();
    operation = table.core.get('k', false, table.nowMs + 60_000, null)!;
  });

  /** Lets time pass; of these nodes that many bytes come in each step. */
  function pass(ms: number, from: Record<number, number> = {}): void {
    const stepMs = 5;
    for (const endMs = table.nowMs + ms; table.nowMs < endMs;) {
      table.nowMs += stepMs;
      for (const [id, bytes] of Object.entries(from))
        table.bytes.set(Number(id), (table.bytes.get(Number(id)) ?? 0) + bytes);
      table.core.tick();
    }
  }

  /** A newer map. */
  function follow(slotReplicas: readonly number[]): void {
    const nodes = replicas.map((id) => ({ id, incarnation: 7, host: '127.0.0.1', port: id }));
    const settings = { ...defaultSettings, slotCount: 1 };
    const epoch = (table.core.map?.epoch ?? 0) + 1;
    table.core.onMap({ clusterId: 'table', epoch, settings, nodes, slots: [newSlot(slotReplicas, epoch)] });
  }

  /** Request ids of the reads that each replica was sent. */
  function asked(): number[][] {
    const ridsOf = (link: KeepingLink | undefined): number[] =>
      link?.sent.flatMap((message) => (message.type === MessageType.get ? [message.rid] : [])) ?? [];
    return replicas.map((id) => ridsOf(table.links.get(id)));
  }

  function reported(): number[] {
    return table.manager?.take(MessageType.report).map(({ nodeId }) => nodeId) ?? [];
  }

  function valueFrom(id: number): void {
    const answer: Message = { type: MessageType.value, rid: 0, present: true, version, value: null };
    table.core.onNodeMessage(id, { ...answer, rid: asked().flat()[0] ?? 0 });
  }

  it('R1: asks every other replica once, and takes the answer of whoever is first', () => {
    pass(20_000);
    const rid = asked()[0]?.[0];
    expect(asked()).to.deep.equal([[rid], [rid], [rid]]);
    valueFrom(4);
    expect(operation.outcome).to.equal(Outcome.done);
    // The others still come, and are nobody's.
    valueFrom(2);
  });

  it('R1: takes an answer that comes while it waits for another attempt', () => {
    pass(400);
    table.core.onNodeDown(2);
    valueFrom(4);
    expect(operation.outcome).to.equal(Outcome.done);
  });

  it('R1: takes the answer of one that was asked under an older map', () => {
    pass(400);
    follow([5, 4, 2]);
    expect(asked().map((rids) => rids.length)).to.deep.equal([1, 1, 0]);
    valueFrom(4);
    expect(operation.outcome).to.equal(Outcome.done);
  });

  it('W7: begins anew when one that was asked is no replica any more: it may be one again before it answers', () => {
    const { rid } = operation;
    follow([2, 5]);
    follow([4, 2, 5]);
    expect(operation.rid).not.to.equal(rid);
    const all = asked().flat();
    expect(all).to.have.length(2);
    expect(new Set(all).size).to.equal(2);
    valueFrom(4);
    expect(operation.outcome).to.equal(Outcome.pending);
  });

  it('asks again on a new connection, and after a refusal', () => {
    pass(5000);
    table.core.onNodeDown(4);
    pass(20_000);
    expect(asked().map((rids) => rids.length)).to.deep.equal([2, 1, 1]);
    table.core.onNodeMessage(2, { type: MessageType.fenced, rid: operation.rid, epoch: 1, reason: 1 });
    pass(20_000);
    expect(asked().map((rids) => rids.length)).to.deep.equal([2, 2, 1]);
  });

  it('R1: asks nobody else while much comes from where it was asked', () => {
    pass(2500, { 4: 2000 });
    expect(asked().map((rids) => rids.length)).to.deep.equal([1, 0, 0]);
    expect(reported()).to.deep.equal([]);
    pass(1500);
    expect(asked()[1]).to.have.length(1);
  });

  it('R1: but not for ever: all that comes may be for others', () => {
    pass(20_000, { 4: 2000 });
    expect(asked().map((rids) => rids.length)).to.deep.equal([1, 1, 1]);
  });

  it('M2: reports whoever is silent, and nobody that is heard of', () => {
    pass(600, { 4: 1 });
    expect(reported()).to.deep.equal([]);
    expect(asked()[1]).to.have.length(1);
    pass(1000, { 2: 1 });
    expect(new Set(reported())).to.deep.equal(new Set([4]));
  });
});
