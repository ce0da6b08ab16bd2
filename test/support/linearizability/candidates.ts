/**
 * What the search must try next. Much that could come next need not be tried, and why that loses no order:
 *
 * Likeness. Among blocks that take the key from the same states to the same state, and whose values no refused
 * conditional write names (plain ones), only the one with the earliest end is tried. Let A be that one and let an
 * order exist that takes B now and A later: exchanging them is an order too. Both may start now; B ends no earlier
 * than A, so what could precede A can precede B; and what sat within one of them (a sight of "present", of "not that
 * value") holds just after the other. (The last step fails for a block that ends absent, so with sights of "present"
 * about, such a block is not plain.) Likewise what needs less gives way to what needs more and ends no later.
 *
 * Maybes. One may be left out, or placed anywhere after its call: it is a block with an infinite end, the last of
 * its likes to be tried, so of many only one is a choice. And it is tried only if something that may be next is
 * impossible without it; otherwise the order without it would do as well. (Those with a value that a conditional
 * write names are `named`; they and the successors of one certain value are taken for unlike any other.)
 */
import { compare } from './operations.js';
import { absent, Effect, Need, type Unit, type Value } from './units.js';

/** What is not in the order yet, as heads of rings. */
export interface Left {
  readonly head: Unit;
  /** The maybes that are not named, by effect: anyToPresent, anyToAbsent, absentToPresent. */
  readonly maybes: readonly Unit[];
  readonly named: Unit;
}

/** Everything that needs to be tried next, the most pressing first: what ends first. */
export function candidates(left: Left, state: Value): Unit[] {
  const { head } = left;
  const first = head.endsAfter;
  // A unit may be next if it starts by the earliest end of the others. A chain need not mind what can be within it.
  const rival = nextRival(head);
  const rivalOfRival = nextRival(rival);
  const limit = Math.max(rival.end, Math.min(rival.start, rivalOfRival.end));

  /** By need: something that may be next has it. */
  const wanted: [boolean, boolean, boolean, boolean] = [false, false, false, false];
  /** Of the plain units, by effect: the one with the earliest end. */
  const best: (Unit | undefined)[] = [undefined, undefined, undefined, undefined, undefined, undefined];
  const found: Unit[] = [];
  for (let unit = head.after; unit.start <= limit && unit !== head; unit = unit.after) {
    const isFree = unit.start <= (unit === first ? first.endsAfter : first).end;
    if (!isFree) {
      if (unit.kind !== 'block' || unit.chain.length === 0) continue;
      if (unit.start > (unit === rival ? rivalOfRival : rival).end) continue;
    }
    wanted[unit.needs] = true;
    if (unit.kind !== 'block' || !unit.fits(state)) continue;
    const other = best[unit.effect];
    if (!isFree || !unit.plain) found.push(unit);
    else if (other === undefined || unit.end < other.end) best[unit.effect] = unit;
  }

  const isAbsent = state === absent;
  let isChangeWanted = isAbsent ? wanted[Need.presence] : wanted[Need.absence] || wanted[Need.another];
  for (let unit = left.named.after; unit.start <= first.end && unit !== left.named; unit = unit.after) {
    if (!isAbsent) isChangeWanted = true;
    if (unit.fits(state)) found.push(unit);
  }
  if (isChangeWanted) {
    for (const unit of state.maybeSuccessors ?? []) if (unit.start <= first.end) found.push(unit);
    const add = (effect: number): void => {
      const unit = left.maybes[effect]?.after;
      if (unit !== undefined && unit.start <= first.end) best[effect] ??= unit;
    };
    add(isAbsent ? Effect.absentToPresent : Effect.anyToAbsent);
    if (isAbsent || wanted[Need.another]) add(Effect.anyToPresent);
  }

  const [put, remove, create, , , deletion] = best;
  for (const unit of best) {
    const better = unit === put ? create : unit === remove ? deletion : undefined;
    if (unit !== undefined && !(better !== undefined && better.end <= unit.end)) found.push(unit);
  }
  return found.length < 2 ? found : found.sort((a, b) => compare(a.end, b.end));
}

function nextRival(unit: Unit): Unit {
  do unit = unit.endsAfter;
  while (unit.seesWithin);
  return unit;
}
