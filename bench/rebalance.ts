/**
 * A node is added to seven, slots are moved to it, and then it is drained: how fast, and what a load beside it feels.
 * Twice: the first time much of the code is compiled meanwhile, in eight processes at once.
 */
import { GTStoreClient } from '../src/client/index.js';
import type { AdminRequest, AdminResult } from '../src/protocol/admin.js';
import { startCluster } from '../src/testing/index.js';
import type { TestCluster } from '../src/testing/index.js';
import { until } from '../src/testing/processes.js';
import { copyBare } from './bare-copy.js';
import { rowAtLeast, rowAtMost } from './benchmark.js';
import { runsBeside } from './beside.js';
import type { Beside } from './beside.js';
import type { BenchOptions, Benchmark, Section } from './benchmark.js';
import { byTurns, notesOf } from './comparison.js';
import type { RunResult } from './driver.js';
import { fill } from './fill.js';
import { Peers } from './peer.js';
import type { ClientPeer } from './peer.js';
import { median } from './stats.js';
import { valueBytes } from './workload.js';

const nodes = 7;
const replicas = 3;
const keyCount = 200_000;
const quickKeyCount = 2_000;
const joinMsMax = 60_000;
/** A busy machine may take long; where it takes so long, it does not happen any more. */
const moveMsMax = 900_000;
const pollMs = 200;
const megabyte = 1e6;
/** p99 of a load beside the moves to the quiet p99. */
const p99RatioMax = 2;
const load = { inFlight: 64, putRatio: 0.5, pattern: 'uniform' } as const;

/** Clients that cannot ask for it yet have no such method. */
interface Administrator {
  admin?(request: AdminRequest): Promise<AdminResult>;
}

export const rebalance: Benchmark = {
  name: 'rebalance',
  purpose: 'from 7 nodes to 8 and back: MB/s, and p99 of a load beside it against the quiet p99',
  async run(options) {
    const count = options.keys ?? (options.isQuick ? quickKeyCount : keyCount);
    const title = `Moves: ${nodes} nodes to ${nodes + 1} and back, K = ${replicas}, ${count.toLocaleString('en')} keys`;
    await using cluster = await startCluster({ nodes, replicas });
    await using store = new GTStoreClient({ manager: cluster.url });
    await store.init();
    const first = await addNode(store, cluster);
    if (typeof first === 'string') return [{ title, rows: [], notes: [`not measured: ${first}`] }];
    options.progress('rebalance: filling');
    await fill(store, count);
    await using peers = new Peers();
    const client = await peers.startStoreClient(cluster);
    const sections: Section[] = [];
    const cycle = async (nodeId: number, when: string): Promise<void> => {
      let before = await measureQuiet(client, options);
      for (const change of changesWith(nodeId)) {
        const beside = await measureBeside(change, store, client, options);
        // Before and after: the machine may have become slower or faster meanwhile.
        const after = await measureQuiet(client, options);
        const shown = await show(beside, [...before, ...after]);
        sections.push({ title: `${title}: ${change.name}, ${when}`, ...shown });
        before = after;
      }
    };
    await cycle(first, 'the first time');
    const second = await addNode(store, cluster);
    if (typeof second === 'number') await cycle(second, 'again');
    else sections.push({ title: `${title}: again`, rows: [], notes: [`not measured: ${second}`] });
    return sections;
  },
};

async function measureQuiet(client: ClientPeer, options: BenchOptions): Promise<RunResult[]> {
  return (await byTurns([{ name: 'quiet', client }], load, options)).flat();
}

interface Change {
  readonly name: string;
  readonly request: AdminRequest;
}

/** In this order: the node that was added gets its share and is emptied again. */
function changesWith(nodeId: number): readonly Change[] {
  return [
    { name: 'rebalance', request: { command: 'rebalance', by: 'slots' } },
    { name: 'drain', request: { command: 'drain', nodeId } },
  ];
}

/** @returns its id, once it is up; or why there is none */
async function addNode(store: GTStoreClient & Administrator, cluster: TestCluster): Promise<number | string> {
  const added = await ask(store, { command: 'add-nodes', count: 1 });
  if (!added.ok) return added.error;
  const [nodeId] = 'nodeIds' in added ? added.nodeIds : [];
  if (nodeId === undefined) return 'no node was added';
  await until('the new node is up', joinMsMax, () => isUp(cluster));
  return nodeId;
}

