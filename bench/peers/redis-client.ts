/**
 * A client process of Redis Cluster, with ioredis.
 *
 *     peers/redis-client {"workload": ..., "ports": ..., "isAutoPipelined": ..., "waitFor": ...}
 */
import { Cluster } from 'ioredis';
import { serveRequests } from '../driver.js';
import { PromiseDriver } from '../promise-driver.js';
import type { DrivenStore } from '../promise-driver.js';
import type { Workload } from '../workload.js';

export interface RedisClientArgument {
  readonly workload: Workload;
  readonly ports: readonly number[];
  readonly isAutoPipelined: boolean;
  /** Replicas that must have a write before it counts as done (WAIT); 0: none. */
  readonly waitFor: number;
}

const waitMsMax = 5000;

class RedisStore implements DrivenStore {
  readonly #cluster: Cluster;
  readonly #waitFor: number;

  constructor(cluster: Cluster, waitFor: number) {
    this.#cluster = cluster;
    this.#waitFor = waitFor;
  }

  put(key: string, value: string): Promise<unknown> {
    return this.#waitFor === 0 ? this.#cluster.set(key, value) : this.#putAndWait(key, value);
  }

  /** On one connection, in one go: WAIT is about the writes of its own connection. */
  async #putAndWait(key: string, value: string): Promise<void> {
    const commands = [
      ['set', key, value],
      ['wait', this.#waitFor, waitMsMax],
    ];
    const [set, wait] = (await this.#cluster.pipeline(commands).exec()) ?? [];
    const error = set?.[0] ?? wait?.[0];
    if (error) throw error;
    if (Number(wait?.[1]) < this.#waitFor) throw new Error(`WAIT: only ${String(wait?.[1])} replicas`);
  }

  get(key: string): Promise<unknown> {
    return this.#cluster.get(key);
  }
}

const { workload, ports, isAutoPipelined, waitFor } = JSON.parse(
  process.argv[2] ?? '{}',
) as RedisClientArgument;
const nodes = ports.map((port) => ({ host: '127.0.0.1', port }));
const sessions: RedisStore[] = [];
for (let session = 0; session < workload.sessions; session++) {
  const cluster = new Cluster(nodes, {
    enableAutoPipelining: isAutoPipelined,
    redisOptions: { noDelay: true },
  });
  await new Promise((resolve, reject) => {
    cluster.once('ready', resolve);
    cluster.once('error', reject);
  });
  sessions.push(new RedisStore(cluster, waitFor));
}
const driver = new PromiseDriver(sessions, workload);
await driver.fill();
serveRequests(driver);
