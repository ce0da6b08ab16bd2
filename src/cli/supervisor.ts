/**
 * What `./run.sh` puts between the terminal and the manager: a process that starts the manager and, when that has
 * crashed or was killed, starts it again on the same port with the same state, so that it finds its nodes, which serve
 * on meanwhile (M8). It does nothing else, hence has little reason to crash itself; if it is killed all the same, the
 * manager goes on without it.
 *
 * The manager has a process group of its own: Ctrl-C reaches it through here, once. It tells by IPC what port it has,
 * and when the cluster is ready.
 */
import { type ChildProcess, fork } from 'node:child_process';
import { rmSync } from 'node:fs';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as pause } from 'node:timers/promises';
import type { Logger } from '../protocol/logger.js';
import { exitFailed, exitKilled } from './exit.js';
import type { StopRequest } from './stop-request.js';
import type { SupervisedMessage } from './supervisor-link.js';

/** Between the end of one life and the next; doubled with each short life, cut by a random share of up to a half. */
const pauseMsMin = 100;
/** If the last one was ready, else. */
const pauseMsMax = 800;
const pauseMsMaxFailed = 5000;
/** A life that was ready for this long was not a short one. */
const shortLifeMs = 10_000;
/** So many lives in a row that end before they are ready mean that none will be; fewer if none ever was. */
const failuresMax = 20;
const firstFailuresMax = 3;
/** Asked to end, a manager may still crash: so many are started to end the nodes. */
const stopLivesMax = 3;
/** An orderly end takes the manager less, even if a snapshot and nodes hang. */
export const stopMsMax = 45_000;
/** A life that has not found the nodes of the one before by then will not: a second Ctrl-C ends it. */
const bootMsMax = 10_000;
/** Nodes of a cluster whose port nobody knows: longer than any pause here. */
const orphanMsMax = 60_000;

export interface SuperviseOptions {
  readonly stop: StopRequest;
  /** After `gtstore`. */
  readonly args: readonly string[];
  readonly port: number;
  readonly dataDir: string | undefined;
  readonly log: Logger;
  /** A directory of this run alone. */
  readonly stateDir?: string;
}

/** What follows `--` is no option any more. */
export function withOptions(args: readonly string[], more: readonly string[]): string[] {
  const end = args.indexOf('--');
  return end < 0 ? [...args, ...more] : [...args.slice(0, end), ...more, ...args.slice(end)];
}

/** How one life of the manager ended. */
interface End {
  readonly code: number | null;
  readonly signal: NodeJS.Signals | null;
  /** How long it was ready for; undefined: never. */
  readonly readyMs: number | undefined;
}

/** Runs managers, one after the other, until one has ended in good order. @returns the exit code */
export async function supervise(options: SuperviseOptions): Promise<number> {
  if (options.port !== 0 || options.dataDir !== undefined) return new Supervisor(options).run();
  // Only the port that the first manager gets would tell the next one where the state is.
  const stateDir = await mkdtemp(join(tmpdir(), 'gtstore-run-'));
  const more = ['--state-dir', stateDir, '--end-without-manager-ms', String(orphanMsMax)];
  const args = withOptions(options.args, more);
  const code = await new Supervisor({ ...options, args, stateDir }).run();
  await rm(stateDir, { recursive: true, force: true });
  return code;
}

class Supervisor {
  readonly #options: SuperviseOptions;
  #port: number;
  #hasBeenReady = false;
  /** In a row: lives that were short, and those that were never ready. */
  #shortLives = 0;
  #failures = 0;
  #stopLives = 0;
  #manager: ChildProcess | undefined;
  /** Counts those that had a state: one that never got so far leaves nothing to take over. */
  #life = 1;
  #isListening = false;
  #isToldToStop = false;
  #bornAtMs = 0;

  constructor(options: SuperviseOptions) {
    this.#options = options;
    this.#port = options.port;
  }

  async run(): Promise<number> {
    const { stop, log, stateDir } = this.#options;
    stop.mayKill = () => this.#mayKill;
    stop.killAtOnce = () => {
      this.#manager?.kill('SIGINT');
      if (stateDir !== undefined) rmSync(stateDir, { recursive: true, force: true });
    };
    void stop.requested.then((signal) => {
      this.#passOn(signal);
    });
    for (;;) {
      const end = await this.#live();
      const code = this.#codeAfter(end);
      if (code !== undefined) return code;
      const pauseMs = this.#pauseMs(end);
      const how = describe(end);
      log.error(`the manager has crashed (${how}); starting it again in ${Math.round(pauseMs)} ms`);
      await interruptiblePause(pauseMs, stop.signal);
    }
  }

