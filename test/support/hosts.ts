/**
 * Several hosts on one machine: network namespaces of Linux, joined by a bridge that lies in one of its own, so that
 * nothing of the machine's own network is touched. Each host has an address of its own and reaches only the others;
 * its cable can be pulled. Needs root and `ip`.
 */
import { execFileSync, spawn } from 'node:child_process';
import type { ChildProcess, StdioOptions } from 'node:child_process';
import { isRunning, sendSignal } from '../../src/testing/processes.js';
import { eventually } from './cluster-until.js';

/** Namespaces are the machine's: their names say whose they are. */
const prefix = 'gtstore-test-';
const network = '10.77.0';

function ip(...args: readonly string[]): string {
  return execFileSync('ip', args, { encoding: 'utf8', stdio: ['ignore', 'pipe', 'pipe'] });
}

/** Why there can be none here; undefined if there can. */
export function whyNoHosts(): string | undefined {
  if (process.platform !== 'linux') return 'only Linux has network namespaces';
  try {
    removeAbandoned();
    new Hosts(1).close();
    return undefined;
  } catch (error) {
    const { code, stderr } = error as NodeJS.ErrnoException & { stderr?: string };
    if (code === 'ENOENT') return 'the command ip is not installed (package iproute2)';
    return `no network namespace can be set up here: ${(stderr ?? String(error)).trim()}`;
  }
}

/** Those of test runs that were killed. */
function removeAbandoned(): void {
  for (const line of ip('netns', 'list').split('\n')) {
    const [, name = '', pid] = new RegExp(`^(${prefix}(\\d+)-\\S+)`).exec(line) ?? [];
    if (pid !== undefined && !isRunning(Number(pid))) remove(name);
  }
}

/** With all that runs in it. */
function remove(namespace: string): void {
  for (const pid of ip('netns', 'pids', namespace).split('\n')) sendSignal(Number(pid), 'SIGKILL');
  ip('netns', 'delete', namespace);
}

/** Something that this host runs, and what it wrote. */
export interface HostProcess {
  readonly child: ChildProcess;
  readonly output: () => string;
}

export class Host {
  readonly name: string;
  readonly address: string;
  readonly #namespace: string;
  readonly #bridge: string;
  readonly #port: string;
  readonly #children = new Set<ChildProcess>();

  /** @internal */
  constructor(index: number, bridge: string) {
    this.name = String.fromCharCode('a'.charCodeAt(0) + index);
    this.address = `${network}.${index + 1}`;
    this.#namespace = `${prefix}${process.pid}-${this.name}`;
    this.#bridge = bridge;
    this.#port = `to-${this.name}`;
    const peer = ['peer', 'name', 'eth0', 'netns', this.#namespace];
    ip('netns', 'add', this.#namespace);
    try {
      ip('-n', bridge, 'link', 'add', this.#port, 'type', 'veth', ...peer);
      this.heal();
      ip('-n', bridge, 'link', 'set', this.#port, 'master', 'br0');
      this.addAddress(this.address);
      for (const device of ['lo', 'eth0']) ip('-n', this.#namespace, 'link', 'set', device, 'up');
    } catch (error) {
      this.close();
      throw error;
    }
  }

  addAddress(address: string): void {
    ip('-n', this.#namespace, 'address', 'add', `${address}/24`, 'dev', 'eth0');
  }

  /** A cable between these two alone: they are `<net>.1` and `<net>.2` there, and nobody else has a way to either. */
  join(other: Host, net: string): readonly [own: string, others: string] {
    const device = `to-${other.name}`;
    const peer = ['peer', 'name', `to-${this.name}`, 'netns', other.#namespace];
    ip('-n', this.#namespace, 'link', 'add', device, 'type', 'veth', ...peer);
    const ends = [
      [this, device, `${net}.1`],
      [other, `to-${this.name}`, `${net}.2`],
    ] as const;
    for (const [host, name, address] of ends) {
      ip('-n', host.#namespace, 'address', 'add', `${address}/24`, 'dev', name);
      ip('-n', host.#namespace, 'link', 'set', name, 'up');
    }
    return [ends[0][2], ends[1][2]];
  }

  /** Whether it knows any way to that address. */
  hasWayTo(address: string): boolean {
    try {
      ip('-n', this.#namespace, 'route', 'get', address);
      return true;
    } catch {
      return false;
    }
  }

  /** Pulls its cable: nothing gets in or out, and nobody is told. */
  cut(): void {
    ip('-n', this.#bridge, 'link', 'set', this.#port, 'down');
  }

  heal(): void {
    ip('-n', this.#bridge, 'link', 'set', this.#port, 'up');
  }

  /** Runs a JS file here, with a channel for messages. */
  run(file: string, args: readonly string[]): HostProcess {
    const stdio: StdioOptions = ['ignore', 'pipe', 'pipe', 'ipc'];
    const command = ['netns', 'exec', this.#namespace, process.execPath, file, ...args];
    const child = spawn('ip', command, { stdio });
    let text = '';
    for (const stream of [child.stdout, child.stderr]) {
      stream?.setEncoding('utf8').on('data', (chunk: string) => (text += chunk));
    }
    this.#children.add(child);
    child.once('exit', () => this.#children.delete(child));
    return { child, output: () => text };
  }

  /** Ends whatever runs here. */
  async end(): Promise<void> {
    for (const child of this.#children) child.kill('SIGTERM');
    await eventually(`all on host ${this.name} have ended`, () => this.#children.size === 0).catch(() => {
      for (const child of this.#children) child.kill('SIGKILL');
    });
  }

  /** Kills what is left, children of children included. */
  close(): void {
    remove(this.#namespace);
  }
}

export class Hosts {
  readonly #all: Host[] = [];
  readonly #bridge = `${prefix}${process.pid}-bridge`;

  constructor(count: number) {
    ip('netns', 'add', this.#bridge);
    try {
      ip('-n', this.#bridge, 'link', 'add', 'br0', 'type', 'bridge');
      ip('-n', this.#bridge, 'link', 'set', 'br0', 'up');
      for (let i = 0; i < count; i++) this.add();
    } catch (error) {
      this.close();
      throw error;
    }
  }

  get all(): readonly Host[] {
    return this.#all;
  }

  add(): Host {
    const host = new Host(this.#all.length, this.#bridge);
    this.#all.push(host);
    return host;
  }

  /** In good order: first what runs there, then the hosts. */
  async end(): Promise<void> {
    for (const host of this.all) host.heal();
    for (const host of this.all) await host.end();
    this.close();
  }

  close(): void {
    for (const host of this.#all) host.close();
    remove(this.#bridge);
  }
}
