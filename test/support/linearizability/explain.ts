/**
 * What to show of a history that is wrong: a small part that is wrong by itself.
 *
 *  - The shortest wrong prefix. What had not returned at its end has an unknown outcome.
 *  - Its shortest wrong suffix, from an unknown state.
 *  - Without as many others as possible.
 *
 * Each step keeps the history wrong (weaken.ts says why). The writes of the values that are left are then shown as
 * well. All is done within limits, so of a hard history the part may be larger than it need be.
 */
import { describe } from './format.js';
import { byCall, compare, namedBy, writtenBy } from './operations.js';
import type { Operation, Operations, WriteId } from './operations.js';
import { faultOf, UndecidedError } from './search.js';
import { prefix, suffix, withStates } from './weaken.js';

/** What may be spent on one check of a part, in steps; and on each of the stages: operations looked at, and steps. */
const checkStepsMax = 5_000;
const stageEffortMax = 1_000_000;
const effortOfStep = 3;

export interface Fault {
  readonly ok: false;
  readonly reason: string;
  /** A small part of the history that is wrong by itself, in order of the calls. */
  readonly operations: Operations;
}

export function explain(operations: Operations, initial: WriteId | null, reason: string): Fault {
  let effortLeft = stageEffortMax;
  /** What is wrong with a part, unless that takes too long to say. */
  const faultIn = (part: Operations, from: WriteId | null): string | undefined => {
    if (effortLeft < 0) return undefined;
    const stepsMax = checkStepsMax + part.length;
    const budget = { stepsLeft: stepsMax };
    try {
      return faultOf(part, from, budget);
    } catch (error) {
      if (error instanceof UndecidedError) return undefined;
      throw error;
    } finally {
      effortLeft -= part.length + effortOfStep * (stepsMax - budget.stepsLeft);
    }
  };
  let unusedId = initial ?? 0;
  for (const each of operations) unusedId = Math.min(unusedId, writtenBy(each) ?? 0, namedBy(each) ?? 0);
  const newId = (): WriteId => --unusedId;

  const told = operations.filter(({ outcome }) => outcome !== 'failed').sort(byCall);
  const known = told.filter(({ outcome }) => outcome === 'ok');
  const returns = [...new Set(known.map((each) => each.return))].sort(compare);

  const prefixTo = (index: number): Operation[] => prefix(told, returns[index] ?? Infinity);
  const lastIndex = lowest(returns.length - 1, (index) => faultIn(prefixTo(index), initial) !== undefined);
  const part = prefixTo(lastIndex);
  effortLeft = stageEffortMax;
  const partReason = faultIn(part, initial) ?? reason;

  const wrongAfter = (time: number, left: ReadonlySet<Operation>): boolean => {
    if (effortLeft < 0) return false;
    const rest = suffix(part, time, left, newId);
    if (time === -Infinity) return faultIn(rest, initial) !== undefined;
    return withStates(rest, time, newId).every((each) => faultIn(each, null) !== undefined);
  };
  const cuts = [-Infinity, ...returns.slice(0, lastIndex)].reverse();
  const cutAt = (index: number): number => cuts[index] ?? -Infinity;
  const cut = cutAt(lowest(cuts.length - 1, (index) => wrongAfter(cutAt(index), new Set())));
  effortLeft = stageEffortMax;
  const kept = shrink(
    part.filter((each) => each.outcome === 'unknown' || each.return > cut),
    (left) => wrongAfter(cut, left),
  );

  const missing = new Set(kept.map(namedBy));
  for (const each of kept) missing.delete(writtenBy(each));
  const context = operations.filter(
    (each) => 'value' in each && each.value !== null && missing.has(each.value),
  );
  const last = returns[lastIndex];
  const lastOnes = known.filter((each) => each.return === last);
  const named = lastOnes.map((each) => `${each.client}: ${describe(each)}`).join(', ');
  return {
    ok: false,
    reason: `${partReason} (wrong from ${last} on, with ${named})`,
    operations: [...context, ...kept].sort(byCall),
  };
}

/** The lowest index that passes; all above it do, `last` certainly. Looks at low ones first: they are quicker. */
function lowest(last: number, passes: (index: number) => boolean): number {
  let low = 0;
  let high = 0;
  while (high < last && !passes(high)) {
    low = high + 1;
    high = Math.min(last, 2 * low);
  }
  while (low < high) {
    const middle = (low + high) >> 1;
    if (passes(middle)) high = middle;
    else low = middle + 1;
  }
  return high;
}

/** Leaves out as much as it can, in ever smaller pieces, and answers what is kept. */
function shrink(operations: Operations, isWrong: (without: ReadonlySet<Operation>) => boolean): Operation[] {
  const left = new Set<Operation>();
  for (let size = Math.ceil(operations.length / 2); size >= 1; size = size === 1 ? 0 : Math.ceil(size / 2)) {
    const kept = operations.filter((each) => !left.has(each));
    for (let i = 0; i < kept.length; i += size) {
      const some = kept.slice(i, i + size);
      for (const each of some) left.add(each);
      if (!isWrong(left)) for (const each of some) left.delete(each);
    }
  }
  return operations.filter((each) => !left.has(each));
}
