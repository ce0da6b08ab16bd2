// Whom the manager takes for cut off from its fellows, on their reports (PROTOCOL M2).
import { expect } from 'chai';
import { ManagerHarness } from '../support/manager-harness.js';

const victim = 3;
const everyMs = 100;

describe('M2: a node that others report', () => {
  let harness: ManagerHarness;

  beforeEach(() => {
    harness = new ManagerHarness();
    harness.pass(1000);
  });

  /** For so long, and again and again. */
  function reported(by: readonly number[], forMs: number): void {
    for (let passed = 0; passed < forMs; passed += everyMs) {
      for (const id of by) harness.node(id).report(harness.node(victim));
      harness.run();
      harness.pass(everyMs);
    }
  }

  function holdsSlots(id = victim): boolean {
    return harness.slots.some((replicas) => replicas.includes(id));
  }

  it('loses its slots when half of its fellows go on reporting it and it answers the manager', () => {
    reported([0, 1], 1500);
    expect(holdsSlots()).to.equal(false);
    harness.pass(6000);
    expect(holdsSlots()).to.equal(true);
  });

  it('keeps them when only one reports it, however long', () => {
    reported([0], 3000);
    expect(holdsSlots()).to.equal(true);
  });

  it('keeps them when the reports cease at once', () => {
    for (let n = 0; n < 5; n++) {
      reported([0, 1, 2], 200);
      harness.pass(1000);
    }
    expect(holdsSlots()).to.equal(true);
  });

  it('loses them when it reports itself, since its disk hangs, and nobody else does, until it ceases', () => {
    reported([victim], 1500);
    expect(holdsSlots()).to.equal(false);
    reported([victim], 6000);
    expect(holdsSlots()).to.equal(false);
    harness.pass(6000);
    expect(holdsSlots()).to.equal(true);
  });

  it('keeps them when it reports itself after another that has lost its slots for that', () => {
    for (let passed = 0; passed < 3000; passed += everyMs) {
      harness.node(0).report(harness.node(0));
      if (passed >= 500) harness.node(victim).report(harness.node(victim));
      harness.run();
      harness.pass(everyMs);
    }
    expect([holdsSlots(0), holdsSlots()]).to.deep.equal([false, true]);
  });

  it('loses them when it is cut off, although another has lost its own since its disk hangs', () => {
    for (let passed = 0; passed < 3000; passed += everyMs) {
      harness.node(0).report(harness.node(0));
      for (const id of [0, 1]) harness.node(id).report(harness.node(victim));
      harness.run();
      harness.pass(everyMs);
    }
    expect([holdsSlots(0), holdsSlots()]).to.deep.equal([false, false]);
  });

  it('keeps them when it stood still for the manager, too, and goes on', () => {
    harness.node(victim).isStill = true;
    reported([0, 1, 2], 500);
    harness.node(victim).isStill = false;
    reported([0, 1, 2], 200);
    harness.pass(1000);
    expect(holdsSlots()).to.equal(true);
  });
});
