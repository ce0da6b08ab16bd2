// Who brings a slot back of which replicas have died and nobody has seen it, or a map that tells of it (PROTOCOL D3).
import { expect } from 'chai';
import { RecoveryScene as Scene } from '../support/recovery-scene.js';

describe('D3: a slot whose replicas died one after the other while a map was being saved', () => {
  for (const durability of ['always', 'interval'] as const) {
    it(`with ${durability}, is brought back by one that died before the others did if no map without it is out`, () => {
      const scene = new Scene({ nodes: 3, respawn: false }, { replicas: 2, durability });
      scene.isDiskSlow = true;
      scene.kill(0);
      scene.kill(1);
      scene.isDiskSlow = false;
      scene.save();
      scene.run();
      scene.pass(2000);
      scene.haveDisk(0);
      scene.find(0);
      scene.pass(5000);
      expect(scene.slot.replicas).to.deep.equal([0, 2]);
      expect(scene.slot.joinedAt[0]).to.equal(1);
    });
  }

  for (const durability of ['none', 'always'] as const) {
    it(`with ${durability}, stays with one that was silent, and is back, if the others died before the map without it was out`, () => {
      const scene = new Scene({ nodes: 3, respawn: false }, { replicas: 2, durability });
      const node = scene.node(0);
      scene.node(2).isSlow = true;
      scene.cut(node);
      scene.pass(900);
      scene.isDiskSlow = true;
      scene.pass(400);
      expect(scene.unsaved.at(-1)?.map?.slots[0]?.replicas).to.deep.equal([1]);
      scene.kill(1);
      scene.isDiskSlow = false;
      scene.save();
      scene.run();
      expect(scene.slot.replicas).to.deep.equal([0]);
      scene.nodes.push(node);
      scene.redial(node);
      scene.pass(2000);
      expect(scene.slot.replicas).to.deep.equal([0]);
      expect(scene.core.map?.node(0)?.incarnation).to.equal(node.incarnation);
    });
  }

  it('is brought back by one that was to be full, and died before the map that says so was out', () => {
    const scene = new Scene({ nodes: 3, respawn: false }, { replicas: 2, durability: 'always' });
    const node = scene.node(2);
    node.isSlow = true;
    scene.kill(1);
    expect(scene.slot.learners).to.deep.equal([2]);
    scene.pass(500);
    const joinedAt = scene.slot.joinedAt[1] ?? 0;
    scene.isDiskSlow = true;
    node.isSlow = false;
    node.copy();
    scene.pass(40);
    scene.kill(0, 2);
    scene.isDiskSlow = false;
    scene.save();
    scene.run();
    expect(scene.slot.replicas).to.deep.equal([]);
    scene.diskOf = () => ({ clusterId: 'c', slots: [[0, joinedAt]], clockUs: 1 });
    scene.find(2);
    scene.pass(2000);
    expect(scene.slot).to.deep.equal({ replicas: [2], learners: [], joinedAt: [joinedAt] });
  });

  it('keeps a silent learner that has it on its disk, as a member, if the last replica died before the map without that was out', () => {
    const scene = new Scene({ nodes: 2, respawn: false }, { replicas: 2, durability: 'always' });
    scene.kill(1);
    scene.haveDisk(1);
    scene.isDiskSlow = true;
    scene.find(1);
    const node = scene.node(1);
    node.isSlow = true;
    scene.isDiskSlow = false;
    scene.save();
    scene.run();
    expect(scene.slot.learners).to.include(1);
    scene.cut(node);
    scene.pass(900);
    scene.isDiskSlow = true;
    scene.pass(400);
    expect(scene.unsaved.at(-1)?.map?.slots[0]?.learners).not.to.include(1);
    scene.kill(0);
    scene.isDiskSlow = false;
    scene.save();
    scene.run();
    expect(scene.slot.replicas).to.deep.equal([]);
    expect(scene.slot.learners).to.include(1);
    expect(scene.core.map?.node(1)?.incarnation).to.equal(node.incarnation);
  });
});

describe('D3: a slot whose replicas died with the manager, without being seen to', () => {
  /** Of the nodes, `id` has the slot on its disk. Nobody is there to copy from. */
  function findFirst(scene: Scene, id: number): void {
    scene.restartManager();
    scene.haveDisk(id);
    scene.isDiskSlow = true;
    scene.find(id);
    for (const node of scene.nodes) node.isSlow = true;
    scene.isDiskSlow = false;
    scene.save();
  }

  function acceptLoss(scene: Scene): void {
    scene.pass(40_000);
    expect(scene.ask({ command: 'accept-loss' })).to.deep.equal({ ok: true, slots: 1 });
    scene.pass(2000);
  }

  for (const isOtherAlive of [false, true]) {
    const until = isOtherAlive
      ? 'until one of the others is heard of'
      : 'and goes on with it if they are given up';
    it(`keeps one that comes back with its disk, though it was to leave, ${until}`, () => {
      const scene = new Scene({ nodes: 3, respawn: false }, { replicas: 2, durability: 'interval' });
      scene.node(0).isDeaf = true;
      scene.ask({ command: 'drain', nodeId: 0 });
      scene.pass(600);
      expect(scene.slot.replicas).to.have.members([0, 1, 2]);
      const others = [scene.node(1), scene.node(2)];
      for (const node of [scene.node(0), ...others]) scene.cut(node);
      for (const id of [0, 1, 2]) scene.lost.add(id);
      findFirst(scene, 0);
      expect(scene.slot.replicas).to.deep.equal([1, 2]);
      expect(scene.slot.learners).to.deep.equal([0]);
      if (!isOtherAlive) {
        acceptLoss(scene);
        expect(scene.slot.replicas).to.deep.equal([0]);
        return;
      }
      scene.nodes.push(...others);
      for (const node of others) scene.redial(node);
      scene.pass(200);
      expect(scene.slot.replicas).to.deep.equal([1, 2]);
      expect(scene.slot.learners).to.deep.equal([]);
    });
  }

  function lostUnseen(): Scene {
    const scene = new Scene({ nodes: 3, respawn: false }, { replicas: 2, durability: 'always' });
    for (const id of [0, 1]) scene.cut(scene.node(id));
    for (const id of [0, 1]) scene.lost.add(id);
    findFirst(scene, 0);
    return scene;
  }

  it('keeps one that has come back with its disk, though that is silent for longer than its lease, too', () => {
    const scene = lostUnseen();
    const node = scene.node(0);
    scene.cut(node);
    scene.pass(5000);
    expect(scene.slot.replicas).to.deep.equal([1]);
    expect(scene.slot.learners).to.deep.equal([0, 2]);
    scene.nodes.push(node);
    scene.redial(node);
    scene.pass(1000);
    expect(scene.core.map?.node(0)?.incarnation).to.equal(node.incarnation);
    acceptLoss(scene);
    expect(scene.slot.replicas).to.deep.equal([0]);
  });

  it('goes on with one that is there, rather than one that is silent, if they are given up', () => {
    const scene = lostUnseen();
    scene.cut(scene.node(0));
    acceptLoss(scene);
    expect(scene.slot.replicas).to.deep.equal([2]);
  });
});
