// Which stored cluster a manager that is started goes on with.
import { expect } from 'chai';
import { usableState } from '../../src/manager/stored-cluster.js';
import { newSlot } from '../../src/protocol/cluster-map.js';
import { ManagerHarness } from '../support/manager-harness.js';

describe('a stored cluster in memory, none of whose nodes runs here', () => {
  const nothing = (): void => undefined;
  const log = { debug: nothing, info: nothing, warn: nothing, error: nothing };
  const options = { host: '127.0.0.1', port: 7400, nodeEntry: '/no/such/node.js', log };

  it('is gone if all of them ran here', () => {
    const { state } = new ManagerHarness({ nodes: 3 });
    expect(state?.map).not.to.equal(null);
    expect(usableState(state, options, 7400)).to.equal(null);
  });

  it('goes on if others joined from elsewhere: they may serve still', () => {
    const harness = new ManagerHarness({ nodes: 3 });
    harness.join();
    const { state } = harness;
    expect(state?.map?.nodes.map(({ id }) => id)).to.deep.equal([0, 1, 2, 3]);
    expect(state?.map?.slots).to.deep.include(newSlot([0, 1], 1));
    expect(usableState(state, options, 7400)).to.equal(state);
  });
});
