import { expect } from 'chai';
import { isStep, Rollout } from '../../src/manager/core/rollout.js';
import { newMember } from '../../src/manager/core/members.js';
import { Roster } from '../../src/manager/core/roster.js';
import { ClusterMap, newSlot } from '../../src/protocol/cluster-map.js';
import { MessageType } from '../../src/protocol/messages.js';
import type { Link, Message } from '../../src/protocol/messages.js';
import { defaultSettings } from '../../src/protocol/settings.js';

const settings = { ...defaultSettings, slotCount: 2 };
const disk = { clusterId: '', slots: [], clockUs: 0 };
const nodes = [1, 2].map((id) => ({ id, incarnation: id, host: 'h', port: 1 }));
const timings = { stepEveryMs: 100, stepEveryIdleMs: 7, clientsWaitMs: 30 };

class EpochsLink implements Link {
  readonly id = 1;
  readonly isFull = false;
  readonly isOfNode = false;
  /** Of whole maps. */
  readonly epochs: number[] = [];
  readonly changes: [base: number, epoch: number][] = [];
  /** Answers without a map. */
  none = 0;

  send(message: Message): void {
    if (message.type === MessageType.map && message.map !== null) this.epochs.push(message.map.epoch);
    if (message.type === MessageType.map && message.map === null) this.none++;
    if (message.type === MessageType.mapChange) this.changes.push([message.base, message.epoch]);
  }

  sendLazily(message: Message): void {
    this.send(message);
  }
}

function mapOf(
  epoch: number,
  replicas: readonly number[],
  learners: readonly number[] = [],
  members = nodes,
): ClusterMap {
  const joinedAt = [...replicas, ...learners].map(() => 1);
  const slots = [{ changedAt: epoch, replicas, learners, joinedAt }, newSlot([1], 1)];
  return new ClusterMap({ clusterId: 'c', epoch, settings, nodes: members, slots });
}

/** Two nodes, a client, and a map that has just come out. */
class Scene {
  nowMs = 0;
  requestsPerSecond = 30;
  readonly links = nodes.map(() => new EpochsLink());
  readonly client = new EpochsLink();
  readonly rollout: Rollout;
  readonly #roster = new Roster();

  constructor() {
    nodes.forEach((node, i) => {
      const member = newMember({ ...node, pid: 1 }, { disk }, this.links[i] ?? null, 0);
      member.admitted = true;
      this.#roster.members.set(node.id, member);
    });
    this.rollout = new Rollout(
      this.#roster,
      timings,
      { requestsPerSecond: () => this.requestsPerSecond },
      () => this.nowMs,
    );
  }

  announce(map: ClusterMap, previous: ClusterMap): void {
    this.rollout.announce(map, previous, new Set([this.client, ...this.links]));
  }

  adopt(id: number, epoch: number): void {
    const member = this.#roster.members.get(id);
    if (member !== undefined) member.adoptedEpoch = epoch;
    this.rollout.goOn();
  }
}

