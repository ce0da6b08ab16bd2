// Everything killed at once, in the middle of writes, with what was acknowledged on the disks (`--durability always`).
import { expect } from 'chai';
import { rm } from 'node:fs/promises';
import { join } from 'node:path';
import type { GTStoreClient } from '../../src/client/index.js';
import { untilStatus, useCluster } from '../support/cluster-fixture.js';
import { Ledger } from '../support/cluster-ledger.js';

// A long lease: on a busy machine no node shall be lost besides.
const options = {
  nodes: 5,
  replicas: 3,
  partitioner: 'fnv1a',
  durability: 'always',
  leaseMs: 3000,
  startTimeoutMs: 60_000,
} as const;
const rounds = 2;
// Each key of the once-writers is one more to be copied: the slower the machine, the more of them.
const load = { keys: 40, counters: 6, onceWriters: 6 };

describe('a cluster whose processes are all killed, with --durability always', function () {
  this.timeout(120_000);
  const fixture = useCluster(options);

  async function writers(count: number): Promise<GTStoreClient[]> {
    return Promise.all(Array.from({ length: count }, () => fixture.open({ timeoutMs: 5000 })));
  }

  /** By a client that has seen nothing yet. */
  async function expectAll(ledger: Ledger): Promise<void> {
    await ledger.stop();
    await ledger.check(await fixture.open());
  }

  it('D1: manager and nodes at one moment, again and again: no acknowledged write is missing, no value is half', async () => {
    const { cluster } = fixture;
    const { clusterId } = await cluster.status();
    const ledgers: Ledger[] = [];
    for (let round = 0; round < rounds; round++) {
      const ledger = new Ledger(await writers(3), `all-${round}`, load);
      ledgers.push(ledger);
      await ledger.untilAcknowledged(500);
      await cluster.killAll();
      await cluster.restartManager();
      // The same clients go on.
      await ledger.untilAcknowledged(200);
      await cluster.untilHealthy();
      await expectAll(ledger);
    }
    for (const ledger of ledgers) await ledger.check(await fixture.open());
    expect((await cluster.status()).clusterId).to.equal(clusterId);
  });

  it('D1, D3: all nodes at one moment, while the manager lives: no acknowledged write is missing', async () => {
    const { cluster } = fixture;
    for (let round = 0; round < rounds; round++) {
      const ledger = new Ledger(await writers(3), `nodes-${round}`, load);
      await ledger.untilAcknowledged(500);
      await cluster.killNodes();
      await ledger.untilAcknowledged(200);
      await cluster.untilHealthy();
      await expectAll(ledger);
    }
  });

  it('D1, D3: killed again while it comes back, it has lost nothing', async () => {
    const { cluster } = fixture;
    const ledger = new Ledger(await writers(3), 'again', load);
    await ledger.untilAcknowledged(500);
    for (let round = 0; round < rounds; round++) {
      await cluster.killAll();
      await cluster.restartManager();
    }
    await ledger.untilAcknowledged(200);
    await cluster.untilHealthy();
    await expectAll(ledger);
  });

  for (const id of [0, 3]) {
    it(`D1, D3: what node ${id} had on its disk is gone when all come back: the others have it all`, async () => {
      const { cluster } = fixture;
      const ledger = new Ledger(await writers(3), `without-${id}`, load);
      await ledger.untilAcknowledged(500);
      await cluster.killAll();
      await rm(join(cluster.dataDir, `node-${id}`), { recursive: true });
      await cluster.restartManager();
      await cluster.untilHealthy();
      await ledger.untilAcknowledged(200);
      await expectAll(ledger);
      await untilStatus(cluster, 'the empty node is filled', ({ nodes }) =>
        nodes.every(({ keys }) => keys > 0),
      );
    });
  }
});
