/**
 * Records operations by key while they happen, for the checker.
 *
 * An operation that is begun and never ended has an unknown outcome. Time is by default the order of the calls to
 * the recorder: as fine as it can be within one process.
 */
import { describe } from './format.js';
import type { Operation, Operations, Outcome, Request, WriteId } from './operations.js';

type Mutable<T> = T extends unknown ? { -readonly [K in keyof T]: T[K] } : never;

/** An operation under way; give it back to `end`, `fail` or `lose`. */
export class Token {
  /** The recorder's own. */
  open = true;
  constructor(readonly operation: Operation) {}
}

function counter(): () => number {
  let last = 0;
  return () => ++last;
}

export class History {
  /** A write id not used before in this history. */
  readonly newWriteId: () => WriteId = counter();
  private readonly recorded = new Map<string, Operation[]>();

  constructor(private readonly now: () => number = counter()) {}

  /** The operations by key, in order of the calls. */
  get byKey(): ReadonlyMap<string, Operations> {
    return this.recorded;
  }

  begin(client: number | string, key: string, request: Request): Token {
    const call = this.now();
    const operation: Operation = { ...request, client, call, return: Infinity, outcome: 'unknown' };
    const operations = this.recorded.get(key);
    if (operations === undefined) this.recorded.set(key, [operation]);
    else operations.push(operation);
    return new Token(operation);
  }

  /** It answered: with the result of a get, delete or cas, and with the version it read or wrote if that is known. */
  end(token: Token, result?: WriteId | boolean | null, version?: string): void {
    const operation = this.close(token, 'ok');
    const { kind } = operation;
    if (kind === 'get' && typeof result !== 'boolean' && result !== undefined) {
      operation.result = result;
    } else if ((kind === 'delete' || kind === 'cas') && typeof result === 'boolean') {
      operation.result = result;
    } else if ((kind !== 'put' && kind !== 'remove') || result !== undefined) {
      throw new TypeError(`not a result of ${kind}: ${String(result)}`);
    }
    if (version !== undefined && kind !== 'remove' && kind !== 'delete') operation.version = version;
  }

  /** It was certainly not applied. */
  fail(token: Token): void {
    this.close(token, 'failed');
  }

  /** The client gave up; it may or may not have been applied, or be applied later. Same as no end. */
  lose(token: Token): void {
    this.close(token, 'unknown').return = Infinity;
  }

  private close(token: Token, outcome: Outcome): Mutable<Operation> {
    // The recorder made it and is the only one to change it.
    const operation = token.operation as Mutable<Operation>;
    if (!token.open) throw new TypeError(`ended twice: ${describe(operation)}`);
    token.open = false;
    operation.return = this.now();
    operation.outcome = outcome;
    return operation;
  }
}
