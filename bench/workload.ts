/**
 * The workload that floor and throughput have in common: keys of 20 bytes, values of 100, puts and gets half and
 * half, a fixed number of operations in flight. A lane is one of those: it begins its next operation as soon as the
 * one before is done.
 */
import { availableParallelism } from 'node:os';
import { cpuUsOf, systemCpuUs } from './cpu-time.js';
import { percentile } from './stats.js';

export const keyBytes = 20;
export const valueBytes = 100;
export const keyCount = 10_000;

/** One measured interval, as the parent asks a client process for it. */
export interface RunRequest {
  readonly inFlight: number;
  /** Processes whose CPU time is looked at, too. */
  readonly serverPids: readonly number[];
  readonly warmUpMs: number;
  readonly runMs: number;
}

export interface RunResult {
  readonly operations: number;
  readonly seconds: number;
  /** Microseconds, from the caller's view. */
  readonly putP50Us: number;
  readonly putP99Us: number;
  readonly getP50Us: number;
  readonly getP99Us: number;
  /** CPU time per operation in microseconds, of the client and of all servers together; NaN: unknown. */
  readonly clientCpuUs: number;
  readonly serverCpuUs: number;
  /** Share of all cores that others took meanwhile; NaN: unknown. */
  readonly foreignShare: number;
}

/** A small generator of its own, so that all clients meet the same sequence: xorshift32. */
export class Random {
  #state: number;

  constructor(seed: number) {
    this.#state = seed | 1;
  }

  /** An unsigned 32-bit number. */
  next(): number {
    let x = this.#state;
    x ^= x << 13;
    x ^= x >>> 17;
    x ^= x << 5;
    this.#state = x;
    return x >>> 0;
  }
}

const alphabet = 'abcdefghijklmnopqrstuvwxyz0123456789';

/** Distinct keys whose byte sums spread over all slots. */
export function makeKeys(count: number, seed = 7): string[] {
  const random = new Random(seed);
  const keys = new Set<string>();
  while (keys.size < count) {
    let key = '';
    while (key.length < keyBytes) key += alphabet[random.next() % alphabet.length] ?? '';
    keys.add(key);
  }
  return [...keys];
}

export function makeValue(bytes = valueBytes): string {
  return 'v'.repeat(bytes);
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

  percentiles(): Pick<RunResult, 'putP50Us' | 'putP99Us' | 'getP50Us' | 'getP99Us'> {
    return {
      putP50Us: percentile(this.#puts, 0.5),
      putP99Us: percentile(this.#puts, 0.99),
      getP50Us: percentile(this.#gets, 0.5),
      getP99Us: percentile(this.#gets, 0.99),
    };
  }
}

/** Every which operation is timed: all of them while there is one at a time. */
export function sampleEvery(inFlight: number): number {
  return inFlight < 8 ? 1 : 16;
}

/** What a client process does for one request. */
export interface Driver {
  /** Operations completed since it was made. */
  readonly completed: number;
  readonly latencies: Latencies;
  /** Begins so many lanes; they run until `stop`. */
  start(inFlight: number): void;
  /** Fulfilled when the last lane has ended. */
  stop(): Promise<void>;
}

/** Starts the lanes, lets them warm up, measures, ends them. */
export async function measure(driver: Driver, request: RunRequest): Promise<RunResult> {
  driver.start(request.inFlight);
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
  const clientUs = after.client - before.client;
  const serverUs = after.servers - before.servers;
  const foreignUs = after.system - before.system - clientUs - serverUs;
  return {
    operations,
    seconds,
    ...latencies,
    clientCpuUs: clientUs / operations,
    serverCpuUs: serverUs / operations,
    foreignShare: Math.max(0, foreignUs / (seconds * 1e6 * availableParallelism())),
  };
}

function cpuNow({ serverPids }: RunRequest): { client: number; servers: number; system: number } {
  return { client: cpuUsOf([process.pid]), servers: cpuUsOf(serverPids), system: systemCpuUs() };
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