  /** One life of the manager. */
  #live(): Promise<End> {
    if (this.#isListening) this.#life++;
    this.#isListening = false;
    this.#isToldToStop = false;
    this.#bornAtMs = performance.now();
    let manager: ChildProcess;
    try {
      manager = this.#fork();
    } catch (error) {
      // As for lack of memory.
      this.#options.log.error(`the manager cannot be started: ${(error as Error).message}`);
      return Promise.resolve({ code: exitFailed, signal: null, readyMs: undefined });
    }
    this.#manager = manager;
    let readyAtMs: number | undefined;
    manager.on('message', (message) => {
      const told = message as SupervisedMessage;
      if (told.kind === 'ready') readyAtMs = performance.now();
      this.#onMessage(told);
    });
    return new Promise((resolve) => {
      const ended = (code: number | null, signal: NodeJS.Signals | null): void => {
        this.#manager = undefined;
        const readyMs = readyAtMs === undefined ? undefined : performance.now() - readyAtMs;
        resolve({ code, signal, readyMs });
      };
      manager.once('error', (error) => {
        this.#options.log.error(`the manager cannot be started: ${error.message}`);
        ended(exitFailed, null);
      });
      manager.once('exit', ended);
    });
  }

  #fork(): ChildProcess {
    const more = ['--life', String(this.#life), '--port', String(this.#port)];
    return fork(process.argv[1] ?? '', withOptions(this.#options.args, more), {
      detached: true,
      stdio: ['inherit', 'inherit', 'inherit', 'ipc'],
    });
  }

  /** A later life that ends before it has found the nodes leaves them behind: it is to find them, and then to end them. */
  get #mayKill(): boolean {
    const isFirst = this.#life === 1;
    if (this.#manager === undefined) return isFirst && !this.#isListening;
    return isFirst || this.#isListening || performance.now() - this.#bornAtMs > bootMsMax;
  }

  #onMessage(message: SupervisedMessage): void {
    const { stop, log } = this.#options;
    if (message.kind === 'listening') {
      this.#port = message.port;
      this.#isListening = true;
      if (stop.signal.aborted) {
        void stop.requested.then((signal) => {
          this.#passOn(signal);
        });
      }
    } else if (this.#hasBeenReady) {
      log.info('the manager is back');
    } else {
      this.#hasBeenReady = true;
      process.stdout.write(`${message.line}\n`);
    }
  }

  /** A later life must first have found the nodes: it is to end them, too. */
  #passOn(signal: string): void {
    const manager = this.#manager;
    if (manager === undefined || this.#isToldToStop || (this.#life > 1 && !this.#isListening)) return;
    this.#isToldToStop = true;
    manager.kill(signal as NodeJS.Signals);
    setTimeout(() => {
      manager.kill('SIGKILL');
    }, stopMsMax).unref();
  }

  /** What to exit with; undefined: the manager shall live again. */
  #codeAfter(end: End): number | undefined {
    const { code, readyMs } = end;
    const { stop, log } = this.#options;
    this.#failures = readyMs === undefined ? this.#failures + 1 : 0;
    this.#shortLives = (readyMs ?? 0) < shortLifeMs ? this.#shortLives + 1 : 0;
    if (code === 0 || code === exitKilled) return code;
    if (stop.signal.aborted) {
      // It was told to before it had begun anything.
      if (this.#life === 1 && !this.#isListening) return code ?? 0;
      if (++this.#stopLives < stopLivesMax) return undefined;
    }
    // What was wrong has been told by the manager itself.
    if (code !== null && !this.#hasBeenReady) return code;
    const mayGoOn = this.#failures < (this.#hasBeenReady ? failuresMax : firstFailuresMax);
    if (mayGoOn && !stop.signal.aborted) return undefined;
    log.error(
      `the manager crashes again and again (${describe(end)}); giving up, its nodes are left to the next start`,
    );
    return code ?? exitFailed;
  }

  #pauseMs({ readyMs }: End): number {
    const doubledMs = pauseMsMin * 2 ** Math.max(0, Math.min(this.#shortLives - 1, 16));
    const longestMs = readyMs === undefined ? pauseMsMaxFailed : pauseMsMax;
    return Math.min(doubledMs, longestMs) * (1 - Math.random() / 2);
  }
}

function describe({ code, signal }: End): string {
  return signal ?? `exit ${code}`;
}

async function interruptiblePause(ms: number, signal: AbortSignal): Promise<void> {
  try {
    await pause(ms, undefined, { signal });
  } catch (error) {
    if (!signal.aborted) throw error;
  }
}
