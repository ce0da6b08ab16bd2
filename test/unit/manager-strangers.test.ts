// Whoever calls itself a node: what its REGISTERs may cost a manager.
import { expect } from 'chai';
import type { ManagerState } from '../../src/manager/core/state.js';
import { wireLimits } from '../../src/protocol/cold-codec.js';
import { ProtocolError } from '../../src/protocol/errors.js';
import { MessageType } from '../../src/protocol/messages.js';
import { nodesMax } from '../../src/protocol/settings.js';
import { payloadOf } from '../support/codec-messages.js';
import { ManagerHarness, registerOf } from '../support/manager-harness.js';
import { KeepingLink } from '../support/node-core.js';

const stranger = registerOf({ nodeId: -1, incarnation: 0, pid: 77 });

function say(harness: ManagerHarness, link: KeepingLink, message = stranger): void {
  harness.core.onMessage(link, message);
  harness.run();
}

/** The state of a cluster of four, and so many strangers that have registered besides; in the map, if they are members. */
function stateWith(strangers: number, areMembers: boolean): ManagerState {
  const { state } = new ManagerHarness();
  if (!state?.map) throw new Error('nothing was saved');
  const ids = Array.from({ length: strangers }, (_, i) => 4 + i);
  const knownNodes = ids.map((id) => ({ id, spawned: false, pid: 1, hasDisk: true }));
  const nodes = areMembers ? ids.map((id) => ({ id, incarnation: 100 + id, host: 'h', port: 9 })) : [];
  return {
    ...state,
    knownNodes: [...state.knownNodes, ...knownNodes],
    map: { ...state.map, nodes: [...state.map.nodes, ...nodes] },
  };
}

function restarted(state: ManagerState): ManagerHarness {
  const harness = new ManagerHarness();
  harness.state = state;
  harness.restartManager();
  return harness;
}

describe('a manager to which strangers REGISTER', () => {
  it('takes it from a connection that greeted as a node only', () => {
    const harness = new ManagerHarness();
    const client = new KeepingLink();
    client.isOfNode = false;
    expect(() => {
      say(harness, client);
    }).to.throw(ProtocolError, 'only a node may register');
    expect(harness.core.status().nodes).to.have.length(4);
  });

  it('has one node on a connection at most', () => {
    const harness = new ManagerHarness();
    const link = new KeepingLink();
    say(harness, link);
    for (const nodeId of [-1, 17]) {
      expect(() => {
        say(harness, link, { ...stranger, nodeId });
      }).to.throw(ProtocolError, /connection of node 4/);
    }
    expect(harness.core.status().nodes).to.have.length(5);
  });

  it('takes the latest word on a connection only: what waits for an id is over', () => {
    const harness = new ManagerHarness();
    const link = new KeepingLink();
    harness.cut(harness.node(1));
    say(harness, link, { ...stranger, nodeId: 1 });
    say(harness, link);
    harness.pass(20_000);
    expect(link.take(MessageType.registered).map(({ nodeId }) => nodeId)).to.deep.equal([4]);
  });

  it('lets no more in than a cluster may have, and tells them why; those that it knows come back', () => {
    const harness = restarted(stateWith(nodesMax - 5, false));
    const [last, surplus, former] = [new KeepingLink(), new KeepingLink(), new KeepingLink()];
    say(harness, last);
    expect(last.take(MessageType.registered)).to.have.length(1);
    say(harness, surplus);
    const fault = `is one too many: a cluster has at most ${nodesMax} nodes`;
    expect(surplus.sent).to.deep.equal([{ type: MessageType.stop, epoch: 0, fault }]);
    say(harness, former, { ...stranger, nodeId: 100 });
    expect(former.take(MessageType.registered)).to.have.length(1);
    expect(nodesMax).to.be.below(wireLimits.nodesMax);
  });

  it('adds no more than a cluster may have, those not counted that were drained, however many', () => {
    const { knownNodes, ...state } = stateWith(nodesMax - 4, false);
    const add = { command: 'add-nodes', count: 1 } as const;
    const drained = knownNodes.map((node) => (node.id < 4 ? node : { ...node, drained: true }));
    const harness = restarted({ knownNodes: drained, ...state });
    expect(harness.ask(add)).to.deep.equal({ ok: true, nodeIds: [nodesMax] });
    const error = `a cluster has at most ${nodesMax} nodes; this one has ${nodesMax}`;
    expect(restarted({ knownNodes, ...state }).ask(add)).to.deep.equal({ ok: false, error });
  });

  it('lets nobody in under an id above which hardly any is left', () => {
    const harness = new ManagerHarness();
    const link = new KeepingLink();
    say(harness, link, { ...stranger, nodeId: wireLimits.nodeIdMax });
    expect(link.sent.map(({ type }) => type)).to.deep.equal([MessageType.stop]);
  });

  it('goes on from a state with more than that, without those that hold nothing, and gives no id twice', () => {
    const harness = restarted(stateWith(wireLimits.nodesMax + 10, true));
    const link = new KeepingLink();
    say(harness, link);
    const [registered] = link.take(MessageType.registered);
    if (registered === undefined) throw new Error('it is not let in');
    expect(registered.nodeId).to.equal(4 + wireLimits.nodesMax + 10);
    expect(() => payloadOf(registered)).not.to.throw();
    expect(harness.core.status().nodes.map(({ id }) => id)).to.deep.equal([0, 1, 2, 3, registered.nodeId]);
    harness.pass(5000);
    expect(harness.core.isSettled).to.equal(true);
  });

  it('is told process ids only that there are', () => {
    expect(() => payloadOf({ ...stranger, pid: 2 ** 31 - 1 })).not.to.throw();
    expect(() => payloadOf({ ...stranger, pid: 2 ** 31 })).to.throw(/pid/);
  });
});
