/**
 * Servers of others that a benchmark starts: found on the path, in a temporary folder, on free ports of the loopback
 * address. They end with the benchmark, however it ends.
 */
import { spawn } from 'node:child_process';
import type { ChildProcess } from 'node:child_process';
import { accessSync, constants, existsSync } from 'node:fs';
import { connect, createServer } from 'node:net';
import type { AddressInfo, Server } from 'node:net';
import { tmpdir } from 'node:os';
import { delimiter, join } from 'node:path';
import { TemporaryFolder } from '../temporary-folder.js';

/** The path of a program, or undefined if this machine has none. */
export function findProgram(name: string): string | undefined {
  return (process.env['PATH'] ?? '')
    .split(delimiter)
    .map((folder) => join(folder, name))
    .find((path) => isProgram(path));
}

function isProgram(path: string): boolean {
  try {
    accessSync(path, constants.X_OK);
    return true;
  } catch {
    return false;
  }
}

const endMsMax = 5000;
const memoryFolder = '/dev/shm';

export class Servers implements AsyncDisposable {
  /** Files of the servers. */
  readonly #folder: TemporaryFolder;
  readonly #children: ChildProcess[] = [];
  readonly #onExit = (): void => {
    for (const child of this.#children) child.kill('SIGKILL');
  };

  /** @param place `memory`: where writing to a file costs nothing, if the machine has such a place */
  constructor(place: 'disk' | 'memory' = 'disk') {
    const parent = place === 'memory' && existsSync(memoryFolder) ? memoryFolder : tmpdir();
    this.#folder = new TemporaryFolder(parent);
    process.once('exit', this.#onExit);
  }

  get pids(): number[] {
    return this.#children.flatMap(({ pid }) => (pid === undefined ? [] : [pid]));
  }

  /** Not detached: Ctrl-C in the terminal reaches it, too. */
  start(program: string, args: readonly string[]): void {
    const child = spawn(program, args, { cwd: this.#folder.path, stdio: 'ignore' });
    child.on('error', () => undefined);
    this.#children.push(child);
  }

  /** @throws Error if one has ended */
  check(): void {
    for (const { exitCode, signalCode, spawnfile } of this.#children) {
      if (exitCode !== null || signalCode !== null)
        throw new Error(`${spawnfile} ended with ${signalCode ?? `code ${exitCode}`}`);
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await Promise.all(this.#children.map(ended));
    process.off('exit', this.#onExit);
    this.#folder[Symbol.dispose]();
  }
}

function ended(child: ChildProcess): Promise<void> {
  return new Promise((resolve) => {
    if (child.pid === undefined || child.exitCode !== null || child.signalCode !== null) {
      resolve();
      return;
    }
    const timer = setTimeout(() => child.kill('SIGKILL'), endMsMax);
    child.once('exit', () => {
      clearTimeout(timer);
      resolve();
    });
    child.kill('SIGTERM');
  });
}

/**
 * Ports that nobody uses now. `companion` gives a second port that must be free, too (Redis Cluster has its bus 10,000
 * above).
 */
export async function freePorts(count: number, companion?: (port: number) => number): Promise<number[]> {
  const held: Server[] = [];
  const ports: number[] = [];
  while (ports.length < count) {
    const server = await listening(0);
    if (server === undefined) continue;
    held.push(server);
    const { port } = server.address() as AddressInfo;
    if (companion !== undefined) {
      const other = companion(port) < 65_536 ? await listening(companion(port)) : undefined;
      if (other === undefined) continue;
      held.push(other);
    }
    ports.push(port);
  }
  await Promise.all(held.map((server) => new Promise((resolve) => server.close(resolve))));
  return ports;
}

function listening(port: number): Promise<Server | undefined> {
  return new Promise((resolve) => {
    const server = createServer();
    server.once('error', () => {
      resolve(undefined);
    });
    server.listen(port, '127.0.0.1', () => {
      resolve(server);
    });
  });
}

/** Whether somebody listens there. */
export function listens(port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = connect({ port, host: '127.0.0.1' });
    const tell = (answer: boolean) => (): void => {
      socket.destroy();
      resolve(answer);
    };
    socket.once('connect', tell(true));
    socket.once('error', tell(false));
  });
}
