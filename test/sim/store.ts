/** The store of one simulated node. With the bias of that name it is full now and then, each for itself, until the faults end (D4). */
import { ArenaStore } from '../../src/node/storage/arena-store.js';
import type { World } from './world.js';

const fullMs = 40;

export class SimStore extends ArenaStore {
  readonly #world: World;
  readonly #pid: number;

  constructor(world: World, pid: number) {
    // Walks go in the order of hashes: the same in every run of a seed.
    super({ hashSeed: world.seed });
    this.#world = world;
    this.#pid = pid;
  }

  /** A matter of time alone, so that it does not depend on who asks how often. */
  override get isFull(): boolean {
    const { plan, calm, queue } = this.#world;
    if (plan.bias !== 'fullStores' || calm) return false;
    const turn = Math.floor(queue.nowMs / fullMs) + 1;
    return ((Math.imul(turn, 0x9e3779b1) ^ Math.imul(this.#pid, 0x85ebca6b)) >>> 13) % 3 === 0;
  }
}
