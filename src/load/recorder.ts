/**
 * What a client process has measured. Throughput counts what ended within the measured time; latencies and errors are
 * those of every operation begun before its end, also of the last ones that ended after it: else an outage in the
 * last seconds would be seen by nobody.
 */
import { Histogram, type HistogramData } from './histogram.js';
import { kinds } from './workloads.js';

export interface Recording {
  /** By index in `kinds`: operations that succeeded. */
  readonly latencies: readonly HistogramData[];
  /** Operations that succeeded within each second; the last one may have been shorter. */
  readonly perInterval: readonly number[];
  /** How long it was measured. */
  readonly measuredMs: number;
  /** Operations that failed, by error code. */
  readonly errors: Readonly<Record<string, number>>;
  /** Gets that found nothing. */
  readonly absent: number;
}

export const intervalMs = 1000;

export class Recorder {
  readonly #latencies = kinds.map(() => new Histogram());
  readonly #errors = new Map<string, number>();
  readonly #perInterval: number[] = [];
  #absent = 0;
  #beganMs = Infinity;
  #endMs = Infinity;

  /** The measured time begins now, and ends then unless `end` says otherwise. */
  begin(nowMs: number, endMs: number): void {
    this.#beganMs = nowMs;
    this.#endMs = endMs;
  }

  end(endMs: number): void {
    this.#endMs = endMs;
  }

  /** Whether an operation that ends now, and began then, counts. */
  #counts(beganMs: number, nowMs: number): boolean {
    return nowMs >= this.#beganMs && beganMs < this.#endMs;
  }

  succeeded(kind: number, beganMs: number, nowMs: number): void {
    if (!this.#counts(beganMs, nowMs)) return;
    this.#latencies[kind]?.record(nowMs - beganMs);
    if (nowMs >= this.#endMs) return;
    const interval = Math.floor((nowMs - this.#beganMs) / intervalMs);
    while (this.#perInterval.length <= interval) this.#perInterval.push(0);
    this.#perInterval[interval] = (this.#perInterval[interval] ?? 0) + 1;
  }

  failed(code: string, beganMs: number, nowMs: number): void {
    if (this.#counts(beganMs, nowMs)) this.#errors.set(code, (this.#errors.get(code) ?? 0) + 1);
  }

  foundNothing(beganMs: number, nowMs: number): void {
    if (this.#counts(beganMs, nowMs)) this.#absent++;
  }

  /** Call it after `end`. */
  recording(): Recording {
    // To the microsecond: 1999.9999 would be one whole second and a strange rest.
    const measuredMs =
      this.#beganMs === Infinity ? 0 : Math.round(1000 * (this.#endMs - this.#beganMs)) / 1000;
    const perInterval = Array.from(
      { length: Math.ceil(measuredMs / intervalMs) },
      (_, interval) => this.#perInterval[interval] ?? 0,
    );
    return {
      latencies: this.#latencies.map((histogram) => histogram.toData()),
      perInterval,
      measuredMs,
      errors: Object.fromEntries(this.#errors),
      absent: this.#absent,
    };
  }
}
