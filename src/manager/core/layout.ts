/**
 * Targets being changed, with what every node carries by them. See balance.ts for what is made of it. The manager does nothing
 * else meanwhile, failing over included: what is looked at for every pair of nodes is the slots of the one, never all there are.
 */
import type { BalanceInput } from './balance.js';

/** Whether the replica of the slot may go from one node to the other. */
type PlaceTest = (slot: number, from: number, to: number) => boolean;

interface Step {
  readonly slot: number;
  readonly from: number;
}

/** One slot of a chain, and the node that gets it. */
interface Link {
  readonly slot: number;
  readonly to: number;
}

/** Moves for each replica there is, on the average: what has been reached by then is the plan. Usual are less than one. */
const movesPerReplicaMax = 2;

export class Layout {
  /** By slot, primary first. */
  readonly targets: number[][];
  readonly #nodes: readonly number[];
  readonly #labelOf: (nodeId: number) => string;
  readonly #weights: readonly number[];
  readonly #primaryWeights: readonly number[];
  readonly #loads = new Map<number, number>();
  /** By node, the slots it has, in order. */
  readonly #held = new Map<number, number[]>();

  constructor({ targets, nodes, labelOf, replicaWeights, primaryWeights }: BalanceInput) {
    this.targets = targets.map((target) => [...target]);
    this.#nodes = nodes;
    this.#labelOf = labelOf;
    this.#weights = normalized(replicaWeights, targets.length);
    this.#primaryWeights = normalized(primaryWeights, targets.length);
    for (const [slot, target] of this.targets.entries()) for (const id of target) this.#add(id, slot, 1);
  }

