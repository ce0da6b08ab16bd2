/** What a benchmark is, and what it gives: sections of rows, each row the same measurement made several times. */
import type { Chart } from './plot.js';
import { median } from './stats.js';

export interface BenchOptions {
  /** The checkout. */
  readonly root: string;
  /** How often a measurement is repeated; undefined: as often as the benchmark finds fit. */
  readonly runs: number | undefined;
  /** Length of one throughput run. */
  readonly seconds: number;
  /** How many keys a benchmark stores that is about many; undefined: as many as they are meant to. */
  readonly keys: number | undefined;
  /** Nodes killed by `failover`. */
  readonly kills: number;
  /** CSV that `replay` replays. */
  readonly file: string;
  /** Whether only to see that everything works: small amounts, short warm-ups; the figures mean nothing. */
  readonly isQuick: boolean;
  /** Tells the person who waits how far it is. */
  readonly progress: (text: string) => void;
}

export interface Row {
  readonly name: string;
  readonly unit: string;
  /** One value a run, in the order in which they were measured. */
  readonly runs: readonly number[];
  readonly target?: Target;
}

export interface Target {
  /** As it is printed: `>= 60,000`. */
  readonly text: string;
  readonly isMet: boolean;
}

/** A plot to be kept as a file. */
export interface Figure {
  /** Without folder and ending. */
  readonly name: string;
  readonly chart: Chart;
}

export interface Section {
  readonly title: string;
  readonly rows: readonly Row[];
  /** What one must know to read the figures. */
  readonly notes: readonly string[];
  readonly figures?: readonly Figure[];
}

export interface Benchmark {
  readonly name: string;
  /** One line for `--help`. */
  readonly purpose: string;
  readonly run: (options: BenchOptions) => Promise<Section[]>;
}

/** A row whose median is to be so much at least. */
export function rowAtLeast(name: string, unit: string, runs: readonly number[], least?: number): Row {
  if (least === undefined) return { name, unit, runs };
  const text = `>= ${least.toLocaleString('en')}`;
  return { name, unit, runs, target: { text, isMet: median(runs) >= least } };
}

/** A row whose median is to be so much at most. */
export function rowAtMost(name: string, unit: string, runs: readonly number[], most?: number): Row {
  if (most === undefined) return { name, unit, runs };
  const text = `<= ${most.toLocaleString('en')}`;
  return { name, unit, runs, target: { text, isMet: median(runs) <= most } };
}
