// More at once than may wait for a node (ADR 23).
import { expect } from 'chai';
import { useCluster } from '../support/cluster-fixture.js';

describe('a burst of large values', function () {
  this.timeout(90_000);
  const fixture = useCluster({ nodes: 3, replicas: 3, leaseMs: 5000 });

  it('takes its time, and costs no connection', async () => {
    const store = await fixture.open();
    const down: number[] = [];
    store.on('node-down', (nodeId) => down.push(nodeId));
    // 72 MB to each of three nodes, begun in one turn; a connection for which more than 64 MiB wait is given up.
    const values = Array.from({ length: 512 }, (_, n) => new Uint8Array(140_000).fill(n));
    await store.putMany(
      values.map((value, n) => [`heavy-${n}`, value] as const),
      { timeoutMs: 60_000 },
    );
    for (const [n, value] of values.entries()) {
      const found = (await store.get(`heavy-${n}`, { timeoutMs: 60_000 })) as Uint8Array;
      expect(Buffer.compare(found, value), `heavy-${n}`).to.equal(0);
    }
    expect(down).to.deep.equal([]);
  });
});
