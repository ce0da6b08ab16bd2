// Who is let in, and which word of a node the manager takes as the latest (PROTOCOL M3).
import { expect } from 'chai';
import type { TaskProgress } from '../../src/protocol/admin.js';
import { MessageType } from '../../src/protocol/messages.js';
import type { Message } from '../../src/protocol/messages.js';
import type { Durability } from '../../src/protocol/settings.js';
import { heartbeatOf, ManagerHarness, registerOf } from '../support/manager-harness.js';
import { KeepingLink } from '../support/node-core.js';

/** Accepted in the order of their ids, after all those of the harness. */
class LaterLink extends KeepingLink {
  override readonly id: number;

  constructor(order: number) {
    super();
    this.id = 1_000_000 + order;
  }
}

/** A node of a cluster that serves. */
class Scene {
  readonly harness = new ManagerHarness();
  readonly node = this.harness.node(1);

  say(link: LaterLink, message: Message): void {
    this.harness.core.onMessage(link, message);
    this.harness.run();
  }

  register(link: LaterLink, incarnation: number): void {
    const { nodeId, pid } = this.node;
    this.say(link, registerOf({ nodeId, incarnation, pid }));
  }

  /** Its process is gone, or cut off. */
  cutNode(): void {
    this.harness.cut(this.node);
  }

  /** Another process, which has the node's disk. */
  registerWithDisk(link: LaterLink, pid: number): void {
    const { nodeId } = this.node;
    const disk = { clusterId: 'c', slots: [], clockUs: 0 };
    this.say(link, { ...registerOf({ nodeId, incarnation: 0, pid }), disk });
  }

  /** Whether it gets a lease for it. */
  heartbeat(link: LaterLink, incarnation: number): boolean {
    const { nodeId } = this.node;
    this.say(link, heartbeatOf({ nodeId, incarnation }, this.harness.core.map?.epoch ?? 0));
    return link.take(MessageType.lease).length > 0;
  }

  /** Of the node's present life, as the map has it. */
  get incarnation(): number | undefined {
    return this.harness.core.map?.node(this.node.nodeId)?.incarnation;
  }
}

describe('M3: what a node sent on a connection that it has given up', () => {
  it('does not end the life that it has begun since', () => {
    const scene = new Scene();
    const [former, present] = [new LaterLink(1), new LaterLink(2)];
    scene.register(present, 0);
    const { incarnation } = scene;
    expect(incarnation).to.be.greaterThan(scene.node.incarnation);
    scene.register(former, 0);
    expect(scene.incarnation).to.equal(incarnation);
    expect(former.sent).to.deep.equal([]);
  });

  it('does not take the place of the connection in use', () => {
    const scene = new Scene();
    const [former, present] = [new LaterLink(1), new LaterLink(2)];
    const { incarnation } = scene.node;
    scene.register(present, incarnation);
    scene.register(former, incarnation);
    expect(former.sent).to.deep.equal([]);
    expect(scene.heartbeat(former, incarnation)).to.equal(false);
    expect(scene.heartbeat(present, incarnation)).to.equal(true);
  });

  it('does not end the life of a later process with the same disk', () => {
    const scene = new Scene();
    const [former, present] = [new LaterLink(1), new LaterLink(2)];
    scene.cutNode();
    scene.registerWithDisk(present, 1001);
    const { incarnation } = scene;
    expect(incarnation).to.be.greaterThan(scene.node.incarnation);
    scene.registerWithDisk(former, 1000);
    expect(scene.incarnation).to.equal(incarnation);
    expect(former.sent).to.deep.equal([]);
  });

  it('is told from a life that it begins on the connection in use, or on a later one', () => {
    const scene = new Scene();
    const [present, later] = [new LaterLink(1), new LaterLink(2)];
    scene.register(present, scene.node.incarnation);
    scene.register(present, 0);
    const second = scene.incarnation ?? 0;
    expect(second).to.be.greaterThan(scene.node.incarnation);
    scene.register(later, 0);
    const third = scene.incarnation ?? 0;
    expect(third).to.be.greaterThan(second);
    expect(scene.heartbeat(later, third)).to.equal(true);
    expect(scene.heartbeat(later, second), 'of the life before').to.equal(false);
    expect(later.take(MessageType.removed).map(({ incarnation }) => incarnation)).to.include(second);
  });
});

