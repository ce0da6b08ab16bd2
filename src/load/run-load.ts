/**
 * One run from beginning to end: check against the cluster, connect, fill in the keys, warm up, measure, delete the
 * keys. Whatever happens after the first key was put, the keys are deleted if the cluster is still there.
 */
import { cpus, platform, release } from 'node:os';
import { type ClusterMap, GTStoreError, type GTStoreClient } from '../client/index.js';
import { encodeValue } from '../protocol/value-codec.js';
import { ClusterWatch } from './cluster-watch.js';
import { Crew } from './crew.js';
import { keyBytesMin } from './key-names.js';
import { makeValue } from './lanes.js';
import type { LoadPlan } from './plan.js';
import { type LoadResult, combine } from './result.js';
import { type OnProgress, Run, goneError } from './run.js';

export interface LoadOptions {
  /** The module that client processes run: see `ClientProcess`. */
  readonly entry: string;
  /** Ends the run early. */
  readonly signal: AbortSignal;
  readonly onProgress: OnProgress;
  /** Called when processes were started: what must not be left behind at an end at once. */
  readonly onStarted: (kill: () => void) => void;
}

/**
 * @param store - an open client, for looking at the cluster
 * @returns undefined if it was stopped before anything was measured
 * @throws GTStoreError INVALID_ARGUMENT, KEY_TOO_LARGE, VALUE_TOO_LARGE if the plan does not fit the cluster, before
 *   anything is stored; others if it cannot be reached or the keys cannot be filled in
 */
export async function runLoad(
  store: GTStoreClient,
  plan: LoadPlan,
  options: LoadOptions,
): Promise<LoadResult | undefined> {
  const before = mapOf(store);
  checkFits(plan, before);
  const startedAt = new Date().toISOString();
  const crew = await Crew.open(plan, options.entry);
  options.onStarted(() => {
    crew.close();
  });
  const run = new Run(crew, plan, options.onProgress);
  const watch = new ClusterWatch(store, () => {
    run.giveUp();
  });
  const interrupt = (): void => {
    run.interrupt();
  };
  options.signal.addEventListener('abort', interrupt, { once: true });
  if (options.signal.aborted) interrupt();
  try {
    await run.fillAndMeasure();
    if (!plan.keep) await run.clean();
  } finally {
    options.signal.removeEventListener('abort', interrupt);
    watch.close();
    crew.close();
  }

  const { reports, endedEarly, cleaned, hasClusterGone } = run;
  const found = combine(reports, mapOf(store));
  if (found.measuredMs === 0) {
    if (hasClusterGone) throw goneError();
    return undefined;
  }
  const { settings, nodes, slots, epoch } = before;
  return {
    plan,
    cluster: {
      nodes: nodes.length,
      replicas: settings.replicas,
      slots: slots.length,
      partitioner: settings.partitioner,
      epochBefore: epoch,
      epochAfter: mapOf(store).epoch,
    },
    circumstances: {
      startedAt,
      nodeVersion: process.version,
      platform: `${platform()} ${release()}`,
      cpus: cpus().length,
      cpuModel: cpus()[0]?.model.trim() ?? 'unknown',
    },
    endedEarly,
    hasClusterGone,
    ...found,
    cleaned,
  };
}

function mapOf(store: GTStoreClient): ClusterMap {
  if (store.clusterMap === undefined) throw new GTStoreError('CLOSED', 'the client is not open');
  return store.clusterMap;
}

/** @throws GTStoreError */
export function checkFits(plan: LoadPlan, { settings }: Pick<ClusterMap, 'settings'>): void {
  const { keys, keyBytes, valueBytes, prefix, workload, processes } = plan;
  if (keyBytes > settings.keyBytesMax) {
    const text = `--key-bytes ${keyBytes}: this cluster takes keys of at most ${settings.keyBytesMax} bytes (--max-key-bytes)`;
    throw new GTStoreError('KEY_TOO_LARGE', text);
  }
  // Each process needs a name of its own to insert, at least: else it would put what is there already.
  const inserted = workload.mix.insert === undefined ? 0 : processes;
  const least = keyBytesMin(prefix, keys + inserted);
  if (keyBytes < least) {
    const more = inserted > 0 ? ', and others to insert,' : '';
    const text = `--key-bytes ${keyBytes}: ${keys} keys that begin with '${prefix}'${more} need at least ${least} bytes`;
    throw new GTStoreError('INVALID_ARGUMENT', text);
  }
  const stored = encodeValue(makeValue(valueBytes, 0)).length;
  if (stored > settings.valueBytesMax) {
    const text = `--value-bytes ${valueBytes} are ${stored} as stored; this cluster takes at most ${settings.valueBytesMax} (--max-value-bytes)`;
    throw new GTStoreError('VALUE_TOO_LARGE', text);
  }
}
