/**
 * Which ids have been given to nodes, and which nodes are remembered. No id is given twice: a map, a target or a disk may still
 * name it.
 *
 * A node that no manager forked and that has no disk asks for a new id with each life (`gtstore node`, perhaps started again and
 * again by a service): the former one is forgotten when it has been away for long. One with a disk comes back under its id,
 * whenever that is, and is remembered; so is one that somebody waits for.
 */
import type { Roster } from './roster.js';
import type { KnownNode, ManagerState } from './state.js';

/** Until then it may just be cut off, and whoever asks for the status shall see that it is. */
const forgottenAfterMs = 600_000;

export interface NodeIdsOptions {
  readonly knownNodes: Map<number, KnownNode>;
  readonly roster: Roster;
  /** How many nodes the cluster was created with: theirs are the first ids. */
  readonly nodeCount: number;
  /** A slot waits for what the node has (D3). */
  readonly isAwaited: (nodeId: number) => boolean;
}

export class NodeIds {
  readonly #options: NodeIdsOptions;
  /** Of nodes that nobody forked: since when each has been away, as far as this manager knows. */
  readonly #awaySinceMs = new Map<number, number>();
  #next: number;

  constructor(options: NodeIdsOptions, restored: ManagerState | null) {
    this.#options = options;
    this.#next = restored?.nextNodeId ?? options.nodeCount;
  }

  /** All below have been given to nodes, some of which are forgotten. */
  get next(): number {
    return this.#next;
  }

  /** One that no node has ever had. */
  free(): number {
    const { knownNodes, roster } = this.#options;
    let id = this.#next;
    while (knownNodes.has(id) || roster.members.has(id)) id++;
    return id;
  }

  tick(nowMs: number): void {
    const { knownNodes, roster } = this.#options;
    for (const known of knownNodes.values()) {
      const { id } = known;
      if (!this.#mayBeForgotten(known)) {
        this.#awaySinceMs.delete(id);
        continue;
      }
      const sinceMs = this.#awaySinceMs.get(id) ?? nowMs;
      this.#awaySinceMs.set(id, sinceMs);
      if (nowMs - sinceMs < forgottenAfterMs) continue;
      this.#next = Math.max(this.#next, id + 1);
      this.#awaySinceMs.delete(id);
      roster.lostAtMs.delete(id);
      knownNodes.delete(id);
    }
  }

  #mayBeForgotten({ id, spawned, drained, hasDisk }: KnownNode): boolean {
    const { roster, isAwaited } = this.#options;
    const isStranger = !spawned && drained !== true && hasDisk === false;
    return isStranger && !roster.members.has(id) && !isAwaited(id);
  }
}
