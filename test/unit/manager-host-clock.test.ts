import { expect } from 'chai';
import { HostClock } from '../../src/manager/host-clock.js';

describe("W10: the manager's host clock", () => {
  const { now: wallNow } = Date;
  let wallAheadMs = 0;
  let suspensions = 0;
  let clock: HostClock;

  beforeEach(() => {
    wallAheadMs = 0;
    suspensions = 0;
    Date.now = () => wallNow() + wallAheadMs;
    clock = new HostClock(() => suspensions++);
  });
  afterEach(() => {
    Date.now = wallNow;
  });

  /** Milliseconds by which it is ahead of the host's wall clock. */
  function aheadMs(): number {
    clock.sample();
    return clock.nowUs / 1000 - Date.now();
  }

  it('has not stood still when the host was suspended, and tells so once', () => {
    expect(aheadMs()).to.be.closeTo(0, 100);
    wallAheadMs = 3_600_000;
    expect(aheadMs()).to.be.closeTo(0, 100);
    expect(suspensions).to.equal(1);
    expect(aheadMs()).to.be.closeTo(0, 100);
    expect(suspensions).to.equal(1);
  });

  it('does not go back with the wall clock, nor ahead as that makes good for it', () => {
    wallAheadMs = -3_600_000;
    expect(aheadMs()).to.be.closeTo(3_600_000, 100);
    wallAheadMs = -1000;
    expect(aheadMs()).to.be.closeTo(1000, 100);
    // Which looks as if the host had been suspended.
    expect(suspensions).to.equal(1);
  });
});
