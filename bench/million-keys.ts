/**
 * Five million keys in one node under load: what the garbage collector makes of such a heap, and what becomes of the
 * throughput. Beside it, by turns, a node with ten thousand keys.
 */
import { rowAtLeast, rowAtMost } from './benchmark.js';
import type { Benchmark, Row } from './benchmark.js';
import { byTurns, notesOf, ratios, throughputRows, warmUp } from './comparison.js';
import type { Contestant } from './comparison.js';
import { perSecond } from './driver.js';
import type { Percentiles, RunResult } from './driver.js';
import { ProbedNode } from './node-probe.js';
import { Peers } from './peer.js';
import type { ClientPeer } from './peer.js';
import type { Pauses } from './node-hook.js';
import { keyCount as fewKeys, valueBytes } from './workload.js';

const manyKeys = 5_000_000;
const quickManyKeys = 5_000;
const pauseMsMax = 5;
const tailRatioMax = 3;
const throughputRatioMin = 0.85;

export const millionKeys: Benchmark = {
  name: 'million-keys',
  purpose: '5,000,000 keys in one node: garbage-collection pauses, tail latency, throughput',
  async run(options) {
    const count = options.keys ?? (options.isQuick ? quickManyKeys : manyKeys);
    await using few = await ProbedNode.start();
    await using many = await ProbedNode.start();
    await using peers = new Peers();
    const clientOf = (node: ProbedNode, keyCount: number): Promise<ClientPeer> =>
      peers.startStoreClient(node.cluster, { workload: { keyCount, areKeysComputed: true } });
    const fewClient = await clientOf(few, fewKeys);
    options.progress(`million-keys: filling ${count.toLocaleString('en')} keys`);
    const startedAtMs = performance.now();
    const manyClient = await clientOf(many, count);
    const fillSeconds = (performance.now() - startedAtMs) / 1000;
    const filling = await many.ask('pauses');
    const pauses: Pauses[] = [];
    const contestants: Contestant[] = [
      { name: `${fewKeys.toLocaleString('en')} keys`, client: fewClient },
      { name: `${count.toLocaleString('en')} keys`, client: watched(manyClient, many, pauses) },
    ];
    await warmUp(contestants, options);
    pauses.length = 0;
    const results = await byTurns(contestants, { inFlight: 64 }, options);
    const rows = rowsOf(contestants, results, pauses);
    rows.push(rowAtMost('to fill it', 's', [fillSeconds]));
    rows.push(
      rowAtMost('longest pause of the garbage collector while it is filled', 'ms', [filling.longestMs]),
    );
    const notes = notesOf(results, valueBytes, '64 in flight, one client process; a node each, K = 1');
    return [{ title: `${count.toLocaleString('en')} keys in one node`, rows, notes }];
  },
};

/** Notes the pauses of the node in each run. */
function watched(client: ClientPeer, node: ProbedNode, pauses: Pauses[]): ClientPeer {
  return {
    measure: async (request) => {
      await node.ask('forget');
      const result = await client.measure(request);
      pauses.push(await node.ask('pauses'));
      return result;
    },
  };
}

function rowsOf(
  contestants: readonly Contestant[],
  results: readonly (readonly RunResult[])[],
  pauses: readonly Pauses[],
): Row[] {
  const [few = [], many = []] = results;
  const tail = (runs: readonly RunResult[], of: (result: RunResult) => Percentiles): number[] =>
    runs.map((result) => of(result).p999Us / of(result).p99Us);
  const getsOf = ({ gets }: RunResult): Percentiles => gets;
  const putsOf = ({ puts }: RunResult): Percentiles => puts;
  return [
    ...contestants.flatMap(({ name }, index) => throughputRows(name, results[index] ?? [])),
    rowAtLeast('throughput, many keys to few', '', ratios(many, few, perSecond), throughputRatioMin),
    {
      ...rowAtMost(
        'longest pause of the garbage collector in a run',
        'ms',
        pauses.map(({ longestMs }) => longestMs),
      ),
      target: {
        text: `<= ${pauseMsMax}, all runs`,
        isMet: pauses.every(({ longestMs }) => longestMs <= pauseMsMax),
      },
    },
    rowAtMost(
      'pauses of the garbage collector in a run',
      '',
      pauses.map(({ count }) => count),
    ),
    rowAtMost(
      'get p99',
      'us',
      many.map(({ gets }) => gets.p99Us),
    ),
    rowAtMost(
      'put p99',
      'us',
      many.map(({ puts }) => puts.p99Us),
    ),
    rowAtMost('get p99.9 to p99', '', tail(many, getsOf), tailRatioMax),
    rowAtMost('put p99.9 to p99', '', tail(many, putsOf), tailRatioMax),
    // What of it is the machine's: other programs, and what takes its processors away.
    rowAtMost('the same with few keys, get', '', tail(few, getsOf)),
    rowAtMost('the same with few keys, put', '', tail(few, putsOf)),
  ];
}
