/** Processes that a benchmark forks and talks to; they end when it hangs up, or ends itself. */
import { fork } from 'node:child_process';
import type { ChildProcess } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import type { TestCluster } from '../src/testing/index.js';
import { answerOf } from './child-answer.js';
import { cpuSample, foreignShare } from './cpu-time.js';
import { together } from './driver.js';
import type { ClientResult, RunRequest, RunResult } from './driver.js';
import type { FloorClientArgument } from './floor-client.js';
import type { StoreClientArgument } from './store-client.js';
import { usualWorkload } from './workload.js';
import type { Workload } from './workload.js';

class Peer {
  readonly #child: ChildProcess;

  constructor(module: string, args: readonly string[]) {
    this.#child = fork(fileURLToPath(new URL(`${module}.js`, import.meta.url)), args);
  }

  get pid(): number {
    return this.#child.pid ?? 0;
  }

  /** The next thing it says. @throws Error (rejects) if it ends instead, or has ended already */
  answer(): Promise<unknown> {
    return answerOf(this.#child);
  }

  /** A failure to send is told by `answer`: then there is nobody any more. */
  send(request: RunRequest): void {
    if (this.#child.connected) this.#child.send(request, () => undefined);
  }

  async stop(): Promise<void> {
    if (this.#child.exitCode !== null || this.#child.signalCode !== null) return;
    const ended = new Promise((resolve) => this.#child.once('exit', resolve));
    if (this.#child.connected) this.#child.disconnect();
    await ended;
  }
}

/** Client processes that do the workload on request, all at the same time. */
export interface ClientPeer {
  /** `inFlight` is that of all of them together. */
  readonly measure: (request: Omit<RunRequest, 'serverPids'>) => Promise<RunResult>;
}

export interface ClientOptions {
  readonly workload?: Partial<Workload>;
  /** How many client processes; default 1. */
  readonly processes?: number;
}

/** Servers that are there already. */
export interface BareServers {
  readonly ports: readonly number[];
  readonly pids: readonly number[];
}

export interface BareOptions extends ClientOptions {
  /** Its gets ask for values of the usual size, whatever size the servers are for. */
  readonly getsUsual?: boolean;
  readonly isPolling?: boolean;
}

/** All peers of one benchmark. */
export class Peers implements AsyncDisposable {
  readonly #peers: Peer[] = [];

  /** Bare servers, and clients of theirs that send each put to `replicas` of them. */
  startFloor(servers: number, replicas: number, options: ClientOptions = {}): Promise<ClientPeer> {
    return this.#startBare('floor', servers, replicas, options);
  }

  /** The same with GTStore's frames, values and promises. */
  startEmptyStore(servers: number, replicas: number, options: ClientOptions = {}): Promise<ClientPeer> {
    return this.#startBare('empty-store', servers, replicas, options);
  }

  async #startBare(
    what: string,
    count: number,
    replicas: number,
    options: ClientOptions,
  ): Promise<ClientPeer> {
    const { valueBytes } = { ...usualWorkload, ...options.workload };
    return this.#startBareClient(what, await this.#startServers(what, count, valueBytes), replicas, options);
  }

  startFloorServers(count: number, valueBytes: number): Promise<BareServers> {
    return this.#startServers('floor', count, valueBytes);
  }

  async #startServers(what: string, count: number, valueBytes: number): Promise<BareServers> {
    const peers = Array.from({ length: count }, () => this.#start(`${what}-server`, [String(valueBytes)]));
    const ports = (await Promise.all(peers.map((peer) => peer.answer()))) as number[];
    return { ports, pids: peers.map(({ pid }) => pid) };
  }

  /** Of servers that are there already, for values of any size. */
  startFloorClient(servers: BareServers, replicas: number, options: BareOptions): Promise<ClientPeer> {
    return this.#startBareClient('floor', servers, replicas, options);
  }

  #startBareClient(
    what: string,
    { ports, pids }: BareServers,
    replicas: number,
    { workload, processes, getsUsual = false, isPolling = false }: BareOptions,
  ): Promise<ClientPeer> {
    const argument: FloorClientArgument = {
      workload: { ...usualWorkload, ...workload },
      replicas,
      ports,
      getsUsual,
      isPolling,
    };
    return this.startClients(`${what}-client`, argument, pids, processes);
  }

  /** Processes with public clients of that cluster. */
  startStoreClient(
    { url, nodes }: TestCluster,
    options: ClientOptions & { readonly readFrom?: 'primary' | 'any' } = {},
  ): Promise<ClientPeer> {
    const workload = { ...usualWorkload, ...options.workload };
    const argument: StoreClientArgument = { workload, url, readFrom: options.readFrom ?? 'primary' };
    return this.startClients(
      'store-client',
      argument,
      nodes.map(({ pid }) => pid),
      options.processes,
    );
  }

  /** @param serverPids whose CPU time counts as the servers' */
  async startClients(
    module: string,
    argument: object,
    serverPids: readonly number[],
    processes = 1,
  ): Promise<ClientPeer> {
    const peers: Peer[] = [];
    // One after the other: each stores all keys, and they shall not get in each other's way.
    while (peers.length < processes) {
      const peer = this.#start(module, [JSON.stringify(argument)]);
      peers.push(peer);
      await peer.answer();
    }
    return {
      measure: async (request) => {
        const inFlight = Math.ceil(request.inFlight / processes);
        const before = cpuSample();
        const results = peers.map((peer) => {
          peer.send({ ...request, inFlight, serverPids });
          return peer.answer() as Promise<ClientResult>;
        });
        const all = together(await Promise.all(results));
        return { ...all, foreignShare: foreignShare(before, cpuSample()) };
      },
    };
  }

  #start(module: string, args: readonly string[]): Peer {
    const peer = new Peer(module, args);
    this.#peers.push(peer);
    return peer;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    // Clients first, so that servers see them hang up in good order.
    for (const peer of this.#peers.reverse()) await peer.stop();
  }
}
