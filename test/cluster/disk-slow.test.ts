// Disks that take hundreds of milliseconds for each sync, or hang, with what was acknowledged on them (`--durability always`).
import { expect } from 'chai';
import { rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { incarnations, useCluster } from '../support/cluster-fixture.js';
import { Ledger } from '../support/cluster-ledger.js';
import { eventually, stretch } from '../support/cluster-until.js';

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

describe('a cluster one of whose disks hangs', function () {
  this.timeout(180_000);
  const hangFile = join(tmpdir(), `gtstore-hang-${process.pid}`);
  const fixture = useCluster({
    ...options,
    // Two of six share slots with it: too few to be believed about anybody else.
    nodes: 6,
    replicas: 2,
    env: { ...options.env, GTSTORE_TEST_HANG: hangFile },
  });
  after(() => rm(hangFile, { force: true }));

  it('M2, M4: that node, which answers all else, is taken off its slots; the others serve on, and nothing is lost', async () => {
    const { cluster } = fixture;
    const ledger = new Ledger([await fixture.open()], 'hung', { keys: 10, counters: 10 });
    await ledger.untilAcknowledged(200);
    await writeFile(hangFile, 'node-1');
    await eventually(
      'it is taken off',
      () => cluster.logs.includes('node 1: says that its disk hangs'),
      60_000,
    );
    const isOff = async (): Promise<boolean> => (await cluster.status()).nodes[1]?.replicaSlots === 0;
    await eventually('it has no slots', isOff, 30_000);
    await ledger.untilAcknowledged(1000, 30_000);
    // It does not come back as long as its disk hangs.
    await stretch(5000);
    const { nodes, warnings } = await cluster.status();
    expect([nodes[1]?.state, nodes[1]?.replicaSlots]).to.deep.equal(['up', 0]);
    expect(warnings?.join()).to.match(/^node 1 gets no slots .*: its disk hangs$/);
    await rm(hangFile);
    await cluster.untilHealthy(90_000);
    await ledger.stop();
    await ledger.check(await fixture.open());
  });
});
