/**
 * Where the slots shall be for all nodes to carry the same: pure functions from targets to better targets. They move
 * as little as that takes, never put two replicas of a slot on hosts of one label where there is another host, and give
 * the same answer to the same question.
 */
import { Layout } from './layout.js';

export interface BalanceInput {
  /** Who shall hold each slot so far, primary first. */
  readonly targets: readonly (readonly number[])[];
  /** Who may hold slots, in order of their ids. */
  readonly nodes: readonly number[];
  /** K. */
  readonly replicas: number;
  readonly labelOf: (nodeId: number) => string;
  /** By slot, what a replica costs its node, and what the primary costs on top; default: all the same. */
  readonly replicaWeights?: readonly number[];
  readonly primaryWeights?: readonly number[];
}

/** Share of a node's mean load that nodes may differ by when slots are not all the same. */
const slackShare = 0.05;

/** All nodes carry the same: a new node gets its share, slots of nodes that are no more are given to others. */
export function rebalanced(input: BalanceInput): number[][] {
  const layout = new Layout(input);
  const all = (): boolean => true;
  layout.dropOthers();
  layout.fill(input.replicas);
  layout.spreadOverHosts();
  layout.evenOut(all, input.replicaWeights === undefined ? 0 : slackShare);
  if (input.primaryWeights === undefined) layout.evenPrimaries(all);
  else layout.evenPrimaryWeights(slackShare);
  return layout.targets;
}

/** Without that node: what it held goes to the least loaded of the others, and nothing else moves. */
export function withoutNode(input: BalanceInput, nodeId: number): number[][] {
  const layout = new Layout(input);
  const held = (slot: number): boolean => input.targets[slot]?.includes(nodeId) === true;
  const isNew = (slot: number, id: number): boolean => input.targets[slot]?.includes(id) !== true;
  layout.drop(nodeId);
  layout.fill(input.replicas, held);
  layout.evenOut(isNew, 0);
  layout.evenPrimaries(held);
  return layout.targets;
}

/** K replicas of every slot: more on the least loaded nodes, or fewer on the most loaded ones. Primaries stay. */
export function withReplicas(input: BalanceInput): number[][] {
  const layout = new Layout(input);
  const hadIt = (slot: number, id: number): boolean => input.targets[slot]?.includes(id) === true;
  const isPrimary = (slot: number, id: number): boolean => input.targets[slot]?.[0] === id;
  // Whoever had the slot may keep it instead of another, except the primary.
  const mayMove = (slot: number, from: number, to: number): boolean =>
    !hadIt(slot, from) || (hadIt(slot, to) && !isPrimary(slot, from));
  layout.fill(input.replicas);
  layout.trim(input.replicas);
  layout.evenOut(mayMove, 0);
  return layout.targets;
}
