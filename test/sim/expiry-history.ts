/**
 * The life of values in a key's history. The checker knows registers that change by writes only, so the end of a value's life
 * becomes one: a conditional delete of that very value, which somebody may have made at any time from its expiry on, and must have
 * by the time at which nobody may see the value any more. `slackMs` is by how much nodes' clocks may be off.
 *
 * Two things are allowed beyond that:
 *
 * - within the slack of an expiry one node may tell of the value after another has told of its absence;
 * - a conditional write that replaces a value is evaluated while that lives, and takes its place when all replicas have it. In
 *   between the value may expire, and a read find nothing.
 */
import type { CasOperation, Operation, WriteId } from '../support/linearizability.js';

export interface ExpiryOptions {
  /** Cluster-clock milliseconds; 0: never. */
  readonly expiryOf: (id: WriteId) => number;
  /** Place of a time among the steps of the history. */
  readonly stepAt: (clockMs: number) => number;
  readonly slackMs: number;
}

/** Steps between which a value's life may end. */
interface End {
  readonly id: WriteId;
  readonly from: number;
  readonly until: number;
  /** Until when somebody may take it for replaced who is not done with that. */
  replacedUntil: number;
}

/** @returns the history with the ends of all lives, or what is wrong at first sight */
export function withEnds(operations: readonly Operation[], options: ExpiryOptions): Operation[] | string {
  const ends = endsOf(operations, options);
  if (ends.size === 0) return [...operations];
  for (const each of operations) {
    const end = each.kind === 'cas' && each.expected !== null ? ends.get(each.expected) : undefined;
    if (end === undefined || (each.outcome === 'ok' && (each as CasOperation).result !== true)) continue;
    end.replacedUntil = Math.max(end.replacedUntil, each.outcome === 'ok' ? each.return : Infinity);
  }
  const told: Operation[] = [];
  for (const each of operations) {
    const seen = seenBy(each);
    const end = seen === undefined ? undefined : ends.get(seen);
    if (end !== undefined && each.call > end.until)
      return `${seen} was ${each.kind === 'get' ? 'read' : 'replaced'} by ${each.client} after its life was over`;
    if (!missesSome(each))
      told.push(end !== undefined && each.kind === 'get' ? cutAt(each, end.until) : each);
    else if (!mayBeReplaced(each, ends)) told.push(postponed(each, ends));
  }
  for (const { id, from } of ends.values()) {
    const timed = { client: 'end of life', call: from, return: Infinity, outcome: 'unknown' } as const;
    told.push({ ...timed, kind: 'cas', expected: id, value: null });
  }
  return told;
}

function endsOf(
  operations: readonly Operation[],
  { expiryOf, stepAt, slackMs }: ExpiryOptions,
): Map<WriteId, End> {
  const ends = new Map<WriteId, End>();
  for (const each of operations) {
    const id = each.kind === 'put' || each.kind === 'cas' ? each.value : null;
    const expiresAtMs = id === null ? 0 : expiryOf(id);
    if (id === null || expiresAtMs === 0) continue;
    const [from, until] = [stepAt(expiresAtMs - slackMs), stepAt(expiresAtMs + slackMs)];
    ends.set(id, { id, from, until, replacedUntil: -Infinity });
  }
  return ends;
}

/** The value that a node found alive for it. */
function seenBy(operation: Operation): WriteId | undefined {
  if (operation.outcome !== 'ok') return undefined;
  if (operation.kind === 'get') return operation.result ?? undefined;
  return operation.kind === 'cas' && operation.result === true
    ? (operation.expected ?? undefined)
    : undefined;
}

/** A node found nothing, or not the value expected. */
function missesSome(operation: Operation): boolean {
  if (operation.outcome !== 'ok') return false;
  if (operation.kind === 'get') return operation.result === null;
  return operation.kind === 'cas' && operation.result === false && operation.expected !== null;
}

function cutAt<T extends Operation>(operation: T, until: number): T {
  return operation.return <= until ? operation : { ...operation, return: until };
}

function isAbout(operation: Operation, { id }: End): boolean {
  return operation.kind !== 'cas' || operation.expected === id;
}

function mayBeReplaced(operation: Operation, ends: ReadonlyMap<WriteId, End>): boolean {
  for (const end of ends.values()) {
    const isWithin = operation.return >= end.from && operation.call <= end.replacedUntil;
    if (isWithin && isAbout(operation, end)) return true;
  }
  return false;
}

/** What was missed within the slack of an expiry may count as missed at its end. */
function postponed<T extends Operation>(operation: T, ends: ReadonlyMap<WriteId, End>): T {
  let latest = operation.return;
  for (const end of ends.values()) {
    const isWithin = operation.return >= end.from && operation.call <= end.until;
    if (isWithin && isAbout(operation, end)) latest = Math.max(latest, end.until);
  }
  return latest === operation.return ? operation : { ...operation, return: latest };
}
