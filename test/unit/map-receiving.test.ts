// How nodes and clients take maps and changes of maps (PROTOCOL M7, M8).
import { expect } from 'chai';
import { newSlot } from '../../src/protocol/cluster-map.js';
import type { ClusterMapData } from '../../src/protocol/cluster-map.js';
import { changeOf } from '../../src/protocol/map-change.js';
import { MessageType } from '../../src/protocol/messages.js';
import type { MapChangeMessage, Message } from '../../src/protocol/messages.js';
import { defaultSettings } from '../../src/protocol/settings.js';
import { ClientOnTable } from '../support/client-core.js';
import { KeepingLink, NodeOnTable, self } from '../support/node-core.js';

const leaseMs = 1000;
const other = 2;
const incarnation = 7;

/** Of the node on its table, which has been sent the map of epoch 1. */
function mapOf(epoch: number): ClusterMapData {
  const nodes = [self, other].map((id) => ({ id, incarnation, host: '127.0.0.1', port: id + 1 }));
  const settings = { ...defaultSettings, slotCount: 1 };
  return { clusterId: 'table', epoch, settings, nodes, slots: [newSlot([self, other], epoch)] };
}

function whole(map: ClusterMapData): Message {
  return { type: MessageType.map, rid: 0, map };
}

function change(from: number, to: number): MapChangeMessage {
  return { type: MessageType.mapChange, ...changeOf(mapOf(from), mapOf(to)) };
}

interface Taker {
  readonly manager: KeepingLink;
  epoch(): number;
  take(message: Message): void;
}

function node(): Taker & { readonly table: NodeOnTable } {
  const table = new NodeOnTable();
  const manager = new KeepingLink();
  table.manager = manager;
  table.core.onManagerUp();
  table.map([{ replicas: [self, other] }]);
  table.pass(20);
  return {
    table,
    manager,
    epoch: () => table.core.membership.epoch,
    take: (message) => {
      table.core.onManagerMessage(message);
    },
  };
}

function client(): Taker {
  const table = new ClientOnTable([self, other]);
  const manager = new KeepingLink();
  table.manager = manager;
  return {
    manager,
    epoch: () => table.core.map?.epoch ?? 0,
    take: (message) => {
      // Longer than between two requests for a map.
      table.nowMs += 100;
      table.core.onManagerMessage(message);
    },
  };
}

for (const [who, make] of [['node', node] as const, ['client', client] as const]) {
  describe(`M7: a ${who} that is sent what a map changes`, () => {
    it('has the new map; an older change, or the same once more, changes nothing', () => {
      const { epoch, take, manager } = make();
      take(change(1, 2));
      expect(epoch()).to.equal(2);
      take(change(2, 5));
      take(change(2, 5));
      take(change(1, 2));
      expect(epoch()).to.equal(5);
      expect(manager.take(MessageType.getMap)).to.have.length(0);
    });

    it('asks for the whole map if it holds neither the one before nor a newer one', () => {
      const { epoch, take, manager } = make();
      take(change(3, 4));
      expect(epoch()).to.equal(1);
      expect(manager.take(MessageType.getMap).map(({ newerThan }) => newerThan)).to.deep.equal([1]);
      take(whole(mapOf(4)));
      expect(epoch()).to.equal(4);
    });
  });
}

describe('M7, M8: a node that defers a map', () => {
  /** It has promised, and the manager is back. */
  function promised(): ReturnType<typeof node> & { readonly link: KeepingLink } {
    const taker = node();
    const { table } = taker;
    const link = new KeepingLink();
    table.peers.set(other, link);
    table.pass(leaseMs / 2);
    table.manager = undefined;
    table.core.onRequest(link, {
      type: MessageType.promiseAsk,
      rid: 5,
      nodeId: other,
      incarnation,
      epoch: taker.epoch(),
    });
    expect(link.take(MessageType.promise)[0]?.granted).to.equal(true);
    table.manager = taker.manager;
    return { ...taker, link };
  }

  it('takes the next change on top of it', () => {
    const { table, epoch, take, manager } = promised();
    take(whole(mapOf(6)));
    take(change(6, 7));
    expect([epoch(), manager.take(MessageType.getMap)]).to.deep.equal([1, []]);
    table.pass(leaseMs);
    expect(epoch()).to.equal(7);
  });

  it('keeps it when an older one comes just as its promise has run out', () => {
    const { table, epoch, take } = promised();
    take(whole(mapOf(7)));
    table.nowMs += leaseMs;
    table.core.onPeerMessage(other, whole(mapOf(6)));
    expect(epoch()).to.equal(7);
  });

  it('keeps it when an older one comes that is news, too, to whoever has adopted neither', () => {
    const { table, epoch, take, manager } = promised();
    take(whole(mapOf(7)));
    table.core.onPeerMessage(other, whole(mapOf(6)));
    manager.take(MessageType.getMap);
    table.pass(leaseMs);
    expect([epoch(), manager.take(MessageType.getMap)]).to.deep.equal([7, []]);
  });

  it('asks for the map of a lease that it has neither adopted nor deferred', () => {
    const { epoch, take, manager } = node();
    const lease = (of: number): Message => {
      return { type: MessageType.lease, rid: 0, epoch: of, leaseMs, clockUs: 0 };
    };
    take(lease(epoch()));
    expect(manager.take(MessageType.getMap)).to.have.length(0);
    take(lease(epoch() + 1));
    expect(manager.take(MessageType.getMap)).to.have.length(1);
  });
});