describe('M3: what a process sent before it ended', () => {
  it('does not let it in again when it comes after the news of its end; its successor is', () => {
    const scene = new Scene();
    const { harness, node } = scene;
    harness.lost.add(1);
    harness.end(node);
    scene.register(new LaterLink(1), 0);
    harness.pass(40);
    expect(scene.incarnation).to.equal(undefined);
    harness.find(1);
    expect(scene.incarnation).to.be.greaterThan(node.incarnation);
  });

  it('lets nobody in whose connection has ended, and who is still there some seconds later: he got the number anew', () => {
    const scene = new Scene();
    const { harness, node } = scene;
    harness.lost.add(1);
    harness.end(node);
    const late = new LaterLink(1);
    scene.register(late, 0);
    harness.core.onLinkClosed(late);
    harness.pass(10_000);
    expect(scene.incarnation).to.equal(undefined);
    harness.core.onProcessExit(1, node.pid);
    scene.register(new LaterLink(1), 0);
    harness.pass(1000);
    expect(scene.incarnation).to.equal(undefined);
    harness.pass(4500);
    expect(scene.incarnation).to.be.greaterThan(node.incarnation);
  });
});

describe('M6: a node whose lease has run out', () => {
  it('is not told that it is removed, and keeps what it has, before the map that says so is saved', () => {
    const scene = new Scene();
    const { harness, node } = scene;
    const link = new LaterLink(1);
    scene.cutNode();
    harness.isDiskSlow = true;
    harness.pass(3000);
    expect(harness.unsaved.length).to.be.greaterThan(0);
    scene.register(link, node.incarnation);
    expect(scene.heartbeat(link, node.incarnation)).to.equal(false);
    expect(link.take(MessageType.removed)).to.deep.equal([]);
    harness.save();
    scene.heartbeat(link, node.incarnation);
    expect(link.take(MessageType.removed).map(({ incarnation }) => incarnation)).to.include(node.incarnation);
  });
});

describe('M3: a process that comes with the disk of a forked node', () => {
  const pid = 4711;

  it("is no forked one if the manager's host does not know it: only its lease tells its end", () => {
    const scene = new Scene();
    const { harness } = scene;
    harness.elsewhere.add(pid);
    scene.cutNode();
    scene.registerWithDisk(new LaterLink(1), pid);
    const { spawned } = harness;
    harness.restartManager();
    const known = harness.state?.knownNodes.find(({ id }) => id === 1);
    expect(known).to.deep.include({ pid, spawned: false });
    harness.core.onProcessExit(1, scene.node.pid);
    harness.pass(1000);
    expect(harness.spawned).to.deep.equal(spawned);
  });

  it('is watched and started again as any other if it does', () => {
    const scene = new Scene();
    scene.cutNode();
    scene.registerWithDisk(new LaterLink(1), pid);
    const known = scene.harness.state?.knownNodes.find(({ id }) => id === 1);
    expect(known).to.deep.include({ pid, spawned: true });
  });
});

describe('M3: a process that comes with the disk of a node which is connected', () => {
  const pid = 4711;

  it('waits as long as that answers: the disk may have been copied', () => {
    const scene = new Scene();
    const { harness } = scene;
    const copy = new LaterLink(1);
    const { incarnation } = scene;
    scene.registerWithDisk(copy, pid);
    harness.pass(20_000);
    expect(scene.incarnation).to.equal(incarnation);
    expect(copy.sent).to.deep.equal([]);
    const told = harness.logged.filter((text) => text.includes(`process ${pid} `));
    expect(told.length).to.equal(1);
    expect(told[0]).to.include('the disk was copied');
  });

  it('is let in when that is known dead', () => {
    const scene = new Scene();
    scene.registerWithDisk(new LaterLink(1), pid);
    scene.harness.end(scene.node);
    scene.harness.pass(40);
    expect(scene.harness.state?.knownNodes.find(({ id }) => id === 1)?.pid).to.equal(pid);
  });

  it('is let in when the lease of that is over, and no sooner, though its connection is lost', () => {
    const scene = new Scene();
    const { harness, incarnation } = scene;
    scene.registerWithDisk(new LaterLink(1), pid);
    harness.pass(1000);
    scene.cutNode();
    harness.pass(900);
    expect(scene.incarnation).to.equal(incarnation);
    harness.pass(300);
    expect(scene.incarnation).to.be.greaterThan(incarnation ?? Infinity);
  });

  it('is let in when that is silent for longer than its lease, whether its connection stands or not', () => {
    const scene = new Scene();
    const { harness, incarnation } = scene;
    // It stands still.
    harness.nodes.splice(harness.nodes.indexOf(scene.node), 1);
    scene.registerWithDisk(new LaterLink(1), pid);
    expect(scene.incarnation).to.equal(incarnation);
    harness.pass(1500);
    expect(scene.incarnation).to.be.greaterThan(incarnation ?? Infinity);
  });
});

