/**
 * What the system tells of a process that is said to be a node. Its id alone says little: after a reboot, or in a container
 * that was started again, it is soon another's, perhaps another node's; and one that has ended is known as a zombie until
 * its parent asks, which the first process of a container may never do. So it is known by what it was started with.
 */
import { execFileSync } from 'node:child_process';
import { existsSync, readFileSync } from 'node:fs';
import { basename } from 'node:path';

/** The system, or what a test puts in its place. */
export interface System {
  readonly platform: NodeJS.Platform;
  /** As `process.kill`. */
  kill(pid: number, signal: NodeJS.Signals | 0): void;
  /** The command line of a process, as `ps` writes it; empty: there is none. @throws if the system does not tell */
  ps(pid: number): string;
}

/** Nothing else is done meanwhile. */
const psMsMax = 1000;

export const thisSystem: System = {
  platform: process.platform,
  kill: (pid, signal) => process.kill(pid, signal),
  ps: (pid) => {
    try {
      return execFileSync('ps', ['-ww', '-o', 'command=', '-p', String(pid)], {
        encoding: 'utf8',
        stdio: ['ignore', 'pipe', 'ignore'],
        timeout: psMsMax,
      });
    } catch (error) {
      if ((error as { readonly status?: unknown }).status === 1) return '';
      throw error;
    }
  },
};

/** Of a node's argument, what tells which one it is. */
export interface NodeIdentity {
  readonly nodeId: number;
  readonly clusterId: string;
}

/** What a running node was started with. */
interface Started extends NodeIdentity {
  readonly manager: { readonly port: number };
}

/** Whether the process runs and, where the system tells, is that node, forked from `entry`. */
export function isNodeAlive(
  pid: number,
  entry: string,
  { nodeId, clusterId }: NodeIdentity,
  system = thisSystem,
): boolean {
  if (!exists(pid, system)) return false;
  const started = startedWith(pid, entry, system);
  return started === 'unknown' || (started?.nodeId === nodeId && started.clusterId === clusterId);
}

/** The port at which a node that runs looks for its manager; undefined where the system does not tell. */
export function managerPortOf(pid: number, entry: string): number | undefined {
  const started = startedWith(pid, entry, thisSystem);
  return started === 'unknown' ? undefined : started?.manager.port;
}

/** Whether any process has that id. */
export function exists(pid: number, system: System): boolean {
  try {
    system.kill(pid, 0);
    return true;
  } catch (error) {
    return (error as NodeJS.ErrnoException).code === 'EPERM';
  }
}

/** undefined: it is no node. */
function startedWith(pid: number, entry: string, system: System): Started | undefined | 'unknown' {
  // Only the file's name: the package may have moved, or be reached by another path.
  const name = basename(entry);
  try {
    const argument = system.platform === 'linux' ? fromProc(pid, name) : fromPs(system.ps(pid), name);
    return argument === undefined ? undefined : parseStarted(argument);
  } catch (error) {
    const isMissing = (error as NodeJS.ErrnoException).code === 'ENOENT' && system.platform === 'linux';
    // Without /proc nothing is known of anybody.
    return isMissing && existsSync('/proc/self') ? undefined : 'unknown';
  }
}

/** What follows the name of the file. */
function fromProc(pid: number, name: string): string | undefined {
  // Empty for a zombie.
  const words = readFileSync(`/proc/${pid}/cmdline`, 'utf8').split('\0');
  const index = words.findIndex((word) => basename(word) === name);
  return index < 0 ? undefined : words[index + 1];
}

/** The same of one line, in which nothing says where a word ends: the argument, a JSON object, is the last. */
function fromPs(line: string, name: string): string | undefined {
  const start = line.indexOf(`${name} {`);
  return start < 0 ? undefined : line.slice(start + name.length + 1).trimEnd();
}

function parseStarted(json: string): Started | undefined {
  try {
    return JSON.parse(json) as Started;
  } catch {
    // Some other program's file of that name.
    return undefined;
  }
}
