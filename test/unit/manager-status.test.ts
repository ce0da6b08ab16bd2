// What the status warns of.
import { expect } from 'chai';
import { RefusedReason } from '../../src/protocol/messages.js';
import { ManagerHarness } from '../support/manager-harness.js';

describe('the status', () => {
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
