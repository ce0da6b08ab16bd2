/**
 * How far a task is: JSON, one line a second; a bar on a terminal; or plain lines when something has
 * changed. JSON ends with another state than `running`; people get a sentence of the command's own then.
 */
import type { TaskProgress } from '../protocol/admin.js';
import { type ProgressBar, type Screen, progressBar } from '../terminal/progress-bar.js';
import { formatBytes } from './bytes.js';

const lineEveryMs = 1000;

/** What a task is called, and what its steps are. */
export const taskWords: Readonly<Record<TaskProgress['task'], { label: string; steps: string }>> = {
  drain: { label: 'draining', steps: 'slots' },
  rebalance: { label: 'rebalancing', steps: 'slots' },
  'set-replicas': { label: 'changing replicas', steps: 'slots' },
  'restart-rolling': { label: 'restarting', steps: 'nodes' },
};

export interface DisplayOptions {
  readonly json: boolean;
  /** Where a bar is drawn, if it is a terminal. */
  readonly screen: Screen;
  readonly print: (line: string) => void;
  readonly nowMs: () => number;
}

export class TaskDisplay {
  readonly #options: DisplayOptions;
  #printedAtMs = -Infinity;
  #printed = '';
  #bar: ProgressBar | undefined;
  #barTotal = 0;
  #noted = '';

  constructor(options: DisplayOptions) {
    this.#options = options;
  }

  show(progress: TaskProgress): void {
    const { json, screen } = this.#options;
    const isDone = progress.state !== 'running';
    if (json) this.#print(JSON.stringify(progress), isDone || this.#isDue());
    else if (screen.isTTY === true) this.#draw(progress);
    else this.#print(describeProgress(progress), !isDone && this.#isDue());
  }

  /** Takes the bar away. */
  clear(): void {
    this.#bar?.clear();
    this.#bar = undefined;
  }

  #isDue(): boolean {
    return this.#options.nowMs() - this.#printedAtMs >= lineEveryMs;
  }

  #print(line: string, isDue: boolean): void {
    const isNews = this.#options.json || line !== this.#printed;
    if (!isDue || !isNews) return;
    this.#printedAtMs = this.#options.nowMs();
    this.#printed = line;
    this.#options.print(line);
  }

  #draw(progress: TaskProgress): void {
    const { done, total, note } = progress;
    // A bar has no room for it.
    if (progress.state === 'running' && note !== undefined && note !== this.#noted) {
      this.#noted = note;
      this.clear();
      this.#options.print(note);
    }
    if (this.#bar === undefined || this.#barTotal !== total) {
      this.#barTotal = total;
      this.#bar = progressBar(this.#options.screen, taskWords[progress.task].label, total);
    }
    this.#bar.show(done, bytesOf(progress));
  }
}

export function describeProgress(progress: TaskProgress): string {
  const { label, steps } = taskWords[progress.task];
  const bytes = bytesOf(progress);
  // Otherwise the command says it at the end.
  const note = progress.state === 'running' ? (progress.note ?? '') : '';
  const howFar = `${label}: ${progress.done} of ${progress.total} ${steps}${bytes === '' ? '' : `, ${bytes}`}`;
  return note === '' ? howFar : `${howFar}; ${note}`;
}

function bytesOf({ bytesDone, bytesTotal }: TaskProgress): string {
  return bytesTotal === 0 ? '' : `${formatBytes(bytesDone)} of ${formatBytes(bytesTotal)}`;
}

/** So many of them. */
export function slots(count: number): string {
  return `${count} ${count === 1 ? 'slot' : 'slots'}`;
}
