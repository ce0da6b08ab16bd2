/** Clients in processes of their own: starting them, hearing of them, and ending them. */
import { fork } from 'node:child_process';
import type { ChildProcess } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { eventually } from './cluster-until.js';

const script = fileURLToPath(new URL('cluster-child.js', import.meta.url));

/** What cluster-child.ts can do. */
export type ChildTask = { readonly url: string } & (
  | { readonly act: 'put and fall'; readonly keys: readonly string[]; readonly signal: NodeJS.Signals }
  | { readonly act: 'put for ever'; readonly keys: readonly string[] }
  | { readonly act: 'slander'; readonly count: number }
  | { readonly act: 'do and leave'; readonly key: string }
);

export interface ChildReport {
  /** Of each call, in order: 'done', or the code it failed with. */
  readonly outcomes?: readonly string[];
  readonly rounds?: number;
}

export class ChildClient {
  readonly #process: ChildProcess;
  /** The last thing it told. */
  report: ChildReport | undefined;

  constructor(task: ChildTask) {
    this.#process = fork(script, [JSON.stringify(task)], { stdio: ['ignore', 'ignore', 'inherit', 'ipc'] });
    this.#process.on('message', (report) => {
      this.report = report as ChildReport;
    });
  }

  get hasEnded(): boolean {
    return this.#process.exitCode !== null || this.#process.signalCode !== null;
  }

  signal(signal: NodeJS.Signals): void {
    this.#process.kill(signal);
  }

  /** Waits until it has ended by itself. @returns its exit code, or the signal that ended it */
  async ended(timeoutMs?: number): Promise<number | string> {
    await eventually('the child process has ended', () => this.hasEnded, timeoutMs);
    return this.#process.exitCode ?? this.#process.signalCode ?? 'nothing';
  }

  /** Waits for its next report. */
  reported(what: string, isWanted: (report: ChildReport) => boolean = () => true): Promise<ChildReport> {
    return eventually(what, () => {
      const { report } = this;
      if (report !== undefined && isWanted(report)) return report;
      if (this.hasEnded) throw new Error(`the child process has ended before: ${what}`);
      return undefined;
    });
  }

  async kill(): Promise<void> {
    if (!this.hasEnded) this.#process.kill('SIGKILL');
    await this.ended();
  }
}
