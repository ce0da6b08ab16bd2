/**
 * What a history is made of: operations on one key, each with the times of its call and of its return.
 *
 * The key is a register that is absent or holds a value. Every written value is unique (a write id) and stands for
 * the version it was stored under, so a conditional write names the write id it expects.
 */

/** Unique among the writes of a key. */
export type WriteId = number;

/**
 * `ok`: the result is known. `failed`: certainly not applied. `unknown`: perhaps applied, at any time after the
 * call, even after the client gave up; or never.
 */
export type Outcome = 'ok' | 'unknown' | 'failed';

interface Timed {
  readonly client: number | string;
  readonly call: number;
  /** Finite if the outcome is `ok`, not looked at otherwise. Equal times count as concurrent. */
  readonly return: number;
  readonly outcome: Outcome;
}

export interface PutOperation extends Timed {
  readonly kind: 'put';
  readonly value: WriteId;
  /** The version that the store reported for the value, here and in the others. */
  readonly version?: string;
}

/** A delete that does not say whether there was a value. */
export interface RemoveOperation extends Timed {
  readonly kind: 'remove';
}

export interface GetOperation extends Timed {
  readonly kind: 'get';
  /** The value, or null for absent. */
  readonly result?: WriteId | null;
  readonly version?: string;
}

export interface DeleteOperation extends Timed {
  readonly kind: 'delete';
  /** Was there a value? */
  readonly result?: boolean;
}

export interface CasOperation extends Timed {
  readonly kind: 'cas';
  /** The write whose version is expected, or null for absent. */
  readonly expected: WriteId | null;
  /** What it writes, or null for a conditional delete. */
  readonly value: WriteId | null;
  /** Was it applied? */
  readonly result?: boolean;
  readonly version?: string;
}

export type Operation = PutOperation | RemoveOperation | GetOperation | DeleteOperation | CasOperation;
export type Operations = readonly Operation[];

type Asked<T> = T extends unknown ? Omit<T, keyof Timed | 'result' | 'version'> : never;
/** What a client asks for. */
export type Request = Asked<Operation>;

/** Does it change the key, or perhaps? */
export function changes(operation: Operation): boolean {
  const { kind } = operation;
  if (kind !== 'delete' && kind !== 'cas') return kind !== 'get';
  return operation.outcome === 'unknown' || operation.result === true;
}

/** The value that it wrote, or perhaps wrote. */
export function writtenBy(operation: Operation): WriteId | undefined {
  return 'value' in operation && changes(operation) ? (operation.value ?? undefined) : undefined;
}

/** The value that it read or expected. */
export function namedBy(operation: Operation): WriteId | undefined {
  if (operation.kind === 'get') return operation.result ?? undefined;
  return operation.kind === 'cas' ? (operation.expected ?? undefined) : undefined;
}

/** For sorting; infinite times have no difference. */
export function compare(a: number, b: number): number {
  return a < b ? -1 : a > b ? 1 : 0;
}

export function byCall(a: Operation, b: Operation): number {
  return compare(a.call, b.call);
}
