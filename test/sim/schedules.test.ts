import { expect } from 'chai';
import { situations } from './coverage.js';
import type { Situation } from './coverage.js';
import { runSchedule, usualKind } from './schedule.js';

/** Enough to notice what is broken; campaigns (`npm run sim`) go on from here. */
const schedulesMax = 2000;
const secondsMax = 24;

/** Situations so rare that a sample may miss them. */
const rare: ReadonlySet<Situation> = new Set<Situation>([
  'refusedOld',
  'expiredDropped',
  'fencedNotPrimary',
  'putRefused',
  'slotLost',
  'managerLostState',
  'exitUnseen',
  'foreignCrash',
  'nodeStopped',
  'twoProcessesOneId',
  'servedAlone',
  'putTimedOut',
  'fencedLeaving',
]);

describe('simulated clusters', () => {
  it('one seed is one schedule: a second run is the same to the last message', () => {
    for (const seed of [1, 2, 3, 4, 5]) {
      const [first, second] = [runSchedule(seed), runSchedule(seed)];
      expect(second.traceHash).to.equal(first.traceHash);
      expect(second.messages).to.equal(first.messages);
      expect(second.operations).to.equal(first.operations);
    }
    expect(runSchedule(1).traceHash).not.to.equal(runSchedule(2).traceHash);
  });

  it('one seed is one schedule, too, whether frames are taken as they are or decoded', () => {
    for (let seed = 1; seed <= 40; seed++) {
      const kind = usualKind(seed);
      const [always, mixed, never] = (['always', 'mixed', 'never'] as const).map((frames) =>
        runSchedule(seed, { ...kind, frames }),
      );
      expect(always?.traceHash, `seed ${seed}`).to.equal(never?.traceHash);
      expect(mixed?.traceHash, `seed ${seed}`).to.equal(never?.traceHash);
    }
    // One key at which readers, and those who have a turn, wait all the time.
    for (const bias of ['hotKey', 'turns'] as const) {
      for (let seed = 1; seed <= 20; seed++) {
        const [always, never] = (['always', 'never'] as const).map((frames) =>
          runSchedule(seed, { bias, frames }),
        );
        expect(always?.traceHash, `${bias}, seed ${seed}`).to.equal(never?.traceHash);
      }
    }
  });

  it('D4: stay so, too, while nodes have no room for new values, each for a while of its own', function () {
    this.timeout(60_000);
    const seen = new Set<Situation>();
    for (let seed = 1; seed <= 100; seed++) {
      const kind = usualKind(seed);
      const [result, other] = (['mixed', 'never'] as const).map((frames) =>
        runSchedule(seed, { ...kind, bias: 'fullStores', frames }),
      );
      expect(result?.violation, `seed ${seed}`).to.equal(null);
      expect(result?.traceHash, `seed ${seed}, whichever way requests go`).to.equal(other?.traceHash);
      for (const situation of result?.seen ?? []) seen.add(situation);
    }
    expect(seen).to.include('putRefused');
  });

  it('M2: take a node off its slots that its fellows cannot reach, or whose disk hangs, and serve on', function () {
    this.timeout(60_000);
    for (let seed = 1; seed <= 40; seed++) {
      const { violation } = runSchedule(seed, { disks: seed % 2 === 0, bias: 'cutOff' });
      expect(violation, `seed ${seed}`).to.equal(null);
    }
  });

  it('stay linearizable and keep every invariant through faults, and heal when the faults end', function () {
    this.timeout((secondsMax + 20) * 1000);
    const seen = new Set<Situation>();
    const endMs = Date.now() + secondsMax * 1000;
    let count = 0;
    for (let seed = 1; seed <= schedulesMax && Date.now() < endMs; seed++) {
      const result = runSchedule(seed, usualKind(seed));
      count++;
      for (const situation of result.seen) seen.add(situation);
      if (result.violation === null) continue;
      expect.fail(
        `seed ${seed}: ${result.violation}\nagain: npm run sim -- --seed ${seed} --schedules 1 --trace`,
      );
    }
    if (count < 1000) return;
    const missing = situations.filter((situation) => !seen.has(situation) && !rare.has(situation));
    expect(missing, 'situations that no schedule reached').to.deep.equal([]);
  });
});
