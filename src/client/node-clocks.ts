/**
 * Asks nodes for the time: the manager, who tells it best, may be away when this host wakes. A node says in its WELCOME what it
 * knows of the manager's clock, unless that is in doubt with the node, too; then it serves nobody by promises either (M8). So
 * they are dialled one after the other, beside the connections that stand, until somebody has told it.
 */
import type { HelloMessage } from '../protocol/messages.js';
import { MessageType } from '../protocol/messages.js';
import type { ClusterMap } from '../protocol/cluster-map.js';
import { dial } from '../transport/dialer.js';
import { pause } from './flow.js';
import type { LearntClock } from './learnt-clock.js';

export interface NodeClocksOptions {
  readonly clock: LearntClock;
  readonly map: () => ClusterMap | null;
  readonly hello: () => HelloMessage;
  readonly localAddress: string | undefined;
}

/** A node that does not answer is not waited for: another one may. */
const timeoutMs = 500;
/** Before each: the manager is asked, too, and knows best. */
const pauseMs = 50;
const handlers = { onMessage: (): void => undefined, onClose: (): void => undefined };

export class NodeClocks {
  readonly #options: NodeClocksOptions;
  #isAsking = false;
  #isStopped = false;

  constructor(options: NodeClocksOptions) {
    this.#options = options;
  }

  /** Until the clock is in doubt no longer. */
  async ask(): Promise<void> {
    if (this.#isAsking) return;
    this.#isAsking = true;
    const { clock, map } = this.#options;
    for (let turn = Math.floor(Math.random() * 1024); ; turn++) {
      await pause(pauseMs);
      if (!clock.isDoubtful || this.#isStopped) break;
      const nodes = map()?.nodes ?? [];
      const node = nodes[turn % nodes.length];
      if (node !== undefined) await this.#askOne(node.host, node.port);
    }
    this.#isAsking = false;
  }

  async #askOne(host: string, port: number): Promise<void> {
    const { clock, hello, localAddress } = this.#options;
    const asked = clock.asks();
    const way = localAddress === undefined ? {} : { localAddress };
    try {
      const connection = await dial({ host, port, ...way, hello: hello(), handlers, timeoutMs });
      const { peer } = connection;
      connection.close();
      if (peer.type !== MessageType.welcome || peer.clockUs === 0) return;
      const offsetUs = clock.offsetOf(peer.clockUs, asked);
      if (offsetUs !== null && clock.isDoubtful) clock.learn(offsetUs);
    } catch {
      // It is away, or no longer a node of this cluster.
    }
  }

  stop(): void {
    this.#isStopped = true;
  }
}
