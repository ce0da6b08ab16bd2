/** What a run has found: put together from what the client processes report, and as the object that `--json` prints. */
import type { ClusterMap } from '../client/index.js';
import { Histogram } from './histogram.js';
import type { CleanReport, RunReport } from './messages.js';
import type { LoadPlan } from './plan.js';
import { intervalMs } from './recorder.js';
import { type Distribution } from './choosers.js';
import { type Kind, type Mix, kinds } from './workloads.js';

export interface NodeKeys {
  readonly id: number;
  /** Keys that it is the primary of. */
  readonly primaryKeys: number;
  /** Keys that it is a full replica of, those of `primaryKeys` included. */
  readonly replicaKeys: number;
}

export interface ClusterFacts {
  readonly nodes: number;
  readonly replicas: number;
  readonly slots: number;
  readonly partitioner: string;
  /** Epoch of the map before and after; a difference means that nodes came or went meanwhile. */
  readonly epochBefore: number;
  readonly epochAfter: number;
}

export interface Circumstances {
  /** ISO 8601. */
  readonly startedAt: string;
  readonly nodeVersion: string;
  readonly platform: string;
  readonly cpus: number;
  readonly cpuModel: string;
}

/** Why a run has ended before its time. */
export type EarlyEnd = 'interrupted' | 'cluster-gone';

export interface LoadResult {
  readonly plan: LoadPlan;
  readonly cluster: ClusterFacts;
  readonly circumstances: Circumstances;
  readonly endedEarly: EarlyEnd | null;
  /** Perhaps only when all was measured: then nobody could delete the keys. */
  readonly hasClusterGone: boolean;
  readonly measuredMs: number;
  /** Operations that succeeded in each second; the last interval may have been shorter. */
  readonly perInterval: readonly number[];
  /** Of the kinds that occurred, in the order of `kinds`. */
  readonly latencies: ReadonlyMap<Kind, Histogram>;
  readonly errors: Readonly<Record<string, number>>;
  readonly absent: number;
  readonly unfinished: number;
  readonly notBegun: number;
  /** Of each client process. */
  readonly cpuShares: readonly number[];
  readonly nodeKeys: readonly NodeKeys[];
  /** null: the keys were kept, or the cluster has gone. */
  readonly cleaned: CleanReport | null;
}

/** What the reports of all processes say together. */
export function combine(
  reports: readonly RunReport[],
  map: ClusterMap,
): Pick<
  LoadResult,
  | 'measuredMs'
  | 'perInterval'
  | 'latencies'
  | 'errors'
  | 'absent'
  | 'unfinished'
  | 'notBegun'
  | 'cpuShares'
  | 'nodeKeys'
> {
  const latencies = new Map<Kind, Histogram>();
  for (const [index, kind] of kinds.entries()) {
    const histogram = new Histogram();
    for (const report of reports) {
      const part = report.latencies[index];
      if (part !== undefined) histogram.merge(part);
    }
    if (histogram.count > 0) latencies.set(kind, histogram);
  }
  return {
    measuredMs: Math.max(0, ...reports.map(({ measuredMs }) => measuredMs)),
    perInterval: addUp(reports.map(({ perInterval }) => perInterval)),
    latencies,
    errors: addErrors(reports.map(({ errors }) => errors)),
    absent: total(reports, ({ absent }) => absent),
    unfinished: total(reports, ({ unfinished }) => unfinished),
    notBegun: total(reports, ({ notBegun }) => notBegun),
    cpuShares: reports.map(({ cpuShare }) => cpuShare),
    nodeKeys: keysOfNodes(addUp(reports.map(({ keysBySlot }) => keysBySlot)), map),
  };
}

function keysOfNodes(keysBySlot: readonly number[], map: ClusterMap): NodeKeys[] {
  const primaryKeys = new Map(map.nodes.map(({ id }) => [id, 0]));
  const replicaKeys = new Map(primaryKeys);
  for (const [slot, { replicas }] of map.slots.entries()) {
    const keys = keysBySlot[slot] ?? 0;
    for (const [place, id] of replicas.entries()) {
      if (place === 0) primaryKeys.set(id, (primaryKeys.get(id) ?? 0) + keys);
      replicaKeys.set(id, (replicaKeys.get(id) ?? 0) + keys);
    }
  }
  return [...primaryKeys]
    .map(([id, primary]) => ({ id, primaryKeys: primary, replicaKeys: replicaKeys.get(id) ?? 0 }))
    .sort((a, b) => a.id - b.id);
}

function addUp(lists: readonly (readonly number[])[]): number[] {
  const sums: number[] = [];
  for (const list of lists) {
    for (const [index, amount] of list.entries()) sums[index] = (sums[index] ?? 0) + amount;
  }
  return sums;
}

export function addErrors(parts: readonly Readonly<Record<string, number>>[]): Record<string, number> {
  const sums: Record<string, number> = {};
  for (const part of parts) {
    for (const [code, count] of Object.entries(part)) sums[code] = (sums[code] ?? 0) + count;
  }
  return sums;
}

function total<T>(items: readonly T[], amount: (item: T) => number): number {
  return items.reduce((sum, item) => sum + amount(item), 0);
}

/** Operations that succeeded in the measured time. */
export function operationsOf({ perInterval }: LoadResult): number {
  return total(perInterval, (count) => count);
}

