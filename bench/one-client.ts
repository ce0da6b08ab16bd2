/** Small gets, one at a time, beside puts of large values by the same client: what is large must not keep them waiting. */
import { GTStoreClient } from '../src/client/index.js';
import { rowAtLeast, rowAtMost } from './benchmark.js';
import type { BenchOptions, Row } from './benchmark.js';
import { runsOf } from './comparison.js';
import { percentile } from './stats.js';
import { makeValue } from './workload.js';

/** Puts of large values that the caller has begun, each under a key of its own. */
const largePuts = 32;
const small = { key: 'small', value: makeValue() };

interface Run {
  readonly putsPerSecond: number;
  readonly getsMs: readonly number[];
}

/** @param bytes of a large value */
export async function smallBesideLarge(url: string, bytes: number, options: BenchOptions): Promise<Row[]> {
  await using store = new GTStoreClient({ manager: url });
  await store.init();
  await store.put(small.key, small.value);
  const large = new Uint8Array(bytes).fill(7);
  await runOf(store, large, options.seconds);
  const runs: Run[] = [];
  for (let run = 0; run < runsOf(options); run++) {
    options.progress(`small gets and large puts of one client, run ${run + 1}`);
    runs.push(await runOf(store, large, options.seconds));
  }
  const p = (ratio: number): number[] => runs.map(({ getsMs }) => percentile(getsMs, ratio));
  const load = `${largePuts} puts of 1 MiB of one client`;
  return [
    rowAtLeast(
      load,
      'values/s',
      runs.map(({ putsPerSecond }) => putsPerSecond),
    ),
    rowAtMost(`small gets of the same client beside ${load}, p50`, 'ms', p(0.5)),
    rowAtMost(`small gets of the same client beside ${load}, p99`, 'ms', p(0.99)),
  ];
}

async function runOf(store: GTStoreClient, large: Uint8Array, seconds: number): Promise<Run> {
  const getsMs: number[] = [];
  let puts = 0;
  const startedAtMs = performance.now();
  const endsAtMs = startedAtMs + 1000 * seconds;
  const lane = async (n: number): Promise<void> => {
    for (; performance.now() < endsAtMs; puts++) await store.put(`large-${n}`, large);
  };
  const reader = async (): Promise<void> => {
    while (performance.now() < endsAtMs) {
      const beganAtMs = performance.now();
      await store.get(small.key);
      getsMs.push(performance.now() - beganAtMs);
    }
  };
  await Promise.all([reader(), ...Array.from({ length: largePuts }, (_, n) => lane(n))]);
  return { putsPerSecond: (1000 * puts) / (performance.now() - startedAtMs), getsMs };
}
