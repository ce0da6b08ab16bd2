// What the manager does when a slot has lost all its full replicas, or may have (PROTOCOL M6, D3).
import { expect } from 'chai';
import { MessageType } from '../../src/protocol/messages.js';
import { ManagerHarness } from '../support/manager-harness.js';
import { RecoveryScene as Scene } from '../support/recovery-scene.js';

describe('M6: a slot that has lost all its full replicas', () => {
  it('goes on with the part of one learner, the oldest; the others join anew, for their parts may differ', () => {
    const scene = new Scene({ nodes: 5, respawn: false }, { replicas: 3 });
    for (const id of [3, 4]) scene.node(id).isSlow = true;
    scene.kill(0);
    scene.kill(1);
    expect(scene.slot.learners).to.deep.equal([3, 4]);
    const [oldJoinedAt = 0, ...later] = scene.slot.joinedAt.slice(1);
    scene.kill(2);
    expect(scene.slot.replicas).to.deep.equal([3]);
    expect(scene.slot.learners).to.deep.equal([4]);
    expect(scene.slot.joinedAt[0]).to.equal(oldJoinedAt);
    expect(scene.slot.joinedAt[1]).to.be.greaterThan(Math.max(...later));
  });
});

describe('D3: a slot that has lost all its full replicas, and goes on with a learner', () => {
  it('goes on with one whose disk had it before it joined, though another has been one for longer', () => {
    const scene = new Scene({ nodes: 5, respawn: false }, { replicas: 3 });
    for (const id of [3, 4]) scene.node(id).isSlow = true;
    scene.kill(0);
    scene.kill(1);
    expect(scene.slot.learners).to.deep.equal([3, 4]);
    scene.haveDisk(4);
    scene.redial(scene.node(4));
    scene.run();
    scene.kill(2);
    expect(scene.slot.replicas).to.deep.equal([4]);
  });
});

describe('M6: a learner that joins anew in the map that is being saved', () => {
  /** It says now that its copy is done, for the joining that is over when that map is out. */
  function sayDone(scene: Scene, id: number): void {
    const { nodeId, incarnation } = scene.node(id);
    const { replicas, learners, joinedAt } = scene.slot;
    const slots = [[0, joinedAt[replicas.length + learners.indexOf(id)] ?? 0] as const];
    scene.deliver(scene.node(id), { type: MessageType.copyDone, nodeId, incarnation, slots });
    scene.run();
    scene.isDiskSlow = false;
    scene.save();
    scene.run();
  }

  it('is not full by what it copied before: the last of the others has died, and an older learner goes on', () => {
    const scene = new Scene({ nodes: 5, respawn: false }, { replicas: 3 });
    for (const id of [3, 4]) scene.node(id).isSlow = true;
    scene.kill(0);
    scene.kill(1);
    scene.isDiskSlow = true;
    scene.end(scene.node(2));
    scene.run();
    sayDone(scene, 4);
    scene.pass(1000);
    expect([scene.slot.replicas, scene.slot.learners]).to.deep.equal([[3], [4]]);
  });

  for (const durability of ['always', 'interval'] as const) {
    it(`is not full by what it copied before: with ${durability}, a disk brings the slot back`, () => {
      const scene = new Scene({ nodes: 3 }, { replicas: 2, durability });
      scene.node(2).isSlow = true;
      scene.kill(1);
      scene.pass(5000);
      scene.kill(0);
      scene.pass(1500);
      scene.haveDisk(0);
      scene.isDiskSlow = true;
      scene.find(0);
      scene.pass(100);
      sayDone(scene, 2);
      scene.pass(1000);
      expect([scene.slot.replicas, scene.slot.learners]).to.deep.equal([[0], [2]]);
    });
  }
});

