/**
 * What the search puts in order: units, and the values that they take the key through.
 *
 * A unit is a block, which changes the key; a sight of it, which does not; or a maybe, a change that nobody saw and
 * that may be left out. X must come before Y if X.end < Y.start, so Y may be next if nothing else that is left ends
 * before its start.
 *
 * Units that are not in the order yet are linked in two rings, by start and by end, with a head that starts and ends
 * after everything. Unlinking leaves a unit's own links alone, so that relinking in reverse order restores the rings
 * (Knuth's dancing links).
 */
import type { WriteId } from './operations.js';

/** A value that the key once had, or perhaps had; or the absence that a conditional delete leaves. */
export class Value {
  /** Among the values of a key; 0: absence. */
  id = 0;
  /** What the key must be for the write to work; undefined: anything. */
  needs: Value | undefined;
  /** The conditional change that certainly replaced it. */
  successor: Value | undefined;
  /** Reads that returned it: the latest call and the earliest return. */
  readCallMax = -Infinity;
  readReturnMin = Infinity;
  /** The earliest return of what comes after it in its block. */
  laterReturnMin = Infinity;
  /** Refused conditional writes that expected it and are not in the order yet. */
  refusals = 0;
  /** Conditional changes that nobody saw and that could have replaced it. */
  maybeSuccessors: Unit[] | undefined;

  constructor(
    /** Null: a conditional delete, the end of a chain. */
    readonly written: WriteId | null = null,
    /** The write that it replaces; null: absence; undefined: anything. */
    readonly expected?: WriteId | null,
    readonly call = 0,
    readonly returned = 0,
    /** It certainly was written: its write was acknowledged, or someone saw it. */
    public certain = true,
  ) {}

  get clears(): boolean {
    return this.written === null;
  }

  /** Whatever is left of the history does not tell it from other values that nobody will read again. */
  get anonymous(): boolean {
    return this.refusals === 0 && this.maybeSuccessors === undefined;
  }

  /** For messages. */
  get name(): string {
    return this.written === null ? `the conditional delete of ${this.expected}` : String(this.written);
  }
}

export const absent = new Value();
/** Some anonymous value. */
export const someValue = new Value();
someValue.id = -1;
/** Needed by what can never have worked. */
export const nothing = new Value();

/** What a unit needs the key to be: half of its effect. */
export const Need = { anything: 0, absence: 1, presence: 2, another: 3 } as const;

/** What a unit needs the key to be, and what it then is; the odd ones leave it absent. */
export const Effect = {
  anyToPresent: 0,
  anyToAbsent: 1,
  absentToPresent: 2,
  absentToAbsent: 3,
  presentToPresent: 4,
  presentToAbsent: 5,
  /** Of a sight: any but one. (And of a maybe: just one, to be replaced.) */
  otherToOther: 6,
} as const;

/** The effect of a chain of changes, of which each but the first replaces the one before. */
export function effectOf({ needs }: Value, { clears }: Value): number {
  const need = needs === undefined ? Need.anything : needs === absent ? Need.absence : Need.another;
  return 2 * need + (clears ? 1 : 0);
}

const noValues: readonly Value[] = [];

export class Unit {
  /** Place in the order of starts, among the maybes or among the others; -1: a head. */
  index = -1;
  /** Of its likes only the one with the earliest end needs to be tried. */
  plain = true;
  before: Unit = this;
  after: Unit = this;
  endsBefore: Unit = this;
  endsAfter: Unit = this;

  constructor(
    readonly kind: 'block' | 'sight' | 'maybe',
    /** The latest call within. */
    readonly start: number,
    /** The earliest return within. */
    readonly end: number,
    readonly effect: number,
    /** Of a block or a maybe: the values it goes through. Of a sight: the value that it did not see. */
    readonly chain = noValues,
  ) {}

  get needs(): number {
    return this.effect >> 1;
  }

  /** A sight that can be right inside a block. */
  get seesWithin(): boolean {
    return this.kind === 'sight' && this.effect !== Effect.absentToAbsent;
  }

  /** Is it possible in this state? */
  fits(state: Value): boolean {
    if (this.needs === Need.absence) return state === absent;
    if (this.needs === Need.presence) return state !== absent;
    return this.kind !== 'sight' || this.chain[0] !== state;
  }

  unlink(): void {
    this.before.after = this.after;
    this.after.before = this.before;
    this.endsBefore.endsAfter = this.endsAfter;
    this.endsAfter.endsBefore = this.endsBefore;
  }

  relink(): void {
    this.before.after = this.after.before = this;
    this.endsBefore.endsAfter = this.endsAfter.endsBefore = this;
  }
}

/** Links units, given by start and by end, and answers the head. */
export function makeRing(units: readonly Unit[], ends = units): Unit {
  const head = new Unit('block', Infinity, Infinity, Effect.anyToPresent);
  let last = head;
  for (const unit of [...units, head]) {
    unit.before = last;
    last = last.after = unit;
  }
  for (const unit of [...ends, head]) {
    unit.endsBefore = last;
    last = last.endsAfter = unit;
  }
  return head;
}
