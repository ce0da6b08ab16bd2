import { expect } from 'chai';
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
