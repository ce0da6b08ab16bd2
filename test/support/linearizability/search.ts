/**
 * The search for an order of the units that explains everything (Wing & Gong, with Lowe's memory of failed
 * configurations). Exact: it fails only if there is no such order.
 *
 * Depth first: extends the order by one candidate at a time and goes back when nothing can follow, noting what it
 * then knows to be a dead end: the state of the key together with the set of what is in the order.
 *
 * Greed. A sight that is possible now and right now changes nothing: it is taken at once.
 *
 * Histories of puts, reads and successful conditional writes are decided without any choice. What is really left to
 * search are the deletes, the reads of absence and the refused conditional writes, whose partners are not named.
 * Real-time order keeps the open part as narrow as the number of clients, so the search is close to linear in the
 * length of a good history, and the memory bounds it for a bad one.
 */
import { Problem } from './blocks.js';
import { candidates, type Left } from './candidates.js';
import type { Operations, WriteId } from './operations.js';
import { absent, Effect, makeRing, someValue, type Unit, type Value } from './units.js';
import { zoneFault } from './zones.js';

/** The search ran out of steps: the history is neither right nor wrong. */
export class UndecidedError extends Error {
  override readonly name = 'UndecidedError';
}

/** What a search may still spend. */
export type Budget = { stepsLeft: number };

/** Undefined if the history is linearizable, otherwise what is wrong with it. */
export function faultOf(operations: Operations, initial: WriteId | null, budget: Budget): string | undefined {
  const problem = new Problem();
  return problem.build(operations, initial) ?? zoneFault(problem) ?? new Search(problem, budget).run();
}

/** One level of the search. */
interface Point {
  readonly state: Value;
  /** The length of the trail before this point. */
  readonly trailLength: number;
  readonly candidates: Unit[];
}

class Search implements Left {
  readonly head: Unit;
  readonly maybes: readonly Unit[];
  readonly named: Unit;
  private readonly unitCount: number;
  /** What is in the order, in order. */
  private readonly trail: Unit[] = [];
  /** The same without the maybes, counted. */
  private placedCount = 0;
  /** Points from which no order was found. */
  private readonly failed = new Set<string>();

  constructor(
    { units, ends, maybes }: Problem,
    private readonly budget: Budget,
  ) {
    this.head = makeRing(units, ends);
    const isPlain = (unit: Unit): boolean => unit.chain.every((value) => value.anonymous);
    this.named = makeRing(maybes.filter((unit) => !isPlain(unit)));
    this.maybes = [Effect.anyToPresent, Effect.anyToAbsent, Effect.absentToPresent].map((effect) =>
      makeRing(maybes.filter((unit) => unit.effect === effect && isPlain(unit))),
    );
    this.unitCount = units.length;
  }

  run(): string | undefined {
    const points: Point[] = [];
    const open = (state: Value, trailLength: number): void => {
      points.push({ state, trailLength, candidates: candidates(this, state).reverse() });
    };
    this.observe(absent, Infinity);
    open(absent, 0);
    for (let point = points.at(-1); point !== undefined; point = points.at(-1)) {
      if (this.placedCount === this.unitCount) return undefined;
      const candidate = point.candidates.pop();
      if (candidate === undefined) {
        this.failed.add(this.keyOf(point.state));
        this.takeBack(point.trailLength);
        points.pop();
        continue;
      }
      this.budget.stepsLeft -= Math.max(1, candidate.chain.length);
      if (this.budget.stepsLeft < 0) {
        const progress = `${this.unitCount} blocks and observations, with ${this.failed.size} dead ends so far`;
        throw new UndecidedError(`undecided: the search used up its steps on ${progress}`);
      }
      const trailLength = this.trail.length;
      const state = this.place(candidate);
      const isDeadEnd = state === undefined || (this.failed.size > 0 && this.failed.has(this.keyOf(state)));
      if (isDeadEnd) this.takeBack(trailLength);
      else open(state, trailLength);
    }
    return 'no order of the operations explains all their results';
  }

  /** Takes every sight that is possible now, starts by `bound` and is right in this state. */
  private observe(state: Value, bound: number): void {
    const { head } = this;
    for (let placedBefore = -1; placedBefore < this.placedCount;) {
      placedBefore = this.placedCount;
      const limit = Math.min(bound, head.endsAfter.end);
      for (let unit = head.after; unit.start <= limit && unit !== head; unit = unit.after) {
        if (unit.kind === 'sight' && unit.fits(state)) this.append(unit);
      }
    }
  }

  /**
   * Puts a candidate into the order, and answers the state then. Sights within a chain are taken on the way, so it is
   * enough for a chain that nothing else has to come before its end; they can also make it impossible.
   */
  private place(unit: Unit): Value | undefined {
    const { head } = this;
    let state = absent;
    this.append(unit);
    for (const value of unit.chain) {
      if (head.endsAfter.end < value.call) return undefined;
      state = value.clears ? absent : value;
      this.observe(state, value.laterReturnMin);
      if (head.endsAfter.end < value.readCallMax) return undefined;
    }
    if (unit.chain.length === 0) this.observe(absent, Infinity);
    return state !== absent && state.anonymous ? someValue : state;
  }

  private append(unit: Unit): void {
    unit.unlink();
    this.trail.push(unit);
    if (unit.kind !== 'maybe') this.placedCount++;
    if (unit.kind === 'sight') for (const value of unit.chain) value.refusals--;
  }

  private takeBack(trailLength: number): void {
    for (const unit of this.trail.splice(trailLength).reverse()) {
      unit.relink();
      if (unit.kind !== 'maybe') this.placedCount--;
      if (unit.kind === 'sight') for (const value of unit.chain) value.refusals++;
    }
  }

  /** What a point is: the state of the key and the set of what is in the order. */
  private keyOf(state: Value): string {
    const { head, named, placedCount } = this;
    let key = `${state.id} ${placedCount}`;
    let position = 0;
    // Up to the last one that is in the order, name the ones that are not.
    for (let unit = head.after; unit.index - position < placedCount && unit !== head; unit = unit.after) {
      key += ` ${unit.index}`;
      position++;
    }
    // Of likes the first is taken first.
    for (const { after } of this.maybes) key += `/${after.index}`;
    for (let unit = named.after; unit !== named; unit = unit.after) key += ` ${unit.index}`;
    return key;
  }
}
