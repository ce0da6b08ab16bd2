import { expect } from 'chai';
import { CopyPace } from '../../src/node/core/copy-pace.js';

const tickMs = 10;

/** Batches asked for in so many ticks, if each is answered within a tick. */
function asked(
  pace: CopyPace,
  ticks: number,
  everyMs: number,
  isAsked: boolean,
  from = { ms: 0, requests: 0 },
  isInNeed = false,
): number {
  let batches = 0;
  for (let tick = 0; tick < ticks; tick++) {
    from.ms += everyMs;
    if (isAsked) from.requests++;
    pace.tick(from.ms, from.requests, isInNeed, true);
    for (let underWay = 0; pace.allows(underWay); underWay++) {
      pace.asked();
      batches++;
    }
  }
  return batches;
}

describe('M5: how fast a learner copies beside what else it has to do', () => {
  it('while nobody asks for anything many batches are under way', () => {
    const pace = new CopyPace();
    asked(pace, 10, tickMs, false);
    expect(asked(pace, 1, tickMs, false, { ms: 1000, requests: 0 })).to.equal(32);
    expect(pace.allows(32)).to.equal(false);
  });

  it('while requests come in it asks for one batch a tick at most, for four where a replica is missing', () => {
    for (const isInNeed of [false, true]) {
      const clock = { ms: 0, requests: 0 };
      const pace = new CopyPace();
      asked(pace, 200, tickMs, true, clock, isInNeed);
      const perTick = isInNeed ? 4 : 1;
      expect(asked(pace, 100, tickMs, true, clock, isInNeed)).to.be.within(98 * perTick, 102 * perTick);
    }
  });

  it('ticks that are far apart while nothing is filled do not make it slower afterwards', () => {
    const clock = { ms: 0, requests: 0 };
    const pace = new CopyPace();
    asked(pace, 200, tickMs, true, clock);
    for (let tick = 0; tick < 100; tick++) pace.tick((clock.ms += 50), ++clock.requests, false, false);
    expect(asked(pace, 10, tickMs, true, clock)).to.be.within(10, 11);
  });

  it('while others of its host fill slots, too, all of them together ask for two batches a tick at most', () => {
    for (const learners of [2, 7]) {
      const clock = { ms: 0, requests: 0 };
      const pace = new CopyPace();
      pace.shareWith(learners);
      asked(pace, 200, tickMs, true, clock);
      const each = 200 / learners;
      expect(asked(pace, 100, tickMs, true, clock)).to.be.within(Math.floor(each) - 1, Math.ceil(each) + 1);
      asked(pace, 50, 50, true, clock);
      expect(asked(pace, 100, 50, true, clock), 'late').to.be.within(each / 8 - 1, each / 4 + 1);
    }
  });

  it('while ticks come late, too, it asks for one batch in four of them, and not for none', () => {
    const clock = { ms: 0, requests: 0 };
    const pace = new CopyPace();
    asked(pace, 20, 50, true, clock);
    expect(asked(pace, 100, 50, true, clock)).to.be.within(24, 26);
  });

  it('is at full speed again soon after the last request', () => {
    const clock = { ms: 0, requests: 0 };
    const pace = new CopyPace();
    asked(pace, 100, tickMs, true, clock);
    asked(pace, 10, tickMs, false, clock);
    expect(asked(pace, 1, tickMs, false, clock)).to.equal(32);
  });
});
