/**
 * Is a recorded history linearizable? The judge of the simulator and of the cluster tests.
 *
 * Linearizability is local, so a history is judged key by key. The verdict on a key is exact: it comes from a search
 * for an order of its operations that explains all their results (search.ts). Unique values make that quick: they say
 * which operations belong together (units.ts, blocks.ts), and that leaves few orders to try (candidates.ts). Of a
 * wrong history a small part is shown (explain.ts).
 */
import { explain, type Fault } from './explain.js';
import { History } from './history.js';
import type { Operations, WriteId } from './operations.js';
import { faultOf } from './search.js';

export { describe, formatHistory } from './format.js';
export { History, Token } from './history.js';
export type * from './operations.js';
export { UndecidedError } from './search.js';

export type KeyVerdict = { readonly ok: true } | Fault;
export type HistoryVerdict = { readonly ok: true } | (Fault & { readonly key: string });

export interface CheckOptions {
  /** Steps of search before it gives up with an `UndecidedError`. Default 1,000,000: a few seconds, some 100 MB. */
  readonly stepsMax?: number;
  /** Look for a small part to show when the history is wrong. Default true. */
  readonly explain?: boolean;
}

/**
 * Checks the history of one key.
 *
 * @param operations in any order; `failed` ones and reads with an unknown outcome say nothing.
 * @param initial the value before the first operation, or null for absent.
 * @throws {UndecidedError} if the search takes too long.
 * @throws {TypeError} if the history is not well formed (a write id twice, a return before its call, ...).
 */
export function checkKey(
  operations: Operations,
  initial: WriteId | null = null,
  options: CheckOptions = {},
): KeyVerdict {
  const reason = faultOf(operations, initial, { stepsLeft: options.stepsMax ?? 1_000_000 });
  if (reason === undefined) return { ok: true };
  if (options.explain === false) return { ok: false, reason, operations };
  return explain(operations, initial, reason);
}

/**
 * Checks every key of a history; the verdict is that of the first key that is wrong.
 *
 * @param initial the values before the first operation; a key that is not named was absent.
 */
export function checkHistory(
  history: History | ReadonlyMap<string, Operations>,
  initial: ReadonlyMap<string, WriteId> = new Map(),
  options: CheckOptions = {},
): HistoryVerdict {
  for (const [key, operations] of history instanceof History ? history.byKey : history) {
    const verdict = checkKey(operations, initial.get(key) ?? null, options);
    if (!verdict.ok) return { ...verdict, key };
  }
  return { ok: true };
}
