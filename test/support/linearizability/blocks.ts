/**
 * From operations to units: one key's history as blocks, sights and maybes.
 *
 * Chains. A value exists once, from its write until the next change. So a write, all reads that returned it, the
 * conditional write that replaced it, that one's reads, and so on form one block which nothing else can change the
 * key within. Its `start` is the latest call in it, its `end` the earliest return in it. A delete is a block without
 * values.
 *
 * A write with an unknown outcome that someone observed did happen, with an open end. One that nobody observed is a
 * maybe. What remains are the sights: reads of absence, and conditional writes refused because the key was present,
 * or not the value they expected; these two can be right inside a block.
 */
import { checkForm, Versions } from './form.js';
import { changes, compare, type Operation, type Operations, type WriteId } from './operations.js';
import { absent, Effect, effectOf, nothing, Unit, Value } from './units.js';

export class Problem {
  /** By start, without the maybes. */
  readonly units: Unit[] = [];
  /** The same by end. */
  ends: readonly Unit[] = [];
  /** By start, without the successors of values. */
  readonly maybes: Unit[] = [];
  /** All that was written, or perhaps was. */
  private readonly values: Value[] = [];
  private readonly byId = new Map<WriteId, Value>();
  private seesPresent = false;

  /** Answers what is wrong at first sight: which value was read and replaced when. */
  build(operations: Operations, initial: WriteId | null): string | undefined {
    if (initial !== null) this.addValue(new Value(initial, undefined, -Infinity, -Infinity));
    for (const each of operations) {
      if (each.outcome === 'failed') continue;
      checkForm(each);
      if (changes(each)) this.addChange(each);
    }
    for (const value of this.values) {
      if (value.expected === undefined) continue;
      value.needs = value.expected === null ? absent : (this.byId.get(value.expected) ?? nothing);
    }
    const fault = this.addSights(operations) ?? this.settleOrigins();
    if (fault !== undefined) return fault;
    this.addMaybes();
    return this.addBlocks();
  }

  private addChange(operation: Operation): void {
    const { kind, call } = operation;
    const known = operation.outcome === 'ok';
    const returned = known ? operation.return : Infinity;
    if (kind === 'put' || kind === 'cas') {
      const expected = kind === 'cas' ? operation.expected : undefined;
      if (operation.value === null && expected === null) return;
      this.addValue(new Value(operation.value, expected, call, returned, known));
    } else if (known) {
      const effect = kind === 'delete' ? Effect.presentToAbsent : Effect.anyToAbsent;
      this.units.push(new Unit('block', call, returned, effect));
    } else {
      this.maybes.push(new Unit('maybe', call, Infinity, Effect.anyToAbsent));
    }
  }

  private addValue(value: Value): void {
    const { written } = value;
    value.id = this.values.push(value);
    if (written === null) return;
    if (this.byId.has(written)) throw new TypeError(`two writes of ${written}: write ids must be unique`);
    this.byId.set(written, value);
  }

  private addSights(operations: Operations): string | undefined {
    const versions = new Versions();
    for (const each of operations) {
      if (each.outcome !== 'ok') continue;
      const fault = versions.faultOf(each);
      if (fault !== undefined) return fault;
      const { kind } = each;
      if (kind === 'put' || kind === 'remove') continue;
      const { result } = each;
      if (typeof result === 'number') {
        const value = this.byId.get(result);
        if (value === undefined) return `${result} was read but never written`;
        value.certain = true;
        value.readCallMax = Math.max(value.readCallMax, each.call);
        value.readReturnMin = Math.min(value.readReturnMin, each.return);
      } else if (result === null || (kind === 'delete' && result === false)) {
        this.addSight(each, Effect.absentToAbsent);
      } else if (kind === 'cas' && result === true) {
        if (each.expected === null && each.value === null) this.addSight(each, Effect.absentToAbsent);
      } else if (kind === 'cas' && each.expected === null) {
        this.seesPresent = true;
        this.addSight(each, Effect.presentToPresent);
      } else if (kind === 'cas' && each.expected !== null) {
        // Refused for a value that was never there: right at any time.
        const value = this.byId.get(each.expected);
        if (value === undefined) continue;
        value.refusals++;
        this.addSight(each, Effect.otherToOther, [value]);
      }
    }
    return undefined;
  }

  private addSight(operation: Operation, effect: number, chain?: Value[]): void {
    this.units.push(new Unit('sight', operation.call, operation.return, effect, chain));
  }

  /** What was there needed something to be there before it. */
  private settleOrigins(): string | undefined {
    for (const each of this.values) {
      let value = each;
      while (value.certain) {
        const { needs, expected } = value;
        if (needs === undefined || needs === absent || needs.successor === value) break;
        if (needs === nothing) {
          return `a conditional write that expected ${expected} was applied, but ${expected} was never written`;
        }
        if (needs.successor !== undefined) {
          return `two conditional writes replaced ${needs.name}: ${needs.successor.name} and ${value.name}`;
        }
        needs.successor = value;
        if (needs.certain) break;
        needs.certain = true;
        value = needs;
      }
    }
    return undefined;
  }

  private addMaybes(): void {
    for (const value of this.values) {
      const { needs } = value;
      // What certainly had another successor, or was never there, was not replaced by this one.
      if (value.certain || needs === nothing || needs?.successor !== undefined) continue;
      const unit = new Unit('maybe', value.call, Infinity, effectOf(value, value), [value]);
      if (needs === undefined || needs === absent) this.maybes.push(unit);
      else (needs.maybeSuccessors ??= []).push(unit);
    }
    putInOrder(this.maybes);
  }

  private addBlocks(): string | undefined {
    let unplaced = 0;
    for (const value of this.values) {
      if (!value.certain) continue;
      unplaced++;
      if (value.needs !== undefined && value.needs !== absent) continue;
      const block = this.blockOf(value);
      if (typeof block === 'string') return block;
      unplaced -= block.chain.length;
      this.units.push(block);
    }
    putInOrder(this.units);
    this.ends = this.units.toSorted((a, b) => compare(a.end, b.end));
    return unplaced > 0 ? 'conditional writes that each expected what another wrote' : undefined;
  }

  /** The block that begins with a value, or what is wrong with it. */
  private blockOf(first: Value): Unit | string {
    const chain: Value[] = [];
    let last = first;
    let start = -Infinity;
    for (let value: Value | undefined = first; value !== undefined; value = value.successor) {
      if (value.returned < start) {
        return `the write of ${value.name} returned before an operation on the value it replaced was called`;
      }
      if (value.readReturnMin < value.call) return `${value.name} was read before it was written`;
      if (value.readReturnMin < start) {
        return `${value.name} was read before an operation on a value before it was called`;
      }
      start = Math.max(start, value.call, value.readCallMax);
      chain.push(value);
      last = value;
    }
    let end = Infinity;
    for (let value: Value | undefined = last; value !== undefined && value !== absent; value = value.needs) {
      value.laterReturnMin = end;
      end = Math.min(end, value.returned, value.readReturnMin);
    }
    const block = new Unit('block', start, end, effectOf(first, last), chain);
    // A value that comes and goes within the block may be just what a sight of presence needs.
    block.plain = chain.every((value) => value.anonymous) && !(last.clears && this.seesPresent);
    return block;
  }
}

/** By start. */
function putInOrder(units: Unit[]): void {
  units.sort((a, b) => compare(a.start, b.start));
  units.forEach((unit, index) => (unit.index = index));
}
