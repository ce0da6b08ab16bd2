/**
 * Forks storage nodes and watches for their end. A node is a process group of its own: Ctrl-C in the terminal
 * reaches the manager, which ends the nodes in good order, and a manager that is killed leaves them serving.
 *
 * Nodes that an earlier manager forked are no children of this one; on the same host their end shows in that the
 * system knows the process id no more.
 */
import { fork } from 'node:child_process';
import type { ChildProcess } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { basename } from 'node:path';

export interface SpawnerOptions {
  /** JS file that is a node; its one argument is `argument`, as JSON. */
  readonly entry: string;
  readonly argument: (nodeId: number) => object;
  readonly onExit: (nodeId: number, pid: number) => void;
}

const pollMs = 50;

/**
 * Whether the process runs and, where the system tells (Linux), is a node forked from `entry`. Its id alone says
 * little: after a reboot, or in a container that was started again, it is soon another's; and one that has ended is
 * known as a zombie until its parent asks, which the first process of a container may never do.
 */
export function isNodeAlive(pid: number, entry: string): boolean {
  try {
    process.kill(pid, 0);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'EPERM') return false;
  }
  if (process.platform !== 'linux') return true;
  try {
    // Empty for a zombie. Only the file's name: the package may have moved, or be reached by another path.
    const words = readFileSync(`/proc/${pid}/cmdline`, 'utf8').split('\0');
    return words.some((word) => basename(word) === basename(entry));
  } catch (error) {
    return (error as NodeJS.ErrnoException).code !== 'ENOENT';
  }
}

export class Spawner {
  readonly #options: SpawnerOptions;
  readonly #children = new Map<ChildProcess, number>();
  /** Process id to node id. */
  readonly #adopted = new Map<number, number>();
  readonly #timer: NodeJS.Timeout;

  constructor(options: SpawnerOptions) {
    this.#options = options;
    this.#timer = setInterval(() => {
      this.#pollAdopted();
    }, pollMs).unref();
  }

  /** Starts a life of that node. A failure to start is told as its exit. */
  spawn(nodeId: number): void {
    const { entry, argument, onExit } = this.#options;
    const child = fork(entry, [JSON.stringify(argument(nodeId))], {
      detached: true,
      stdio: ['ignore', 'inherit', 'inherit', 'ipc'],
    });
    this.#children.set(child, nodeId);
    let isOver = false;
    const ended = (): void => {
      if (isOver) return;
      isOver = true;
      this.#children.delete(child);
      onExit(nodeId, child.pid ?? 0);
    };
    child.once('error', ended);
    child.once('exit', ended);
    // Nodes and manager speak over sockets alone.
    if (child.connected) child.disconnect();
  }

  /** Watches over a node that an earlier manager forked. Those forked here are watched anyway. */
  adopt(nodeId: number, pid: number): void {
    for (const child of this.#children.keys()) if (child.pid === pid) return;
    this.#adopted.set(pid, nodeId);
  }

  #pollAdopted(): void {
    for (const [pid, nodeId] of this.#adopted) {
      if (this.#isAlive(pid)) continue;
      this.#adopted.delete(pid);
      this.#options.onExit(nodeId, pid);
    }
  }

  /** Process ids of all nodes that run. */
  get pids(): number[] {
    const children = [...this.#children.keys()].flatMap((child) =>
      child.pid === undefined ? [] : [child.pid],
    );
    return [...children, ...[...this.#adopted.keys()].filter((pid) => this.#isAlive(pid))];
  }

  #isAlive(pid: number): boolean {
    return isNodeAlive(pid, this.#options.entry);
  }

  /** Signals every node that runs. */
  kill(signal: NodeJS.Signals): void {
    for (const pid of this.pids) {
      try {
        process.kill(pid, signal);
      } catch (error) {
        if ((error as NodeJS.ErrnoException).code !== 'ESRCH') throw error;
      }
    }
  }

  close(): void {
    clearInterval(this.#timer);
  }
}
