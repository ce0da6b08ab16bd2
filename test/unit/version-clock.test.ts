import { expect } from 'chai';
import { ManagerTime } from '../../src/client/core/manager-time.js';
import { VersionClock } from '../../src/client/core/version-clock.js';
import { versionZero } from '../../src/protocol/version.js';

describe('W1: the clock of a client whose time is behind that of another', () => {
  let nowUs = 0;
  const behindUs = 200_000;
  const clockOf = (clientId: number, offsetUs: number): VersionClock =>
    new VersionClock({ clockUs: () => nowUs + offsetUs }, clientId);
  const next = (clock: VersionClock): number => {
    const version = { ...versionZero };
    clock.assign(version);
    return version.hlc;
  };

  beforeEach(() => {
    nowUs = 1_700_000_000_000_000;
  });

  it('goes on with the other one once it has seen a version of it', () => {
    const behind = clockOf(1, -behindUs);
    const ahead = clockOf(2, 0);
    behind.saw({ ...versionZero, hlc: next(ahead) });
    nowUs += 50_000;
    expect(next(behind)).to.equal(nowUs);
    // They see what the other one writes again and again, and neither runs ahead of the time for that.
    for (let turn = 0; turn < 1000; turn++) {
      nowUs += 10;
      ahead.saw({ ...versionZero, hlc: next(behind) });
      nowUs += 10;
      behind.saw({ ...versionZero, hlc: next(ahead) });
    }
    nowUs += 10;
    expect([next(ahead), next(behind)]).to.deep.equal([nowUs, nowUs]);
  });

  it('follows its own again when that has been told anew', () => {
    const clock = clockOf(1, 0);
    clock.saw({ ...versionZero, hlc: nowUs + 500_000 });
    nowUs += 10_000_000;
    clock.clockLearnt();
    expect(next(clock)).to.equal(nowUs);
  });

  it('counts up from what is too far ahead to be believed, and no version comes twice', () => {
    const clock = clockOf(1, 0);
    const farUs = nowUs + 1_800_000_000;
    clock.saw({ ...versionZero, hlc: farUs });
    nowUs += 50_000;
    expect([next(clock), next(clock)]).to.deep.equal([farUs + 1, farUs + 2]);
    nowUs = farUs + 10;
    expect(next(clock), 'a second ahead at most').to.be.within(nowUs, nowUs + 1_000_000);
  });
});

describe("W1: the manager's clock as a greeting tells it", () => {
  it('has gone on for half of the time that the greeting took', () => {
    const time = new ManagerTime(() => 1000);
    time.learnt(time.offsetOf(7_000_000, 80));
    expect(time.clockUs).to.equal(7_040_000);
  });
});
