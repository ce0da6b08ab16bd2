/**
 * The applied list of a key (PROTOCOL RMW5): which conditional writes the key has taken, so that one retried
 * across a failover is applied once.
 *
 * It is a flat array of numbers, replaced whole and never merged (two merged lists once claimed a write that a
 * sibling had displaced):
 *
 *     [hlc, clientId, seq, epoch,                            version of the last conditional write
 *      opClientId, opNumber, hlc, clientId, seq, epoch, ...] the last few, oldest first
 *
 * Flat because it travels with every conditional write and rests in every record that ever had one.
 */
import type { MutableVersion, Version } from './version.js';

export type AppliedList = readonly number[];

/** Of the numbers before the first entry: what tells which of two lists is the later one. */
export const appliedHeadLength = 4;
const entryLength = 6;

/** How many conditional writes a key remembers; a retry older than that stays OUTCOME_UNKNOWN. */
export const appliedEntriesMax = 16;
export const appliedLengthMax = appliedHeadLength + entryLength * appliedEntriesMax;

/** @returns positive when `a` is the later list; no list at all is the earliest. */
export function compareApplied(a: AppliedList | null, b: AppliedList | null): number {
  if (a === null || b === null) return (a === null ? 0 : 1) - (b === null ? 0 : 1);
  for (let i = 0; i < appliedHeadLength; i++) {
    const difference = (a[i] ?? 0) - (b[i] ?? 0);
    if (difference !== 0) return difference;
  }
  return 0;
}

/** Writes the version under which that operation was applied into `out`; false if the list does not hold it. */
export function findApplied(
  list: AppliedList | null,
  opClientId: number,
  opNumber: number,
  out: MutableVersion,
): boolean {
  if (list === null) return false;
  for (let i = appliedHeadLength; i < list.length; i += entryLength) {
    if (list[i] !== opClientId || list[i + 1] !== opNumber) continue;
    out.hlc = list[i + 2] ?? 0;
    out.clientId = list[i + 3] ?? 0;
    out.seq = list[i + 4] ?? 0;
    out.epoch = list[i + 5] ?? 0;
    return true;
  }
  return false;
}

/** The list after one more conditional write; the oldest entries make room. */
export function extendApplied(
  list: AppliedList | null,
  opClientId: number,
  opNumber: number,
  v: Version,
): AppliedList {
  const next = [v.hlc, v.clientId, v.seq, v.epoch];
  if (list !== null) {
    const surplus = (list.length - appliedHeadLength) / entryLength - (appliedEntriesMax - 1);
    for (let i = appliedHeadLength + Math.max(0, surplus) * entryLength; i < list.length; i++)
      next.push(list[i] ?? 0);
  }
  next.push(opClientId, opNumber, v.hlc, v.clientId, v.seq, v.epoch);
  return next;
}

/** Whether a list from the wire has a possible length. */
export function isAppliedLength(length: number): boolean {
  return (
    length <= appliedLengthMax &&
    length >= appliedHeadLength &&
    (length - appliedHeadLength) % entryLength === 0
  );
}
