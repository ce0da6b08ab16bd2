/**
 * Most faults, at a glance (Gibbons & Korach 1997).
 *
 * A block whose end is before its start is a zone: it holds the key all the time between, and nothing else can
 * happen there. So two zones must not overlap, and no other block nor a sight of absence may lie within one. The
 * search would find that too, after trying whatever else is open.
 */
import type { Problem } from './blocks.js';
import type { Unit } from './units.js';

export function zoneFault({ units, ends }: Problem): string | undefined {
  const zones = ends.filter((unit) => unit.kind === 'block' && unit.end < unit.start);
  let next = 0;
  // Of the zones that begin before a unit starts, the one that lasts longest.
  let last: Unit | undefined;
  for (const unit of units) {
    for (let zone = zones[next]; zone !== undefined && zone.end < unit.start; zone = zones[++next]) {
      if (last === undefined || zone.start > last.start) last = zone;
    }
    if (last === undefined || last === unit || unit.end >= last.start || unit.seesWithin) continue;
    return `${nameOf(unit)} within ${last.end}-${last.start}, when the key held ${nameOf(last)}`;
  }
  return undefined;
}

function nameOf({ kind, chain: [first, ...others] }: Unit): string {
  if (kind !== 'block') return 'absence was seen';
  if (first === undefined) return 'a delete was done';
  const last = others.at(-1);
  return last === undefined ? `the value ${first.name}` : `the values ${first.name} to ${last.name}`;
}
