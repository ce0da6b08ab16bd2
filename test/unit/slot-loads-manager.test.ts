import { expect } from 'chai';
import { SlotLoads } from '../../src/manager/core/slot-loads.js';

type Load = Parameters<SlotLoads['note']>[0]['loads'][number];

const load = (slot: number, reads: number, writes: number, keys = 10, bytes = 100): Load => ({
  slot,
  keys,
  bytes,
  reads,
  writes,
});

describe("slot loads at the manager: what nodes' reports come to", () => {
  let loads: SlotLoads;
  beforeEach(() => {
    loads = new SlotLoads(8);
  });

  /** One report a second from one to the other. */
  function report(nodeId: number, fromS: number, toS: number, ...what: Load[]): void {
    for (let s = fromS; s <= toS; s++) loads.note({ nodeId, loads: what }, s * 1000);
  }

  it('knows nothing of a slot that nobody spoke of', () => {
    expect(loads.of(3)).to.deep.equal({
      slot: 3,
      readsPerSecond: 0,
      writesPerSecond: 0,
      keys: 0,
      bytes: 0,
    });
    expect(loads.hottest(5)).to.deep.equal([]);
  });

  it('comes to the true rate within some seconds, and a burst of one second moves it a part of the way', () => {
    report(1, 1, 1, load(2, 300, 100));
    expect(loads.of(2).readsPerSecond).to.be.within(60, 120);
    report(1, 2, 20, load(2, 300, 100));
    expect(loads.of(2).readsPerSecond).to.be.closeTo(300, 3);
    expect(loads.of(2).writesPerSecond).to.be.closeTo(100, 1);
    expect(loads.rateOf(2)).to.be.closeTo(400, 4);
  });

  it('adds up the reads of all replicas, and counts a write that all of them got once', () => {
    for (const nodeId of [1, 2, 3]) report(nodeId, 1, 20, load(2, 50, 100));
    expect(loads.of(2).readsPerSecond).to.be.closeTo(150, 2);
    expect(loads.of(2).writesPerSecond).to.be.closeTo(100, 1);
  });

  it('lets a slot that reports leave out cool down, and so the slots of a node that has nothing to report', () => {
    report(1, 1, 20, load(2, 100, 0), load(3, 100, 0));
    report(1, 21, 26, load(3, 100, 0));
    expect(loads.rateOf(2)).to.be.within(5, 20);
    expect(loads.rateOf(3)).to.be.closeTo(100, 1);
    expect(loads.rateOf(3, 27_000)).to.be.closeTo(100, 1);
    expect(loads.rateOf(3, 60_000)).to.be.below(1);
  });

  it('does not spread what was counted in the last second over the idle time before it', () => {
    loads.note({ nodeId: 1, loads: [] }, 0);
    loads.note({ nodeId: 1, loads: [load(2, 1000, 0)] }, 600_000);
    expect(loads.rateOf(2)).to.be.within(200, 400);
  });

  it('adds up what all nodes are asked for, as they last said, and forgets it when they say no more', () => {
    expect(loads.requestsPerSecond(0)).to.equal(0);
    report(1, 1, 2, load(2, 50, 100), load(3, 1, 0));
    report(2, 1, 2, load(2, 0, 100));
    expect(loads.requestsPerSecond(2000)).to.equal(251);
    report(2, 3, 3, load(2, 0, 0));
    expect(loads.requestsPerSecond(3500)).to.equal(151);
    expect(loads.requestsPerSecond(3501)).to.equal(0);
    report(3, 9, 9, load(2, 7, 0), load(8, 1000, 1000));
    expect(loads.requestsPerSecond(9000), 'the first report is of one second').to.equal(7);
  });

  it('tells keys and bytes of the fullest replica', () => {
    report(1, 1, 1, load(2, 0, 0, 10, 100));
    report(2, 1, 1, load(2, 0, 0, 12, 120));
    expect(loads.keysOf(2)).to.equal(12);
    expect(loads.bytesOf(2)).to.equal(120);
  });

  it('names the hottest slots first, as many as are asked for, and among the idle ones the largest', () => {
    report(1, 1, 9, load(0, 1, 0), load(1, 0, 5), load(2, 9, 9), load(3, 0, 0, 1, 1), load(4, 0, 0, 1, 9));
    expect(loads.hottest(3).map(({ slot }) => slot)).to.deep.equal([2, 1, 0]);
    expect(loads.hottest(9).map(({ slot }) => slot)).to.deep.equal([2, 1, 0, 4, 3]);
  });

  it('forgets a node that is gone, and what one said of slots it has left', () => {
    report(1, 1, 9, load(0, 10, 0, 5, 50), load(1, 10, 0, 5, 50));
    report(2, 1, 9, load(0, 0, 0, 4, 40));
    loads.keep((slot, nodeId) => slot === 0 || nodeId !== 1);
    expect(loads.bytesOf(1)).to.equal(0);
    expect(loads.bytesOf(0)).to.equal(50);
    loads.forget(1);
    expect(loads.of(0)).to.include({ readsPerSecond: 0, keys: 4, bytes: 40 });
  });

  it('has room for the slots of the cluster only', () => {
    report(1, 1, 1, load(8, 10, 10), load(9, 10, 10));
    expect(loads.hottest(9)).to.deep.equal([]);
  });
});
