// What becomes of a key of which a copy, or somebody's answer, tells something else (PROTOCOL M5, R3, RMW1, RMW5).
import { expect } from 'chai';
import type { AppliedList } from '../../src/protocol/applied-list.js';
import { FencedReason, MessageType, WriteKind } from '../../src/protocol/messages.js';
import type { EntriesMessage, Entry } from '../../src/protocol/messages.js';
import { versionZero } from '../../src/protocol/version.js';
import type { Version } from '../../src/protocol/version.js';
import { KeepingLink, NodeOnTable, putIfAbsent, self } from '../support/node-core.js';

const other = 2;
const atMs = 1_000_000;

/** Of a plain write, later the higher it is. */
function version(order: number): Version {
  return { hlc: atMs * 1000 + order, clientId: 3, seq: 0, epoch: 0 };
}

function list(order: number): AppliedList {
  const { hlc, clientId, epoch } = version(order);
  return [hlc, clientId, 1, epoch, 9, order, hlc, clientId, 1, epoch];
}

function entry(order: number, valid: boolean, applied: AppliedList | null = null): Entry {
  return {
    ...{ key: 'k', version: version(order), valid, value: Uint8Array.of(order) },
    ...{ expiresAtMs: 0, applied },
  };
}

/** What the node has of the key: of which write, whether VALID, its list. */
function held({ store }: NodeOnTable): [order: number, valid: boolean, applied: AppliedList | null] {
  const record = store.get(0, 'k');
  const order = store.versionOf(record).hlc - version(0).hlc;
  expect(store.valueOf(record)?.[0]).to.equal(order);
  return [order, store.isValid(record), store.appliedOf(record)];
}

describe('a key', () => {
  it('M5: that is copied keeps the higher version, in the state of that, and the later list, each for itself', () => {
    const node = new NodeOnTable();
    node.map([{ replicas: [other], learners: [self] }]);
    const { replica } = node.core;
    replica.merge(0, entry(2, false, list(1)));
    replica.merge(0, entry(1, true));
    expect(held(node)).to.deep.equal([2, false, list(1)]);
    replica.merge(0, entry(1, true, list(3)));
    replica.merge(0, entry(1, true, list(2)));
    expect(held(node)).to.deep.equal([2, false, list(3)]);
    replica.merge(0, entry(2, true));
    expect(held(node)).to.deep.equal([2, true, list(3)]);
    replica.merge(0, entry(4, false));
    expect(held(node)).to.deep.equal([4, false, list(3)]);
  });

  it('RMW5: is copied with its list', () => {
    const node = new NodeOnTable();
    const link = new KeepingLink();
    node.map([{ replicas: [self], learners: [other] }]);
    node.core.replica.merge(0, entry(1, true, list(1)));
    node.core.onRequest(link, { type: MessageType.copy, rid: 1, slot: 0, joinedAt: 1, first: true });
    node.turn();
    const [batch] = link.sent.filter((each): each is EntriesMessage => each.type === MessageType.copyBatch);
    expect(batch?.entries.map(({ applied }) => applied)).to.deep.equal([list(1)]);
  });

  it('M5: is copied from a full replica only, which knows of the joining', () => {
    const reasonOf = (members: { replicas: number[]; learners: number[] }, joinedAt: number): unknown => {
      const node = new NodeOnTable();
      const link = new KeepingLink();
      node.map([members]);
      node.core.onRequest(link, { type: MessageType.copy, rid: 1, slot: 0, joinedAt, first: true });
      node.turn();
      return link.take(MessageType.fenced)[0]?.reason;
    };
    expect(reasonOf({ replicas: [other], learners: [self] }, 1)).to.equal(FencedReason.notReplica);
    expect(reasonOf({ replicas: [self], learners: [other] }, 2)).to.equal(FencedReason.behind);
    expect(reasonOf({ replicas: [self], learners: [other] }, 1)).to.equal(undefined);
  });

  it('R3, RMW5: whose replay meets a higher write takes that over with its list, and replays it', () => {
    const node = new NodeOnTable();
    const peer = new KeepingLink();
    node.peers.set(other, peer);
    node.map([{ replicas: [self, other] }]);
    const write = { type: MessageType.write, rid: 1, epoch: 1, kind: WriteKind.plain, key: 'k' } as const;
    node.core.onRequest(new KeepingLink(), {
      ...write,
      ...{ version: version(1), value: Uint8Array.of(1), expiresAtMs: 0, applied: null },
    });
    let rid = 0;
    for (let turns = 0; rid === 0; turns++) {
      expect(turns).to.be.lessThan(100);
      node.pass(100);
      rid = peer.take(MessageType.write)[0]?.rid ?? 0;
    }
    const { key: _key, valid: _valid, ...higher } = entry(2, false, list(2));
    node.core.onPeerMessage(other, { type: MessageType.stale, rid, hasEntry: true, ...higher });
    expect(held(node)).to.deep.equal([2, false, list(2)]);
    const [replay] = peer.take(MessageType.write);
    expect([replay?.version, replay?.applied]).to.deep.equal([version(2), list(2)]);
  });

  it('W3, RMW1: takes no conditional write of an epoch before the last change of its slot, nor of one to come', () => {
    const node = new NodeOnTable();
    const link = new KeepingLink();
    node.map([{}]);
    node.map([{}]);
    const reasonOf = (epoch: number): FencedReason | undefined => {
      node.core.onRequest(link, {
        ...{ type: MessageType.condition, rid: epoch, epoch, ...putIfAbsent },
        ...{ expected: versionZero, key: 'k', value: null, expiresAtMs: 0 },
      });
      return link.take(MessageType.fenced)[0]?.reason;
    };
    expect(reasonOf(1)).to.equal(FencedReason.oldEpoch);
    expect(reasonOf(3)).to.equal(FencedReason.behind);
    expect(reasonOf(2)).to.equal(undefined);
  });
});
