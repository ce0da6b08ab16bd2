// Which stored cluster a manager that is started goes on with.
import { expect } from 'chai';
import { resolveCounts, usableState, UsageError } from '../../src/manager/stored-cluster.js';
import { newSlot } from '../../src/protocol/cluster-map.js';
import { ManagerHarness } from '../support/manager-harness.js';
import { progressOf } from '../support/task-words.js';

const nothing = (): void => undefined;
const log = { debug: nothing, info: nothing, warn: nothing, error: nothing };

describe('a stored cluster in memory, none of whose nodes runs here', () => {
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

  it('says how to go on with it, or how to be rid of it', () => {
    const harness = new ManagerHarness({ nodes: 3 });
    harness.join();
    const settings = { replicas: 3 };
    expect(() => usableState(harness.state, { ...options, nodes: 5, settings }, 7400)).to.throw(
      UsageError,
      /^a cluster of 3 nodes and 2 replicas is stored in .*127\.0\.0\.1-7400: .* remove that directory$/,
    );
  });
});

describe('settings that a cluster keeps for its life', () => {
  const directory = '/some/where';
  const options = { host: 'h', port: 1, nodeEntry: '', log, dataDir: directory };
  const harness = new ManagerHarness({ nodes: 3, settings: { leaseMs: 700 } });
  const state = {
    ...harness.state!,
    settings: { ...harness.state!.settings, durability: 'always' as const },
  };

  for (const [option, settings] of [
    ['--durability always', { durability: 'interval' }],
    ['--partitioner ascii-sum', { partitioner: 'fnv1a' }],
    ['--max-key-bytes 250', { keyBytesMax: 1 }],
    ['--max-value-bytes 1048576', { valueBytesMax: 2 ** 21 }],
    // Also if what is given is what a new cluster would have.
    ['--lease-ms 700', { leaseMs: 1000 }],
  ] as const)
    it(`${option}: another one is refused`, () => {
      expect(() => usableState(state, { ...options, settings }, 1)).to.throw(
        UsageError,
        new RegExp(`has ${option}, which stays for its life: leave --\\S+ away, or .* another --data-dir$`),
      );
    });

  it('are not in the way if they are as stored, or left out', () => {
    const settings = {
      durability: 'always',
      partitioner: 'ascii-sum',
      keyBytesMax: 250,
      valueBytesMax: 2 ** 20,
      leaseMs: 700,
    } as const;
    for (const given of [settings, {}])
      expect(usableState(state, { ...options, settings: given }, 1)).to.equal(state);
  });
});

describe('M9: a stored cluster with a node that was drained', () => {
  it('counts the others: so many are to be up before it is ready', () => {
    const harness = new ManagerHarness({ nodes: 4 });
    harness.ask({ command: 'drain', nodeId: 1 });
    harness.pass(10_000);
    expect(progressOf(harness)).to.match(/^drain done/);
    const options = { host: 'h', port: 1, nodeEntry: '', log };
    expect(resolveCounts(options, harness.state)).to.deep.equal({ nodes: 3, replicas: 2 });
    // What it was created with fits as well.
    harness.join();
    for (const nodes of [3, 4])
      expect(usableState(harness.state, { ...options, nodes, settings: { replicas: 2 } }, 1)).not.to.equal(
        null,
      );
  });
});
