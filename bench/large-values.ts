/**
 * Values of 1 MiB beside the floor, and what becomes of small requests meanwhile. The small ones come from a client
 * process of their own, one at a time; and, beside puts alone, from the client of the large ones.
 */
import { startCluster } from '../src/testing/index.js';
import { rowAtLeast, rowAtMost } from './benchmark.js';
import type { Benchmark, Section } from './benchmark.js';
import { troubleNotes, byTurns, ratios, warmUp } from './comparison.js';
import type { Contestant, Results } from './comparison.js';
import { perSecond } from './driver.js';
import type { RunResult } from './driver.js';
import { smallBesideLarge } from './one-client.js';
import type { ClientPeer } from './peer.js';
import { Peers } from './peer.js';

const nodes = 7;
const replicas = 3;
const mebibyte = 2 ** 20;
const largeInFlight = 8;
const large = { keyCount: 64, valueBytes: mebibyte, isBinary: true, keySeed: 8 };
/** The limit counts the value as stored, with what tells its type. */
const valueBytesMax = mebibyte + 16;
const bandwidthRatioMin = 0.5;
const smallP99MsMax = 5;

export const largeValues: Benchmark = {
  name: 'large-values',
  purpose: 'values of 1 MiB beside the floor, and small gets beside them',
  async run(options) {
    await using cluster = await startCluster({ nodes, replicas, valueBytesMax });
    await using peers = new Peers();
    const small = await peers.startStoreClient(cluster);
    const servers = await peers.startFloorServers(nodes, mebibyte);
    const bareSmall = await peers.startFloorClient(servers, replicas, { getsUsual: true });
    const bareLarge = await peers.startFloorClient(servers, replicas, { workload: large });
    const bare = beside(bareLarge, bareSmall);
    const ours = beside(await peers.startStoreClient(cluster, { workload: large }), small);
    const contestants: Contestant[] = [
      { name: 'floor, 1 MiB', client: bare.client },
      { name: 'GTStore, 1 MiB', client: ours.client },
    ];
    await warmUp(contestants, options);
    bare.beside.length = ours.beside.length = 0;
    const results = await byTurns(contestants, { inFlight: largeInFlight }, options);
    const quiet = await byTurns([{ name: 'small gets alone', client: small }], smallLoad, options);
    const section = sectionOf(results, bare.beside, ours.beside, quiet);
    const mixed = await smallBesideLarge(cluster.url, mebibyte, options);
    return [{ ...section, rows: [...section.rows, ...mixed] }];
  },
};

const smallLoad = { inFlight: 1, putRatio: 0 } as const;

/** A client of large values whose every measurement is accompanied by small gets. */
function beside(largeClient: ClientPeer, small: ClientPeer): { client: ClientPeer; beside: RunResult[] } {
  const smallResults: RunResult[] = [];
  const measure: ClientPeer['measure'] = async (request) => {
    const [result, smallResult] = await Promise.all([
      largeClient.measure(request),
      small.measure({ ...request, ...smallLoad }),
    ]);
    smallResults.push(smallResult);
    return result;
  };
  return { client: { measure }, beside: smallResults };
}

function sectionOf(
  results: Results,
  bareSmall: readonly RunResult[],
  ourSmall: readonly RunResult[],
  [quiet = []]: Results,
): Section {
  const [bare = [], ours = []] = results;
  const p99Ms = ({ gets }: RunResult): number => gets.p99Us / 1000;
  const rows = [
    // Of every operation the value crosses once, or K times; half are puts.
    rowAtLeast('1 MiB, floor', 'values/s', bare.map(perSecond)),
    rowAtLeast('1 MiB, GTStore', 'values/s', ours.map(perSecond)),
    rowAtLeast('1 MiB, ratio', '', ratios(ours, bare, perSecond), bandwidthRatioMin),
    rowAtMost(
      '1 MiB, put p99, GTStore',
      'ms',
      ours.map(({ puts }) => puts.p99Us / 1000),
    ),
    rowAtMost('small gets alone, p99, GTStore', 'ms', quiet.map(p99Ms)),
    rowAtMost('small gets beside them, p99, floor', 'ms', bareSmall.map(p99Ms)),
    rowAtMost('small gets beside them, p99, GTStore', 'ms', ourSmall.map(p99Ms), smallP99MsMax),
  ];
  const load = `puts and gets half and half, ${largeInFlight} in flight in one client process; small gets of 100 B in another, one at a time`;
  return {
    title: `Values of 1 MiB: ${nodes} nodes, K = ${replicas}`,
    rows,
    notes: [load, ...troubleNotes(results)],
  };
}
