/**
 * What `npm run bench:check` makes of its measurements: ratios only, since absolute times say more of the machine than
 * of the store. A ratio fails when its median is worse than the committed one by more than its tolerance.
 *
 * The tolerance comes from the spread that was measured when the baseline was taken: the median of five runs wanders
 * by about half of what single runs do, and `deviationsMax` times the latter is never met by chance. It is never
 * below `toleranceMin`, for what differs between machines and days, and what fails is measured again before it counts.
 */
import { median, relativeSpread } from './stats.js';

export interface Ratio {
  readonly name: string;
  /** Whether more is better. */
  readonly isMoreBetter: boolean;
  readonly runs: readonly number[];
}

export interface BaselineRatio {
  readonly isMoreBetter: boolean;
  readonly median: number;
  /** By how much of itself a ratio may be worse. */
  readonly tolerance: number;
  readonly runs: readonly number[];
}

export interface Baseline {
  /** Where and when it was taken, for people. */
  readonly takenOn: string;
  readonly ratios: Readonly<Record<string, BaselineRatio>>;
}

export interface Verdict {
  readonly name: string;
  readonly median: number;
  /** Undefined: there is none of that name, which fails. */
  readonly baseline: BaselineRatio | undefined;
  /** By how much of itself it is worse than the baseline; negative: better. */
  readonly worseBy: number;
  readonly isFine: boolean;
}

const deviationsMax = 4;
const toleranceMin = 0.1;
/** More would not notice a store of half the speed: then the machine is too busy to take a baseline on. */
const toleranceMax = 0.4;

/** @throws Error if the runs lie so far apart that nothing could be said with them */
export function toleranceOf({ name, runs }: Ratio): number {
  const tolerance = deviationsMax * relativeSpread(runs);
  if (!(tolerance <= toleranceMax)) {
    throw new Error(
      `${name}: the runs lie too far apart (${runs.map((run) => run.toFixed(2)).join(', ')}); take the baseline on a quiet machine`,
    );
  }
  return Math.max(toleranceMin, tolerance);
}

export function baselineOf(ratios: readonly Ratio[], takenOn: string): Baseline {
  const entries = ratios.map((ratio): [string, BaselineRatio] => {
    const { name, isMoreBetter, runs } = ratio;
    return [name, { isMoreBetter, median: median(runs), tolerance: toleranceOf(ratio), runs }];
  });
  return { takenOn, ratios: Object.fromEntries(entries) };
}

export function judge(ratios: readonly Ratio[], baseline: Baseline): Verdict[] {
  return ratios.map(({ name, isMoreBetter, runs }) => {
    const middle = median(runs);
    const known = baseline.ratios[name];
    if (known === undefined)
      return { name, median: middle, baseline: undefined, worseBy: NaN, isFine: false };
    const change = middle / known.median - 1;
    const worseBy = isMoreBetter ? -change : change;
    // Not `worseBy > tolerance`: what could not be measured (NaN) is not fine.
    return { name, median: middle, baseline: known, worseBy, isFine: worseBy <= known.tolerance };
  });
}

/** Names in the baseline that were not measured: somebody took a measurement away. */
export function missing(ratios: readonly Ratio[], baseline: Baseline): string[] {
  const measured = new Set(ratios.map(({ name }) => name));
  return Object.keys(baseline.ratios).filter((name) => !measured.has(name));
}

/** The runs of the same ratios from several rounds, together. */
export function pooled(rounds: readonly (readonly Ratio[])[]): Ratio[] {
  const [first = []] = rounds;
  return first.map(({ name, isMoreBetter }) => ({
    name,
    isMoreBetter,
    runs: rounds.flatMap((round) => round.find((ratio) => ratio.name === name)?.runs ?? []),
  }));
}

export interface CheckResult {
  readonly verdicts: readonly Verdict[];
  readonly missing: readonly string[];
  readonly rounds: number;
  readonly isFine: boolean;
}

/**
 * Measures, and measures again as long as it would fail, at most `roundsMax` times. Later rounds add to the runs of
 * the earlier ones; they do not replace them, so that repeating does not look for luck.
 */
export async function check(
  measure: () => Promise<readonly Ratio[]>,
  baseline: Baseline,
  roundsMax: number,
): Promise<CheckResult> {
  const rounds: (readonly Ratio[])[] = [];
  for (;;) {
    rounds.push(await measure());
    const ratios = pooled(rounds);
    const verdicts = judge(ratios, baseline);
    const lost = missing(ratios, baseline);
    const isFine = lost.length === 0 && verdicts.every((verdict) => verdict.isFine);
    if (isFine || lost.length > 0 || rounds.length >= roundsMax) {
      return { verdicts, missing: lost, rounds: rounds.length, isFine };
    }
  }
}
