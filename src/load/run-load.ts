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
import type { CleanReport, RunReport } from './messages.js';
import type { LoadPlan } from './plan.js';
import { type EarlyEnd, type LoadResult, addErrors, combine } from './result.js';

export type Phase = 'filling' | 'warming-up' | 'measuring' | 'deleting';

export interface LoadOptions {
  /** The module that client processes run: see `ClientProcess`. */
  readonly entry: string;
  /** Ends the run early. */
  readonly signal: AbortSignal;
  /** @param total - keys, or milliseconds; `operations` are those of the phase. */
  readonly onProgress: (phase: Phase, done: number, total: number, operationsPerSecond: number) => void;
  /** Called when processes were started: what must not be left behind at an end at once. */
  readonly onStarted: (kill: () => void) => void;
}

const progressMs = 100;

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
    run.stop('interrupted');
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

  const { reports, endedEarly, cleaned } = run;
  const found = combine(reports, mapOf(store));
  if (found.measuredMs === 0) {
    if (endedEarly === 'cluster-gone') throw goneError();
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
    ...found,
    cleaned,
  };
}

export function goneError(): GTStoreError {
  return new GTStoreError('UNAVAILABLE', 'the cluster has gone: none of its nodes could be reached any more');
}

/** The phases, each with its progress, and how they end early. */
class Run {
  endedEarly: EarlyEnd | null = null;
  reports: RunReport[] = [];
  cleaned: CleanReport | null = null;
  readonly #crew: Crew;
  readonly #plan: LoadPlan;
  readonly #onProgress: LoadOptions['onProgress'];
  #isMeasuring = false;

  constructor(crew: Crew, plan: LoadPlan, onProgress: LoadOptions['onProgress']) {
    this.#crew = crew;
    this.#plan = plan;
    this.#onProgress = onProgress;
  }

  stop(why: EarlyEnd): void {
    this.endedEarly ??= why;
    this.#crew.stop();
  }

  /** The cluster has gone. What was measured is of use; nothing else can be had any more. */
  giveUp(): void {
    this.stop('cluster-gone');
    // Interrupted or not, the cause of what is missing is this one.
    this.endedEarly = 'cluster-gone';
    if (!this.#isMeasuring) this.#crew.close();
  }

  #hasGone(): boolean {
    return this.endedEarly === 'cluster-gone';
  }

  async fillAndMeasure(): Promise<void> {
    try {
      await this.#fill();
      if (this.endedEarly === null) this.reports = await this.#measure();
    } catch (error) {
      if (this.#hasGone()) throw goneError();
      // The keys filled in so far shall not stay; why it failed is what counts.
      if (!this.#plan.keep) await this.clean().catch(() => undefined);
      throw error;
    }
  }

  async #fill(): Promise<void> {
    const { keys } = this.#plan;
    await this.#showing(
      () => this.#crew.obey({ type: 'fill' }),
      (done, rate) => {
        this.#onProgress('filling', done, keys, rate);
      },
    );
  }

  async #measure(): Promise<RunReport[]> {
    const warmUpMs = this.#plan.warmUpSeconds * 1000;
    const ms = this.#plan.seconds * 1000;
    const beganMs = performance.now();
    this.#isMeasuring = true;
    const answers = await this.#showing(
      () => this.#crew.obey({ type: 'run' }),
      (_done, rate) => {
        const passedMs = performance.now() - beganMs;
        if (passedMs < warmUpMs) this.#onProgress('warming-up', passedMs, warmUpMs, rate);
        else this.#onProgress('measuring', Math.min(passedMs - warmUpMs, ms), ms, rate);
      },
    );
    this.#isMeasuring = false;
    return answers.flatMap(({ run }) => (run === undefined ? [] : [run]));
  }

  /** Deletes the keys, unless there is nobody to delete them. */
  async clean(): Promise<void> {
    if (this.#hasGone()) return;
    const { keys } = this.#plan;
    try {
      const answers = await this.#showing(
        () => this.#crew.obey({ type: 'clean' }),
        (done, rate) => {
          this.#onProgress('deleting', done, Math.max(keys, done), rate);
        },
      );
      const reports = answers.flatMap(({ clean }) => (clean === undefined ? [] : [clean]));
      this.cleaned = {
        deleted: reports.reduce((sum, { deleted }) => sum + deleted, 0),
        left: reports.reduce((sum, { left }) => sum + left, 0),
        errors: addErrors(reports.map(({ errors }) => errors)),
      };
    } catch (error) {
      if (!this.#hasGone()) throw error;
    }
  }

  /** @param show - given the operations of the phase, and how many per second there are just now */
  async #showing<T>(act: () => Promise<T>, show: (done: number, rate: number) => void): Promise<T> {
    let lastMs = performance.now();
    let lastDone = 0;
    let rate = 0;
    const timer = setInterval(() => {
      const nowMs = performance.now();
      const { done } = this.#crew;
      // Smoothed: what comes in a tenth of a second jumps.
      const current = (1000 * Math.max(0, done - lastDone)) / Math.max(1, nowMs - lastMs);
      rate = rate === 0 ? current : 0.8 * rate + 0.2 * current;
      lastMs = nowMs;
      lastDone = done;
      show(done, rate);
    }, progressMs);
    try {
      return await act();
    } finally {
      clearInterval(timer);
    }
  }
}

function mapOf(store: GTStoreClient): ClusterMap {
  if (store.clusterMap === undefined) throw new GTStoreError('CLOSED', 'the client is not open');
  return store.clusterMap;
}

/** @throws GTStoreError */
function checkFits(plan: LoadPlan, { settings }: ClusterMap): void {
  const { keys, keyBytes, valueBytes, prefix } = plan;
  if (keyBytes > settings.keyBytesMax) {
    const text = `--key-bytes ${keyBytes}: this cluster takes keys of at most ${settings.keyBytesMax} bytes (--max-key-bytes)`;
    throw new GTStoreError('KEY_TOO_LARGE', text);
  }
  const least = keyBytesMin(prefix, keys);
  if (keyBytes < least) {
    const text = `--key-bytes ${keyBytes}: ${keys} keys that begin with '${prefix}' need at least ${least} bytes`;
    throw new GTStoreError('INVALID_ARGUMENT', text);
  }
  const stored = encodeValue(makeValue(valueBytes, 0)).length;
  if (stored > settings.valueBytesMax) {
    const text = `--value-bytes ${valueBytes} are ${stored} as stored; this cluster takes at most ${settings.valueBytesMax} (--max-value-bytes)`;
    throw new GTStoreError('VALUE_TOO_LARGE', text);
  }
}
