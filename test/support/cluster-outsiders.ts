/**
 * Nodes that join from outside, as `gtstore node` on other machines would, each on a loopback address of its own and
 * behind a proxy: whoever reaches it does so through its proxy, and it reaches the manager through another one.
 * So every link of theirs can be cut by itself. (Addresses besides 127.0.0.1: Linux only.)
 */
import { spawn } from 'node:child_process';
import type { ChildProcess } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import type { TestCluster } from '../../src/testing/index.js';
import { untilStatus } from './cluster-fixture.js';
import { TcpProxy } from './cluster-proxy.js';
import { eventually } from './cluster-until.js';

const command = fileURLToPath(new URL('../../src/cli/main.js', import.meta.url));

export interface Outsider {
  readonly id: number;
  /** Where it dials from. */
  readonly host: string;
  /** What others reach it through. */
  readonly proxy: TcpProxy;
}

export class Outsiders {
  readonly nodes: Outsider[] = [];
  /** Between these nodes and the manager. */
  readonly managerProxy: TcpProxy;
  readonly #cluster: TestCluster;
  readonly #children: ChildProcess[] = [];

  private constructor(cluster: TestCluster, managerProxy: TcpProxy) {
    this.#cluster = cluster;
    this.managerProxy = managerProxy;
  }

  /**
   * Lets `count` nodes join and, one by one, kills the nodes the cluster was started with, so that only outsiders
   * are left. It must have been started with `respawn: false` and no more replicas than `count`.
   */
  static async takeOver(cluster: TestCluster, count: number): Promise<Outsiders> {
    const { hostname: host, port } = new URL(cluster.url);
    const managerProxy = await TcpProxy.open(() => ({ host, port: Number(port) }));
    const outsiders = new Outsiders(cluster, managerProxy);
    const { nodes: insiders } = await cluster.status();
    for (let i = 0; i < count; i++) await outsiders.#join(insiders.length + i, `127.0.0.${11 + i}`);
    for (const { id } of insiders) {
      const before = await cluster.status();
      await cluster.kill(id);
      // It is known to be down a moment before the map without it comes out.
      await untilStatus(
        cluster,
        `node ${id} is replaced`,
        ({ epoch, nodes, underReplicatedSlots }) =>
          epoch > before.epoch &&
          nodes.find((node) => node.id === id)?.state === 'down' &&
          underReplicatedSlots === 0,
      );
    }
    await outsiders.untilHealthy();
    return outsiders;
  }

  async #join(id: number, host: string): Promise<void> {
    const proxy = await TcpProxy.open(({ port }) => ({ host, port }));
    const options = [
      ...['--manager', `127.0.0.1:${this.managerProxy.port}`],
      ...['--host', host, '--port', String(proxy.port)],
      ...['--advertise', `127.0.0.1:${proxy.port}`, '--log-level', 'error'],
    ];
    const child = spawn(process.execPath, [command, 'node', ...options], {
      stdio: ['ignore', 'ignore', 'inherit'],
    });
    this.#children.push(child);
    this.nodes.push({ id, host, proxy });
    await untilStatus(this.#cluster, `node ${id} has joined`, ({ nodes }) =>
      nodes.some((node) => node.id === id && node.state === 'up'),
    );
  }

  node(id: number): Outsider {
    const outsider = this.nodes.find((each) => each.id === id);
    if (outsider === undefined) throw new Error(`node ${id} is no outsider`);
    return outsider;
  }

  /** Waits until all of them are up and nothing is under-replicated or on its way elsewhere. */
  async untilHealthy(): Promise<void> {
    await untilStatus(
      this.#cluster,
      'all outsiders are up',
      ({ nodes, underReplicatedSlots }) =>
        underReplicatedSlots === 0 &&
        this.nodes.every(({ id }) => nodes.find((node) => node.id === id)?.state === 'up'),
      30_000,
    );
  }

  heal(): void {
    this.managerProxy.heal();
    for (const { proxy } of this.nodes) proxy.heal();
  }

  /** Ends the processes, in whatever state they are, and the proxies. */
  async stop(): Promise<void> {
    for (const child of this.#children) child.kill('SIGKILL');
    await eventually('the outsiders have ended', () =>
      this.#children.every(({ exitCode, signalCode }) => exitCode !== null || signalCode !== null),
    );
    await this.managerProxy.close();
    for (const { proxy } of this.nodes) await proxy.close();
  }
}
