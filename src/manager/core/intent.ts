/**
 * What administrators want of the cluster, as the planner reads it: settings, explicit targets of slots, who is on its
 * way out and who is being restarted. Written by the tasks; no decisions here.
 */
import type { ClusterSettings } from '../../protocol/settings.js';
import type { KnownNode } from './state.js';

export class Intent {
  /** As the next map will have them. */
  settings: ClusterSettings;
  /** By slot: who shall hold it, primary first. Empty: the home rule holds for every slot. */
  targets: readonly (readonly number[])[] = [];
  /** Slots whose new target is not in force yet: they keep as many replicas as they have. */
  readonly waiting = new Set<number>();
  /** The node that a drain empties: it gets nothing new. -1: none. */
  leavingId = -1;
  /** The node that is being taken off its slots to be restarted, until its process has ended. -1: none. */
  restartingId = -1;
  readonly #nodeCount: number;
  readonly #knownNodes: ReadonlyMap<number, KnownNode>;

  constructor(settings: ClusterSettings, nodeCount: number, knownNodes: ReadonlyMap<number, KnownNode>) {
    this.settings = settings;
    this.#nodeCount = nodeCount;
    this.#knownNodes = knownNodes;
  }

  /** Who shall hold the slot, whoever is away just now. */
  target(slot: number): readonly number[] {
    return this.targets[slot] ?? this.#homes(slot);
  }

  /** Homes of slot s in a cluster created with N nodes: s mod N and its successors, K in all. */
  #homes(slot: number): number[] {
    const count = Math.min(this.settings.replicas, this.#nodeCount);
    return Array.from({ length: count }, (_, i) => (slot + i) % this.#nodeCount);
  }

  /** How many replicas the slot shall have just now. */
  count(slot: number): number {
    return this.waiting.has(slot) ? this.target(slot).length : this.settings.replicas;
  }

  get hasTargets(): boolean {
    return this.targets.length > 0;
  }

  /** The label of its host; '': it stands alone. */
  labelOf(nodeId: number): string {
    return this.#knownNodes.get(nodeId)?.hostLabel ?? '';
  }

  /** May not take the place of another. */
  isBarred(nodeId: number): boolean {
    return nodeId === this.leavingId || this.#knownNodes.get(nodeId)?.drained === true;
  }
}
