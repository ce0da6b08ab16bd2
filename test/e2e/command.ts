/**
 * Commands as a user runs them: what they print, how they exit, and what they leave behind. Every command is started
 * with a mark in its environment that all its descendants inherit; by it they are found, whoever their parent is.
 */
import { type ChildProcess, spawn } from 'node:child_process';
import { randomUUID } from 'node:crypto';
import { readFileSync, readdirSync } from 'node:fs';
import { join } from 'node:path';
import { packageRoot } from '../../scripts/check-imports.js';
import { eventually } from '../support/cluster-until.js';

export const root = packageRoot();
export const runScript = join(root, 'run.sh');
export const gtstore = join(root, 'dist/cli/main.js');
export const testApp = join(root, 'dist/shop/main.js');

const markName = 'GTSTORE_E2E_MARK';
const waitMsMax = 30_000;

export interface CommandOptions {
  readonly env?: Readonly<Record<string, string>>;
  /** Written to stdin, which is then closed. */
  readonly input?: string;
  /** More may come: stdin stays open. */
  readonly isInputOpen?: boolean;
}

export interface Result {
  readonly code: number | string | null;
  readonly stdout: string;
  readonly stderr: string;
}

/** A command that is under way. */
export class Launched {
  readonly #child: ChildProcess;
  readonly #mark = randomUUID();
  readonly #ended: Promise<Result>;
  stdout = '';
  stderr = '';
  /** The exit code, or the signal that ended it; undefined while it runs. */
  code: number | string | null | undefined;

  constructor(file: string, args: readonly string[], options: CommandOptions = {}) {
    const { GTSTORE_URL: _ours, ...inherited } = process.env;
    const env = { ...inherited, [markName]: this.#mark, ...options.env };
    const [command, first] = file.endsWith('.js') ? [process.execPath, [file]] : [file, []];
    this.#child = spawn(command, [...first, ...args], { env, cwd: root });
    const { stdin, stdout, stderr } = this.#child;
    stdin?.on('error', () => undefined);
    stdin?.write(options.input ?? '');
    if (options.isInputOpen !== true) stdin?.end();
    stdout?.setEncoding('utf8').on('data', (chunk: string) => (this.stdout += chunk));
    stderr?.setEncoding('utf8').on('data', (chunk: string) => (this.stderr += chunk));
    this.#child.once('exit', (code, signal) => (this.code = code ?? signal));
    this.#ended = new Promise((resolve, reject) => {
      this.#child.once('error', reject);
      this.#child.once('close', (code, signal) => {
        resolve({ code: code ?? signal, stdout: this.stdout, stderr: this.stderr });
      });
    });
    this.#ended.catch(() => undefined);
  }

  get pid(): number {
    return this.#child.pid ?? 0;
  }

  signal(signal: NodeJS.Signals): void {
    this.#child.kill(signal);
  }

  /** The last of its input. */
  endInput(text: string): void {
    this.#child.stdin?.end(text);
  }

  /** Reads no more of its output, as `head` does when it has seen enough. */
  closeStdout(): void {
    this.#child.stdout?.destroy();
  }

  /** Waits for text on stdout or stderr. */
  async shows(text: RegExp): Promise<RegExpExecArray> {
    try {
      return await eventually(`output ${text.source}`, () => {
        const match = text.exec(this.stdout) ?? text.exec(this.stderr);
        if (match === null && this.code !== undefined)
          throw new Error(`exit ${this.code} without ${text.source}`);
        return match;
      });
    } catch (error) {
      throw new Error(`${String(error)}; stdout: ${this.stdout}; stderr: ${this.stderr}`, { cause: error });
    }
  }

  /** Waits for the ready line; @returns the manager's address. */
  async ready(): Promise<string> {
    const [, url = ''] = await this.shows(/^GTStore ready\b.*?(gtstore:\/\/\S+)/m);
    return url;
  }

  ended(): Promise<Result> {
    return this.#ended;
  }

  /** Its process ids and those of its descendants, as far as they run. Linux tells; elsewhere none. */
  processes(): number[] {
    if (process.platform !== 'linux') return [];
    return readdirSync('/proc')
      .filter((name) => /^\d+$/.test(name) && isMarked(name, `${markName}=${this.#mark}`))
      .map(Number);
  }

  /** Ends whatever is left of it. */
  async dispose(): Promise<void> {
    this.#child.kill('SIGKILL');
    await eventually('nothing is left', () => {
      const pids = this.processes();
      for (const pid of pids) {
        try {
          process.kill(pid, 'SIGKILL');
        } catch {
          // It was faster.
        }
      }
      return pids.length === 0;
    });
  }
}

/** The environment of a zombie is empty. */
function isMarked(pid: string, mark: string): boolean {
  try {
    return readFileSync(`/proc/${pid}/environ`, 'utf8').split('\0').includes(mark);
  } catch {
    return false;
  }
}

/** Runs a command to its end. */
export async function run(file: string, args: readonly string[], options?: CommandOptions): Promise<Result> {
  const launched = new Launched(file, args, options);
  const timer = setTimeout(() => {
    launched.signal('SIGKILL');
  }, waitMsMax);
  try {
    return await launched.ended();
  } finally {
    clearTimeout(timer);
  }
}

const jobsAtOnceMax = 6;

/** Does all of them, some at a time: a short command mostly waits for its process to start. @returns what came, in order */
export async function severally<T>(jobs: readonly (() => Promise<T>)[]): Promise<T[]> {
  const results: T[] = [];
  const left = [...jobs.entries()];
  const work = async (): Promise<void> => {
    for (let next = left.shift(); next !== undefined; next = left.shift()) results[next[0]] = await next[1]();
  };
  await Promise.all(Array.from({ length: jobsAtOnceMax }, work));
  return results;
}

/** To be called within `describe`: launches commands that are ended after each test, in whatever state. */
export function launcher(): (file: string, args: readonly string[], options?: CommandOptions) => Launched {
  const launched: Launched[] = [];
  afterEach(async () => {
    for (const command of launched.splice(0)) await command.dispose();
  });
  return (file, args, options) => {
    const command = new Launched(file, args, options);
    launched.push(command);
    return command;
  };
}
