/**
 * How a client process measures one interval: so many operations in flight, warm up, count, stop. A lane is one of
 * those in flight: it begins its next operation as soon as the one before is done.
 */
import { cpuUsOf } from './cpu-time.js';
import { largest, percentile } from './stats.js';
import type { Pattern } from './workload.js';

/** One measured interval, as the parent asks a client process for it. */
export interface RunRequest {
  readonly inFlight: number;
  readonly putRatio: number;
  readonly pattern: Pattern;
  /** Processes whose CPU time is looked at, too. */
  readonly serverPids: readonly number[];
  readonly warmUpMs: number;
  readonly runMs: number;
}

/** Microseconds, from the caller's view; NaN where nothing was timed. */
export interface Percentiles {
  readonly p50Us: number;
  readonly p99Us: number;
  readonly p999Us: number;
}

export interface ClientResult {
  readonly operations: number;
  readonly seconds: number;
  readonly puts: Percentiles;
  readonly gets: Percentiles;
  /** CPU time in the interval in microseconds; NaN: unknown. */
  readonly clientCpuUs: number;
  /** The same, of each server. */
  readonly serverCpuUs: readonly number[];
  /** What calls that failed said, since the process started; none is expected to. */
  readonly failures: readonly string[];
}

/** What clients did, and how much of the machine was somebody else's. */
export interface RunResult extends ClientResult {
  /**
   * Share of all cores that programs took which the benchmark has not started, from the request to its answer, warm-up
   * included; NaN: unknown.
   */
  readonly foreignShare: number;
}

export function perSecond({ operations, seconds }: RunResult): number {
  return operations / seconds;
}

/** Microseconds per operation, of all servers together. */
export function serverCpuPerOperationUs({ serverCpuUs, operations }: RunResult): number {
  return serverCpuUs.reduce((sum, us) => sum + us, 0) / operations;
}

export function clientCpuPerOperationUs({ clientCpuUs, operations }: RunResult): number {
  return clientCpuUs / operations;
}

/** What several client processes did at the same time: of times, the worse. */
export function together(results: readonly ClientResult[]): ClientResult {
  const [first] = results;
  if (first === undefined) throw new Error('no results');
  const sum = (of: (result: ClientResult) => number): number =>
    results.reduce((all, each) => all + of(each), 0);
  const worst = (kind: 'puts' | 'gets'): Percentiles => ({
    p50Us: largest(results.map((result) => result[kind].p50Us)),
    p99Us: largest(results.map((result) => result[kind].p99Us)),
    p999Us: largest(results.map((result) => result[kind].p999Us)),
  });
  return {
    operations: sum(({ operations }) => operations),
    seconds: sum(({ seconds }) => seconds) / results.length,
    puts: worst('puts'),
    gets: worst('gets'),
    clientCpuUs: sum(({ clientCpuUs }) => clientCpuUs),
    serverCpuUs: first.serverCpuUs,
    failures: results.flatMap(({ failures }) => failures),
  };
}

/** Times of a sample of operations: looking at the clock for each would be a cost of its own. */
export class Latencies {
  readonly #puts: number[] = [];
  readonly #gets: number[] = [];

  clear(): void {
    this.#puts.length = 0;
    this.#gets.length = 0;
  }

  add(isPut: boolean, ms: number): void {
    (isPut ? this.#puts : this.#gets).push(ms * 1000);
  }

  percentiles(): Pick<RunResult, 'puts' | 'gets'> {
    return { puts: percentilesOf(this.#puts), gets: percentilesOf(this.#gets) };
  }
}

function percentilesOf(times: readonly number[]): Percentiles {
  return {
    p50Us: percentile(times, 0.5),
    p99Us: percentile(times, 0.99),
    p999Us: percentile(times, 0.999),
  };
}

/** Up to so many in flight, every operation is timed; beyond, one of `sampleOf`. */
const fewInFlight = 8;
const sampleOf = 16;

/** Every which operation is timed: all of them while they are few. */
export function sampleEvery(inFlight: number): number {
  return inFlight <= fewInFlight ? 1 : sampleOf;
}

/** What a client process does for one request. */
export interface Driver {
  /** Operations completed since it was made. */
  readonly completed: number;
  readonly latencies: Latencies;
  readonly failures: readonly string[];
  /** Begins the lanes; they run until `stop`. */
  start(request: RunRequest): void;
  /** Fulfilled when the last lane has ended. */
  stop(): Promise<void>;
}

/** Starts the lanes, lets them warm up, measures, ends them. */
export async function measure(driver: Driver, request: RunRequest): Promise<ClientResult> {
  driver.start(request);
  await pause(request.warmUpMs);
  driver.latencies.clear();
  const operationsBefore = driver.completed;
  const before = cpuNow(request);
  const startedAtMs = performance.now();
  await pause(request.runMs);
  const seconds = (performance.now() - startedAtMs) / 1000;
  const operations = driver.completed - operationsBefore;
  const after = cpuNow(request);
  const latencies = driver.latencies.percentiles();
  await driver.stop();
  return {
    operations,
    seconds,
    ...latencies,
    clientCpuUs: after.client - before.client,
    serverCpuUs: after.servers.map((us, index) => us - (before.servers[index] ?? NaN)),
    failures: driver.failures,
  };
}

function cpuNow({ serverPids }: RunRequest): { client: number; servers: number[] } {
  return {
    client: cpuUsOf(process.pid),
    servers: serverPids.map(cpuUsOf),
  };
}

function pause(ms: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, ms));
}

/** Serves the parent's requests, one after the other, until it hangs up. */
export function serveRequests(driver: Driver): void {
  process.on('message', (request: RunRequest) => {
    measure(driver, request).then(
      (result) => process.send?.(result),
      (error: unknown) => {
        console.error(error);
        process.exit(1);
      },
    );
  });
  process.on('disconnect', () => process.exit(0));
  process.send?.('ready');
}
