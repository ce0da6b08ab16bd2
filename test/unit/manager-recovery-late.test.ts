// D3: deaths, words and claims that turn out otherwise before anybody has begun by them.
import { expect } from 'chai';
import { RecoveryScene as Scene } from '../support/recovery-scene.js';

describe('D3: a slot whose reviver dies while the map that revives it is being saved', () => {
  for (const durability of ['always', 'interval'] as const) {
    it(`with ${durability}, is brought back by another one of those that were waited for: nobody has seen that map`, () => {
      const scene = new Scene({ nodes: 3, respawn: false }, { replicas: 2, durability });
      scene.kill(0, 1);
      scene.pass(3000);
      expect(scene.slot.replicas).to.deep.equal([]);
      scene.node(2).isSlow = true;
      scene.haveDisk(0);
      scene.isDiskSlow = durability === 'always';
      scene.find(0);
      scene.pass(1000);
      scene.isDiskSlow = true;
      scene.pass(2000);
      expect(scene.unsaved.at(-1)?.map?.slots[0]?.replicas).to.deep.equal([0]);
      // With its disk.
      scene.kill(0);
      scene.isDiskSlow = false;
      scene.save();
      scene.run();
      scene.haveDisk(1);
      scene.find(1);
      scene.pass(6000);
      expect(scene.slot.replicas).to.include(1);
      expect(scene.slot.joinedAt[scene.slot.replicas.indexOf(1)]).to.equal(1);
    });
  }
});

describe('D3: a node that had a slot on its disk when it was started, and has cleared it since', () => {
  it('is not chosen, as one that has it, before a learner that has a part', () => {
    const scene = new Scene({ nodes: 4, respawn: false }, { replicas: 2, durability: 'always' });
    // Node 3 is started again with an old disk; others hold the slot whole, so it clears that.
    scene.end(scene.node(3));
    scene.pass(40);
    scene.haveDisk(3);
    scene.find(3);
    scene.pass(2000);
    expect(scene.slot).to.deep.equal({ replicas: [0, 1], learners: [], joinedAt: [1, 1] });
    scene.diskOf = () => ({ clusterId: '', slots: [], clockUs: 0 });
    // Node 2 is being filled, and has all but the end of it.
    scene.node(2).isSlow = true;
    scene.node(3).isSlow = true;
    scene.kill(0);
    scene.pass(5000);
    expect(scene.slot.learners).to.deep.equal([2]);
    scene.cut(scene.node(1));
    scene.pass(40_000);
    expect(scene.ask({ command: 'accept-loss' })).to.deep.equal({ ok: true, slots: 1 });
    scene.pass(3000);
    expect(scene.slot.replicas).to.deep.equal([2]);
  });
});

describe('D3: a node that was taken for dead, and is heard of before anybody has begun without it', () => {
  /** @param kept nodes that had the slot whole, and say so when they register anew */
  function back(...kept: number[]): Scene {
    const scene = new Scene({ nodes: 2, respawn: false }, { replicas: 2, durability: 'always' });
    const nodes = [scene.node(0), scene.node(1)];
    for (const node of nodes) scene.cut(node);
    scene.pass(40_000);
    expect(scene.ask({ command: 'accept-loss' })).to.deep.equal({ ok: true, slots: 1 });
    scene.pass(100);
    expect(scene.slot.replicas).to.deep.equal([]);
    const [node] = nodes;
    if (node === undefined) throw new Error('no node');
    scene.haveDisk(...kept);
    scene.hasDisks = true;
    scene.nodes.push(node);
    // It is told that it was removed, and registers anew.
    scene.redial(node);
    scene.run();
    return scene;
  }

  it('brings the slot back with what it kept', () => {
    const scene = back(0);
    scene.pass(5000);
    expect(scene.slot).to.deep.equal({ replicas: [0], learners: [], joinedAt: [1] });
  });

  it('makes the word void: nobody begins without the others until it is said again', () => {
    const scene = back();
    scene.pass(20_000);
    expect(scene.slot.replicas).to.deep.equal([]);
    expect(scene.ask({ command: 'accept-loss' })).to.deep.equal({ ok: true, slots: 1 });
    scene.pass(5000);
    expect(scene.slot.replicas).to.deep.equal([0]);
  });
});