async function ask(store: GTStoreClient & Administrator, request: AdminRequest): Promise<AdminResult> {
  return (await store.admin?.(request)) ?? { ok: false, error: 'this client cannot ask for it' };
}

async function isUp(cluster: TestCluster): Promise<boolean> {
  const { nodes: present } = await cluster.status();
  return present.length > nodes && present.every(({ state }) => state === 'up');
}

interface Moved {
  readonly seconds: number;
  readonly bytes: number;
  readonly moves: number;
}

interface Failed {
  readonly error: string;
}

interface MeasuredBeside extends Beside<RunResult> {
  readonly moved: Moved | Failed;
}

async function measureBeside(
  { name, request }: Change,
  store: GTStoreClient,
  client: ClientPeer,
  options: BenchOptions,
): Promise<MeasuredBeside> {
  options.progress(`rebalance: ${name}`);
  const startedAtMs = performance.now();
  const begun = await ask(store, request);
  if (!begun.ok) return { runs: [], areWithin: false, moved: begun };
  const moving = untilMoved(store, startedAtMs);
  // Told below, by awaiting it: until then it is no rejection that nobody has asked for, which would end the process.
  moving.catch(() => undefined);
  const run = async (): Promise<RunResult> => {
    const [[result] = []] = await byTurns([{ name: 'beside', client }], load, { ...options, runs: 1 });
    if (result === undefined) throw new Error('no run');
    return result;
  };
  const beside = await runsBeside(run, async () => isUnderWay(await ask(store, { command: 'progress' })));
  return { ...beside, moved: await moving };
}

const tooShort = 'all had moved before the first run beside it ended: a part of that run was quiet';

async function show(
  { runs: beside, areWithin, moved }: MeasuredBeside,
  quiet: readonly RunResult[],
): Promise<Omit<Section, 'title'>> {
  if ('error' in moved) return { rows: [], notes: [`not measured: ${moved.error}`] };
  const quietP99 = quiet.map(({ puts }) => puts.p99Us);
  const besideP99 = beside.map(({ puts }) => puts.p99Us);
  const quietP99Get = quiet.map(({ gets }) => gets.p99Us);
  const besideP99Get = beside.map(({ gets }) => gets.p99Us);
  const speed = moved.bytes / megabyte / moved.seconds;
  const bareSpeed = moved.bytes / megabyte / (await copyBare(moved.bytes));
  const rows = [
    rowAtLeast('moves', '', [moved.moves]),
    rowAtMost('took', 's', [moved.seconds]),
    rowAtLeast('moved', 'MB/s', [speed]),
    rowAtLeast('bare socket', 'MB/s', [bareSpeed]),
    rowAtLeast('moved to bare socket', '', [speed / bareSpeed]),
    rowAtMost('quiet, get p99', 'us', quietP99Get),
    rowAtMost('beside it, get p99', 'us', besideP99Get),
    rowAtMost('quiet, put p99', 'us', quietP99),
    rowAtMost('beside it, put p99', 'us', besideP99),
    rowAtMost('get p99: ratio', '', ratios(besideP99Get, quietP99Get), p99RatioMax),
    rowAtMost('put p99: ratio', '', ratios(besideP99, quietP99), p99RatioMax),
  ];
  const notes = notesOf([quiet, beside], valueBytes);
  return { rows, notes: areWithin ? notes : [...notes, tooShort] };
}

/** Each to the median of the others, which were measured before and after. */
function ratios(beside: readonly number[], quiet: readonly number[]): number[] {
  return beside.map((us) => us / median(quiet));
}

function isUnderWay(progress: AdminResult): boolean {
  return progress.ok && progress.task?.state === 'running';
}

/** @throws Error if it takes too long */
async function untilMoved(store: GTStoreClient, startedAtMs: number): Promise<Moved | Failed> {
  const ended = async (): Promise<Moved | Failed | undefined> => {
    const progress = await ask(store, { command: 'progress' });
    if (!progress.ok) return progress;
    if (isUnderWay(progress)) return undefined;
    const { task } = progress;
    if (task?.state === 'failed' || task?.state === 'cancelled') {
      return { error: `the move was ${task.state}: ${task.note ?? 'nobody says why'}` };
    }
    const seconds = (performance.now() - startedAtMs) / 1000;
    return { seconds, bytes: task?.bytesTotal ?? NaN, moves: task?.total ?? NaN };
  };
  return until('everything has moved', moveMsMax, ended, pollMs);
}