describe('D3: a slot whose full replicas all lost power', () => {
  it('waits for one of them, and what an administrator gave up before is no matter', () => {
    const scene = new Scene({ nodes: 2 }, { replicas: 1, durability: 'always' });
    expect(scene.ask({ command: 'accept-loss' })).to.deep.equal({ ok: true, slots: 0 });
    scene.kill(0);
    scene.pass(20_000);
    expect(scene.slot.replicas).to.deep.equal([]);
    scene.haveDisk(0);
    scene.find(0);
    scene.pass(100);
    expect(scene.slot).to.deep.equal({ replicas: [0], learners: [], joinedAt: [1] });
  });

  it('is brought back by one that is there, not by one that came first and whose connection is lost', () => {
    const scene = new Scene({ nodes: 3 }, { replicas: 2, durability: 'always' });
    scene.kill(0, 1);
    scene.haveDisk(0, 1);
    scene.find(0);
    scene.pass(600);
    scene.cut(scene.node(0));
    scene.find(1);
    scene.pass(600);
    expect(scene.slot.replicas).to.deep.equal([1]);
  });

  it('is waited for by a drain, though the node may be the one that has it, as a substitute', () => {
    const scene = new Scene({ nodes: 3 }, { replicas: 2, durability: 'always' });
    scene.kill(1);
    scene.pass(5000);
    expect(scene.slot.replicas).to.deep.equal([0, 2]);
    const slots = [[0, scene.slot.joinedAt[1] ?? 0] as const];
    expect(scene.ask({ command: 'drain', nodeId: 2 })).to.include({ ok: true });
    scene.kill(0, 2);
    scene.pass(20_000);
    scene.diskOf = () => ({ clusterId: 'c', slots, clockUs: 1 });
    scene.find(2);
    scene.pass(1000);
    expect(scene.slot.replicas).to.deep.equal([2]);
    scene.diskOf = () => ({ clusterId: 'c', slots: [], clockUs: 1 });
    scene.find(0);
    scene.find(1);
    scene.pass(5000);
    expect(scene.slot.replicas).to.deep.equal([0, 1]);
  });

  it('begins with what is there when an administrator gives its data up, and not before', () => {
    const scene = new Scene({ nodes: 2 }, { replicas: 1, durability: 'always' });
    scene.kill(0);
    scene.pass(20_000);
    expect(scene.slot.replicas).to.deep.equal([]);
    expect(scene.ask({ command: 'accept-loss' })).to.deep.equal({ ok: true, slots: 1 });
    scene.pass(100);
    expect(scene.slot.replicas).to.deep.equal([1]);
  });

  for (const [where, nodes, replicas, downForMs] of [
    ['and nobody is there to begin without it', 2, 2, 3000],
    ['and it is the only node', 1, 1, 3000],
    ['and a place is still kept for the node that had it', 3, 1, 1200],
  ] as const) {
    it(`goes on with the first disk that is back, though it was given up, if nothing has begun without it: ${where}`, () => {
      const scene = new Scene({ nodes }, { replicas, durability: 'always' });
      scene.haveDisk(...Array(replicas).keys());
      scene.kill(...Array(replicas).keys());
      scene.pass(downForMs);
      expect(scene.ask({ command: 'accept-loss' })).to.deep.equal({ ok: true, slots: 1 });
      scene.pass(200);
      expect(scene.slot.replicas).to.deep.equal([]);
      scene.find(0);
      scene.pass(100);
      expect(scene.slot).to.deep.equal({ replicas: [0], learners: [], joinedAt: [1] });
    });
  }

  it('waits if all come back with empty disks, says so, and goes on when the real ones are there at the next start', () => {
    const scene = new Scene({ nodes: 3 }, { replicas: 3, durability: 'always' });
    scene.pass(100);
    scene.kill(0, 1, 2);
    scene.pass(2000);
    for (const id of [0, 1, 2]) scene.find(id);
    scene.pass(20_000);
    expect(scene.slot.replicas).to.deep.equal([]);
    const told = scene.logged.filter((line) => line.includes('gtstore recover --accept-loss'));
    expect(told).to.have.lengthOf(1);
    expect(told[0]).to.match(/^1 slots wait: nodes 0 1 2, .*mount their disks/);
    expect(scene.core.status().warnings).to.deep.equal(told);
    scene.kill(0, 1, 2);
    scene.haveDisk(1);
    scene.restartManager();
    for (const id of [0, 1, 2]) scene.find(id);
    scene.pass(5000);
    expect(scene.slot.replicas).to.include(1);
    expect(scene.slot.joinedAt[scene.slot.replicas.indexOf(1)]).to.equal(1);
    expect(scene.core.status().warnings).to.equal(undefined);
  });

  it('begins empty when an administrator says that all its disks are gone', () => {
    const scene = new Scene({ nodes: 2 }, { replicas: 2, durability: 'interval' });
    scene.pass(100);
    scene.kill(0, 1);
    scene.pass(2000);
    for (const id of [0, 1]) scene.find(id);
    scene.pass(5000);
    expect(scene.slot.replicas).to.deep.equal([]);
    expect(scene.ask({ command: 'accept-loss' })).to.deep.equal({ ok: true, slots: 1 });
    scene.pass(200);
    expect(scene.slot.replicas).to.deep.equal([0, 1]);
  });

  /** The nodes die while their cluster's first map is saved. */
  function diedWhileCreated(): Scene {
    const scene = new Scene({ nodes: 2, lost: [0, 1] }, { replicas: 2, durability: 'always' });
    scene.find(0);
    scene.isDiskSlow = true;
    scene.find(1);
    scene.run();
    for (const id of [0, 1]) scene.lost.add(id);
    for (const id of [0, 1]) scene.end(scene.node(id));
    scene.isDiskSlow = false;
    scene.save();
    return scene;
  }

  it('begins by itself in a cluster that died while it was created, and had nothing yet', () => {
    const scene = diedWhileCreated();
    scene.pass(3000);
    expect(scene.slot.replicas).to.deep.equal([]);
    for (const id of [0, 1]) scene.find(id);
    scene.pass(2000);
    expect(scene.slot.replicas).to.deep.equal([0, 1]);
  });

  it('says nothing of disks to be mounted in a cluster that died while it was created, and begins by itself', () => {
    const scene = diedWhileCreated();
    scene.pass(100);
    // A lease's time has not passed yet since they died.
    for (const id of [0, 1]) scene.find(id);
    scene.pass(100);
    expect(scene.slot.replicas).to.deep.equal([]);
    expect(scene.core.status().warnings).to.equal(undefined);
    scene.pass(2000);
    expect(scene.slot.replicas).to.deep.equal([0, 1]);
    expect(scene.logged.filter((line) => line.includes('--accept-loss'))).to.deep.equal([]);
  });

  it('waits, too, if the manager died with them before any other map was made: the cluster had been whole', () => {
    const scene = new Scene({ nodes: 2 }, { replicas: 2, durability: 'always' });
    scene.pass(100);
    const dead = [0, 1].map((id) => scene.node(id));
    for (const node of dead) scene.cut(node);
    for (const id of [0, 1]) scene.lost.add(id);
    scene.restartManager();
    for (const { nodeId, pid } of dead) scene.core.onProcessExit(nodeId, pid);
    scene.pass(2000);
    // Both disks are gone.
    for (const id of [0, 1]) scene.find(id);
    scene.pass(5000);
    expect(scene.slot.replicas).to.deep.equal([]);
    expect(scene.core.status().warnings?.[0]).to.match(/^1 slots wait: nodes 0 1, /);
  });

  it('is given up once: what is lost afterwards is waited for', () => {
    const scene = new Scene({ nodes: 2 }, { replicas: 1, durability: 'always' });
    scene.kill(0);
    scene.pass(20_000);
    scene.ask({ command: 'accept-loss' });
    scene.pass(100);
    expect(scene.slot.replicas).to.deep.equal([1]);
    scene.kill(1);
    scene.pass(2000);
    scene.find(0);
    scene.pass(20_000);
    expect(scene.slot.replicas).to.deep.equal([]);
  });

  it('stays given up if the manager is killed once it has said so, which it does when that is saved', () => {
    const scene = new Scene({ nodes: 2 }, { replicas: 1, durability: 'always' });
    scene.kill(0);
    scene.pass(20_000);
    scene.isDiskSlow = true;
    expect(scene.ask({ command: 'accept-loss' })).to.equal(null);
    scene.saveFirst();
    scene.isDiskSlow = false;
    scene.restartManager();
    scene.pass(20_000);
    expect(scene.slot.replicas).to.deep.equal([1]);
  });

  it('with interval, waits for the other disks each time, whatever other slot still waits', () => {
    const settings = { replicas: 2, slotCount: 6, durability: 'interval' } as const;
    const harness = new ManagerHarness({ nodes: 6, settings });
    const kill = (ids: readonly number[]): void => {
      const { slots = [] } = harness.core.map ?? {};
      const labels = (id: number): (readonly [number, number])[] =>
        slots.flatMap(({ replicas, joinedAt }, slot) =>
          replicas.includes(id) ? [[slot, joinedAt[replicas.indexOf(id)] ?? 0] as const] : [],
        );
      harness.diskOf = (id) => ({ clusterId: 'c', slots: labels(id), clockUs: 1_000_000 });
      for (const id of ids) {
        harness.lost.add(id);
        harness.end(harness.node(id));
      }
      harness.pass(1100);
    };
    const revivedAfterMs = (): number => {
      harness.find(0);
      let ms = 0;
      for (; harness.slots[0]?.length === 0 && ms < 5000; ms += 20) harness.pass(20);
      return ms;
    };
    kill([0, 1, 3, 4]);
    expect(revivedAfterMs()).to.be.closeTo(2000, 200);
    harness.pass(1000);
    const replicas = harness.slots[0] ?? [];
    expect(replicas.length).to.equal(2);
    kill(replicas);
    expect(harness.slots[3]).to.deep.equal([]);
    expect(revivedAfterMs()).to.be.closeTo(2000, 200);
  });

  for (const [durability, why] of [
    ['always', 'that disk may have what no learner was sent'],
    ['interval', 'it may hold what that disk lacks'],
  ] as const) {
    it(`with ${durability}, a learner that outlived them joins anew, and is not full by what it copied of the dead: ${why}`, () => {
      const scene = new Scene({ nodes: 3 }, { replicas: 2, durability });
      scene.node(2).isSlow = true;
      // Beyond the time for which its place is kept.
      scene.kill(1);
      scene.pass(20_000);
      expect(scene.slot.learners).to.deep.equal([2]);
      const [, learnedAt = 0] = scene.slot.joinedAt;
      scene.kill(0);
      scene.pass(1500);
      scene.haveDisk(0);
      scene.find(0);
      scene.pass(5000);
      const { replicas, learners, joinedAt } = scene.slot;
      expect([replicas, learners]).to.deep.equal([[0], [2]]);
      expect(joinedAt[0]).to.equal(1);
      // Its own disk was slow: only now the label is on it that its copy was waiting for.
      const { nodeId, incarnation } = scene.node(2);
      const slots = [[0, learnedAt] as const];
      scene.deliver(scene.node(2), { type: MessageType.copyDone, nodeId, incarnation, slots });
      scene.run();
      scene.pass(500);
      expect([scene.slot.replicas, scene.slot.learners]).to.deep.equal([[0], [2]]);
      expect(joinedAt[1]).to.be.greaterThan(learnedAt);
    });
  }

  it('has the one that is to bring it back, though that dials anew before the map that says so is out', () => {
    const scene = new Scene({ nodes: 2 }, { replicas: 1, durability: 'always' });
    scene.kill(0);
    scene.pass(2000);
    scene.haveDisk(0);
    scene.isDiskSlow = true;
    scene.find(0);
    scene.pass(40);
    expect(scene.slot.replicas).to.deep.equal([]);
    const node = scene.node(0);
    scene.redial(node);
    scene.isDiskSlow = false;
    scene.save();
    scene.run();
    scene.pass(100);
    expect(scene.slot).to.deep.equal({ replicas: [0], learners: [], joinedAt: [1] });
    expect(scene.nodes).to.include(node);
  });
});

