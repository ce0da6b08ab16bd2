/**
 * Asks nodes for the time: the manager, who tells it best, may be away when this host wakes. A node says in its WELCOME what it
 * knows of the manager's clock, unless that is in doubt with the node, too; then it serves nobody by promises either (M8). So
 * they are dialled one after the other, beside the connections that stand, until somebody has told it.
 */
import { GTStoreError } from '../protocol/errors.js';
import type { HelloMessage } from '../protocol/messages.js';
import { MessageType } from '../protocol/messages.js';
import type { ClusterMap, MemberNode } from '../protocol/cluster-map.js';
import type { Connection } from '../transport/connection.js';
import { dial } from '../transport/dialer.js';
import { pause } from '../transport/real-time.js';
import type { LearntClock } from './learnt-clock.js';

export interface NodeClocksOptions {
  readonly clock: LearntClock;
  readonly map: () => ClusterMap | null;
  readonly hello: () => HelloMessage;
  readonly localAddress: string | undefined;
}

type Endpoint = Pick<MemberNode, 'host' | 'port'>;

/** A node that does not answer is not waited for: another one may. */
const timeoutMs = 500;
/** Before each, longer and longer: the manager is asked, too, and knows best. */
const pauseMsMin = 50;
const pauseMsMax = 2000;
const handlers = { onMessage: (): void => undefined, onClose: (): void => undefined };

export class NodeClocks {
  readonly #options: NodeClocksOptions;
  readonly #stopped = new AbortController();
  #isAsking = false;

  constructor(options: NodeClocksOptions) {
    this.#options = options;
  }

  /** Until the clock is in doubt no longer. */
  async ask(): Promise<void> {
    if (this.#isAsking) return;
    this.#isAsking = true;
    const { clock, map } = this.#options;
    let pauseMs = pauseMsMin;
    for (let turn = Math.floor(Math.random() * 1024); ; turn++) {
      await this.#pause(pauseMs * (0.5 + Math.random()));
      if (!clock.isDoubtful || this.#isStopped) break;
      const nodes = map()?.nodes ?? [];
      const node = nodes[turn % nodes.length];
      if (node !== undefined) await this.#askOne(node);
      pauseMs = Math.min(2 * pauseMs, pauseMsMax);
    }
    this.#isAsking = false;
  }

  /** Once, whoever of these answers first; then any node. */
  async refresh(managers: readonly Endpoint[]): Promise<void> {
    const nodes = this.#options.map()?.nodes ?? [];
    for (const endpoint of [...managers, ...nodes]) if (await this.#askOne(endpoint)) return;
  }

  async #pause(ms: number): Promise<void> {
    const { signal } = this.#stopped;
    // Keeps no process alive: the calls that wait for the clock do. It ends early when the client is closed.
    await pause(ms, undefined, { signal, ref: false }).catch((error: unknown) => {
      if (!signal.aborted) throw error;
    });
  }

  /** @returns whether the clock was told */
  async #askOne({ host, port }: Endpoint): Promise<boolean> {
    const { clock, map } = this.#options;
    const asked = clock.asks();
    const connection = await this.#dial(host, port);
    if (connection === undefined) return false;
    const { peer } = connection;
    connection.close();
    const isOurs = peer.type === MessageType.welcome && peer.clusterId === map()?.clusterId;
    if (!isOurs || peer.clockUs === 0 || this.#isStopped) return false;
    const offsetUs = clock.offsetOf(peer.clockUs, asked);
    if (offsetUs !== null) clock.learn(offsetUs);
    return offsetUs !== null;
  }

  /** @returns undefined: it is away, or no longer a node of this cluster */
  async #dial(host: string, port: number): Promise<Connection | undefined> {
    const { hello, localAddress } = this.#options;
    const way = localAddress === undefined ? {} : { localAddress };
    const { signal } = this.#stopped;
    try {
      return await dial({ host, port, ...way, hello: hello(), handlers, timeoutMs, signal });
    } catch (error) {
      if (error instanceof GTStoreError) return undefined;
      throw error;
    }
  }

  get #isStopped(): boolean {
    return this.#stopped.signal.aborted;
  }

  stop(): void {
    this.#stopped.abort();
  }
}
