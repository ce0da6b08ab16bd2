// Whom the manager takes for cut off from its fellows, on their reports (PROTOCOL M2).
import { expect } from 'chai';
import { MessageType } from '../../src/protocol/messages.js';
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

  it('loses them at once, however long those who take its place copy one slot after the other', () => {
    for (const id of [0, 1, 2]) harness.node(id).isSlow = true;
    for (let passed = 0; passed < 1500; passed += everyMs) {
      copyOne();
      reported([victim], everyMs);
    }
    expect(holdsSlots()).to.equal(false);
    expect(copyOne()).to.equal(true);
  });

  /** Of one slot a learner has everything. @returns whether there was any */
  function copyOne(): boolean {
    const { slots = [] } = harness.core.map ?? {};
    const index = slots.findIndex(({ learners }) => learners.some((id) => id !== victim));
    const { replicas = [], learners = [], joinedAt = [] } = slots[index] ?? {};
    const [nodeId] = learners;
    if (nodeId === undefined) return false;
    const learner = harness.node(nodeId);
    const { incarnation } = learner;
    const copied = [[index, joinedAt[replicas.length] ?? 0] as const];
    harness.deliver(learner, { type: MessageType.copyDone, nodeId, incarnation, slots: copied });
    return true;
  }

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

  /** Its disk hangs for a while, or it says so. @returns for how long it has no slots behind that, about */
  function hungAnew(): number {
    reported([victim], 1500);
    expect(holdsSlots()).to.equal(false);
    return untilItHoldsSlots();
  }

  function untilItHoldsSlots(): number {
    let passedMs = 0;
    for (; !holdsSlots(); passedMs += everyMs) harness.pass(everyMs);
    return passedMs;
  }

  const seconds = (ms: number): number => Math.round(ms / 1000);

  it('stays off twice as long each time its disk hangs anew, up to ten minutes, in its next life, too', () => {
    expect([hungAnew(), hungAnew(), hungAnew()].map(seconds)).to.deep.equal([3, 6, 12]);
    harness.end(harness.node(victim));
    harness.pass(3000);
    expect([hungAnew(), hungAnew(), hungAnew()].map(seconds)).to.deep.equal([24, 48, 96]);
    expect([hungAnew(), hungAnew(), hungAnew(), hungAnew()].map(seconds)).to.deep.equal([192, 384, 600, 600]);
  });

  it('is forgiven that its disk has hung when that has gone well for ten minutes', () => {
    for (let n = 0; n < 4; n++) hungAnew();
    harness.pass(590_000);
    expect(seconds(hungAnew())).to.equal(48);
    harness.pass(610_000);
    expect(seconds(hungAnew())).to.equal(3);
  });

  it('stays off no longer each time it is cut off anew', () => {
    for (let n = 0; n < 4; n++) {
      reported([0, 1], 1500);
      expect(holdsSlots()).to.equal(false);
      expect(seconds(untilItHoldsSlots())).to.equal(3);
    }
  });

  it('stays off when the manager stands still, and finds the reports of that time when it goes on', () => {
    reported([victim], 1500);
    harness.stall(30_000);
    harness.pass(1000);
    expect(holdsSlots()).to.equal(false);
    expect(seconds(untilItHoldsSlots())).to.equal(2);
  });

  it('does not keep a cluster from being ready whose other nodes serve everything', () => {
    harness = new ManagerHarness({ nodes: 4, settings: { replicas: 4 } });
    harness.pass(1000);
    reported([victim], 1500);
    expect([harness.core.isSettled, harness.core.isIsolated(victim)]).to.deep.equal([true, true]);
  });

  it('is in the status as long as its disk hangs, whoever is taken off, and is logged once each time', () => {
    const warnings = (): readonly string[] => harness.core.status().warnings ?? [];
    const off = 'node 0 gets no slots that others can serve until';
    const both = (forMs: number): void => {
      for (let passed = 0; passed < forMs; passed += everyMs) {
        harness.node(0).report(harness.node(0));
        reported([victim], everyMs);
      }
    };
    both(30_000);
    expect(warnings()).to.deep.equal([
      `${off} that is over: its disk hangs`,
      `node ${victim} keeps its slots, where writes wait or fail, though it says that its disk hangs`,
    ]);
    harness.pass(1000);
    expect(warnings()).to.deep.equal([`${off} its disk, which hung, has gone well for 3 s`]);
    harness.pass(6000);
    expect(warnings()).to.deep.equal([]);
    const says = (id: number): number =>
      harness.logged.filter((line) => line === `node ${id}: says that its disk hangs`).length;
    expect([says(0), says(victim)]).to.deep.equal([1, 1]);
    both(1000);
    expect([says(0), says(victim)]).to.deep.equal([2, 2]);
  });
});
