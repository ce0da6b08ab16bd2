/**
 * Histories that know less than a given one. Each is such that an order of the whole would give an order of it, so
 * if it is wrong, the whole is wrong.
 *
 * Operations that returned before a cut are forgotten; of those open at the cut, reads are forgotten and changes
 * lose their conditions, for they may have happened before it. What is left out on purpose is forgotten if it is a
 * read and becomes a maybe of any time if it is a change.
 */
import { changes, namedBy, writtenBy, type Operation, type Operations, type WriteId } from './operations.js';

/** What is known at a time, and which later writes were of values already seen. */
export function prefix(operations: Operations, until: number): Operation[] {
  const isKnown = (each: Operation): boolean => each.outcome === 'ok' && each.return <= until;
  const seen = new Set(operations.filter(isKnown).map(namedBy));
  seen.delete(undefined);
  return operations.flatMap((each) => {
    if (isKnown(each)) return [each];
    const isOpen = changes(each) && (each.call <= until || seen.has(writtenBy(each)));
    return isOpen ? [{ ...each, outcome: 'unknown' as const }] : [];
  });
}

/** What is known after a time, without the operations `left` out, and nothing of the state at that time. */
export function suffix(
  operations: Operations,
  from: number,
  left: ReadonlySet<Operation>,
  newId: () => WriteId,
): Operation[] {
  const intact: Operation[] = [];
  const open: Operation[] = [];
  for (const each of operations) {
    if (each.outcome === 'ok' && each.return <= from) continue;
    if (!left.has(each) && each.call > from) intact.push(each);
    else if (changes(each)) open.push(each);
  }
  const seen = new Set(intact.filter(dependsOnNamed).map(namedBy));
  const written = new Set([...open, ...intact].map(writtenBy));
  const blind = (each: Operation): Operation => {
    const { client, call, return: returned, outcome } = each;
    const timed = left.has(each)
      ? ({ client, call: -Infinity, return: Infinity, outcome: 'unknown' } as const)
      : { client, call, return: returned, outcome };
    const id = writtenBy(each);
    if (id === undefined) return { ...timed, kind: 'remove' };
    // Named by refusals only, it gets a new name that keeps it like others; the refusals are right anyway.
    return { ...timed, kind: 'put', value: seen.has(id) ? id : newId() };
  };
  written.add(undefined);
  // What a maybe expected may have been there before.
  const isBlind = (each: Operation): boolean => each.outcome === 'unknown' && !written.has(namedBy(each));
  return [...open.map(blind), ...intact.map((each) => (isBlind(each) ? blind(each) : each))];
}

/**
 * A history of what came after a time, with each state that the key may have had then: one of them is right if it
 * all is. The state is a write too: before what was called later, in any order with what was open.
 */
export function withStates(operations: Operations, from: number, newId: () => WriteId): Operation[][] {
  const written = new Set(operations.map(writtenBy));
  const known = operations.filter((each) => each.outcome === 'ok' && dependsOnNamed(each));
  const before = new Set(known.flatMap((each) => namedBy(each) ?? []).filter((id) => !written.has(id)));
  // Values without a write were there before; only one can have been the last of them.
  if (before.size > 1) return [];
  const state = { client: 'before', call: -Infinity, return: from, outcome: 'ok' } as const;
  const [only] = before;
  const withPut: Operation[] = [...operations, { ...state, kind: 'put', value: only ?? newId() }];
  return only === undefined ? [withPut, [...operations, { ...state, kind: 'remove' }]] : [withPut];
}

/** Did it see the value that it names, or perhaps? */
function dependsOnNamed(operation: Operation): boolean {
  return operation.kind === 'get' || changes(operation);
}
