// The latency histogram: how far a percentile may be from the truth, and that parts make a whole.
import { expect } from 'chai';
import { Histogram } from '../../src/load/histogram.js';
import { Random } from '../../src/load/random.js';

/** The same rank among all values, sorted. */
function exact(sorted: readonly number[], fraction: number): number {
  return sorted[Math.max(1, Math.ceil(fraction * sorted.length)) - 1]!;
}

/** From 2 microseconds to some 100 seconds, every magnitude as likely. */
function spreadTimes(count: number, seed: number): number[] {
  const random = new Random(seed);
  return Array.from({ length: count }, () => 0.002 * 10 ** (7.7 * random.fraction()));
}

describe('load: latency histogram', () => {
  it('gives every percentile within 1 % above 5 microseconds, within 0.05 microseconds below', () => {
    const times = spreadTimes(50_000, 1);
    const histogram = new Histogram();
    for (const ms of times) histogram.record(ms);
    const sorted = times.sort((a, b) => a - b);
    for (let fraction = 0; fraction <= 1; fraction += 0.001) {
      const truth = exact(sorted, fraction);
      const allowed = Math.max(0.000_051, truth < 0.005 ? 0 : 0.01 * truth);
      expect(histogram.percentileMs(fraction), `of ${fraction}`).to.be.closeTo(truth, allowed);
    }
    expect(histogram.maxMs).to.equal(sorted.at(-1));
    expect(histogram.minMs).to.equal(sorted[0]);
    expect(histogram.percentileMs(1)).to.be.closeTo(histogram.maxMs, 0.01 * histogram.maxMs);
  });

  it('has no gap and no step back from bucket to bucket', () => {
    let last = 0;
    for (let ms = 0.0001; ms < 100_000_000; ms *= 1.003) {
      const histogram = new Histogram();
      histogram.record(ms);
      histogram.record(1e9);
      histogram.record(0);
      const middle = histogram.percentileMs(0.5);
      expect(middle).to.be.at.least(last);
      expect(middle).to.be.closeTo(ms, Math.max(0.000_051, 0.005 * ms));
      last = middle;
    }
  });

  it('times of an open loop that stood still for hours are told apart', () => {
    const histogram = new Histogram();
    for (const minutes of [6, 20, 60, 300, 1440]) histogram.record(minutes * 60_000);
    for (const [fraction, minutes] of [
      [0.2, 6],
      [0.4, 20],
      [0.6, 60],
      [0.8, 300],
      [1, 1440],
    ] as const) {
      expect(histogram.percentileMs(fraction)).to.be.closeTo(minutes * 60_000, 0.005 * minutes * 60_000);
    }
  });

  it('merged parts are the whole, also after a journey as plain data', () => {
    const whole = new Histogram();
    const merged = new Histogram();
    for (const seed of [1, 2, 3]) {
      const part = new Histogram();
      for (const ms of spreadTimes(1000, seed)) {
        whole.record(ms);
        part.record(ms);
      }
      merged.merge(structuredClone(part.toData()));
    }
    const small = new Histogram();
    small.record(1);
    whole.record(1);
    merged.merge(small.toData());
    expect(merged.count).to.equal(3001);
    expect(merged.counts).to.deep.equal(whole.counts);
    expect([merged.minMs, merged.maxMs]).to.deep.equal([whole.minMs, whole.maxMs]);
    expect(merged.meanMs).to.be.closeTo(whole.meanMs, 1e-6 * whole.meanMs);
    expect(merged.percentileMs(0.99)).to.equal(whole.percentileMs(0.99));
  });

  it('takes what is too long, nothing and no number without a fault; is NaN while it is empty', () => {
    const histogram = new Histogram();
    expect(histogram.percentileMs(0.5)).to.be.NaN;
    expect(histogram.meanMs).to.be.NaN;
    histogram.record(1e12);
    expect(histogram.percentileMs(0.5)).to.equal(1e12);
    for (const odd of [0, -1, NaN]) histogram.record(odd);
    expect(histogram.count).to.equal(4);
    expect(histogram.counts.reduce((sum, count) => sum + count, 0)).to.equal(4);
  });
});
