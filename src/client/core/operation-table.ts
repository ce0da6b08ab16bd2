/**
 * Operations in flight, found by request id without a hash table: the low bits of a request id are the operation's
 * place, the rest counts the attempts made there, so that a late answer to an earlier one finds nothing. Bounded: the table is
 * the client's queue, and a full one refuses further operations.
 */
import { Operation, OperationState } from './operation.js';

const indexBits = 14;
/** Most operations one client may have under way. */
export const operationsMax = 1 << indexBits;
/**
 * Request ids stay below 2^31: small integers everywhere, and five bytes in msgpack. Shifted, for what `**` gives is a
 * floating-point number to the engine, and so is all that is reckoned with it.
 */
const turnsMax = 1 << (31 - indexBits);

/**
 * No answer is on its way for so long. Were places that were given up left alone for good, a client would come to use all of them in
 * time, and nodes keep what each of these stands for, on each connection (accepted-writes.ts): three quarters of a MiB.
 */
const answerMsMax = 3_600_000;

/** So many in a row that still find no room are enough: the connection that they wait for will tell, too. */
const inVainMax = 64;

interface Abandoned {
  readonly operation: Operation;
  readonly atMs: number;
}

export class OperationTable {
  readonly #operations: Operation[] = [];
  readonly #free: Operation[] = [];
  /**
   * Free, too, but given up before all had answered, the longest ago first. Taken when nothing else is left, or after
   * `answerMsMax`: so many operations are begun before their request ids come round that no answer is late enough to be taken for
   * another's.
   */
  readonly #abandoned: Abandoned[] = [];
  readonly #capacity: number;
  readonly #nowMs: () => number;
  /** Whose turn it is for room: on connections, and among large writes. */
  readonly #turns = { connection: 0, large: 0 };

  /** @param capacity at most `operationsMax`. */
  constructor(capacity: number, nowMs: () => number) {
    this.#capacity = Math.min(capacity, operationsMax);
    this.#nowMs = nowMs;
  }

  get inUse(): number {
    return this.#operations.length - this.#free.length - this.#abandoned.length;
  }

  /** A free operation, or undefined if as many as allowed are under way. */
  take(): Operation | undefined {
    const free = this.#free.pop();
    if (free !== undefined) return free;
    const isFull = this.#operations.length >= this.#capacity;
    const [oldest] = this.#abandoned;
    if (oldest !== undefined && (isFull || this.#nowMs() - oldest.atMs >= answerMsMax)) {
      this.#abandoned.shift();
      return oldest.operation;
    }
    if (isFull) return undefined;
    const operation = new Operation(this.#operations.length);
    this.#operations.push(operation);
    return operation;
  }

  release(operation: Operation): void {
    operation.state = OperationState.free;
    operation.rid = 0;
    if (operation.isAwaited) this.#abandoned.push({ operation, atMs: this.#nowMs() });
    else this.#free.push(operation);
  }

  /** Gives the operation the request id of a new attempt. */
  number(operation: Operation): number {
    operation.turn = (operation.turn % (turnsMax - 1)) + 1;
    operation.rid = operation.turn * operationsMax + operation.index;
    return operation.rid;
  }

  /** The operation whose present attempt has this request id. */
  find(rid: number): Operation | undefined {
    const operation = this.#operations[rid & (operationsMax - 1)];
    return rid !== 0 && operation?.rid === rid ? operation : undefined;
  }

  /** Calls `visit` for every operation under way; it may release them. */
  forEach(visit: (operation: Operation) => void): void {
    if (this.inUse === 0) return;
    for (const operation of this.#operations) if (operation.state !== OperationState.free) visit(operation);
  }

  /** Tries those again that wait for room of that kind, everybody in turn, until there seems to be none. */
  retryForRoom(kind: 'connection' | 'large', retry: (operation: Operation) => void): void {
    const { length } = this.#operations;
    const start = this.#turns[kind];
    let inVain = 0;
    for (let count = 0; count < length && inVain < inVainMax; count++) {
      const index = (start + count) % length;
      const operation = this.#operations[index];
      if (operation?.state !== OperationState.waiting || !operation.waitsForRoom) continue;
      if (operation.waitsForLarge !== (kind === 'large')) continue;
      retry(operation);
      inVain++;
      if (isWaiting(operation)) continue;
      inVain = 0;
      this.#turns[kind] = index + 1;
    }
  }
}

function isWaiting({ state }: Operation): boolean {
  return state === OperationState.waiting;
}
