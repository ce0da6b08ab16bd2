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
  const zones: Unit[] = [];
  for (const unit of ends) {
    if (unit.kind !== 'block' || unit.end >= unit.start) continue;
    const last = zones.at(-1);
    if (last !== undefined && unit.end < last.start) return overlap(last, unit);
    zones.push(unit);
  }
  let next = 0;
  let last: Unit | undefined;
  for (const unit of units) {
    if (unit.seesWithin || unit.end < unit.start) continue;
    for (let zone = zones[next]; zone !== undefined && zone.end < unit.start; zone = zones[++next]) {
      last = zone;
    }
    if (last !== undefined && unit.end < last.start) return overlap(last, unit);
  }
  return undefined;
}

function overlap(zone: Unit, unit: Unit): string {
  return `${nameOf(unit)} within ${zone.end}-${zone.start}, when the key held ${nameOf(zone)}`;
}

function nameOf({ kind, chain: [first, ...others] }: Unit): string {
  if (kind !== 'block') return 'absence was seen';
  if (first === undefined) return 'a delete was done';
  const last = others.at(-1);
  return last === undefined ? `the value ${first.name}` : `the values ${first.name} to ${last.name}`;
}
