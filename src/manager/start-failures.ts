/**
 * Nodes that end as soon as they are started, or soon after. Of a new cluster one such node is reason enough to give up, for
 * there is nothing to lose. One that was stored goes on without the node: the others serve all it has.
 *
 * Until the cluster is ready a node that has registered counts, too: the system may end it each time it is being filled, for
 * lack of memory. *[found: such a cluster was never ready, and never failed]* Later it did start.
 */

/** So many failed starts in a row mean that the next one will fail, too. */
const startsMax = 5;

export class StartFailures {
  readonly #inARow = new Map<number, number>();
  readonly #startsMax: number;
  /** Process ids of those that have registered and not ended since, by node id. */
  readonly #registered = new Map<number, number>();
  #hasRegistered = false;

  /** @param respawn - whether a node that ended is started again */
  constructor(respawn: boolean) {
    this.#startsMax = respawn ? startsMax : 1;
  }

  /** Some node has registered. */
  get hasRegistered(): boolean {
    return this.#hasRegistered;
  }

  onRegistered(nodeId: number, pid: number): void {
    this.#registered.set(nodeId, pid);
    this.#hasRegistered = true;
  }

  /**
   * @param isReady the cluster is, or has been
   * @returns whether this is the end after which the node counts as failing
   */
  onEnded(nodeId: number, pid: number, isReady: boolean): boolean {
    const hadRegistered = this.#registered.get(nodeId) === pid;
    if (hadRegistered) this.#registered.delete(nodeId);
    if (hadRegistered && isReady) {
      this.#inARow.delete(nodeId);
      return false;
    }
    const count = (this.#inARow.get(nodeId) ?? 0) + 1;
    this.#inARow.set(nodeId, count);
    return count === this.#startsMax;
  }

  /** It will hardly come up before somebody has mended what is wrong. */
  isFailing(nodeId: number): boolean {
    return !this.#registered.has(nodeId) && (this.#inARow.get(nodeId) ?? 0) >= this.#startsMax;
  }
}
