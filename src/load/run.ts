/** The phases of a run, each with its progress, and how they end early. */
import { GTStoreError } from '../client/index.js';
import type { Crew } from './crew.js';
import type { CleanReport, RunReport } from './messages.js';
import type { LoadPlan } from './plan.js';
import { type EarlyEnd, addErrors } from './result.js';

export type Phase = 'filling' | 'warming-up' | 'measuring' | 'deleting';

/** @param total - keys, or milliseconds, as far as it is known by now; `operations` are those of the phase. */
export type OnProgress = (phase: Phase, done: number, total: number, operationsPerSecond: number) => void;

const progressMs = 100;

export function goneError(): GTStoreError {
  return new GTStoreError('UNAVAILABLE', 'the cluster has gone: none of its nodes could be reached any more');
}

export class Run {
  /** Why what was measured is not all that was to be; what happens afterwards, to the keys, does not make it less. */
  endedEarly: EarlyEnd | null = null;
  reports: RunReport[] = [];
  cleaned: CleanReport | null = null;
  hasClusterGone = false;
  readonly #crew: Pick<Crew, 'obey' | 'stop' | 'close' | 'done' | 'total'>;
  readonly #plan: LoadPlan;
  readonly #onProgress: OnProgress;
  #isMeasuring = false;
  #isMeasured = false;

  constructor(
    crew: Pick<Crew, 'obey' | 'stop' | 'close' | 'done' | 'total'>,
    plan: LoadPlan,
    onProgress: OnProgress,
  ) {
    this.#crew = crew;
    this.#plan = plan;
    this.#onProgress = onProgress;
  }

  interrupt(): void {
    if (!this.#isMeasured) this.endedEarly ??= 'interrupted';
    this.#crew.stop();
  }

  /** The cluster has gone. What was measured is of use; nothing else can be had any more. */
  giveUp(): void {
    this.hasClusterGone = true;
    // Interrupted or not, the cause of what is missing is this one.
    if (!this.#isMeasured) this.endedEarly = 'cluster-gone';
    this.#crew.stop();
    if (!this.#isMeasuring) this.#crew.close();
  }

  async fillAndMeasure(): Promise<void> {
    try {
      await this.#fill();
      if (this.endedEarly === null) this.reports = await this.#measure();
      this.#isMeasured = true;
    } catch (error) {
      if (this.hasClusterGone) throw goneError();
      throw await this.#afterCleaning(error);
    }
  }

  /** The keys filled in so far shall not stay; but why it failed is what counts. @returns what to throw */
  async #afterCleaning(error: unknown): Promise<unknown> {
    const { keep, prefix } = this.#plan;
    if (keep) return error;
    await this.clean();
    if (this.cleaned?.left === 0) return error;
    const text = `${messageOf(error)}; keys that begin with '${prefix}' may be left in the store`;
    return error instanceof GTStoreError
      ? new GTStoreError(error.code, text, { cause: error })
      : new Error(text, { cause: error });
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

  /**
   * Deletes the keys, unless there is nobody to delete them. What was measured is not lost because a process was: then
   * `cleaned` says what may be left.
   */
  async clean(): Promise<void> {
    if (this.#isInVain()) return;
    try {
      const answers = await this.#showing(
        () => this.#crew.obey({ type: 'clean' }),
        (done, rate) => {
          const { total } = this.#crew;
          if (total > 0) this.#onProgress('deleting', done, total, rate);
        },
      );
      const reports = answers.flatMap(({ clean }) => (clean === undefined ? [] : [clean]));
      this.cleaned = {
        deleted: reports.reduce((sum, { deleted }) => sum + deleted, 0),
        left: reports.reduce((sum, { left }) => sum + left, 0),
        errors: addErrors(reports.map(({ errors }) => errors)),
      };
    } catch (error) {
      if (this.#isInVain()) return;
      const { done } = this.#crew;
      const left = Math.max(1, this.#stored() - done);
      this.cleaned = { deleted: done, left, errors: { [messageOf(error)]: 1 } };
    }
  }

  /** To be asked again after each wait. */
  #isInVain(): boolean {
    return this.hasClusterGone;
  }

  /** How many keys there were to delete, as far as anybody knows. */
  #stored(): number {
    const { reports } = this;
    if (reports.length === 0) return this.#plan.keys;
    return reports.reduce((sum, { keysBySlot }) => sum + keysBySlot.reduce((all, keys) => all + keys, 0), 0);
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

function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}
