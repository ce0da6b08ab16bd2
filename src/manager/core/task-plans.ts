/** From what an administrator wants to the slots that must move for it. Pure. */
import type { RebalanceMeasure, SlotMove } from '../../protocol/admin.js';
import { rebalanced, withoutNode, withReplicas } from './balance.js';
import type { BalanceInput } from './balance.js';
import type { Intent } from './intent.js';
import type { SlotLoads } from './slot-loads.js';
import type { TargetStep } from './state.js';

export interface TaskPlan {
  /** Every slot's target before the task, now explicit. */
  readonly targets: readonly (readonly number[])[];
  readonly steps: readonly TargetStep[];
  readonly moves: readonly SlotMove[];
}

export class TaskPlanner {
  readonly #intent: Intent;
  readonly #loads: SlotLoads;
  /** Nodes that may hold slots, in order of their ids. */
  readonly #places: () => readonly number[];

  constructor(intent: Intent, loads: SlotLoads, places: () => readonly number[]) {
    this.#intent = intent;
    this.#loads = loads;
    this.#places = places;
  }

  drain(nodeId: number): TaskPlan {
    return this.#plan((input) => {
      const nodes = input.nodes.filter((id) => id !== nodeId);
      return withoutNode({ ...input, nodes }, nodeId);
    });
  }

  setReplicas(replicas: number): TaskPlan {
    return this.#plan((input) => withReplicas({ ...input, replicas }));
  }

  rebalance(by: RebalanceMeasure): TaskPlan {
    const loads = this.#loads;
    return this.#plan((input) => {
      const weights = (of: (slot: number) => number): number[] => input.targets.map((_, slot) => of(slot));
      if (by === 'slots') return rebalanced(input);
      if (by === 'bytes')
        return rebalanced({ ...input, replicaWeights: weights((slot) => loads.bytesOf(slot)) });
      const replicaWeights = weights((slot) => loads.of(slot).writesPerSecond);
      const primaryWeights = weights((slot) => loads.of(slot).readsPerSecond);
      return rebalanced({ ...input, replicaWeights, primaryWeights });
    });
  }

  #plan(next: (input: BalanceInput) => number[][]): TaskPlan {
    const intent = this.#intent;
    const { slotCount, replicas } = intent.settings;
    const targets = Array.from({ length: slotCount }, (_, slot) => intent.target(slot));
    const after = next({ targets, nodes: this.#places(), replicas, labelOf: (id) => intent.labelOf(id) });
    const steps: TargetStep[] = [];
    const moves: SlotMove[] = [];
    targets.forEach((before, slot) => {
      const target = after[slot] ?? before;
      const isSame = target.length === before.length && target.every((id, i) => id === before[i]);
      if (isSame) return;
      const added = target.filter((id) => !before.includes(id));
      const removed = before.filter((id) => !target.includes(id));
      steps.push({ slot, target, bytes: added.length * this.#loads.bytesOf(slot) });
      for (let i = 0; i < Math.max(added.length, removed.length); i++)
        moves.push({ slot, from: removed[i] ?? -1, to: added[i] ?? -1 });
    });
    return { targets, steps, moves };
  }
}