describe('M7: how maps come out', () => {
  it('a step reaches the nodes at once, and clients when every node has adopted it', () => {
    const scene = new Scene();
    scene.announce(mapOf(5, [1], [2]), mapOf(4, [1]));
    expect(scene.links.map(({ epochs }) => epochs)).to.deep.equal([[5], [5]]);
    scene.adopt(1, 5);
    expect(scene.client.epochs).to.deep.equal([]);
    scene.adopt(2, 5);
    scene.adopt(2, 5);
    expect(scene.client.epochs).to.deep.equal([5]);
  });

  it('clients do not wait longer than a moment for a node that does not adopt it', () => {
    const scene = new Scene();
    scene.announce(mapOf(5, [1], [2]), mapOf(4, [1]));
    scene.nowMs = 29;
    scene.rollout.goOn();
    expect(scene.client.epochs).to.deep.equal([]);
    scene.nowMs = 30;
    scene.rollout.goOn();
    expect(scene.client.epochs).to.deep.equal([5]);
  });

  it('a client that asks meanwhile is told with the others; one that knows less is not held back', () => {
    const scene = new Scene();
    const ask = { type: MessageType.getMap, rid: 1 };
    const map = mapOf(5, [1], [2]);
    const others = [new EpochsLink(), new EpochsLink()] as const;
    scene.announce(map, mapOf(4, [1]));
    scene.rollout.onGetMap(scene.client, { ...ask, newerThan: 4 }, map);
    expect(scene.client.epochs).to.deep.equal([]);
    for (const other of others) scene.rollout.onGetMap(other, { ...ask, newerThan: 4 }, map);
    expect(others.map(({ epochs }) => epochs)).to.deep.equal([[5], [5]]);
    scene.rollout.onGetMap(scene.client, { ...ask, newerThan: 0 }, map);
    expect(scene.client.epochs).to.deep.equal([5]);
    scene.nowMs = 30;
    scene.rollout.goOn();
    expect(scene.client.epochs, 'and not once more').to.deep.equal([5]);
  });

  it('a client that has hung up is not told', () => {
    const scene = new Scene();
    scene.announce(mapOf(5, [1], [2]), mapOf(4, [1]));
    scene.rollout.onLinkClosed(scene.client);
    scene.nowMs = 30;
    scene.rollout.goOn();
    expect(scene.client.epochs).to.deep.equal([]);
  });

  it('a map that takes a lost member away reaches everybody at once', () => {
    const scene = new Scene();
    scene.announce(mapOf(5, [1], [], nodes.slice(0, 1)), mapOf(4, [1, 2]));
    expect([scene.client, ...scene.links].map(({ epochs }) => epochs)).to.deep.equal([[5], [5], [5]]);
  });

  it('who was sent a map on the same connection is sent only what has changed since', () => {
    const scene = new Scene();
    const [first] = scene.links;
    const asker = new EpochsLink();
    const next = mapOf(6, [1, 2]);
    scene.announce(mapOf(5, [1], [2]), mapOf(4, [1]));
    scene.rollout.onGetMap(asker, { type: MessageType.getMap, rid: 1, newerThan: 0 }, mapOf(5, [1], [2]));
    scene.rollout.announce(next, mapOf(5, [1], [2]), new Set([scene.client, asker, ...scene.links]));
    scene.nowMs = 30;
    scene.rollout.goOn();
    expect([first?.epochs, first?.changes]).to.deep.equal([[5], [[5, 6]]]);
    expect([asker.epochs, asker.changes]).to.deep.equal([[5], [[5, 6]]]);
    expect([scene.client.epochs, scene.client.changes], 'it missed a map').to.deep.equal([[6], []]);
  });

  it('who asks while it is on its way is not sent it once more, unless it cannot use what it was sent', () => {
    const scene = new Scene();
    const ask = { type: MessageType.getMap, rid: 1 };
    const map = mapOf(5, [1], [], nodes.slice(0, 1));
    scene.announce(mapOf(4, [1, 2]), mapOf(3, [1, 2]));
    scene.announce(map, mapOf(4, [1, 2]));
    const [first = new EpochsLink()] = scene.links;
    expect(first.changes).to.deep.equal([[4, 5]]);
    scene.rollout.onGetMap(first, { ...ask, newerThan: 4 }, map);
    expect([first.epochs, first.none]).to.deep.equal([[4], 1]);
    scene.rollout.onGetMap(first, { ...ask, newerThan: 3 }, map);
    expect([first.epochs, first.none]).to.deep.equal([[4, 5], 1]);
    const other = new EpochsLink();
    scene.rollout.onGetMap(other, { ...ask, newerThan: 4 }, map);
    expect(other.epochs).to.deep.equal([5]);
  });

  it('the next step waits until the last map has had its time and every node has it, within bounds', () => {
    const scene = new Scene();
    expect(scene.rollout.allowsStep).to.equal(true);
    scene.announce(mapOf(5, [1], [2]), mapOf(4, [1]));
    scene.adopt(1, 5);
    scene.nowMs = 100;
    expect(scene.rollout.allowsStep).to.equal(false);
    scene.adopt(2, 5);
    expect(scene.rollout.allowsStep).to.equal(true);
    scene.nowMs = 99;
    expect(scene.rollout.allowsStep).to.equal(false);
    scene.announce(mapOf(6, [1, 2]), mapOf(5, [1], [2]));
    scene.nowMs = 1098;
    expect(scene.rollout.allowsStep).to.equal(false);
    scene.nowMs = 1099;
    expect(scene.rollout.allowsStep).to.equal(true);
  });

  it('steps follow one another soon while clients ask for next to nothing, but not before every node has the last', () => {
    const scene = new Scene();
    scene.requestsPerSecond = 29;
    scene.announce(mapOf(5, [1], [2]), mapOf(4, [1]));
    scene.adopt(1, 5);
    scene.nowMs = 7;
    expect(scene.rollout.allowsStep).to.equal(false);
    scene.adopt(2, 5);
    expect(scene.rollout.allowsStep).to.equal(true);
    scene.nowMs = 6;
    expect(scene.rollout.allowsStep).to.equal(false);
    scene.nowMs = 7;
    scene.requestsPerSecond = 30;
    expect(scene.rollout.allowsStep).to.equal(false);
  });

  it('a step loses nobody: no member, no replica, no setting', () => {
    const before = mapOf(4, [1], [2]);
    expect(isStep(before, mapOf(5, [1, 2]))).to.equal(true);
    expect(isStep(before, mapOf(5, [2, 1]))).to.equal(true);
    expect(isStep(before, mapOf(5, [2]))).to.equal(false);
    expect(isStep(before, mapOf(5, [1], [], nodes.slice(0, 1)))).to.equal(false);
    expect(isStep(mapOf(4, [], [2]), mapOf(5, [2]))).to.equal(false);
    const others = new ClusterMap({ ...mapOf(5, [1, 2]).toData(), settings: { ...settings, replicas: 1 } });
    expect(isStep(before, others)).to.equal(false);
  });
});
