/**
 * npm run bench:check              compares with bench/baseline.json; exit 1 if something has become slower
 * npm run bench:check -- --update  takes a new baseline
 *
 * See judgement.ts for what counts, and docs/BENCHMARKS.md for how to read it.
 */
import { existsSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { startCluster } from '../src/testing/index.js';
import { positive, positiveCount } from './arguments.js';
import type { BenchOptions } from './benchmark.js';
import { checkout } from './checkout.js';
import { bothFloors, byTurns, ratios, timesOf, warmUp } from './comparison.js';
import { clientCpuPerOperationUs, perSecond, serverCpuPerOperationUs } from './driver.js';
import type { RunResult } from './driver.js';
import { baselineOf, check } from './judgement.js';
import type { Baseline, CheckResult, Ratio, Verdict } from './judgement.js';
import { Peers } from './peer.js';
import { circumstances, describe } from './report.js';

const nodes = 7;
const replicas = 3;
const roundsMax = 3;
const runs = 5;
const baselineRounds = 7;
const seconds = 1;
const path = join(checkout(), 'bench', 'baseline.json');

const usage = `npm run bench:check -- [options]

  --update      take a new baseline instead: ${baselineRounds} rounds, on a quiet machine
  --runs N      runs of each measurement in one round; default ${runs}
  --seconds S   length of one run; default ${seconds}
`;

/** What is measured, and of what the ratio to the floor is taken. */
const measurements: readonly {
  readonly name: string;
  readonly inFlight: number;
  /** The client of the floor polls for its answers, too: otherwise the ratio would tell whether a core was free. */
  readonly isPolling?: boolean;
  readonly toleranceMin?: number;
  readonly of: Readonly<Record<string, (result: RunResult) => number>>;
}[] = [
  {
    name: '1 in flight',
    inFlight: 1,
    isPolling: true,
    // With one core busy they are a fifth worse, without polling half as much again.
    toleranceMin: 0.3,
    of: { 'get p50': timesOf['get p50'], 'put p50': timesOf['put p50'] },
  },
  {
    name: '64 in flight',
    inFlight: 64,
    of: { throughput: perSecond, 'CPU of the client': clientCpuPerOperationUs },
  },
  {
    name: '512 in flight',
    inFlight: 512,
    of: {
      throughput: perSecond,
      'CPU of the client': clientCpuPerOperationUs,
      'CPU of the servers': serverCpuPerOperationUs,
    },
  },
];

async function measure(options: BenchOptions): Promise<Ratio[]> {
  await using cluster = await startCluster({ nodes, replicas });
  await using peers = new Peers();
  const [sleeping, polling] = await bothFloors(peers, nodes, replicas);
  const ours = { name: 'GTStore', client: await peers.startStoreClient(cluster) };
  await warmUp([sleeping, polling, ours], options);
  const found: Ratio[] = [];
  for (const { name, inFlight, isPolling = false, toleranceMin, of } of measurements) {
    const floor = isPolling ? polling : sleeping;
    const [bare = [], store = []] = await byTurns([floor, ours], { inFlight }, options);
    for (const [what, quantity] of Object.entries(of)) {
      const isMoreBetter = quantity === perSecond;
      const runs = ratios(store, bare, quantity);
      found.push({ name: `${name}: ${what}`, isMoreBetter, runs, toleranceMin });
    }
  }
  return found;
}

function formatVerdict({ name, median, baseline, worseBy, isFine }: Verdict): string {
  if (baseline === undefined)
    return `FAILED  ${name}: ${median.toFixed(3)}, and the baseline has none of that name`;
  const change = `${Math.abs(100 * worseBy).toFixed(1)} % ${worseBy > 0 ? 'worse' : 'better'}`;
  const { tolerance } = baseline;
  const bound =
    tolerance === null
      ? 'not judged: the rounds of the baseline lie too far apart'
      : `may be ${(100 * tolerance).toFixed(0)} % worse`;
  return `${isFine ? 'fine  ' : 'FAILED'}  ${name}: ${median.toFixed(3)}, baseline ${baseline.median.toFixed(3)}, ${change}, ${bound}`;
}

function print({ verdicts, missing, rounds, isFine }: CheckResult): void {
  for (const verdict of verdicts) process.stdout.write(`${formatVerdict(verdict)}\n`);
  for (const name of missing) process.stdout.write(`FAILED  ${name}: in the baseline, but not measured\n`);
  process.stdout.write(
    `${isFine ? 'fine' : 'slower than the baseline'} after ${rounds} of at most ${roundsMax} rounds\n`,
  );
}

async function main(): Promise<void> {
  const { values } = parseArgs({
    options: {
      update: { type: 'boolean', default: false },
      runs: { type: 'string', default: String(runs) },
      seconds: { type: 'string', default: String(seconds) },
      help: { type: 'boolean', default: false },
    },
  });
  if (values.help) {
    process.stdout.write(usage);
    return;
  }
  const options: BenchOptions = {
    root: checkout(),
    runs: positiveCount('runs', values.runs),
    seconds: positive('seconds', values.seconds),
    keys: undefined,
    kills: 0,
    file: '',
    isQuick: false,
    progress: () => undefined,
  };
  if (values.update) {
    const rounds: Ratio[][] = [];
    while (rounds.length < baselineRounds) {
      rounds.push(await measure(options));
      process.stdout.write(`round ${rounds.length} of ${baselineRounds} is done\n`);
    }
    const baseline = baselineOf(
      rounds,
      describe(circumstances({ runs: options.runs, seconds: options.seconds })),
    );
    writeFileSync(path, `${JSON.stringify(baseline, undefined, 2)}\n`);
    process.stdout.write('bench/baseline.json is new\n');
    return;
  }
  if (!existsSync(path)) throw new Error('there is no bench/baseline.json; take one with --update');
  const baseline = JSON.parse(readFileSync(path, 'utf8')) as Baseline;
  const result = await check(() => measure(options), baseline, roundsMax);
  print(result);
  if (!result.isFine) process.exitCode = 1;
}

// Cluster and servers are cleared away when the process exits, but not when a signal ends it.
for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) process.once(signal, () => process.exit(1));

main().then(
  () => process.exit(),
  (error: unknown) => {
    process.stderr.write(`${error instanceof Error ? (error.stack ?? error.message) : String(error)}\n`);
    process.exit(1);
  },
);
