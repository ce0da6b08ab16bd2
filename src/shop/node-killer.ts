/**
 * Ends nodes of the cluster with kill -9 while the replay runs: M of them, at 1/(M+1), 2/(M+1), ... of its rows.
 *
 * - A node is ended only when no slot lacks a replica and the node ended before is known to be gone: so at no time
 *   do K replicas of a slot fail together, which no store could survive. A node that is down, with all slots at
 *   full strength again, does no harm; waiting for its return would depend on the manager starting it anew.
 * - Nodes that were not ended yet come first: M kills are of M nodes, where there are as many on this machine.
 * - And only if the process is that node: its id alone may be anybody's (node-process.ts).
 * - The rows may be faster than the healing. So the second half of the rows up to the next kill waits until this
 *   kill is due; otherwise the last nodes would be ended after the work.
 * - It fires while rows are under way: that is what it is for.
 */
import { setTimeout as sleep } from 'node:timers/promises';
import { UsageError } from './errors.js';
import { isOnThisMachine } from './node-process.js';
import { type RowGate } from './row-gate.js';
import { type CartStore, type ClusterStatus, type NodeStatus } from './store.js';

/** Rows that may begin while the cluster is looked at before the last kill: it fires while some are under way. */
const rowsBeside = 64;

export interface NodeKillerOptions {
  /** How many nodes to end. */
  readonly count: number;
  /** How many rows the replay has. */
  readonly rows: number;
  /** Whether the process of this machine that has the node's id is that node. */
  readonly isProcessOf: (node: NodeStatus) => boolean;
  /** Ends a process of this machine at once; throws if it cannot. */
  readonly endProcess: (pid: number) => void;
  /** How long to wait for the cluster to be whole before each kill. Default 60 s. */
  readonly healMs?: number;
  /** Between two looks at the cluster. Default 100 ms. */
  readonly pollMs?: number;
}

export class NodeKiller {
  readonly #store: Pick<CartStore, 'status'>;
  readonly #options: NodeKillerOptions;
  readonly #endedPids = new Set<number>();
  readonly #endedIds = new Set<NodeStatus['id']>();
  #problem: string | undefined;

  constructor(store: Pick<CartStore, 'status'>, options: NodeKillerOptions) {
    this.#store = store;
    this.#options = options;
  }

  /** How many nodes it has ended. */
  get killed(): number {
    return this.#endedPids.size;
  }

  /** Why it ended fewer than it should. */
  get problem(): string | undefined {
    return this.#problem;
  }

  /** @throws UsageError if this cluster is none whose nodes may be ended from here */
  async check(): Promise<void> {
    const status = await this.#store.status();
    if (status.replicas < 2) {
      throw new UsageError(
        '--kill: the cluster keeps one copy of each key; it must be started with -k 2 or more',
      );
    }
    if (!status.nodes.some((node) => node.state === 'up' && this.#canEnd(node))) {
      throw new UsageError(
        '--kill: no node of the cluster runs on this machine, and only such a one can be ended',
      );
    }
  }

  /** How many rows may begin before the first kill is due; what `gate` is made with. */
  get firstLimit(): number {
    return this.#limitBefore(1);
  }

  /** Works until all kills are done, or one cannot be done, or the gate is closed. */
  async run(gate: RowGate): Promise<void> {
    const { count, rows } = this.#options;
    try {
      for (let kill = 1; kill <= count; kill += 1) {
        if (!(await gate.reached(this.#dueAt(kill)))) return;
        if ((await this.#whenWhole(gate)) === undefined) return;
        const oneMore = Math.min(gate.ended + 1, rows);
        gate.allow(Math.max(oneMore, kill < count ? this.#limitBefore(kill + 1) : gate.ended + rowsBeside));
        // Rows are under way again once one more has ended.
        if (!(await gate.reached(oneMore))) return;
        // Looked at anew: a row may take long, and a node may have died by itself meanwhile.
        const victim = await this.#whenWhole(gate);
        if (victim === undefined) return;
        this.#options.endProcess(victim.pid);
        this.#endedPids.add(victim.pid);
        this.#endedIds.add(victim.id);
      }
    } catch (error) {
      this.#problem = `a node could not be ended: ${error instanceof Error ? error.message : String(error)}`;
    } finally {
      gate.allow(Infinity);
    }
  }

  /** Rows that have ended when the kill is due. */
  #dueAt(kill: number): number {
    return Math.floor((this.#options.rows * kill) / (this.#options.count + 1));
  }

  #limitBefore(kill: number): number {
    return Math.ceil((this.#dueAt(kill) + this.#dueAt(kill + 1)) / 2);
  }

  /** The node to end next, once the cluster is whole; undefined: it is not in time, or the gate was closed. */
  async #whenWhole(gate: RowGate): Promise<NodeStatus | undefined> {
    const { healMs = 60_000, pollMs = 100 } = this.#options;
    const endsAt = performance.now() + healMs;
    for (;;) {
      // No answer just now counts as not whole; the wait is bounded all the same.
      const status = await this.#store.status().catch(() => undefined);
      if (gate.isClosed) return undefined;
      const victim = status === undefined ? undefined : this.#victimIn(status);
      if (victim !== undefined) return victim;
      if (performance.now() > endsAt) {
        this.#problem = `the cluster was not whole again within ${healMs / 1000} s`;
        return undefined;
      }
      await sleep(pollMs);
    }
  }

  #canEnd(node: NodeStatus): boolean {
    return isOnThisMachine(node) && this.#options.isProcessOf(node);
  }

  #victimIn(status: ClusterStatus): NodeStatus | undefined {
    if (status.underReplicatedSlots > 0) return undefined;
    if (status.nodes.some((node) => node.state !== 'up' && node.state !== 'down')) return undefined;
    const up = status.nodes.filter((node) => node.state === 'up');
    // Ended a moment ago, and nobody has noticed yet.
    if (up.some((node) => this.#endedPids.has(node.pid))) return undefined;
    const victims = up.filter((node) => this.#canEnd(node));
    const unharmed = victims.filter(({ id }) => !this.#endedIds.has(id));
    // The one with the most primaries hurts most.
    return (unharmed.length > 0 ? unharmed : victims).reduce<NodeStatus | undefined>(
      (most, node) => (most === undefined || node.primarySlots > most.primarySlots ? node : most),
      undefined,
    );
  }
}
