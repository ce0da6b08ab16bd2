/**
 * What the clients do: how often each kind of operation comes, and on which keys. YCSB's core workloads A to F
 * (Cooper et al., SoCC 2010) are known by name; its "update" is a `put` here, its "read-modify-write" an `update`.
 */
import type { Distribution } from './choosers.js';
import type { Random } from './random.js';

/**
 * Kinds of operations, by the name of the call: `insert` is the put of a key that was not there, `getMany` reads a run
 * of neighbours in the list of keys.
 */
export const kinds = ['get', 'put', 'insert', 'getMany', 'update'] as const;
export type Kind = (typeof kinds)[number];

/** Shares of the kinds; their sum is 1. */
export type Mix = Readonly<Partial<Record<Kind, number>>>;

export interface Workload {
  readonly name: string;
  readonly mix: Mix;
  readonly distribution: Distribution;
}

/** Longest run of a `getMany`; as in YCSB's workload E, lengths from 1 to this are equally likely. */
export const runLengthMax = 100;

export const ycsbWorkloads: readonly Workload[] = [
  { name: 'ycsb-a', mix: { get: 0.5, put: 0.5 }, distribution: 'zipfian' },
  { name: 'ycsb-b', mix: { get: 0.95, put: 0.05 }, distribution: 'zipfian' },
  { name: 'ycsb-c', mix: { get: 1 }, distribution: 'zipfian' },
  { name: 'ycsb-d', mix: { get: 0.95, insert: 0.05 }, distribution: 'latest' },
  { name: 'ycsb-e', mix: { getMany: 0.95, insert: 0.05 }, distribution: 'zipfian' },
  { name: 'ycsb-f', mix: { get: 0.5, update: 0.5 }, distribution: 'zipfian' },
];

/** `ycsb-a`, `YCSB-A`, `a`, `A`; undefined if there is none of that name. */
export function workloadNamed(name: string): Workload | undefined {
  const lower = name.toLowerCase();
  return ycsbWorkloads.find((workload) => workload.name === lower || workload.name === `ycsb-${lower}`);
}

/** Gets and puts; the default of `gtstore bench`. */
export function getPutWorkload(getRatio: number, distribution: Distribution): Workload {
  const mix: Mix = {
    ...(getRatio > 0 ? { get: getRatio } : {}),
    ...(getRatio < 1 ? { put: 1 - getRatio } : {}),
  };
  return { name: 'get-put', mix, distribution };
}

/** What a reader of the figures has to know about this workload; undefined: nothing. */
export function caveatOf({ mix }: Workload): string | undefined {
  if (mix.getMany === undefined) return undefined;
  return (
    `the store has no ordered range scan: a scan is done as getMany of 1 to ${runLengthMax} consecutive keys, ` +
    'counted as one operation'
  );
}

/** Draws kinds in the shares of a mix; gives their indexes in `kinds`. */
export class KindChooser {
  readonly #random: Random;
  readonly #indexes: number[] = [];
  /** Of each but the last: the sum of the shares up to it. */
  readonly #upTo: number[] = [];

  constructor(mix: Mix, random: Random) {
    this.#random = random;
    let sum = 0;
    for (const [index, kind] of kinds.entries()) {
      const share = mix[kind] ?? 0;
      if (share === 0) continue;
      sum += share;
      this.#indexes.push(index);
      this.#upTo.push(sum);
    }
    this.#upTo.pop();
  }

  next(): number {
    const upTo = this.#upTo;
    let choice = 0;
    if (upTo.length > 0) {
      const fraction = this.#random.fraction();
      while (choice < upTo.length && fraction >= (upTo[choice] ?? 1)) choice++;
    }
    return this.#indexes[choice] ?? 0;
  }
}
