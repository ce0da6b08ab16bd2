import { expect } from 'chai';
import { ManagerHarness } from '../support/manager-harness.js';

const minuteMs = 60_000;
const hourUs = 3_600_000_000;

describe("the cluster's clock", () => {
  const harness = new ManagerHarness();
  const told = (): number => {
    harness.pass(1000);
    return harness.node(0).clockUs;
  };

  it('W10: is saved every minute', () => {
    harness.pass(10 * minuteMs);
    expect(told() - (harness.state?.clockUs ?? 0)).to.be.within(0, 1000 * (minuteMs + 2000));
  });

  it('W10: does not go back when the manager is started again on a host whose clock was set back', () => {
    const before = told();
    harness.hostClockUs = -hourUs;
    harness.restartManager();
    const after = told();
    expect(after - before).to.be.within(0, 2000 * minuteMs);
    expect(told()).to.be.greaterThan(after);
  });

  it('W10: nor does it when that happens once more, and it follows a host that is ahead', () => {
    harness.pass(10 * minuteMs);
    const before = told();
    harness.restartManager();
    expect(told() - before).to.be.within(0, 2000 * minuteMs);
    harness.hostClockUs = 10 * hourUs;
    harness.restartManager();
    expect(told() - before).to.be.within(9 * hourUs, 11 * hourUs);
  });

  it('W10: gains nothing by being started again and again while the host is behind', () => {
    harness.hostClockUs = -hourUs;
    harness.restartManager();
    const before = told();
    for (let start = 0; start < 20; start++) {
      harness.pass(minuteMs / 2);
      harness.restartManager();
    }
    expect(told() - before).to.be.within(10_000 * minuteMs, 11_000 * minuteMs);
  });
});
