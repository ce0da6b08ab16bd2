/**
 * Measurements of several contestants by turns in the same run, A B A B: absolute figures move with whatever else the
 * machine does, the ratio of neighbours moves less. The ratio of a run is that of two neighbours, and the ratio that
 * counts is the median of those.
 */
import { rowAtLeast, rowAtMost } from './benchmark.js';
import type { BenchOptions, Row } from './benchmark.js';
import { clientCpuPerOperationUs, perSecond, serverCpuPerOperationUs } from './driver.js';
import type { RunRequest, RunResult } from './driver.js';
import type { ClientPeer, Peers } from './peer.js';
import { median } from './stats.js';
import { keyBytes, valueBytes as usualValueBytes } from './workload.js';

export interface Contestant {
  readonly name: string;
  readonly client: ClientPeer;
  /** What is asked of it otherwise than of the others. */
  readonly load?: Partial<Load>;
}

export type Load = Pick<RunRequest, 'inFlight' | 'putRatio' | 'pattern'>;

/** What each contestant did, in the order of the contestants; of each, its runs. */
export type Results = readonly (readonly RunResult[])[];

const runsDefault = 5;
/** Before each run. */
const warmUpMs = 500;
/** Before the first one: until then the compiler is at work in all processes. */
const firstWarmUpMs = 8000;
const quickWarmUpMs = 50;

export const usualLoad: Load = { inFlight: 64, putRatio: 0.5, pattern: 'uniform' };

/** Bare servers, a client that sleeps until their answers come, and one that polls for them (ADR 26). */
export async function bothFloors(
  peers: Peers,
  nodes: number,
  replicas: number,
): Promise<[sleeping: Contestant, polling: Contestant]> {
  const servers = await peers.startFloorServers(nodes, usualValueBytes);
  return [
    { name: 'floor', client: await peers.startFloorClient(servers, replicas, {}) },
    {
      name: 'floor that polls',
      client: await peers.startFloorClient(servers, replicas, { isPolling: true }),
    },
  ];
}

export function runsOf({ runs, isQuick }: BenchOptions): number {
  return runs ?? (isQuick ? 1 : runsDefault);
}

/** Keeps every contestant busy until its code is compiled. */
export async function warmUp(
  contestants: readonly Contestant[],
  { progress, isQuick }: BenchOptions,
): Promise<void> {
  for (const { name, client, load } of contestants) {
    progress(`warming up: ${name}`);
    const runMs = isQuick ? quickWarmUpMs : firstWarmUpMs;
    await client.measure({ ...usualLoad, ...load, warmUpMs: 0, runMs });
  }
}

/** One run of each contestant after the other, again and again. */
export async function byTurns(
  contestants: readonly Contestant[],
  load: Partial<Load>,
  options: BenchOptions,
): Promise<RunResult[][]> {
  const results = contestants.map((): RunResult[] => []);
  const count = runsOf(options);
  for (let run = 0; run < count; run++) {
    for (const [index, contestant] of contestants.entries()) {
      options.progress(`${contestant.name}, run ${run + 1} of ${count}`);
      const request = { ...usualLoad, ...load, ...contestant.load };
      const warmUpOfRunMs = options.isQuick ? quickWarmUpMs : warmUpMs;
      const runMs = options.seconds * 1000;
      results[index]?.push(await contestant.client.measure({ ...request, warmUpMs: warmUpOfRunMs, runMs }));
    }
  }
  return results;
}

/** Warms up, then runs all of them by turns with each number of operations in flight. */
export async function atEach(
  inFlightCounts: readonly number[],
  contestants: readonly Contestant[],
  options: BenchOptions,
  rowsOf: (inFlight: number, results: Results) => readonly Row[],
): Promise<{ rows: Row[]; all: RunResult[] }> {
  await warmUp(contestants, options);
  const rows: Row[] = [];
  const all: RunResult[] = [];
  for (const inFlight of inFlightCounts) {
    const results = await byTurns(contestants, { inFlight }, options);
    rows.push(...rowsOf(inFlight, results));
    all.push(...results.flat());
  }
  return { rows, all };
}

/** Run by run. */
export function ratios(
  ours: readonly RunResult[],
  theirs: readonly RunResult[],
  of: (result: RunResult) => number,
): number[] {
  return ours.map((result, run) => of(result) / of(theirs[run] ?? result));
}

export function throughputRows(name: string, results: readonly RunResult[], least?: number): Row[] {
  return [
    rowAtLeast(name, 'op/s', results.map(perSecond), least),
    rowAtLeast(`${name}, CPU of the client`, 'us/op', results.map(clientCpuPerOperationUs)),
    rowAtLeast(`${name}, CPU of the servers`, 'us/op', results.map(serverCpuPerOperationUs)),
  ];
}

/** Throughput of floor and GTStore, and its ratio. */
export function floorRows(name: string, [bare = [], ours = []]: Results, least?: number): Row[] {
  return [
    ...throughputRows(`${name}: floor`, bare),
    ...throughputRows(`${name}: GTStore`, ours),
    rowAtLeast(`${name}: ratio`, '', ratios(ours, bare, perSecond), least),
  ];
}

export const timesOf = {
  'get p50': ({ gets }: RunResult) => gets.p50Us,
  'get p99': ({ gets }: RunResult) => gets.p99Us,
  'put p50': ({ puts }: RunResult) => puts.p50Us,
  'put p99': ({ puts }: RunResult) => puts.p99Us,
} as const;

/** Latencies of floor and GTStore, and their ratios. */
export function latencyRows(
  name: string,
  [bare = [], ours = []]: Results,
  most: Partial<Record<keyof typeof timesOf, number>>,
): Row[] {
  return (Object.keys(timesOf) as (keyof typeof timesOf)[]).flatMap((time) => [
    rowAtMost(`${name}, ${time}: floor`, 'us', bare.map(timesOf[time])),
    rowAtMost(`${name}, ${time}: GTStore`, 'us', ours.map(timesOf[time])),
    rowAtMost(`${name}, ${time}: ratio`, '', ratios(ours, bare, timesOf[time]), most[time]),
  ]);
}

/** Above this share, absolute figures say more of the others than of the store. */
const foreignShareMax = 0.1;

/** What the load was, and whether the machine was busy with other things. */
export function notesOf(results: Results, valueBytes: number, more = 'one client process'): string[] {
  const workload = `puts and gets half and half, keys of ${keyBytes} B, values of ${valueBytes.toLocaleString('en')} B, ${more}`;
  return [workload, ...troubleNotes(results)];
}

/** What makes figures doubtful: calls that failed, a machine that was busy. */
export function troubleNotes(results: Results): string[] {
  return [...failureNotes(results), ...busyNotes(results)];
}

function failureNotes(results: Results): string[] {
  // A process tells of all failures since it started, in each of its runs.
  const told = results.flat().map(({ failures }) => failures);
  const most = told.reduce((longest, each) => (each.length > longest.length ? each : longest), []);
  return most.length === 0
    ? []
    : [`${most.length} calls of a client process FAILED, the first: ${most[0] ?? ''}`];
}

function busyNotes(results: Results): string[] {
  const foreign = median(results.flat().map(({ foreignShare }) => foreignShare));
  return foreign > foreignShareMax
    ? [`other programs took ${Math.round(100 * foreign)} % of all cores meanwhile`]
    : [];
}
