import { expect } from 'chai';
import { ClusterClock } from '../../src/node/core/cluster-clock.js';

describe('the manager clock as a node knows it', () => {
  let nowMs: number;
  let clock: ClusterClock;

  beforeEach(() => {
    nowMs = 1000;
    clock = new ClusterClock(() => nowMs);
  });

  it('is unknown until the manager has answered', () => {
    expect(clock.isKnown).to.equal(false);
    clock.answered(998, 5_000_000);
    expect(clock.isKnown).to.equal(true);
    expect(clock.nowUs()).to.equal(5_001_000);
    expect(clock.errorUs).to.equal(1000);
  });

  it('is not set back by an answer that lay there while the node was stopped', () => {
    clock.answered(998, 5_000_000);
    nowMs = 2000;
    clock.answered(1000, 5_001_000);
    expect(clock.nowUs()).to.equal(6_001_000);
    expect(clock.errorUs).to.equal(1000);
  });

  it('follows an answer that is as close, and in time one that is less so, since clocks drift', () => {
    clock.answered(998, 5_000_000);
    nowMs = 2000;
    clock.answered(1998, 6_000_500);
    expect(clock.nowUs()).to.equal(6_001_500);
    nowMs = 3000;
    clock.answered(2960, 7_000_000);
    expect(clock.nowUs()).to.equal(7_020_000);
    expect(clock.errorUs).to.equal(20_000);
  });

  it('is not set back by a manager whose host has slept, but for what the estimates may be off', () => {
    clock.answered(998, 5_000_000);
    nowMs = 2000;
    clock.answered(1998, 4_000_000);
    // Twice half a round trip, and two per cent of a second.
    expect(clock.nowUs()).to.equal(6_001_000 - 1000 - 1000 - 20_000);
    expect(clock.errorUs).to.equal(1000);
  });

  it('follows the next answer, however long it took, when the own clock stood still', () => {
    clock.answered(998, 5_000_000);
    clock.doubt();
    expect(clock.isKnown).to.equal(true);
    nowMs = 2000;
    clock.answered(1500, 9_000_000);
    expect(clock.nowUs()).to.equal(9_250_000);
  });
});
