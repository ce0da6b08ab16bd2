import { expect } from 'chai';
import { SlotLoads } from '../../src/manager/core/slot-loads.js';
import { MessageType } from '../../src/protocol/messages.js';
import type { SlotLoad, SlotLoadsMessage } from '../../src/protocol/messages.js';

function report(
  nodeId: number,
  ...loads: readonly (Partial<SlotLoad> & { slot: number })[]
): SlotLoadsMessage {
  const nothing = { keys: 0, bytes: 0, reads: 0, writes: 0 };
  const full = loads.map((load) => ({ ...nothing, ...load }));
  return { type: MessageType.slotLoads, nodeId, incarnation: 1, loads: full };
}

describe('loads of slots', () => {
  it('nears a steady rate, and one that has ceased fades', () => {
    const loads = new SlotLoads();
    let nowMs = 0;
    const rates: number[] = [];
    for (let i = 0; i < 20; i++) {
      loads.onReport(report(0, { slot: 3, reads: 200 }), (nowMs += 2000));
      rates.push(loads.readsPerSecond(3));
    }
    expect(rates).to.deep.equal([...rates].sort((a, b) => a - b));
    expect(rates.at(-1)).to.be.within(95, 105);
    loads.onReport(report(0, { slot: 4 }), nowMs + 2000);
    expect(loads.readsPerSecond(3)).to.be.within(65, 75);
  });

  it('adds the reads of all replicas, and counts a write and what is held once', () => {
    const loads = new SlotLoads();
    for (const id of [0, 1])
      loads.onReport(report(id, { slot: 1, bytes: 50 + id, reads: 10, writes: 10 }), 5000);
    expect(loads.bytes(1)).to.equal(51);
    expect(loads.readsPerSecond(1)).to.be.closeTo(6, 0.01);
    expect(loads.writesPerSecond(1)).to.be.closeTo(3, 0.01);
    expect(loads.bytes(2)).to.equal(0);
  });

  it('forgets what a node holds no more, and nodes that are gone', () => {
    const loads = new SlotLoads();
    for (const id of [0, 1]) loads.onReport(report(id, { slot: 1, bytes: 50 + id }), 5000);
    loads.keepHeld((_slot, nodeId) => nodeId === 0);
    expect(loads.bytes(1)).to.equal(50);
    loads.forget(0);
    expect(loads.bytes(1)).to.equal(0);
  });
});
