/**
 * What strikes a cluster during a chaos run: one stroke after the other, each picked by chance and followed by the
 * cluster's recovery. No stroke takes more than K-1 replicas of anything, so no acknowledged write may be lost.
 */
import type { TestCluster } from '../../src/testing/index.js';
import type { Prng } from '../sim/prng.js';
import { nodeOf, untilStatus } from './cluster-fixture.js';
import { stretch } from './cluster-until.js';

type Stroke = (chaos: Chaos) => Promise<void>;

const strokes: Readonly<Record<string, Stroke>> = {
  'a node is killed': (chaos) => chaos.cluster.kill(chaos.node()),
  'two nodes are killed': async (chaos) => {
    const [one, other] = chaos.twoNodes();
    await Promise.all([chaos.cluster.kill(one), chaos.cluster.kill(other)]);
  },
  'a node is paused for a moment': async (chaos) => {
    const id = chaos.node();
    await chaos.cluster.pause(id);
    await stretch(chaos.shortMs());
    await chaos.cluster.resume(id);
  },
  'a node is paused beyond its lease': async (chaos) => {
    const id = chaos.node();
    await chaos.cluster.pause(id);
    await chaos.untilOut(id);
    await chaos.cluster.resume(id);
  },
  'a node is paused beyond its lease, another killed': async (chaos) => {
    const [one, other] = chaos.twoNodes();
    await chaos.cluster.pause(one);
    await stretch(chaos.shortMs());
    await chaos.cluster.kill(other);
    await chaos.untilOut(one);
    await chaos.cluster.resume(one);
  },
  'the manager is started again': (chaos) => chaos.cluster.restartManager(),
  'the manager is away for a while': async (chaos) => {
    await chaos.cluster.killManager();
    await stretch(chaos.leaseMs * 1.2);
    await chaos.cluster.restartManager();
  },
  'the manager is paused': async (chaos) => {
    await chaos.cluster.pauseManager();
    await stretch(chaos.leaseMs * chaos.random.between(0.2, 1.2));
    await chaos.cluster.resumeManager();
  },
  'a node is killed while the manager is away': async (chaos) => {
    await chaos.cluster.killManager();
    await stretch(chaos.shortMs());
    await chaos.cluster.kill(chaos.node());
    await stretch(chaos.shortMs());
    await chaos.cluster.restartManager();
  },
  'a node is paused while the manager is away': async (chaos) => {
    const id = chaos.node();
    await chaos.cluster.killManager();
    await chaos.cluster.pause(id);
    await stretch(chaos.leaseMs * 1.1);
    const restarted = chaos.cluster.restartManager();
    if (chaos.random.chance(0.5)) await restarted;
    await chaos.cluster.resume(id);
    await restarted;
  },
  'a node is killed while the manager is paused': async (chaos) => {
    await chaos.cluster.pauseManager();
    await chaos.cluster.kill(chaos.node());
    await stretch(chaos.shortMs());
    await chaos.cluster.resumeManager();
  },
};

export class Chaos {
  readonly cluster: TestCluster;
  readonly random: Prng;
  readonly leaseMs: number;
  /** What has struck so far. */
  readonly struck: string[] = [];
  #left: string[] = [];

  constructor(cluster: TestCluster, random: Prng, leaseMs: number) {
    this.cluster = cluster;
    this.random = random;
    this.leaseMs = leaseMs;
  }

  /** One stroke, and the recovery from it. Every kind comes once before any comes again. */
  async strike(): Promise<void> {
    if (this.#left.length === 0) this.#left = Object.keys(strokes);
    const name = this.random.pick(this.#left);
    this.#left = this.#left.filter((other) => other !== name);
    this.struck.push(name);
    await strokes[name]?.(this);
    await this.cluster.untilHealthy();
  }

  node(): number {
    return this.random.pick(this.cluster.nodes).id;
  }

  twoNodes(): [number, number] {
    const one = this.node();
    const others = this.cluster.nodes.filter(({ id }) => id !== one);
    return [one, this.random.pick(others).id];
  }

  shortMs(): number {
    return this.random.between(10, this.leaseMs * 0.3);
  }

  async untilOut(id: number): Promise<void> {
    await untilStatus(
      this.cluster,
      `node ${id} is out of the map`,
      (status) => nodeOf(status, id).state === 'down',
    );
  }
}
