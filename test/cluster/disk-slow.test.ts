// Disks that take hundreds of milliseconds for each sync, with what was acknowledged on them (`--durability always`).
import { expect } from 'chai';
import { incarnations, useCluster } from '../support/cluster-fixture.js';
import { Ledger } from '../support/cluster-ledger.js';

const slowDisk = new URL('../support/slow-disk.js', import.meta.url).href;
const options = {
  nodes: 4,
  replicas: 3,
  partitioner: 'fnv1a',
  durability: 'always',
  leaseMs: 3000,
  env: { NODE_OPTIONS: `--import ${slowDisk}` },
} as const;

describe('a cluster whose disks are slow', function () {
  this.timeout(120_000);
  const fixture = useCluster(options);

  it('M2: nodes that answer late, since their disks are, are not taken for cut off, and keep their slots', async () => {
    const { cluster } = fixture;
    const before = await cluster.status();
    const store = await fixture.open();
    const ledger = new Ledger([store], 'slow', { keys: 30, counters: 10, onceWriters: 10 });
    await ledger.untilAcknowledged(400, 60_000);
    await ledger.stop();
    await ledger.check(await fixture.open());
    const after = await cluster.status();
    expect(cluster.logs).not.to.include('cannot reach it');
    expect(after.epoch).to.equal(before.epoch);
    expect(incarnations(after)).to.equal(incarnations(before));
    expect([...ledger.failures]).to.deep.equal([]);
  });
});
