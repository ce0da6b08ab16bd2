// A client whose process stood still: answers that lay there meanwhile are answers.
import { expect } from 'chai';
import { useCluster } from '../support/cluster-fixture.js';

const timeoutMs = 100;

describe('a client whose process stands still', function () {
  this.timeout(60_000);
  const fixture = useCluster({ nodes: 3, replicas: 3 });

  it('takes what was answered in time for that, though its deadline has passed', async () => {
    const store = await fixture.open();
    await store.put('still', 'first');
    const put = store.put('still', 'second', { timeoutMs });
    // Asleep, not busy: the nodes may need the only processor.
    Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, 20 * timeoutMs);
    await put;
    expect(await store.get('still')).to.equal('second');
  });
});
