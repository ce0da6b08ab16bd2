/**
 * Forks storage nodes and watches for their end. A node is a process group of its own: Ctrl-C in the terminal
 * reaches the manager, which ends the nodes in good order, and a manager that is killed leaves them serving.
 *
 * Nodes that an earlier manager forked are no children of this one; on the same host their end shows in that the
 * system knows the process no more.
 */
import { fork } from 'node:child_process';
import type { ChildProcess } from 'node:child_process';
import type { Logger } from '../protocol/logger.js';
import { exists, isNodeAlive, thisSystem } from './node-processes.js';
import type { System } from './node-processes.js';

export interface SpawnerOptions {
  /** JS file that is a node; its one argument is `argument`, as JSON. */
  readonly entry: string;
  readonly argument: (nodeId: number) => object;
  /** Environment of the nodes; default: that of this process. */
  readonly env: NodeJS.ProcessEnv | undefined;
  /** As in each argument. */
  readonly clusterId: string;
  readonly onExit: (nodeId: number, pid: number) => void;
  readonly log: Logger;
  /** Default: the one that this is. */
  readonly system?: System;
}

const pollMs = 50;

/**
 * Of a node's memory the collector sees next to nothing but what lives for one message. V8 gives its young generation
 * up to 16 MiB twice, which under load it takes and keeps: 20 to 30 MiB a node, for no time saved (measured).
 */
const youngGenerationOption = '--max-semi-space-size';
const youngGenerationMiB = 4;

/** Unless the manager was started with another. */
function nodeExecArgv(): string[] {
  const isChosen = process.execArgv.some((each) => each.startsWith(youngGenerationOption));
  return isChosen
    ? process.execArgv
    : [...process.execArgv, `${youngGenerationOption}=${youngGenerationMiB}`];
}

/** A node that an earlier manager forked. */
interface Adopted {
  readonly nodeId: number;
  /** The process with its id is that node, as far as the system tells. */
  readonly isIt: boolean;
}

export class Spawner {
  readonly #options: SpawnerOptions;
  readonly #children = new Map<ChildProcess, number>();
  /** By process id. */
  readonly #adopted = new Map<number, Adopted>();
  readonly #system: System;
  readonly #timer: NodeJS.Timeout;

  constructor(options: SpawnerOptions) {
    this.#options = options;
    this.#system = options.system ?? thisSystem;
    this.#timer = setInterval(() => {
      this.#pollAdopted();
    }, pollMs).unref();
  }

  /** Starts a life of that node. A failure to start is told as its exit. */
  spawn(nodeId: number): void {
    const { onExit, log } = this.#options;
    const failed = (error: Error): void => {
      log.error(`node ${nodeId} cannot be started: ${error.message}`);
    };
    let child: ChildProcess;
    try {
      child = this.#fork(nodeId);
    } catch (error) {
      // As for lack of memory. Not within this call: whoever made it does not expect an exit yet.
      failed(error as Error);
      setImmediate(() => {
        onExit(nodeId, 0);
      });
      return;
    }
    this.#children.set(child, nodeId);
    let isOver = false;
    const ended = (): void => {
      if (isOver) return;
      isOver = true;
      this.#children.delete(child);
      onExit(nodeId, child.pid ?? 0);
    };
    child.once('error', (error) => {
      failed(error);
      ended();
    });
    child.once('exit', ended);
    // Nodes and manager speak over sockets alone.
    if (child.connected) child.disconnect();
  }

  #fork(nodeId: number): ChildProcess {
    const { entry, argument, env } = this.#options;
    return fork(entry, [JSON.stringify(argument(nodeId))], {
      detached: true,
      stdio: ['ignore', 'inherit', 'inherit', 'ipc'],
      execArgv: nodeExecArgv(),
      ...(env === undefined ? {} : { env }),
    });
  }

  /**
   * Watches over a node that an earlier manager forked. Those forked here are watched anyway.
   * @param isIt - whether the process is that node; one of another is told as the node's exit
   */
  adopt(nodeId: number, pid: number, isIt: boolean): void {
    if (!this.#isChild(pid)) this.#adopted.set(pid, { nodeId, isIt });
  }

  /** The same, of a process that has just registered. @returns false if this system does not know it as that node */
  watch(nodeId: number, pid: number): boolean {
    if (this.#isChild(pid)) return true;
    const known = this.#adopted.get(pid);
    // If it has ended since, that is told as of any other.
    if (known?.nodeId === nodeId && known.isIt) return true;
    if (!this.isAlive(pid, nodeId)) return false;
    this.adopt(nodeId, pid, true);
    return true;
  }

  #isChild(pid: number): boolean {
    for (const child of this.#children.keys()) if (child.pid === pid) return true;
    return false;
  }

  #pollAdopted(): void {
    for (const [pid, adopted] of this.#adopted) {
      if (this.#runs(pid, adopted)) continue;
      this.#adopted.delete(pid);
      this.#options.onExit(adopted.nodeId, pid);
    }
  }

  /** Asked many times a second: where that takes a process, what was found before is believed as long as there is any. */
  #runs(pid: number, { nodeId, isIt }: Adopted): boolean {
    if (!isIt) return false;
    return this.#system.platform === 'linux' ? this.isAlive(pid, nodeId) : exists(pid, this.#system);
  }

  /** Of all nodes that run. */
  get nodeIds(): number[] {
    const adopted = [...this.#adopted].filter(([pid, each]) => this.#runs(pid, each));
    return [...this.#children.values(), ...adopted.map(([, { nodeId }]) => nodeId)];
  }

  /** Whether the process runs and is that node of this cluster. */
  isAlive(pid: number, nodeId: number): boolean {
    const { entry, clusterId } = this.#options;
    return isNodeAlive(pid, entry, { nodeId, clusterId }, this.#system);
  }

  /** Signals every node that runs, and nobody else. */
  kill(signal: NodeJS.Signals): void {
    for (const { pid } of this.#children.keys()) if (pid !== undefined) this.#signal(pid, signal);
    for (const [pid, { nodeId }] of this.#adopted) if (this.isAlive(pid, nodeId)) this.#signal(pid, signal);
  }

  #signal(pid: number, signal: NodeJS.Signals): void {
    try {
      this.#system.kill(pid, signal);
    } catch (error) {
      const { code } = error as NodeJS.ErrnoException;
      // It has ended, or another user's process has its id by now.
      if (code !== 'ESRCH' && code !== 'EPERM') throw error;
    }
  }

  close(): void {
    clearInterval(this.#timer);
  }
}
