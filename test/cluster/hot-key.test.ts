// One key that several clients write all the time, and another one that reads it.
import { expect } from 'chai';
import type { GTStoreClient } from '../../src/client/index.js';
import { useCluster } from '../support/cluster-fixture.js';
import { eventually, within } from '../support/cluster-until.js';

const key = 'hot';
const writers = 4;
/** Of each writer: so many that another one is always under way. */
const putsInFlight = 64;
const readsBefore = 20;
const reads = 40;
/** Another one, that others than putters change, too. */
const other = 'changed';
const callsEach = 20;
/** For a call that takes some 5 ms; without turns it took more than 10 s, as a rule. */
const turnMsMax = 2000;

const median = (values: readonly number[]): number =>
  values.toSorted((a, b) => a - b)[values.length >> 1] ?? NaN;

async function msOf(act: () => Promise<unknown>): Promise<number> {
  const startedAtMs = performance.now();
  await act();
  return performance.now() - startedAtMs;
}

describe('a key that is written all the time', function () {
  this.timeout(60_000);
  const fixture = useCluster({ nodes: 3, replicas: 3 });

  it('R2: is read about as soon as it is written, and never goes back', async () => {
    const stores: GTStoreClient[] = [];
    for (let i = 0; i < writers; i++) stores.push(await fixture.open());
    const reader = await fixture.open();
    /** By lane: how many of its puts are done. */
    const done = stores.flatMap(() => Array.from({ length: putsInFlight }, () => 0));
    let isOver = false;
    let putsMs: number[] = [];
    const load = Promise.all(
      done.map(async (_, lane) => {
        const store = stores[lane % writers] ?? expect.fail();
        for (let count = 1; !isOver; count++) {
          putsMs.push(await msOf(() => store.put(key, [lane, count])));
          done[lane] = count;
        }
      }),
    );
    const read = async (): Promise<void> => {
      const doneBefore = [...done];
      const [lane, count] = (await reader.get(key)) as [number, number];
      expect(count).to.be.at.least(doneBefore[lane] ?? 0);
    };
    try {
      await eventually('there is something to be read', async () => (await reader.get(key)) !== undefined);
      // Until all code is compiled.
      for (let i = 0; i < readsBefore; i++) await read();
      putsMs = [];
      const readsMs: number[] = [];
      for (let i = 0; i < reads; i++) readsMs.push(await msOf(read));
      // Twice as long; where readers wait for a moment in which nobody writes it is 25 times.
      expect(median(readsMs)).to.be.below(6 * median(putsMs));
    } finally {
      isOver = true;
      await load;
    }
  });

  it('RMW7: is deleted, updated and incremented beside puts without a pause, by few clients and by many', async () => {
    const caller = await fixture.open();
    const calls = ['delete', 'update', 'increment'] as const;
    const call: Record<(typeof calls)[number], () => Promise<unknown>> = {
      delete: () => caller.delete(other),
      update: () => caller.update(other, () => 0, { timeoutMs: turnMsMax }),
      increment: () => caller.increment(other, 1, { timeoutMs: turnMsMax }),
    };
    for (const lanes of [1, 4 * writers]) {
      let isOver = false;
      const putters = await Promise.all(
        Array.from({ length: Math.min(lanes, writers) }, () => fixture.open()),
      );
      const load = Promise.all(
        Array.from({ length: lanes }, async (_, lane) => {
          const putter = putters[lane % putters.length] ?? expect.fail();
          for (let count = 0; !isOver; count++) await putter.put(other, count);
        }),
      );
      try {
        await eventually('it is put', async () => (await caller.get(other)) !== undefined);
        for (const name of calls)
          for (let i = 0; i < callsEach; i++) await within(name, turnMsMax, call[name]());
      } finally {
        isOver = true;
        await load;
      }
    }
  });
});
