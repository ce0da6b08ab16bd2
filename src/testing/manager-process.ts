/** `gtstore start` as a child process: its life, its ready line, and what it and its nodes wrote. */
import { type ChildProcessByStdio, spawn } from 'node:child_process';
import type { Readable, Writable } from 'node:stream';
import { fileURLToPath } from 'node:url';
import { sendSignal, withinMs } from './processes.js';

const command = fileURLToPath(new URL('../cli/main.js', import.meta.url));
/** What the manager forks. Nodes are known by it. */
export const nodeEntry = fileURLToPath(new URL('../cli/forked-node.js', import.meta.url));

const lastWordsMsMax = 500;
const logCharsMax = 4_000_000;

/** What manager and nodes of one cluster wrote, through all restarts; of very much, the end. */
export class LogText {
  #text = '';
  readonly #copyToStderr: boolean;

  constructor(copyToStderr: boolean) {
    this.#copyToStderr = copyToStderr;
  }

  get text(): string {
    return this.#text.slice(-logCharsMax);
  }

  append(chunk: string): void {
    this.#text += chunk;
    // Each cut copies all that is kept.
    if (this.#text.length > 2 * logCharsMax) this.#text = this.text;
    if (this.#copyToStderr) process.stderr.write(chunk);
  }
}

/** Starts a node as the manager does. @returns its process id; undefined: it could not be started */
export function startNodeProcess(
  argument: string,
  env: NodeJS.ProcessEnv,
  logs: LogText,
): number | undefined {
  const child = spawn(process.execPath, [nodeEntry, argument], { env, stdio: ['ignore', 'ignore', 'pipe'] });
  child.stderr.setEncoding('utf8').on('data', (chunk: string) => {
    logs.append(chunk);
  });
  child.on('error', (error) => {
    logs.append(`a node could not be started: ${String(error)}\n`);
  });
  return child.pid;
}

/** Pipes of a child are sockets, which the types do not say. */
function unref(pipe: Readable & { unref?: () => unknown }): void {
  pipe.unref?.();
}

export class ManagerProcess {
  /** Fulfilled when it has ended, however. */
  readonly ended: Promise<void>;
  readonly #child: ChildProcessByStdio<Writable, Readable, Readable>;
  readonly #ready: Promise<string>;
  #hasEnded = false;

  constructor(options: readonly string[], env: NodeJS.ProcessEnv, logs: LogText) {
    // It ends when its stdin does: so it does not outlive this process, even one that is killed.
    this.#child = spawn(process.execPath, [command, 'start', '--end-with-stdin', ...options], {
      env,
      stdio: ['pipe', 'pipe', 'pipe'],
    });
    const { stdin, stdout, stderr } = this.#child;
    stdin.on('error', () => undefined);
    this.#child.once('exit', () => {
      // Nodes may write here for long; that is no reason for this process to live on.
      unref(stdout);
      unref(stderr);
    });
    stdout.setEncoding('utf8');
    stderr.setEncoding('utf8');
    stderr.on('data', (chunk: string) => {
      logs.append(chunk);
    });
    this.ended = new Promise((resolve) => {
      const onEnd = (): void => {
        this.#hasEnded = true;
        resolve();
      };
      this.#child.once('exit', onEnd);
      this.#child.once('error', onEnd);
    });
    this.#ready = new Promise((resolve, reject) => {
      let output = '';
      stdout.on('data', (chunk: string) => {
        logs.append(chunk);
        output += chunk;
        const url = /^GTStore ready.*?(gtstore:\/\/\S+)/m.exec(output)?.[1];
        if (url !== undefined) resolve(url);
      });
      this.#child.once('error', reject);
      // Its last words are still to be read; nodes that live on may keep its output open for ever.
      const closed = new Promise((resolveClosed) => this.#child.once('close', resolveClosed));
      void this.ended.then(async () => {
        await withinMs('its last words', lastWordsMsMax, closed).catch(() => undefined);
        reject(new Error('the manager ended before it was ready'));
      });
    });
    this.#ready.catch(() => undefined);
  }

  get pid(): number {
    return this.#child.pid ?? 0;
  }

  get isRunning(): boolean {
    return !this.#hasEnded;
  }

  /** The manager's address, from the ready line. @throws Error (rejects) if it ends before */
  whenReady(): Promise<string> {
    return this.#ready;
  }

  signal(signal: NodeJS.Signals): void {
    if (!this.#hasEnded) sendSignal(this.pid, signal);
  }

  /** Nodes that live on hold the other end of its output; nothing more of that is wanted. */
  closeOutput(): void {
    this.#child.stdin.destroy();
    this.#child.stdout.destroy();
    this.#child.stderr.destroy();
  }
}
