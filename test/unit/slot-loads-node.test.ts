import { expect } from 'chai';
import { ConditionStatus, MessageType, WriteKind } from '../../src/protocol/messages.js';
import type { SlotLoadsMessage } from '../../src/protocol/messages.js';
import { versionZero } from '../../src/protocol/version.js';
import { KeepingLink, NodeOnTable } from '../support/node-core.js';

/** Keys by slot, as the sum of the bytes has it with four slots. */
const keyIn = (slot: number): string => String.fromCharCode(64 + slot);

describe('slot loads at a node: what it tells the manager', () => {
  let node: NodeOnTable;
  let client: KeepingLink;
  let rid = 0;

  beforeEach(() => {
    node = new NodeOnTable();
    client = new KeepingLink();
    node.map([{}, {}, {}, { replicas: [2], learners: [1] }]);
    node.pass(10);
    reports();
  });

  function reports(): SlotLoadsMessage[] {
    return node.manager?.take(MessageType.slotLoads) ?? [];
  }

  function loads(): SlotLoadsMessage['loads'] {
    return reports().flatMap((message) => message.loads);
  }

  function put(slot: number, value: Uint8Array | null = Uint8Array.of(1, 2, 3)): void {
    const version = { hlc: ++rid, clientId: 1, seq: 0, epoch: 0 };
    const fields = { key: keyIn(slot), value, expiresAtMs: 0, applied: null };
    const kind = WriteKind.replay;
    node.core.onRequest(client, { type: MessageType.write, rid, epoch: 1, kind, version, ...fields });
    expect(client.take(MessageType.ack)).to.have.length(1);
    node.core.onRequest(client, { type: MessageType.validate, rid });
  }

  function get(slot: number): void {
    const message = { type: MessageType.get, rid: ++rid, epoch: 1, key: keyIn(slot), versionOnly: false };
    node.core.onRequest(client, message);
    expect(client.take(MessageType.value)).to.have.length(1);
  }

  it('every slot it is a full replica of, once, when it is new', () => {
    const fresh = new NodeOnTable();
    fresh.map([{}, {}, { replicas: [2] }, { replicas: [2], learners: [1] }]);
    fresh.pass(3000);
    const [first, ...others] = fresh.manager?.take(MessageType.slotLoads) ?? [];
    const empty = { keys: 0, bytes: 0, reads: 0, writes: 0 };
    expect(first).to.deep.include({ nodeId: 1, incarnation: 7 });
    expect(first?.loads).to.deep.equal([
      { slot: 0, ...empty },
      { slot: 1, ...empty },
    ]);
    expect(others).to.deep.equal([]);
  });

  it('counts reads and writes, conditional ones too, and tells keys and bytes, about once a second', () => {
    put(0);
    put(0, new Uint8Array(10));
    get(0);
    get(0);
    get(0);
    const key = keyIn(1);
    node.core.onRequest(client, {
      type: MessageType.condition,
      ...{ rid: ++rid, epoch: 1, key, value: Uint8Array.of(1), opClientId: 9, opNumber: 1 },
      ...{
        retried: false,
        wants: 0,
        expectAbsent: true,
        expected: versionZero,
        expiresAtMs: 0,
      },
    });
    expect(client.take(MessageType.conditionResult)[0]?.status).to.equal(ConditionStatus.applied);
    node.pass(900);
    expect(reports()).to.deep.equal([]);
    node.pass(100);
    expect(loads()).to.deep.equal([
      { slot: 0, keys: 1, bytes: 11, reads: 3, writes: 2 },
      { slot: 1, keys: 1, bytes: 2, reads: 0, writes: 1 },
    ]);
  });

  it('says nothing while it is neither asked nor changed', () => {
    put(0);
    node.pass(1000);
    expect(loads()).to.have.length(1);
    node.pass(5000);
    expect(reports()).to.deep.equal([]);
    get(0);
    node.pass(1000);
    expect(loads()).to.deep.equal([{ slot: 0, keys: 1, bytes: 4, reads: 1, writes: 0 }]);
  });

  it('what a learner holds is told once it is a full replica', () => {
    put(3);
    node.pass(2000);
    expect(reports()).to.deep.equal([]);
    node.map([{}, {}, {}, { replicas: [2, 1] }]);
    node.pass(1000);
    expect(loads()).to.deep.equal([{ slot: 3, keys: 1, bytes: 4, reads: 0, writes: 0 }]);
  });

  it('what it holds is told again to a manager that is new, without what was counted for nobody', () => {
    put(0);
    node.manager = undefined;
    get(0);
    node.pass(1000);
    node.manager = new KeepingLink();
    node.pass(1000);
    expect(loads()).to.deep.equal([
      { slot: 0, keys: 1, bytes: 4, reads: 0, writes: 0 },
      { slot: 1, keys: 0, bytes: 0, reads: 0, writes: 0 },
      { slot: 2, keys: 0, bytes: 0, reads: 0, writes: 0 },
    ]);
  });
});