describe('M3: a slot whose last replica is silent, and not known to be dead', () => {
  it('stays with it, until an administrator says that it is dead', () => {
    const scene = new Scene({ nodes: 2, respawn: false }, { replicas: 1 });
    // Nobody is there to copy from.
    scene.node(1).isSlow = true;
    scene.cut(scene.node(0));
    scene.pass(20_000);
    // It may be cut off from the manager, and serve.
    expect(scene.ask({ command: 'accept-loss' })).to.deep.equal({ ok: true, slots: 0 });
    scene.pass(20_000);
    expect(scene.slot.replicas).to.deep.equal([0]);
    expect(scene.ask({ command: 'accept-loss' })).to.deep.equal({ ok: true, slots: 1 });
    scene.pass(100);
    expect(scene.slot.replicas).to.deep.equal([1]);
  });

  it('is told of in log and status, as long as it is silent', () => {
    const scene = new Scene({ nodes: 2, respawn: false }, { replicas: 2, durability: 'always' });
    const told = (): string[] => scene.logged.filter((line) => line.includes('--accept-loss'));
    const node = scene.node(1);
    for (const id of [0, 1]) scene.cut(scene.node(id));
    // The whole cluster was ended; all that this host sees is that its own node has.
    for (const id of [0, 1]) scene.lost.add(id);
    scene.restartManager();
    scene.haveDisk(0);
    scene.isDiskSlow = true;
    scene.find(0);
    // Nobody is there to copy from.
    scene.node(0).isSlow = true;
    scene.isDiskSlow = false;
    scene.save();
    scene.pass(20_000);
    expect(scene.slot.replicas).to.deep.equal([1]);
    expect(told()).to.deep.equal([]);
    scene.pass(20_000);
    expect(told()).to.have.lengthOf(1);
    expect(told()[0]).to.match(
      /^1 slots wait: node 1, the last that had them, has been silent for more than 30 s; /,
    );
    expect(scene.core.status().warnings).to.deep.equal(told());
    scene.nodes.push(node);
    scene.redial(node);
    scene.pass(2000);
    expect(scene.core.status().warnings).to.equal(undefined);
  });

  it('is known to be dead to the next manager, too, once the administrator has his answer', () => {
    const scene = new Scene({ nodes: 2, respawn: false }, { replicas: 1 });
    scene.node(1).isSlow = true;
    scene.cut(scene.node(0));
    scene.pass(40_000);
    scene.isDiskSlow = true;
    expect(scene.ask({ command: 'accept-loss' })).to.equal(null);
    scene.saveFirst();
    expect(scene.slot.replicas).to.deep.equal([0]);
    scene.isDiskSlow = false;
    scene.lost.add(0);
    scene.restartManager();
    scene.pass(2000);
    expect(scene.slot.replicas).to.deep.equal([1]);
    scene.ask({ command: 'rebalance', by: 'slots' });
    expect(scene.state?.takenForDead).to.deep.equal([]);
  });

  it('is not told that it was removed before that is saved: the next manager may not know of it', () => {
    const scene = new Scene({ nodes: 2, respawn: false }, { replicas: 1 });
    scene.node(1).isSlow = true;
    const node = scene.node(0);
    const { incarnation } = node;
    scene.cut(node);
    scene.pass(40_000);
    scene.isDiskSlow = true;
    scene.ask({ command: 'accept-loss' });
    scene.nodes.push(node);
    scene.redial(node);
    node.heartbeat();
    scene.run();
    expect(node.incarnation).to.equal(incarnation);
    scene.isDiskSlow = false;
    scene.save();
    scene.pass(200);
    expect(node.incarnation).to.be.greaterThan(incarnation);
  });

  it('is not given up while it answers', () => {
    const scene = new Scene({ nodes: 2, respawn: false }, { replicas: 1 });
    scene.pass(5000);
    expect(scene.ask({ command: 'accept-loss' })).to.deep.equal({ ok: true, slots: 0 });
    scene.pass(5000);
    expect(scene.slot.replicas).to.deep.equal([0]);
  });
});
