// A slot all of whose replicas are down waits for one of their disks (PROTOCOL D3).
import { expect } from 'chai';
import {
  expectEntries,
  fill,
  keysWhere,
  slotOf,
  untilStatus,
  useCluster,
} from '../support/cluster-fixture.js';
import { GTStoreError } from '../../src/client/index.js';
import type { SlotAssignment } from '../../src/client/index.js';
import { eventually } from '../support/cluster-until.js';
import { errorOf } from '../support/store-error.js';

const options = {
  nodes: 4,
  replicas: 2,
  partitioner: 'fnv1a',
  durability: 'always',
  respawn: false,
  leaseMs: 5000,
  startTimeoutMs: 60_000,
} as const;
const timeoutMs = 1500;

describe('slots whose replicas are all down', function () {
  this.timeout(120_000);
  const fixture = useCluster(options);

  it('D3: operations on them time out, others are served; when one of the nodes is back, so are they, with their data', async () => {
    const { cluster } = fixture;
    const store = await fixture.open();
    const entries = await fill(store, 'kept', 400);
    const { replicas: down } = slotOf(store, 'kept-0');
    const isDown = ({ replicas }: SlotAssignment): boolean => replicas.every((id) => down.includes(id));
    const waiting = keysWhere(store, 'kept', 3, isDown);
    const other = keysWhere(store, 'kept', 20, (slot) => !isDown(slot));
    await cluster.killNodes(down);
    await untilStatus(cluster, 'both are down', ({ nodes }) =>
      nodes.every(({ id, state }) => (state === 'down') === down.includes(id)),
    );
    // They had been up.
    expect(cluster.logs).not.to.include('ends as soon as it is started');

    const [key = ''] = waiting;
    for (const [call, outcome] of [
      [store.get(key, { timeoutMs }), undefined],
      [store.put(key, 'new', { timeoutMs }), 'not-applied'],
      [store.increment(`${key}-counter`, 1, { timeoutMs }), 'any'],
    ] as const) {
      if (outcome === 'any' && !isDown(slotOf(store, `${key}-counter`))) {
        await call;
        continue;
      }
      const error = await errorOf(() => call);
      expect(error.code).to.be.oneOf(['TIMEOUT', 'UNAVAILABLE']);
      if (outcome !== 'any') expect(error.outcome).to.equal(outcome);
    }
    await expectEntries(store, new Map(other.map((each) => [each, entries.get(each) ?? ''])));
    for (const each of other) await store.put(each, 'meanwhile');

    const [first = -1, second = -1] = down;
    await cluster.restart(second);
    await eventually('the slots are served again', async () => {
      const value = await store.get(key).catch((error: unknown) => {
        if (error instanceof GTStoreError && error.retryable) return undefined;
        throw error;
      });
      return value === entries.get(key);
    });
    await expectEntries(store, new Map(waiting.map((each) => [each, entries.get(each) ?? ''])));
    await store.put(key, 'after');
    await cluster.restart(first);
    await cluster.untilHealthy();
    const expected = new Map([
      ...entries,
      ...other.map((each) => [each, 'meanwhile'] as const),
      [key, 'after'],
    ]);
    await expectEntries(await fixture.open(), expected);
  });
});
