// What the status warns of.
import { expect } from 'chai';
import { RefusedReason } from '../../src/protocol/messages.js';
import { ManagerHarness } from '../support/manager-harness.js';

describe('the status', () => {
  it('calls a node up that serves a slot, though it is being filled for another', () => {
    const harness = new ManagerHarness({ nodes: 3 });
    const stateOf = (id: number): string | undefined =>
      harness.core.status().nodes.find((node) => node.id === id)?.state;
    // What node 2 had is copied to the others, who go on serving.
    for (const id of [0, 1]) harness.node(id).isSlow = true;
    harness.lost.add(2);
    harness.end(harness.node(2));
    harness.pass(60_000);
    const learners = new Set(harness.state?.map?.slots.flatMap((slot) => slot.learners));
    expect([...learners].sort()).to.deep.equal([0, 1]);
    expect([0, 1, 2].map(stateOf)).to.deep.equal(['up', 'up', 'down']);
  });

  it('calls a node joining that is a full replica of none yet', () => {
    const harness = new ManagerHarness({ nodes: 2 });
    harness.lost.add(1);
    harness.end(harness.node(1));
    harness.find(1);
    const stateOf = (id: number): string | undefined =>
      harness.core.status().nodes.find((node) => node.id === id)?.state;
    expect(harness.state?.map?.slots.every(({ learners }) => learners.includes(1))).to.equal(true);
    expect(stateOf(1)).to.equal('joining');
    harness.pass(1000);
    expect(stateOf(1)).to.equal('up');
  });

  it('D4: names each node that takes no values, and why, as long as it says so', () => {
    const harness = new ManagerHarness({ nodes: 4 });
    const warnings = (): readonly string[] | undefined => harness.core.status().warnings;
    const say = (id: number, noRoom: RefusedReason | null): void => {
      harness.node(id).noRoom = noRoom;
    };
    say(1, RefusedReason.diskFull);
    say(2, RefusedReason.memoryLow);
    say(3, RefusedReason.memoryFull);
    harness.pass(1000);
    expect(warnings()).to.deep.equal([
      'node 1 has no room on its disk: values of its keys are refused (DISK_FULL)',
      'node 2 is on a machine or in a container with hardly any memory left: values of its keys are refused (MEMORY_FULL)',
      'node 3 holds as much as --max-memory allows, or 15 GiB: values of its keys are refused (MEMORY_FULL)',
    ]);
    for (const id of [1, 2, 3]) say(id, null);
    harness.pass(1000);
    expect(warnings()).to.equal(undefined);
  });
});
