// A manager that stood still takes nobody's silence for more than its own absence (PROTOCOL M3).
import { expect } from 'chai';
import { defaultSettings } from '../../src/protocol/settings.js';
import { ManagerHarness } from '../support/manager-harness.js';

const { leaseMs } = defaultSettings;

/** A whole cluster, of whose nodes one has been heard later than the others. */
function newScene(): ManagerHarness {
  const harness = new ManagerHarness();
  harness.pass(2000);
  harness.stall(leaseMs * 0.1);
  harness.node(0).heartbeat();
  harness.run();
  return harness;
}

/** A node that has to dial anew and takes so long for it is left where it is, as are all others. */
function expectPatience(standStill: (harness: ManagerHarness) => void, forMs: number): void {
  const harness = newScene();
  const epoch = harness.core.map?.epoch;
  standStill(harness);
  const late = harness.node(1);
  harness.cut(late);
  harness.pass(forMs);
  harness.nodes.push(late);
  harness.redial(late);
  harness.pass(2000);
  expect(harness.core.map?.epoch).to.equal(epoch);
}

describe('M3: a manager that stood still', () => {
  for (const share of [0.95, 1.5, 20]) {
    it(`takes nobody off its slots whose heartbeats lie unread after ${share} leases`, () => {
      const harness = newScene();
      const epoch = harness.core.map?.epoch;
      harness.stall(leaseMs * share);
      harness.pass(2000);
      expect(harness.core.map?.epoch).to.equal(epoch);
    });
  }

  it('leaves those time that have to dial anew', () => {
    expectPatience((harness) => {
      harness.stall(leaseMs * 5);
    }, leaseMs / 2);
  });

  it('leaves them more when its host was suspended, whose clock stood still', () => {
    expectPatience((harness) => {
      harness.core.clock.onSuspended();
    }, leaseMs * 1.4);
  });

  it('takes off who is silent, though it stands still again and again', () => {
    const harness = newScene();
    harness.cut(harness.node(1));
    const isOff = (): boolean => harness.slots.every((replicas) => !replicas.includes(1));
    for (let i = 0; i < 6; i++) {
      harness.stall(leaseMs * 0.9);
      for (const node of harness.nodes) node.heartbeat();
      harness.run();
    }
    expect(isOff()).to.equal(true);
  });
});
