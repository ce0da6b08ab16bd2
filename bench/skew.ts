/**
 * Requests that favour some keys: what that costs, and how `readFrom: 'any'` spreads the reads of one key.
 */
import { startCluster } from '../src/testing/index.js';
import { rowAtLeast } from './benchmark.js';
import type { Benchmark } from './benchmark.js';
import { atEach, byTurns, notesOf, ratios, throughputRows, troubleNotes, warmUp } from './comparison.js';
import type { Contestant } from './comparison.js';
import { perSecond } from './driver.js';
import type { RunResult } from './driver.js';
import { Peers } from './peer.js';
import { largest } from './stats.js';
import { valueBytes } from './workload.js';
import type { Pattern } from './workload.js';

const nodes = 7;
const replicas = 3;
/** Least share of the throughput with uniform requests. */
const skewedMin = 0.9;
/** Least number of nodes' worth of work that the reads of one key are spread over, as a share of K. */
const spreadMin = 0.8;

const patternNames: readonly (readonly [Pattern, string])[] = [
  ['uniform', 'uniform'],
  ['hot', '90 % on 10 % of the keys'],
  ['zipf', 'zipfian'],
];

export const skew: Benchmark = {
  name: 'skew',
  purpose: 'requests that favour some keys (90/10, zipfian) beside uniform ones',
  async run(options) {
    await using cluster = await startCluster({ nodes, replicas });
    await using peers = new Peers();
    const client = await peers.startStoreClient(cluster);
    const contestants = patternNames.map(([pattern, name]): Contestant => ({
      name,
      client,
      load: { pattern },
    }));
    const { rows, all } = await atEach([64, 512], contestants, options, (inFlight, results) => {
      const [uniform = []] = results;
      return contestants.flatMap(({ name }, index) => {
        const runs = results[index] ?? [];
        const own = throughputRows(`${inFlight} in flight: ${name}`, runs).slice(0, 1);
        if (index === 0) return own;
        const ratio = ratios(runs, uniform, perSecond);
        return [...own, rowAtLeast(`${inFlight} in flight: ${name}, ratio to uniform`, '', ratio, skewedMin)];
      });
    });
    return [{ title: `Skew: ${nodes} nodes, K = ${replicas}`, rows, notes: notesOf([all], valueBytes) }];
  },
};

/** How many times the busiest server's work all servers together have done. */
function spread({ serverCpuUs }: RunResult): number {
  return serverCpuUs.reduce((sum, us) => sum + us, 0) / largest(serverCpuUs);
}

export const readAny: Benchmark = {
  name: 'read-any',
  purpose: "how readFrom: 'any' spreads the reads of one hot key over its K nodes",
  async run(options) {
    await using cluster = await startCluster({ nodes: replicas, replicas });
    await using peers = new Peers();
    const load = { pattern: 'one-key', putRatio: 0 } as const;
    const contestants: Contestant[] = [
      { name: 'from the primary', client: await peers.startStoreClient(cluster), load },
      { name: 'from any', client: await peers.startStoreClient(cluster, { readFrom: 'any' }), load },
    ];
    await warmUp(contestants, options);
    const results = await byTurns(contestants, { inFlight: 512 }, options);
    const rows = results.flatMap((runs, index) => {
      const name = contestants[index]?.name ?? '';
      const least = index === 1 ? spreadMin * replicas : undefined;
      const nodesWorth = rowAtLeast(
        `${name}: work of all nodes to that of the busiest`,
        '',
        runs.map(spread),
        least,
      );
      return [...throughputRows(name, runs), nodesWorth];
    });
    const load512 =
      'gets of one key alone, 512 in flight, one client process; work is CPU time of the node processes';
    return [
      {
        title: `One hot key: ${replicas} nodes, K = ${replicas}`,
        rows,
        notes: [load512, ...troubleNotes(results)],
      },
    ];
  },
};