  #add(id: number, slot: number, times: 1 | -1): void {
    this.#loads.set(id, this.#load(id) + times * this.#weight(slot));
    const others = this.#heldBy(id).filter((other) => other !== slot);
    this.#held.set(id, times > 0 ? [...others, slot].sort((a, b) => a - b) : others);
  }

  #heldBy(id: number): readonly number[] {
    return this.#held.get(id) ?? [];
  }

  #load(id: number): number {
    return this.#loads.get(id) ?? 0;
  }

  #weight(slot: number): number {
    return this.#weights[slot] ?? 1;
  }

  /** Least loaded first; of the same load the lowest id. */
  #byLoad(): number[] {
    return [...this.#nodes].sort((a, b) => this.#load(a) - this.#load(b) || a - b);
  }

  /** Whether no replica but that of `insteadOf` shares a host with the node. */
  #standsAlone(slot: number, id: number, insteadOf: number): boolean {
    const label = this.#labelOf(id);
    const others = this.targets[slot] ?? [];
    return label === '' || !others.some((other) => other !== insteadOf && this.#labelOf(other) === label);
  }

  /** The least loaded node that may take a replica of the slot: one on another host if there is any. */
  #taker(slot: number, mayShareHost: boolean, insteadOf = -1): number | undefined {
    const able = this.#byLoad().filter((id) => this.targets[slot]?.includes(id) !== true);
    const alone = able.find((id) => this.#standsAlone(slot, id, insteadOf));
    return alone ?? (mayShareHost ? able[0] : undefined);
  }

  #replace(slot: number, from: number, to: number): void {
    this.targets[slot] = (this.targets[slot] ?? []).map((id) => (id === from ? to : id));
    this.#add(from, slot, -1);
    this.#add(to, slot, 1);
  }

  /** The node holds nothing any more. */
  drop(nodeId: number): void {
    for (const [slot, target] of this.targets.entries()) {
      if (!target.includes(nodeId)) continue;
      this.targets[slot] = target.filter((id) => id !== nodeId);
      this.#add(nodeId, slot, -1);
    }
  }

  /** Nor do nodes that may hold nothing. */
  dropOthers(): void {
    const others = new Set(this.targets.flat().filter((id) => !this.#nodes.includes(id)));
    for (const id of others) this.drop(id);
  }

  /** Slots with fewer replicas get more, as far as there are nodes. */
  fill(replicas: number, isWanted: (slot: number) => boolean = () => true): void {
    for (const [slot, target] of this.targets.entries()) {
      while (isWanted(slot) && target.length < replicas) {
        const id = this.#taker(slot, true);
        if (id === undefined) break;
        target.push(id);
        this.#add(id, slot, 1);
      }
    }
  }

  /** Slots with more replicas lose some: those that share a host first, then those of the most loaded nodes. */
  trim(replicas: number): void {
    for (const [slot, target] of this.targets.entries()) {
      while (target.length > replicas) {
        const followers = target.slice(1);
        const sharing = followers.filter((id) => !this.#standsAlone(slot, id, id));
        const able = sharing.length > 0 ? sharing : followers;
        const id = able.reduce((most, each) => (this.#load(each) >= this.#load(most) ? each : most));
        target.splice(target.indexOf(id), 1);
        this.#add(id, slot, -1);
      }
    }
  }

  /** No two replicas of a slot on one host, where there is another. */
  spreadOverHosts(): void {
    for (const [slot, target] of this.targets.entries()) {
      for (const id of target.slice(1)) {
        if (this.#standsAlone(slot, id, id)) continue;
        const taker = this.#taker(slot, false, id);
        if (taker !== undefined) this.#replace(slot, id, taker);
      }
    }
  }

  /** Moves replicas from the most loaded to the least loaded nodes while that evens them out. */
  evenOut(mayMove: PlaceTest, slackShare: number): void {
    if (this.#weights.every((weight) => weight === 1)) {
      while (this.#evenOutByChain(mayMove));
      return;
    }
    const total = this.#nodes.reduce((sum, id) => sum + this.#load(id), 0);
    const slack = (slackShare * total) / Math.max(1, this.#nodes.length);
    let movesLeft = movesPerReplicaMax * this.targets.flat().length;
    while (movesLeft-- > 0 && this.#evenOutOnce(mayMove, slack));
  }

  #evenOutOnce(mayMove: PlaceTest, slack: number): boolean {
    const nodes = this.#byLoad();
    for (const from of [...nodes].reverse()) {
      const lightest = this.#heldBy(from).reduce(
        (least, slot) => Math.min(least, this.#weight(slot)),
        Infinity,
      );
      for (const to of nodes) {
        const gap = this.#load(from) - this.#load(to);
        // Nor is the gap to any later one greater.
        if (gap <= Math.max(slack, lightest)) break;
        const slot = this.#slotToMove(from, to, gap, mayMove);
        if (slot === undefined) continue;
        this.#replace(slot, from, to);
        return true;
      }
    }
    return false;
  }

  /** Where all slots are the same: one replica more where there are few, if need be by way of others. */
  #evenOutByChain(mayMove: PlaceTest): boolean {
    for (const start of this.#byLoad().reverse()) {
      const chain = this.#moveChain(start, mayMove, (id) => this.#load(id) <= this.#load(start) - 2);
      let from = start;
      for (const { slot, to } of chain) {
        this.#replace(slot, from, to);
        from = to;
      }
      if (chain.length > 0) return true;
    }
    return false;
  }

  /** The shortest one, each slot in it at most once; or none. */
  #moveChain(start: number, mayMove: PlaceTest, isGoal: (id: number) => boolean): Link[] {
    const nodes = this.#byLoad();
    const cameBy = new Map<number, Step | null>([[start, null]]);
    if (!nodes.some(isGoal)) return [];
    for (const id of cameBy.keys()) {
      const used = new Set(chainTo(id, cameBy).map(({ slot }) => slot));
      for (const [slot, target] of this.targets.entries()) {
        if (!target.includes(id) || used.has(slot)) continue;
        for (const next of nodes) {
          if (cameBy.has(next) || target.includes(next) || !mayMove(slot, id, next)) continue;
          if (!this.#standsAlone(slot, next, id)) continue;
          cameBy.set(next, { slot, from: id });
          if (isGoal(next)) return chainTo(next, cameBy);
        }
      }
    }
    return [];
  }

  /** The one that brings both closest together. */
  #slotToMove(from: number, to: number, gap: number, mayMove: PlaceTest): number | undefined {
    const able = this.#heldBy(from).filter((slot) => {
      if (this.targets[slot]?.includes(to) === true || !mayMove(slot, from, to)) return false;
      return this.#standsAlone(slot, to, from);
    });
    return closest(able, gap, this.#weights);
  }

  // --- primaries: their order within a slot costs no copy ------------------------------------------------------------

  #primaryCounts(): Map<number, number> {
    const counts = new Map<number, number>(this.#nodes.map((id) => [id, 0]));
    for (const [first] of this.targets) {
      if (first !== undefined) counts.set(first, (counts.get(first) ?? 0) + 1);
    }
    return counts;
  }

  #lead(slot: number, id: number): void {
    this.targets[slot] = [id, ...(this.targets[slot] ?? []).filter((other) => other !== id)];
  }

  /** Every node is the primary of as many slots as any other, or one more; only those slots change. */
  evenPrimaries(mayChange: (slot: number) => boolean): void {
    while (this.#evenPrimariesOnce(mayChange));
  }

  /** A chain of slots, each handed to a node that hands on another one, from a node with many to one with few. */
  #evenPrimariesOnce(mayChange: (slot: number) => boolean): boolean {
    const counts = this.#primaryCounts();
    const count = (id: number): number => counts.get(id) ?? 0;
    const slotsOf = new Map<number, number[]>();
    for (const [slot, [first]] of this.targets.entries()) {
      if (first !== undefined && mayChange(slot)) slotsOf.set(first, [...(slotsOf.get(first) ?? []), slot]);
    }
    const most = [...this.#nodes].sort((a, b) => count(b) - count(a) || a - b);
    for (const start of most) {
      const chain = this.#chain(start, slotsOf, (id) => count(id) <= count(start) - 2);
      for (const { slot, to } of chain) this.#lead(slot, to);
      if (chain.length > 0) return true;
    }
    return false;
  }

  /** The shortest one, or none. */
  #chain(
    start: number,
    slotsOf: ReadonlyMap<number, readonly number[]>,
    isGoal: (id: number) => boolean,
  ): Link[] {
    const cameBy = new Map<number, Step | null>([[start, null]]);
    for (const id of cameBy.keys()) {
      if (isGoal(id)) return chainTo(id, cameBy);
      for (const slot of slotsOf.get(id) ?? []) {
        for (const next of this.targets[slot] ?? []) {
          if (!cameBy.has(next) && this.#nodes.includes(next)) cameBy.set(next, { slot, from: id });
        }
      }
    }
    return [];
  }

  /** The same by weights, as far as handing over single slots goes. */
  evenPrimaryWeights(slackShare: number): void {
    const loads = new Map<number, number>(this.#nodes.map((id) => [id, 0]));
    const load = (id: number): number => loads.get(id) ?? 0;
    const weight = (slot: number): number => this.#primaryWeights[slot] ?? 1;
    const leads = (id: number, slot: number): boolean => this.targets[slot]?.[0] === id;
    for (const [slot, [first]] of this.targets.entries())
      if (first !== undefined) loads.set(first, load(first) + weight(slot));
    const slack = (slackShare * this.#primaryWeights.reduce((a, b) => a + b, 0)) / this.#nodes.length;
    const once = (): boolean => {
      const nodes = [...this.#nodes].sort((a, b) => load(a) - load(b) || a - b);
      for (const from of [...nodes].reverse()) {
        const led = this.#heldBy(from).filter((slot) => leads(from, slot));
        const lightest = led.reduce((least, slot) => Math.min(least, weight(slot)), Infinity);
        for (const to of nodes) {
          const gap = load(from) - load(to);
          if (gap <= Math.max(slack, lightest)) break;
          const able = led.filter((slot) => this.targets[slot]?.includes(to) === true);
          const slot = closest(able, gap, this.#primaryWeights);
          if (slot === undefined) continue;
          this.#lead(slot, to);
          loads.set(from, load(from) - weight(slot)).set(to, load(to) + weight(slot));
          return true;
        }
      }
      return false;
    };
    let movesLeft = movesPerReplicaMax * this.targets.flat().length;
    while (movesLeft-- > 0 && once());
  }
}

function chainTo(goal: number, cameBy: ReadonlyMap<number, Step | null>): Link[] {
  const chain: Link[] = [];
  let to = goal;
  for (let step = cameBy.get(to); step !== undefined && step !== null; step = cameBy.get(to)) {
    chain.unshift({ slot: step.slot, to });
    to = step.from;
  }
  return chain;
}

/** Which slot, handed over from a node to one that carries `gap` less, leaves the smallest gap; none if none helps. */
function closest(slots: readonly number[], gap: number, weights: readonly number[]): number | undefined {
  let best: number | undefined;
  let bestLeft = gap;
  for (const slot of slots) {
    const left = Math.abs(gap - 2 * (weights[slot] ?? 1));
    if (left >= bestLeft - 1e-9) continue;
    best = slot;
    bestLeft = left;
  }
  return best;
}

/** Relative to their mean; a slot that weighs nothing counts a little, too. */
function normalized(weights: readonly number[] | undefined, count: number): number[] {
  const sum = weights?.reduce((a, b) => a + b, 0) ?? 0;
  if (weights === undefined || sum <= 0) return Array<number>(count).fill(1);
  return weights.map((weight) => (weight * count) / sum + 0.05);
}
