/** What a benchmark is, and what it gives: sections of rows, each row the same measurement made several times. */

export interface BenchOptions {
  /** The checkout. */
  readonly root: string;
  /** How often a measurement is repeated; undefined: as often as the benchmark finds fit. */
  readonly runs: number | undefined;
  /** Length of one throughput run. */
  readonly seconds: number;
  /** Nodes killed by `failover`. */
  readonly kills: number;
  /** CSV that `replay` replays. */
  readonly file: string;
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

export interface Section {
  readonly title: string;
  readonly rows: readonly Row[];
  /** What one must know to read the figures. */
  readonly notes: readonly string[];
}

export interface Benchmark {
  readonly name: string;
  /** One line for `--help`. */
  readonly purpose: string;
  readonly run: (options: BenchOptions) => Promise<Section[]>;
}
