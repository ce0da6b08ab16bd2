/**
 * Looks every few milliseconds at what is under way: deadlines, pauses that are over, answers that are late.
 *
 * Whoever is silent and does not answer is reported (see-tell, M2). A write is not sent again on a connection that stands: that
 * would bring nothing but a second answer behind the first, and leave the write in doubt (W8). Either the answer comes, or
 * the connection goes, or the node is taken off the slot (W7). A read is not either, but goes to another replica as well,
 * unless much comes from where it has been asked: then the line is what takes so long, and more of the same would
 * fill it. That is believed for some seconds.
 */
import type { ClusterMap } from '../../protocol/cluster-map.js';
import { Inflow } from './inflow.js';
import type { LargeWrites } from './large-writes.js';
import { OperationKind, OperationState } from './operation.js';
import type { Operation } from './operation.js';
import type { OperationTable } from './operation-table.js';
import type { ClientPorts, ClientTimings } from './ports.js';

/** Attempts after which the patience with the next one grows no more. */
const patientAttemptsMax = 8;
/** So often, each time for longer, a read waits on since much comes from where it was asked: that may be for others alone. */
const excusesMax = 3;

export interface LatenessOptions {
  readonly ports: ClientPorts;
  readonly timings: ClientTimings;
  readonly table: OperationTable;
  readonly large: LargeWrites;
  readonly core: {
    giveUp(operation: Operation): void;
    report(nodeId: number): void;
  };
  /** Its pause is over. */
  readonly retry: (operation: Operation) => void;
  /** A read whose answer is late: somebody else may be quicker. */
  readonly askElsewhere: (operation: Operation) => void;
}

export class Lateness {
  readonly #options: LatenessOptions;
  readonly #inflow: Inflow;

  constructor(options: LatenessOptions) {
    this.#options = options;
    this.#inflow = new Inflow(options.ports, options.timings);
  }

  tick(map: ClusterMap | null): void {
    const { table } = this.#options;
    if (table.inUse === 0) return;
    if (map !== null) this.#inflow.look(map.nodes);
    table.forEach(this.#tickOne);
  }

  readonly #tickOne = (operation: Operation): void => {
    const { ports, timings, core, large, retry } = this.#options;
    const nowMs = ports.nowMs();
    large.look(operation, nowMs);
    if (nowMs >= operation.deadlineMs) {
      core.giveUp(operation);
    } else if (operation.state === OperationState.waiting) {
      if (nowMs >= operation.retryAtMs) retry(operation);
    } else if (
      nowMs - operation.sentMs >=
      timings.answerMsMax * Math.min(operation.attempts + operation.excuses, patientAttemptsMax)
    ) {
      this.#overdue(operation);
    }
  };

  #overdue(operation: Operation): void {
    const { members, awaited } = operation;
    let isBulk = false;
    for (let i = 0; i < members.length; i++) {
      const id = members[i] ?? -1;
      if ((awaited & (1 << i)) === 0) continue;
      if (!this.#inflow.isHeard(id)) this.#options.core.report(id);
      if (this.#inflow.isBulk(id)) isBulk = true;
    }
    if (operation.kind !== OperationKind.get) return;
    if (isBulk && operation.excuses < excusesMax) {
      operation.excuses++;
      operation.sentMs = this.#options.ports.nowMs();
      return;
    }
    this.#options.askElsewhere(operation);
  }
}
