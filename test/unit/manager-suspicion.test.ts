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

  function holdsSlots(): boolean {
    return harness.slots.some((replicas) => replicas.includes(victim));
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

  it('keeps them when it stood still for the manager, too, and goes on', () => {
    harness.node(victim).isStill = true;
    reported([0, 1, 2], 500);
    harness.node(victim).isStill = false;
    reported([0, 1, 2], 200);
    harness.pass(1000);
    expect(holdsSlots()).to.equal(true);
  });
});
