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
  /** Environment of the nodes; default: that of this process. */
  readonly env: NodeJS.ProcessEnv | undefined;
  /** As in each argument. */
  readonly clusterId: string;
  readonly onExit: (nodeId: number, pid: number) => void;
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

/** Of a node's argument, what tells which one it is. */
export interface NodeIdentity {
  readonly nodeId: number;
  readonly clusterId: string;
}

/** What a running node was started with. */
interface Started extends NodeIdentity {
  readonly manager: { readonly port: number };
}

/**
 * Whether the process runs and, where the system tells (Linux), is that node, forked from `entry`. Its id alone says
 * little: after a reboot, or in a container that was started again, it is soon another's, perhaps another node's; and
 * one that has ended is known as a zombie until its parent asks, which the first process of a container may never do.
 */
export function isNodeAlive(pid: number, entry: string, { nodeId, clusterId }: NodeIdentity): boolean {
  if (!exists(pid)) return false;
  const started = startedWith(pid, entry);
  return started === 'unknown' || (started?.nodeId === nodeId && started.clusterId === clusterId);
}

/** The port at which a node that runs looks for its manager; undefined where the system does not tell. */
export function managerPortOf(pid: number, entry: string): number | undefined {
  const started = startedWith(pid, entry);
  return started === 'unknown' ? undefined : started?.manager.port;
}

function exists(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch (error) {
    return (error as NodeJS.ErrnoException).code === 'EPERM';
  }
}

/** undefined: it is no node. */
function startedWith(pid: number, entry: string): Started | undefined | 'unknown' {
  if (process.platform !== 'linux') return 'unknown';
  let words: string[];
  try {
    // Empty for a zombie.
    words = readFileSync(`/proc/${pid}/cmdline`, 'utf8').split('\0');
  } catch (error) {
    return (error as NodeJS.ErrnoException).code === 'ENOENT' ? undefined : 'unknown';
  }
  // Only the file's name: the package may have moved, or be reached by another path.
  const index = words.findIndex((word) => basename(word) === basename(entry));
  const argument = words[index + 1];
  return index < 0 || argument === undefined ? undefined : parseStarted(argument);
}

function parseStarted(json: string): Started | undefined {
  try {
    return JSON.parse(json) as Started;
  } catch {
    // Some other program's file of that name.
    return undefined;
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
    const { entry, argument, env, onExit } = this.#options;
    const child = fork(entry, [JSON.stringify(argument(nodeId))], {
      detached: true,
      stdio: ['ignore', 'inherit', 'inherit', 'ipc'],
      execArgv: nodeExecArgv(),
      ...(env === undefined ? {} : { env }),
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
      if (this.isAlive(pid, nodeId)) continue;
      this.#adopted.delete(pid);
      this.#options.onExit(nodeId, pid);
    }
  }

  /** Of all nodes that run. */
  get nodeIds(): number[] {
    const adopted = [...this.#adopted].filter(([pid, nodeId]) => this.isAlive(pid, nodeId));
    return [...this.#children.values(), ...adopted.map(([, nodeId]) => nodeId)];
  }

  /** Process ids of all nodes that run. */
  get pids(): number[] {
    const children = [...this.#children.keys()].flatMap((child) =>
      child.pid === undefined ? [] : [child.pid],
    );
    const adopted = [...this.#adopted].filter(([pid, nodeId]) => this.isAlive(pid, nodeId));
    return [...children, ...adopted.map(([pid]) => pid)];
  }

  /** Whether the process runs and is that node of this cluster. */
  isAlive(pid: number, nodeId: number): boolean {
    const { entry, clusterId } = this.#options;
    return isNodeAlive(pid, entry, { nodeId, clusterId });
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
