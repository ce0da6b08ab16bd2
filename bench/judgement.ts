/**
 * What `npm run bench:check` makes of its measurements: ratios only, since absolute times say more of the machine than
 * of the store. A ratio fails when its median is worse than the committed one by more than its tolerance.
 *
 * The tolerance comes from the spread that was measured when the baseline was taken: of the medians of several rounds, each with
 * processes of its own, since rounds differ by more than their runs do. What fails is measured again and counts together, so that
 * `deviationsMax` times the spread of single rounds is not met by chance. A tolerance is never below `toleranceMin`, for what
 * differs between machines and days. What is spread too widely to be judged is measured and shown, no more.
 */
import { largest, median, relativeSpread } from './stats.js';

export interface Ratio {
  readonly name: string;
  /** Whether more is better. */
  readonly isMoreBetter: boolean;
  readonly runs: readonly number[];
  /** What its tolerance is at least, if it moves by more with what else the machine does than others. */
  readonly toleranceMin?: number | undefined;
}

export interface BaselineRatio {
  readonly isMoreBetter: boolean;
  readonly median: number;
  /** By how much of itself a ratio may be worse; null: it is not judged, its rounds lay too far apart. */
  readonly tolerance: number | null;
  /** Medians of the rounds. */
  readonly rounds: readonly number[];
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
/** No round of the baseline itself would have failed, even if it had been somewhat worse. */
const farthestShare = 1.2;
const toleranceMin = 0.15;
/** More would not notice a store of half the speed. */
const toleranceMax = 0.45;

/** @returns null if the rounds lie so far apart that nothing could be said with them */
export function toleranceOf(rounds: readonly number[], least = toleranceMin): number | null {
  const middle = median(rounds);
  const farthest = largest(rounds.map((round) => Math.abs(round / middle - 1)));
  const tolerance = Math.max(deviationsMax * relativeSpread(rounds), farthestShare * farthest);
  return tolerance <= toleranceMax ? Math.max(least, tolerance) : null;
}

/** @throws Error if most ratios could not be judged by it, or one could not be measured */
export function baselineOf(rounds: readonly (readonly Ratio[])[], takenOn: string): Baseline {
  const entries = pooled(rounds).map(
    ({ name, isMoreBetter, toleranceMin: least }): [string, BaselineRatio] => {
      const medians = rounds.map((round) => median(round.find((ratio) => ratio.name === name)?.runs ?? []));
      if (!medians.every((each) => Number.isFinite(each) && each > 0)) {
        throw new Error(`${name} could not be measured (${medians.join(', ')})`);
      }
      return [
        name,
        { isMoreBetter, median: median(medians), tolerance: toleranceOf(medians, least), rounds: medians },
      ];
    },
  );
  const spread = entries.filter(([, { tolerance }]) => tolerance === null);
  if (2 * spread.length > entries.length) {
    const list = spread.map(
      ([name, { rounds: medians }]) => `${name}: ${medians.map((each) => each.toFixed(2)).join(', ')}`,
    );
    throw new Error(
      `the rounds lie too far apart; take the baseline on a quiet machine (${list.join('; ')})`,
    );
  }
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
    const isFine = known.tolerance === null ? !Number.isNaN(worseBy) : worseBy <= known.tolerance;
    return { name, median: middle, baseline: known, worseBy, isFine };
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
  return first.map(({ name, ...ratio }) => ({
    name,
    ...ratio,
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
