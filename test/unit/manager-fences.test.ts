// What becomes of fences when the manager that sent them has died (PROTOCOL M4).
import { expect } from 'chai';
import { ManagerHarness } from '../support/manager-harness.js';

/** A node is told to leave its slots, and the manager is killed before it says that it has stopped serving them. */
class Scene extends ManagerHarness {
  constructor() {
    super({ nodes: 3 });
    this.node(0).isDeaf = true;
    this.ask({ command: 'restart-rolling' });
    this.pass(1000);
    expect(this.state?.fencing).to.equal(true);
  }

  get epoch(): number {
    return this.core.map?.epoch ?? 0;
  }
}

describe('M4: fences of a manager that was killed', () => {
  it('are lifted by the next one, with the epoch that they were for, before anything else', () => {
    const scene = new Scene();
    const { epoch, slots } = scene;
    scene.restartManager();
    expect(scene.epoch).to.equal(epoch + 1);
    expect(scene.slots).to.deep.equal(slots);
    expect(scene.state?.fencing).to.equal(false);
  });

  it('are lifted, too, if the next one is killed when it has saved no more than that it has begun', () => {
    const scene = new Scene();
    const { epoch } = scene;
    scene.isDiskSlow = true;
    scene.restartManager();
    scene.unsaved.length = 1;
    scene.save();
    expect(scene.epoch).to.equal(epoch);
    scene.isDiskSlow = false;
    scene.restartManager();
    expect(scene.epoch).to.equal(epoch + 1);
  });

  it('are lifted, too, if anything else is saved meanwhile', () => {
    const scene = new Scene();
    const { epoch } = scene;
    scene.ask({ command: 'add-nodes', count: 1 });
    expect(scene.state?.knownNodes.length).to.equal(4);
    scene.restartManager();
    expect(scene.epoch).to.be.greaterThan(epoch);
  });
});
