// How the load generator chooses keys: the shape of each distribution, with fixed seeds and statistical bounds.
import { expect } from 'chai';
import { type Distribution, choiceOf, chooserOf } from '../../src/load/choosers.js';
import { Random } from '../../src/load/random.js';

const draws = 200_000;
const sum = (counts: readonly number[]): number => counts.reduce((total, count) => total + count, 0);

function countsOf(distribution: Distribution, keys: { readonly length: number }, seed = 1): number[] {
  const chooser = chooserOf(choiceOf(distribution, keys), new Random(seed));
  const counts = Array.from({ length: keys.length }, () => 0);
  for (let draw = 0; draw < draws; draw++) {
    counts[chooser.next()]!++;
  }
  // An index that is none would be a property of its own, or NaN.
  expect(Object.keys(counts)).to.have.length(keys.length);
  expect(sum(counts)).to.equal(draws);
  return counts;
}

describe('load: random numbers', () => {
  it('are the same for the same seed and others for its neighbour', () => {
    const sequence = (seed: number): number[] => {
      const random = new Random(seed);
      return Array.from({ length: 100 }, () => random.next());
    };
    expect(sequence(7)).to.deep.equal(sequence(7));
    expect(sequence(7).filter((value, index) => value === sequence(8)[index])).to.deep.equal([]);
  });

  it('have every bit set half of the time', () => {
    const random = new Random(3);
    const set = Array.from({ length: 32 }, () => 0);
    for (let draw = 0; draw < 20_000; draw++) {
      const bits = random.next();
      for (const bit of set.keys()) set[bit]! += (bits >>> bit) & 1;
    }
    // Standard deviation 71: beyond five of them is no accident.
    for (const count of set) expect(count).to.be.within(10_000 - 355, 10_000 + 355);
  });
});

describe('load: choice of keys', () => {
  it('uniform: chi-squared over 1000 keys is what chance gives', () => {
    const expected = draws / 1000;
    const chiSquared = sum(
      countsOf('uniform', { length: 1000 }).map((count) => (count - expected) ** 2 / expected),
    );
    // 999 degrees of freedom: standard deviation 44.7.
    expect(chiSquared).to.be.within(999 - 224, 999 + 224);
  });

  it('hotcold: 90 % of the requests on 10 % of the keys, and evenly within both', () => {
    const counts = countsOf('hotcold', { length: 1000 });
    const hot = counts.slice(0, 100);
    expect(sum(hot) / draws).to.be.within(0.895, 0.905);
    expect(Math.max(...hot)).to.be.below(1.2 * Math.min(...hot));
    expect(Math.min(...counts.slice(100))).to.be.above(0);
  });

  it('zipfian: popularity falls as YCSB has it, theta 0.99 over 10^10 ranks', () => {
    const counts = countsOf('zipfian', { length: 10_000 }).sort((a, b) => b - a);
    // The most popular rank has 1 / 26.469 of all; what else falls onto its key is 1 / 10,000 of the rest.
    expect(counts[0]! / draws).to.be.within(0.0365, 0.0395);
    // The tenth has 10^-0.99 of it.
    expect(counts[9]! / counts[0]!).to.be.within(0.085, 0.125);
    // Sum of 1 / r^0.99 for r up to 100 is 5.3 of 26.47, and 1 % of what is below.
    expect(sum(counts.slice(0, 100)) / draws).to.be.within(0.19, 0.235);
  });

  it('zipfian: popular keys are scattered, not the first ones', () => {
    const counts = countsOf('zipfian', { length: 10_000 });
    const popular = [...counts.keys()].sort((a, b) => counts[b]! - counts[a]!).slice(0, 20);
    for (const tenth of [0, 1, 2, 3, 4]) {
      const within = popular.filter((index) => Math.floor(index / 2000) === tenth);
      expect(within, `fifth ${tenth}`).to.have.length.within(1, 10);
    }
  });

  it('zipfian: a key that is inserted gets its share, and the others keep theirs among themselves', () => {
    const keys = { length: 1000 };
    const chooser = chooserOf(choiceOf('zipfian', keys, 1000), new Random(6));
    const counts = (): number[] => {
      const found = Array.from({ length: 2000 }, () => 0);
      for (let draw = 0; draw < draws; draw++) found[chooser.next()]!++;
      return found;
    };
    const before = counts();
    expect(sum(before.slice(1000))).to.equal(0);
    keys.length = 1500;
    const after = counts();
    expect(sum(after.slice(1500))).to.equal(0);
    expect(sum(after.slice(1000)) / draws).to.be.within(0.15, 0.6);
    const top = (found: readonly number[]): number => found.indexOf(Math.max(...found.slice(0, 1000)));
    expect(top(after)).to.equal(top(before));
    const shareOfTop = (found: readonly number[]): number => found[top(found)]! / sum(found.slice(0, 1000));
    expect(shareOfTop(after)).to.be.closeTo(shareOfTop(before), 0.01);
  });

  it('uniform: keys that were inserted come up, too; hotcold stays with those that were filled in', () => {
    for (const [distribution, isChosen] of [
      ['uniform', true],
      ['hotcold', false],
    ] as const) {
      const keys = { length: 100 };
      const chooser = chooserOf(choiceOf(distribution, keys), new Random(7));
      keys.length = 200;
      const drawn = Array.from({ length: 1000 }, () => chooser.next());
      expect(
        drawn.some((index) => index >= 100),
        distribution,
      ).to.equal(isChosen);
    }
  });

  it('latest: what takes a while to add up is added up once for all clients of a process', () => {
    const keys = { length: 3_000_000 };
    const choice = choiceOf('latest', keys);
    const beganMs = performance.now();
    const choosers = Array.from({ length: 1000 }, (_, client) => chooserOf(choice, new Random(client)));
    // Each adding up for itself would take minutes.
    expect(performance.now() - beganMs).to.be.below(2_000);
    for (const chooser of choosers) expect(chooser.next()).to.be.below(3_000_000);
  });

  it('latest: the newest key is read most, and a newer one takes its place', () => {
    const keys = { length: 1000 };
    const chooser = chooserOf(choiceOf('latest', keys), new Random(5));
    const shareOfLast = (): number => {
      let last = 0;
      for (let draw = 0; draw < draws; draw++) if (chooser.next() === keys.length - 1) last++;
      return last / draws;
    };
    // 1 / zeta(1000, 0.99) = 0.1294
    expect(shareOfLast()).to.be.within(0.125, 0.134);
    keys.length = 20_000;
    // 1 / zeta(20,000, 0.99) = 0.0910
    expect(shareOfLast()).to.be.within(0.088, 0.094);
  });

  for (const distribution of ['uniform', 'hotcold', 'zipfian', 'latest'] as const) {
    it(`${distribution}: works for one, two and three keys`, () => {
      for (const length of [1, 2, 3]) {
        expect(Math.min(...countsOf(distribution, { length })), `${length} keys`).to.be.above(0);
      }
    });

    it(`${distribution}: the same seed gives the same keys`, () => {
      expect(countsOf(distribution, { length: 50 }, 9)).to.deep.equal(
        countsOf(distribution, { length: 50 }, 9),
      );
      expect(countsOf(distribution, { length: 50 }, 9)).not.to.deep.equal(
        countsOf(distribution, { length: 50 }, 10),
      );
    });
  }
});
