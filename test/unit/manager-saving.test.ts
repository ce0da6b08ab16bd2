// What happens while the manager saves a state (PROTOCOL M3, M4, M6).
import { expect } from 'chai';
import { defaultSettings } from '../../src/protocol/settings.js';
import { ManagerHarness } from '../support/manager-harness.js';

const { leaseMs } = defaultSettings;

function saveAll(harness: ManagerHarness): void {
  harness.isDiskSlow = false;
  harness.save();
  harness.run();
}

describe('while the manager saves a map', () => {
  it('M6: who dies, and is there in its next life before that is out, has nothing and joins anew', () => {
    const harness = new ManagerHarness({ respawn: false });
    harness.isDiskSlow = true;
    harness.end(harness.node(3));
    expect(harness.unsaved, 'a map is being saved').to.have.length(1);
    const held = harness.slots.flatMap((replicas, slot) => (replicas.includes(1) ? [slot] : []));
    harness.end(harness.node(1));
    harness.find(1);
    harness.node(1).isSlow = true;
    saveAll(harness);
    const { map } = harness.core;
    const { incarnation } = harness.node(1);
    expect(map?.node(1)?.incarnation).to.equal(incarnation);
    expect(held.filter((slot) => map?.slot(slot).replicas.includes(1))).to.deep.equal([]);
    expect(held.filter((slot) => map?.slot(slot).learners.includes(1))).to.not.deep.equal([]);
  });

  it('M3: whose lease has run out is given none before that is out: it is taken off some slots, and is the last in others', () => {
    const harness = new ManagerHarness({ respawn: false });
    for (const node of harness.nodes) node.isSlow = true;
    harness.end(harness.node(0));
    harness.pass(leaseMs);
    const late = harness.node(1);
    harness.nodes.splice(harness.nodes.indexOf(late), 1);
    harness.isDiskSlow = true;
    harness.pass(2 * leaseMs);
    // As its last lease told it.
    const { clockUs } = late;
    harness.nodes.push(late);
    late.heartbeat();
    harness.run();
    expect(late.clockUs, 'before').to.equal(clockUs);
    const count = harness.slots.filter((replicas) => replicas.includes(1)).length;
    saveAll(harness);
    const isLast = harness.slots.filter((replicas) => replicas.includes(1));
    expect(isLast.length).to.be.within(1, count - 1);
    late.heartbeat();
    harness.run();
    expect(late.clockUs, 'after it').to.be.above(clockUs);
  });

  it('M4: fences may be out until a map is, however often it is killed before that', () => {
    const harness = new ManagerHarness();
    for (const node of harness.nodes) node.isDeaf = true;
    harness.ask({ command: 'drain', nodeId: 1 });
    for (let turns = 0; harness.state?.fencing !== true; turns++) {
      expect(turns).to.be.lessThan(100);
      harness.pass(100);
    }
    const epoch = harness.core.map?.epoch ?? 0;
    harness.isDiskSlow = true;
    harness.restartManager();
    // It has just saved that it has begun.
    harness.unsaved.splice(1);
    harness.save();
    harness.isDiskSlow = false;
    harness.restartManager();
    expect(harness.core.map?.epoch).to.be.above(epoch);
  });
});
