/** Processes that a benchmark forks and talks to; they end when it hangs up, or ends itself. */
import { fork } from 'node:child_process';
import type { ChildProcess } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import type { TestCluster } from '../src/testing/index.js';
import type { RunRequest, RunResult } from './workload.js';

class Peer {
  readonly #child: ChildProcess;

  constructor(module: string, args: readonly string[]) {
    this.#child = fork(fileURLToPath(new URL(`${module}.js`, import.meta.url)), args);
  }

  get pid(): number {
    return this.#child.pid ?? 0;
  }

  /** The next thing it says. @throws Error (rejects) if it ends instead */
  answer(): Promise<unknown> {
    return new Promise((resolve, reject) => {
      const onExit = (code: number | null): void => {
        reject(new Error(`a peer of the benchmark ended with code ${code}`));
      };
      this.#child.once('exit', onExit);
      this.#child.once('message', (message) => {
        this.#child.off('exit', onExit);
        resolve(message);
      });
    });
  }

  send(request: RunRequest): void {
    this.#child.send(request);
  }

  async stop(): Promise<void> {
    if (this.#child.exitCode !== null || this.#child.signalCode !== null) return;
    const ended = new Promise((resolve) => this.#child.once('exit', resolve));
    this.#child.disconnect();
    await ended;
  }
}

/** A client process that does the workload on request. */
export interface ClientPeer {
  readonly measure: (request: Omit<RunRequest, 'serverPids'>) => Promise<RunResult>;
}

/** All peers of one benchmark. */
export class Peers implements AsyncDisposable {
  readonly #peers: Peer[] = [];

  /** Bare servers, and a client of theirs that sends each put to `replicas` of them. */
  async startFloor(servers: number, replicas: number): Promise<ClientPeer> {
    const peers = Array.from({ length: servers }, () => this.#start('floor-server', []));
    const ports = await Promise.all(peers.map((peer) => peer.answer()));
    const serverPids = peers.map(({ pid }) => pid);
    return this.#startClient('floor-client', [replicas, ...ports].map(String), serverPids);
  }

  /** A process with one public client of that cluster. */
  startStoreClient({ url, nodes }: TestCluster): Promise<ClientPeer> {
    const serverPids = nodes.map(({ pid }) => pid);
    return this.#startClient('store-client', [url], serverPids);
  }

  async #startClient(
    module: string,
    args: readonly string[],
    serverPids: readonly number[],
  ): Promise<ClientPeer> {
    const peer = this.#start(module, args);
    await peer.answer();
    return {
      measure: async (request) => {
        peer.send({ ...request, serverPids });
        return (await peer.answer()) as RunResult;
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
