/** What `npm run bench:check` makes of made-up measurements. */
import { expect } from 'chai';
import { baselineOf, check, judge, missing, pooled, toleranceOf } from '../../bench/judgement.js';
import type { Baseline, Ratio } from '../../bench/judgement.js';
import { Random } from '../../bench/workload.js';

const runs = [0.7, 0.71, 0.69, 0.72, 0.7];
const speed = (by: number): Ratio => ({
  name: 'throughput',
  isMoreBetter: true,
  runs: runs.map((run) => run * by),
});
const time = (by: number): Ratio => ({
  name: 'get p50',
  isMoreBetter: false,
  runs: runs.map((run) => run * by),
});
const round = (by: number): Ratio[] => [speed(by), time(by)];
const baseline = baselineOf([1, 1.01, 0.99, 1.02, 1].map(round), 'a machine');

function worst(ratios: readonly Ratio[]): boolean {
  return judge(ratios, baseline).every(({ isFine }) => isFine);
}

describe('benchmark guard', () => {
  it('lets pass what is as before, a little worse, or better', () => {
    for (const by of [1, 0.95, 1.5]) expect(worst([speed(by)]), `speed ${by}`).to.equal(true);
    for (const by of [1, 1.05, 0.5]) expect(worst([time(by)]), `time ${by}`).to.equal(true);
  });

  it('fails less throughput, and more time', () => {
    expect(worst([speed(0.8)])).to.equal(false);
    expect(worst([time(1.2)])).to.equal(false);
    const [verdict] = judge([speed(0.8)], baseline);
    expect(verdict?.worseBy).to.be.closeTo(0.2, 1e-9);
  });

  it('fails what could not be measured, and what the baseline does not know', () => {
    expect(worst([{ ...speed(1), runs: [NaN, NaN] }])).to.equal(false);
    expect(worst([{ ...speed(1), name: 'new' }])).to.equal(false);
  });

  it('notices that a measurement was taken away', async () => {
    expect(missing([speed(1)], baseline)).to.deep.equal(['get p50']);
    const result = await check(() => Promise.resolve([speed(1)]), baseline, 3);
    expect(result).to.deep.include({ isFine: false, rounds: 1, missing: ['get p50'] });
  });

  it('is no stricter than 15 %, wider where the rounds are wider, and does not judge by rounds that say nothing', () => {
    expect(toleranceOf(runs)).to.equal(0.15);
    expect(toleranceOf([0.65, 0.68, 0.7, 0.72, 0.74])).to.be.within(0.16, 0.45);
    expect(toleranceOf([0.1, 0.5, 0.9, 1.3])).to.equal(null);
    expect(toleranceOf([NaN])).to.equal(null);
  });

  it('bears more where a measurement says that what else the machine does moves it by more', () => {
    const rounds = [1, 1.01, 0.99, 1.02, 1].map((by) => [{ ...time(by), toleranceMin: 0.3 }]);
    const taken = baselineOf(rounds, 'a machine');
    expect([1.29, 1.31].map((by) => judge([time(by)], taken)[0]?.isFine)).to.deep.equal([true, false]);
  });

  it('shows what it does not judge, and refuses a baseline that judges less than half', () => {
    const wild = [0.3, 1, 1.7, 0.6, 1.4];
    const taken = baselineOf(
      wild.map((by) => [speed(by), time(1)]),
      'a machine',
    );
    expect(judge([speed(0.1), time(1)], taken).map(({ isFine }) => isFine)).to.deep.equal([true, true]);
    expect(judge([speed(1), time(1.3)], taken).map(({ isFine }) => isFine)).to.deep.equal([true, false]);
    expect(() => baselineOf(wild.map(round), 'a machine')).to.throw('too far apart');
    expect(() => baselineOf([1, 1, 0, 1, 1].map(round), 'a machine')).to.throw('could not be measured');
    expect(() => baselineOf([1, 1, NaN, 1, 1].map(round), 'a machine')).to.throw('could not be measured');
  });

  it('measures again what would fail, and counts all runs together', async () => {
    const rounds = [speed(0.6), speed(1), speed(1)];
    let measured = 0;
    const result = await check(() => Promise.resolve([rounds[measured++]!, time(1)]), baseline, 3);
    expect(result).to.deep.include({ isFine: true, rounds: 3 });
    expect(pooled([[speed(1)], [speed(2)]])[0]?.runs).to.have.length(2 * runs.length);
  });

  it('fails in the end what stays slow, after as many rounds as allowed', async () => {
    const result = await check(() => Promise.resolve([speed(0.8), time(1)]), baseline, 3);
    expect(result).to.deep.include({ isFine: false, rounds: 3 });
    expect(result.verdicts.map(({ isFine }) => isFine)).to.deep.equal([false, true]);
  });

  it('a good run among slow ones does not save them', async () => {
    const rounds = [speed(0.8), speed(0.8), speed(1.2)];
    let measured = 0;
    const result = await check(() => Promise.resolve([rounds[measured++]!, time(1)]), baseline, 3);
    expect(result.isFine).to.equal(false);
  });

  it('noise does not reach the tolerance, and a loss of half is always noticed', async () => {
    const random = new Random(5);
    for (const spread of [0.02, 0.05]) {
      for (let trial = 0; trial < 200; trial++) {
        const rounds = Array.from({ length: 7 }, () => [noisy(random, 1, spread, 5)]);
        const taken: Baseline = baselineOf(rounds, 'a machine');
        const again = (by: number) => () => Promise.resolve([noisy(random, by, spread, 5)]);
        expect((await check(again(1), taken, 3)).isFine, `noise of ${spread}`).to.equal(true);
        expect((await check(again(0.5), taken, 3)).isFine, `half, noise of ${spread}`).to.equal(false);
      }
    }
  });
});

/** Runs that are spread normally around `middle`. */
function noisy(random: Random, middle: number, spread: number, count: number): Ratio {
  const normal = (): number => {
    let sum = 0;
    for (let i = 0; i < 12; i++) sum += random.next() / 2 ** 32;
    return sum - 6;
  };
  const values = Array.from({ length: count }, () => middle * (1 + spread * normal()));
  return { name: 'throughput', isMoreBetter: true, runs: values };
}
