/**
 * Steady traffic whose every answer is checked: each key has one lane, its only writer, which counts upwards and
 * reads back what it wrote. So after an acknowledged write nothing but that number may be read, and after one with
 * an unknown outcome only that or the one before.
 */
import { GTStoreError } from '../../src/client/index.js';
import type { ErrorCode, GTStoreClient } from '../../src/client/index.js';
import { eventually, repeat } from './cluster-until.js';

export interface LoadOptions {
  /** Pause between the rounds of a lane. */
  readonly everyMs?: number;
  /** Who reads back; default: who writes. */
  readonly reader?: GTStoreClient;
  /** Whether each lane reads back after each write; default true. */
  readonly reads?: boolean;
}

export interface LoadReport {
  readonly writes: number;
  readonly reads: number;
  /** Calls that rejected. */
  readonly failures: readonly string[];
  readonly slowestMs: number;
  readonly p99Ms: number;
}

interface Lane {
  readonly key: string;
  /** The last number given to `put`. */
  written: number;
  /** What may be read: the last acknowledged number, and later ones with unknown outcome. */
  possible: Set<number | undefined>;
}

export class Load {
  readonly #writer: GTStoreClient;
  readonly #reader: GTStoreClient;
  readonly #reads: boolean;
  readonly #lanes: readonly Lane[];
  readonly #running: Promise<unknown>;
  readonly #durationsMs: number[] = [];
  readonly #failures: string[] = [];
  readonly #lies: string[] = [];
  #writeCount = 0;
  #readCount = 0;
  #isStopping = false;

  /** Begins at once; `stop` ends it. The keys must be absent and nobody else's. */
  constructor(store: GTStoreClient, keys: readonly string[], options: LoadOptions = {}) {
    const { everyMs = 10, reader = store, reads = true } = options;
    this.#writer = store;
    this.#reader = reader;
    this.#reads = reads;
    this.#lanes = keys.map((key) => ({ key, written: 0, possible: new Set([undefined]) }));
    this.#running = Promise.all(this.#lanes.map((lane) => repeat(everyMs, () => this.#round(lane))));
  }

  /** Acknowledged writes so far. */
  get writes(): number {
    return this.#writeCount;
  }

  async #round(lane: Lane): Promise<boolean> {
    const number = ++lane.written;
    const isOpen = await this.#timed(async () => {
      try {
        await this.#writer.put(lane.key, number);
        this.#writeCount++;
        lane.possible = new Set([number]);
      } catch (error) {
        if (!(error instanceof GTStoreError) || error.outcome !== 'not-applied') lane.possible.add(number);
        throw error;
      }
    });
    if (this.#reads) await this.#timed(() => this.#check(lane, this.#reader));
    return isOpen && !this.#isStopping;
  }

  async #check({ key, possible }: Lane, reader: GTStoreClient): Promise<void> {
    const value = await reader.get(key);
    this.#readCount++;
    if (possible.has(value as number | undefined)) return;
    this.#lies.push(`${key} is ${JSON.stringify(value)}, not ${[...possible].map(String).join(' or ')}`);
  }

  /** @returns false if the client is closed: a test that failed may have left this load alone. */
  async #timed(act: () => Promise<void>): Promise<boolean> {
    const startMs = performance.now();
    let isOpen = true;
    try {
      await act();
    } catch (error) {
      this.#failures.push(String(error));
      isOpen = !(error instanceof GTStoreError && error.code === 'CLOSED');
    }
    this.#durationsMs.push(performance.now() - startMs);
    return isOpen;
  }

  /** Waits until `count` more writes are acknowledged. */
  async untilWrites(count: number, timeoutMs?: number): Promise<void> {
    const enough = this.#writeCount + count;
    await eventually(`${count} further writes`, () => this.#writeCount >= enough, timeoutMs);
  }

  /** Ends the lanes and reads every key once more. @throws Error (rejects) if any answer was wrong */
  async stop(reader = this.#reader): Promise<LoadReport> {
    this.#isStopping = true;
    await this.#running;
    for (const lane of this.#lanes) await this.#check(lane, reader);
    if (this.#lies.length > 0) {
      throw new Error(
        `${this.#lies.length} wrong answers:\n${[...new Set(this.#lies)].slice(0, 20).join('\n')}`,
      );
    }
    const sorted = this.#durationsMs.toSorted((a, b) => a - b);
    return {
      writes: this.#writeCount,
      reads: this.#readCount,
      failures: this.#failures,
      slowestMs: sorted.at(-1) ?? 0,
      p99Ms: sorted[Math.floor(sorted.length * 0.99)] ?? 0,
    };
  }
}

/** The code with which a call rejects; 'none' if it does not. @throws (rejects) anything that is no GTStoreError */
export async function codeOf(call: Promise<unknown>): Promise<ErrorCode | 'none'> {
  try {
    await call;
    return 'none';
  } catch (error) {
    if (error instanceof GTStoreError) return error.code;
    throw error;
  }
}

/** One client that increments one key, nobody else's, without a pause. */
export class Increments {
  readonly #store: GTStoreClient;
  readonly #key: string;
  readonly #running: Promise<void>;
  #applied = 0;
  #unknown = 0;
  #isStopping = false;

  constructor(store: GTStoreClient, key: string) {
    this.#store = store;
    this.#key = key;
    this.#running = this.#run();
    // A test that fails may leave it alone.
    this.#running.catch(() => undefined);
  }

  async #run(): Promise<void> {
    while (!this.#isStopping) {
      const code = await codeOf(this.#store.increment(this.#key));
      if (code === 'none') this.#applied++;
      else if (code === 'OUTCOME_UNKNOWN') this.#unknown++;
      else throw new Error(`an increment failed: ${code}`);
    }
  }

  /** @returns how many outcomes are unknown. @throws Error (rejects) if one failed, or the sum is wrong */
  async stop(): Promise<number> {
    this.#isStopping = true;
    await this.#running;
    const sum = (await this.#store.get(this.#key)) as number;
    if (sum < this.#applied || sum > this.#applied + this.#unknown) {
      throw new Error(`the sum is ${sum} after ${this.#applied} increments and ${this.#unknown} perhaps`);
    }
    return this.#unknown;
  }
}