export interface Throughput {
  readonly mean: number;
  /** Of the whole seconds; of what there is if there is none. */
  readonly min: number;
  readonly max: number;
  /** By interval. */
  readonly each: readonly number[];
}

/** Operations per second. */
export function throughputOf(result: LoadResult): Throughput {
  const { perInterval, measuredMs } = result;
  const each = perInterval.map((count, interval) => {
    const ms = Math.min(intervalMs, measuredMs - interval * intervalMs);
    return (1000 * count) / Math.max(1, ms);
  });
  // Timers may be early by less than a millisecond: that is a whole second, too.
  const whole = each.slice(0, Math.max(1, Math.floor(Math.round(measuredMs) / intervalMs)));
  return {
    mean: measuredMs === 0 ? 0 : (1000 * operationsOf(result)) / measuredMs,
    min: whole.length === 0 ? 0 : Math.min(...whole),
    max: Math.max(0, ...whole),
    each,
  };
}

/** Microseconds, to a tenth. */
export interface LatencySummary {
  readonly count: number;
  readonly mean: number;
  readonly min: number;
  readonly p50: number;
  readonly p90: number;
  readonly p99: number;
  readonly p999: number;
  readonly max: number;
}

export function latencySummary(histogram: Histogram): LatencySummary {
  const us = (ms: number): number => Math.round(ms * 10_000) / 10;
  return {
    count: histogram.count,
    mean: us(histogram.meanMs),
    min: us(histogram.minMs),
    p50: us(histogram.percentileMs(0.5)),
    p90: us(histogram.percentileMs(0.9)),
    p99: us(histogram.percentileMs(0.99)),
    p999: us(histogram.percentileMs(0.999)),
    max: us(histogram.maxMs),
  };
}

/** What `gtstore bench --json` prints; programs rely on the names. */
export interface LoadDocument {
  readonly workload: {
    readonly name: string;
    /** Share of each kind of operation. */
    readonly mix: Mix;
    readonly distribution: Distribution;
    readonly keys: number;
    readonly keyBytes: number;
    readonly valueBytes: number;
    readonly prefix: string;
    readonly seed: number;
  };
  readonly load: {
    readonly clients: number;
    readonly processes: number;
    /** Of each client. */
    readonly inFlight: number;
    readonly readFrom: 'primary' | 'any';
    readonly seconds: number;
    readonly warmUpSeconds: number;
    /** null: closed loop. */
    readonly ratePerSecond: number | null;
  };
  readonly cluster: ClusterFacts & { readonly manager: string };
  readonly circumstances: Circumstances;
  /** null: it ran for as long as it should. */
  readonly endedEarly: EarlyEnd | null;
  readonly measuredSeconds: number;
  /** That succeeded within `measuredSeconds`. */
  readonly operations: number;
  readonly opsPerSecond: number;
  /** Of the whole seconds. */
  readonly opsPerSecondMin: number;
  readonly opsPerSecondMax: number;
  /** Of each second; the last may have been shorter. */
  readonly opsPerSecondEach: readonly number[];
  /** Of the operations that succeeded, by kind; those that were begun in time and ended later included. */
  readonly latencyUs: Readonly<Partial<Record<Kind, LatencySummary>>>;
  /** Operations that failed, by code. */
  readonly errors: Readonly<Record<string, number>>;
  /** Gets that found nothing. */
  readonly absent: number;
  /** Operations that did not end. */
  readonly unfinished: number;
  /** With `ratePerSecond`: operations that were due and never begun. */
  readonly notBegun: number;
  /** Busiest client process: CPU time as a share of one core. */
  readonly clientCpuShareMax: number;
  readonly nodes: readonly NodeKeys[];
  readonly keysDeleted: number;
  /** Bench keys that are, or may be, still in the store. */
  readonly keysLeft: number;
}

export function documentOf(result: LoadResult): LoadDocument {
  const { plan, cleaned } = result;
  const { workload, keys, keyBytes, valueBytes, prefix, seed } = plan;
  const { clients, processes, inFlight, readFrom, seconds, warmUpSeconds, ratePerSecond } = plan;
  const { mean, min, max, each } = throughputOf(result);
  return {
    workload: { ...workload, keys, keyBytes, valueBytes, prefix, seed },
    load: { clients, processes, inFlight, readFrom, seconds, warmUpSeconds, ratePerSecond },
    cluster: { manager: plan.manager, ...result.cluster },
    circumstances: result.circumstances,
    endedEarly: result.endedEarly,
    measuredSeconds: Math.round(result.measuredMs) / 1000,
    operations: operationsOf(result),
    opsPerSecond: Math.round(mean),
    opsPerSecondMin: Math.round(min),
    opsPerSecondMax: Math.round(max),
    opsPerSecondEach: each.map(Math.round),
    latencyUs: Object.fromEntries(
      [...result.latencies].map(([kind, histogram]) => [kind, latencySummary(histogram)]),
    ),
    errors: result.errors,
    absent: result.absent,
    unfinished: result.unfinished,
    notBegun: result.notBegun,
    clientCpuShareMax: Math.round(100 * Math.max(0, ...result.cpuShares)) / 100,
    nodes: result.nodeKeys,
    keysDeleted: cleaned?.deleted ?? 0,
    keysLeft: cleaned?.left ?? total(result.nodeKeys, ({ primaryKeys }) => primaryKeys),
  };
}
