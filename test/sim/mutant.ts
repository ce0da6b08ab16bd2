/** What a change of the compiled cores is made of; see mutants.ts. */
import type { Bias } from './plan.js';

export interface Edit {
  /** Compiled file, relative to the folder that holds src/ and test/. */
  readonly file: string;
  readonly find: string;
  readonly replace: string;
}

export interface Mutant {
  readonly name: string;
  readonly rule: string;
  readonly edits: readonly Edit[];
  /** Leans the schedules towards the situation; none: as they come. */
  readonly bias?: Bias;
  /** Where to begin, for a bug that shows in one of some 100,000 schedules; default: at seed 1. */
  readonly firstSeed?: number;
  /** Nodes with disks; default: without. */
  readonly disks?: boolean;
  /** Of durability `interval`; default: `always`. */
  readonly interval?: boolean;
  /** On hosts of their own; default: on the manager's. */
  readonly elsewhere?: boolean;
  /** Values that expire, and hosts that sleep; default: neither. */
  readonly expiry?: boolean;
  /** The manager's disk may be full, or slow; default: never. */
  readonly managerDisk?: boolean;
  /** Found within a second or two: part of `npm test`. */
  readonly quick?: boolean;
}

/** Folders of the cores, relative to the same. */
export const node = 'src/node/core';
export const client = 'src/client/core';
export const manager = 'src/manager/core';

/** A single edit. */
export function one(file: string, find: string, replace: string): readonly Edit[] {
  return [{ file, find, replace }];
}
