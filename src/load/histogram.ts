/**
 * Latencies in bounded memory: buckets whose width doubles every 128 of them (log-linear, as in HdrHistogram). A time
 * of 13 microseconds or more is known to 0.4 %, a shorter one to 0.05 microseconds; times above 30 hours, longer than
 * any run, count as 30.
 */

/** What travels between processes. */
export interface HistogramData {
  readonly counts: Float64Array;
  readonly sumMs: number;
  readonly minMs: number;
  readonly maxMs: number;
}

const unitsPerMs = 10_000;
const unitBits = 40;
const unitsMax = 2 ** unitBits - 1;
/** Numbers of more bits than this are no whole numbers to the bitwise operators. */
const wordBits = 32;
/** Buckets per doubling. */
const resolution = 128;
const resolutionBits = 7;
const bucketCount = (unitBits - resolutionBits + 1) * resolution;

export class Histogram implements HistogramData {
  readonly counts: Float64Array;
  count = 0;
  sumMs = 0;
  minMs = Infinity;
  maxMs = 0;

  constructor(data?: HistogramData) {
    this.counts = new Float64Array(bucketCount);
    if (data !== undefined) this.merge(data);
  }

  record(ms: number): void {
    const index = bucketOf(ms);
    this.counts[index] = (this.counts[index] ?? 0) + 1;
    this.count++;
    this.sumMs += ms;
    if (ms < this.minMs) this.minMs = ms;
    if (ms > this.maxMs) this.maxMs = ms;
  }

  merge(other: HistogramData): void {
    for (const [index, count] of other.counts.entries()) {
      if (count === 0) continue;
      this.counts[index] = (this.counts[index] ?? 0) + count;
      this.count += count;
    }
    this.sumMs += other.sumMs;
    this.minMs = Math.min(this.minMs, other.minMs);
    this.maxMs = Math.max(this.maxMs, other.maxMs);
  }

  /** NaN if it is empty. */
  get meanMs(): number {
    return this.sumMs / this.count;
  }

  /** The least time that a share of `fraction` of all does not exceed; NaN if it is empty. */
  percentileMs(fraction: number): number {
    if (this.count === 0) return NaN;
    const rank = Math.min(this.count, Math.max(1, Math.ceil(fraction * this.count)));
    let seen = 0;
    for (const [index, count] of this.counts.entries()) {
      seen += count;
      if (seen >= rank) return Math.min(this.maxMs, Math.max(this.minMs, middleMs(index)));
    }
    return this.maxMs;
  }

  toData(): HistogramData {
    const { counts, sumMs, minMs, maxMs } = this;
    return { counts, sumMs, minMs, maxMs };
  }
}

function bucketOf(ms: number): number {
  // Also what is no number falls into the first bucket rather than out of the table.
  const units = ms > 0 ? Math.min(unitsMax, Math.round(ms * unitsPerMs)) : 0;
  if (units < 2 ** wordBits) return bucketOfUnits(units);
  // The lowest bits say nothing of the bucket of so large a number.
  const dropped = unitBits - wordBits;
  return dropped * resolution + bucketOfUnits(Math.floor(units / 2 ** dropped));
}

/** @param units - of 32 bits at most */
function bucketOfUnits(units: number): number {
  const shift = Math.max(0, wordBits - (resolutionBits + 1) - Math.clz32(units));
  return shift * resolution + (units >>> shift);
}

function middleMs(bucket: number): number {
  if (bucket < 2 * resolution) return bucket / unitsPerMs;
  const shift = Math.floor(bucket / resolution) - 1;
  const lowest = (bucket - shift * resolution) * 2 ** shift;
  return (lowest + (2 ** shift - 1) / 2) / unitsPerMs;
}
