/** The few statistics the benchmarks need. */

/** The middle value, or the mean of the two middle ones; NaN of nothing. */
export function median(values: readonly number[]): number {
  const sorted = ascending(values);
  const middle = sorted.length >> 1;
  if (sorted.length % 2 === 1) return sorted[middle] ?? NaN;
  return ((sorted[middle - 1] ?? NaN) + (sorted[middle] ?? NaN)) / 2;
}

/** The least value that a share `ratio` of all are not above (nearest rank); NaN of nothing. */
export function percentile(values: readonly number[], ratio: number): number {
  const sorted = ascending(values);
  // A product such as 100 * 0.07 may be a little more than the whole number that it is.
  const rank = Math.ceil(sorted.length * ratio - 1e-9);
  return sorted[Math.min(sorted.length, Math.max(1, rank)) - 1] ?? NaN;
}

/** Not `Math.max(...values)`: there may be more values than a call takes arguments. */
export function largest(values: Iterable<number>): number {
  let most = -Infinity;
  for (const value of values) if (value > most) most = value;
  return most;
}

/** NaN of nothing. */
export function mean(values: readonly number[]): number {
  return values.reduce((sum, value) => sum + value, 0) / values.length;
}

/** Turns a median distance from the median into a standard deviation, if values are spread as by chance. */
const normalFactor = 1.4826;

/** How far values lie from their median, as a share of it; a few that lie far off hardly count. */
export function relativeSpread(values: readonly number[]): number {
  const middle = median(values);
  return (normalFactor * median(values.map((value) => Math.abs(value - middle)))) / Math.abs(middle);
}

function ascending(values: readonly number[]): number[] {
  return [...values].sort((a, b) => a - b);
}
