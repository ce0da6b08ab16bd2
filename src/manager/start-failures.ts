/**
 * Nodes that end as soon as they are started. Of a new cluster one such node is reason enough to give up, for there is
 * nothing to lose. One that was stored goes on without the node: the others serve all it has.
 */

/** So many failed starts in a row mean that the next one will fail, too. */
const startsMax = 5;

export class StartFailures {
  readonly #inARow = new Map<number, number>();
  readonly #startsMax: number;
  /** Process ids of those that have registered, by node id. */
  readonly #registered = new Map<number, number>();

  /** @param respawn - whether a node that ended is started again */
  constructor(respawn: boolean) {
    this.#startsMax = respawn ? startsMax : 1;
  }

  /** Some node has registered. */
  get hasRegistered(): boolean {
    return this.#registered.size > 0;
  }

  onRegistered(nodeId: number, pid: number): void {
    this.#registered.set(nodeId, pid);
    this.#inARow.delete(nodeId);
  }

  /** @returns whether this is the end after which the node counts as failing */
  onEnded(nodeId: number, pid: number): boolean {
    if (this.#registered.get(nodeId) === pid) return false;
    const count = (this.#inARow.get(nodeId) ?? 0) + 1;
    this.#inARow.set(nodeId, count);
    return count === this.#startsMax;
  }

  /** It will hardly come up before somebody has mended what is wrong. */
  isFailing(nodeId: number): boolean {
    return (this.#inARow.get(nodeId) ?? 0) >= this.#startsMax;
  }
}
