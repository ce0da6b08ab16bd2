// A client that outlives its cluster: one in memory is another one when it is started again, and has nothing of what the client knows.
import { expect } from 'chai';
import { GTStoreError } from '../../src/client/index.js';
import { useCluster } from '../support/cluster-fixture.js';
import { eventually } from '../support/cluster-until.js';

describe('a client whose cluster in memory was ended and started again', function () {
  this.timeout(60_000);
  const fixture = useCluster({ nodes: 2, replicas: 2 });

  it('says that another cluster is there, and not that a later try may succeed; a new client works', async () => {
    const { cluster } = fixture;
    const store = await fixture.open({ timeoutMs: 1000 });
    await store.put('key', 'of the first cluster');
    await cluster.killAll();
    await cluster.restartManager();
    await cluster.untilHealthy();
    const failure = (call: Promise<unknown>): Promise<unknown> =>
      call.then(
        () => 'none',
        (error: unknown) => error,
      );
    const told = (error: unknown): boolean =>
      error instanceof GTStoreError &&
      error.code === 'PROTOCOL' &&
      error.message.includes('make a new client');
    // Until it has met the new manager it can only say that nobody is there.
    await eventually('the status says so', async () => told(await failure(store.status())));
    for (const call of [store.get('key'), store.put('key', 'value'), store.update('key', () => 1)]) {
      const error = await failure(call);
      expect(told(error), String(error)).to.equal(true);
      expect(error).to.include({ retryable: false });
    }
    const another = await fixture.open();
    expect(await another.get('key')).to.equal(undefined);
    await another.put('key', 'of the second');
  });
});
