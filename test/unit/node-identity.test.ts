// What makes a process a member of the cluster, and what does not (PROTOCOL M3, M6).
import { expect } from 'chai';
import { Role } from '../../src/node/core/membership.js';
import { newSlot } from '../../src/protocol/cluster-map.js';
import type { ClusterMapData } from '../../src/protocol/cluster-map.js';
import { MessageType } from '../../src/protocol/messages.js';
import { defaultSettings } from '../../src/protocol/settings.js';
import { KeepingLink, NodeOnTable, self } from '../support/node-core.js';

const other = 2;
const former = 7;
const next = 8;

/** One slot, which the other node has; this one is its learner, in that incarnation, or no member. */
function mapOf(epoch: number, incarnation: number | null): ClusterMapData {
  const ids = incarnation === null ? [other] : [other, self];
  return {
    clusterId: 'table',
    epoch,
    settings: { ...defaultSettings, slotCount: 1 },
    nodes: ids.map((id) => ({ id, incarnation: incarnation ?? former, host: '127.0.0.1', port: id + 1 })),
    slots: [{ ...newSlot([other], epoch), learners: ids.slice(1), joinedAt: ids.map(() => epoch) }],
  };
}

class Removed extends NodeOnTable {
  readonly link = new KeepingLink();
  readonly rid: number;

  constructor() {
    super();
    this.manager = this.link;
    this.core.onManagerUp();
    this.map([{ replicas: [self, other] }]);
    this.removed(former);
    this.rid = this.link.take(MessageType.register)[0]?.rid ?? -1;
  }

  removed(incarnation: number): void {
    this.core.onManagerMessage({ type: MessageType.removed, incarnation, epoch: 2 });
  }

  registered(rid: number, map: ClusterMapData): void {
    const identity = { nodeId: self, incarnation: next };
    this.core.onManagerMessage({ type: MessageType.registered, rid, ...identity, map });
  }

  get role(): Role {
    return this.core.membership.role(0);
  }
}

describe('M6: a node that was removed, and joins anew', () => {
  it('takes its place in a map that came, from a fellow, before the word that it is a member', () => {
    const node = new Removed();
    node.core.onPeerMessage(other, { type: MessageType.map, rid: 0, map: mapOf(3, next) });
    expect([node.core.membership.epoch, node.role]).to.deep.equal([3, Role.none]);
    node.registered(node.rid, mapOf(2, null));
    expect([node.core.membership.epoch, node.role]).to.deep.equal([3, Role.learner]);
  });

  it('is told so once, whatever is said of its former lives, before and after it has joined', () => {
    const node = new Removed();
    node.removed(former);
    expect(node.link.take(MessageType.register), 'while it joins').to.deep.equal([]);
    node.registered(node.rid, mapOf(3, next));
    node.removed(former);
    expect(node.link.take(MessageType.register), 'as a member').to.deep.equal([]);
    expect([node.core.membership.incarnation, node.role]).to.deep.equal([next, Role.learner]);
  });

  it('is a member by the answer to its latest question only', () => {
    const node = new Removed();
    node.registered(node.rid - 1, mapOf(3, next));
    expect([node.core.membership.incarnation, node.role]).to.deep.equal([0, Role.none]);
    node.core.onManagerDown();
    node.registered(node.rid, mapOf(3, next));
    expect(node.core.membership.incarnation, 'of a connection that has ended').to.equal(0);
  });
});