describe('a node that nobody here forked, and that has gone', () => {
  const minuteMs = 60_000;

  /** It joins, and is not heard of any more. */
  function comeAndGo(harness: ManagerHarness): void {
    harness.join();
    const node = harness.nodes.at(-1);
    if (node !== undefined) harness.cut(node);
    harness.pass(3000);
  }

  function shown(harness: ManagerHarness): number[] {
    return harness.core.status().nodes.map(({ id }) => id);
  }

  it('is forgotten after a while, and its id is given to nobody else, by a later manager neither', () => {
    const harness = new ManagerHarness();
    comeAndGo(harness);
    comeAndGo(harness);
    expect(shown(harness)).to.deep.equal([0, 1, 2, 3, 4, 5]);
    harness.stall(11 * minuteMs);
    expect(shown(harness)).to.deep.equal([0, 1, 2, 3]);
    harness.pass(3000);
    harness.restartManager();
    expect(harness.state?.knownNodes.map(({ id }) => id)).to.deep.equal([0, 1, 2, 3]);
    harness.pass(1000);
    comeAndGo(harness);
    expect(shown(harness)).to.deep.equal([0, 1, 2, 3, 6]);
  });

  it('is remembered if it has a disk, and while it is there', () => {
    const harness = new ManagerHarness();
    harness.join();
    harness.diskOf = () => ({ clusterId: 'c', slots: [], clockUs: 0 });
    comeAndGo(harness);
    harness.stall(11 * minuteMs);
    harness.pass(3000);
    expect(shown(harness)).to.deep.equal([0, 1, 2, 3, 4, 5]);
  });

  it('is known to have a disk when it dials anew, though it had nothing on it when it came', () => {
    const harness = new ManagerHarness();
    harness.join();
    const node = harness.node(4);
    harness.diskOf = () => ({ clusterId: 'c', slots: [], clockUs: 0 });
    harness.redial(node);
    harness.run();
    harness.cut(node);
    harness.pass(3000);
    harness.stall(11 * minuteMs);
    expect(shown(harness)).to.deep.equal([0, 1, 2, 3, 4]);
  });

  it('can be drained, and is not shown any more then', () => {
    const harness = new ManagerHarness();
    comeAndGo(harness);
    expect(harness.ask({ command: 'drain', nodeId: 4 })).to.deep.include({ ok: true, moves: [] });
    harness.pass(1000);
    const { task } = harness.ask({ command: 'progress' }) as { task: TaskProgress };
    expect(task.state).to.equal('done');
    expect(shown(harness)).to.deep.equal([0, 1, 2, 3]);
    expect(harness.ask({ command: 'drain', nodeId: 4 })).to.deep.include({ ok: false });
  });
});

describe('a node that registers while the cluster is ending', () => {
  for (const [what, isMember] of [
    ['a member whose connection was lost', true],
    ['one that comes anew', false],
  ] as const) {
    it(`is told to end: ${what}`, () => {
      const scene = new Scene();
      scene.harness.core.stop();
      const link = new LaterLink(1);
      scene.register(link, isMember ? scene.node.incarnation : 0);
      expect(link.sent.map(({ type }) => type)).to.deep.equal([MessageType.stop]);
    });
  }
});

describe('M3: a cluster with disks whose last node comes within a moment of the death of its former process', () => {
  it('is created', () => {
    const harness = new ManagerHarness({ lost: [1], settings: { durability: 'always' } });
    expect(harness.core.map).to.equal(null);
    harness.core.onProcessExit(1, 99);
    harness.find(1);
    expect(harness.core.map?.nodes.map(({ id }) => id)).to.deep.equal([0, 1, 2, 3]);
  });
});

describe('D1: a node without a disk', () => {
  /** Whatever is said to it. */
  function told(durability: Durability, incarnation: number, hasDisk: boolean): [ManagerHarness, LaterLink] {
    const harness = new ManagerHarness({ settings: { durability } });
    harness.pass(500);
    const link = new LaterLink(1);
    harness.core.onMessage(link, { ...registerOf({ nodeId: -1, incarnation, pid: 77 }), hasDisk });
    harness.run();
    return [harness, link];
  }

  for (const durability of ['always', 'interval'] as const) {
    for (const incarnation of [0, 2]) {
      it(`is told why it must end where data is kept on disks, and is not remembered: ${durability}, incarnation ${incarnation}`, () => {
        const [harness, link] = told(durability, incarnation, false);
        const fault = 'has no disk, and this cluster keeps its data on disks: start it with --data-dir';
        expect(link.sent).to.deep.equal([{ type: MessageType.stop, epoch: 0, fault }]);
        expect(harness.logged.at(-1)).to.equal(`node at h:77, pid 77: ${fault}`);
        expect(harness.core.status().nodes).to.have.length(4);
      });
    }
  }

  it('joins where data is in memory only; so does one with a disk, there and where data is kept on disks', () => {
    for (const [durability, hasDisk] of [
      ['none', false],
      ['none', true],
      ['always', true],
    ] as const) {
      const [harness, link] = told(durability, 0, hasDisk);
      expect(link.sent.map(({ type }) => type)).to.include(MessageType.registered);
      expect(harness.core.status().nodes).to.have.length(5);
    }
  });
});
