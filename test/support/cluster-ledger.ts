/**
 * Clients whose every write is entered in a ledger, while the cluster loses processes and disks: what was acknowledged
 * must be there, what was not may be, and nothing else. Each key has one writer. A value is long and follows from its
 * number, so that half a value is none of them.
 */
import { GTStoreError } from '../../src/client/index.js';
import type { GTStoreClient } from '../../src/client/index.js';
import { eventually, repeat } from './cluster-until.js';

const pauseMs = 2;
const getWindow = 500;

/** What a key may hold; undefined: nothing. */
type Possible = Set<string | undefined>;

export interface LedgerOptions {
  readonly keys: number;
  /** Counters, each incremented by one writer of its own. */
  readonly counters?: number;
  /** Writers that put each key once: a write that is retried after a disaster makes up for none before it. */
  readonly onceWriters?: number;
  readonly valueChars?: number;
}

export function longValue(key: string, number: number, chars: number): string {
  const word = `${key}:${number};`;
  return word.repeat(Math.ceil(chars / word.length));
}

export class Ledger {
  readonly #possible = new Map<string, Possible>();
  readonly #counters = new Map<string, { acknowledged: number; unknown: number }>();
  readonly #running: Promise<unknown>;
  readonly #valueChars: number;
  readonly #failures = new Map<string, number>();
  #acknowledged = 0;
  #unknown = 0;
  #isStopping = false;

  /** Begins at once; the keys must be absent and nobody else's. The writers are spread over the clients. */
  constructor(stores: readonly GTStoreClient[], prefix: string, options: LedgerOptions) {
    const { keys, counters = 0, onceWriters = 0, valueChars = 2000 } = options;
    this.#valueChars = valueChars;
    const storeOf = (n: number): GTStoreClient => {
      const store = stores[n % stores.length];
      if (store === undefined) throw new Error('a ledger needs clients');
      return store;
    };
    const lanes: Promise<void>[] = [];
    for (let n = 0; n < keys; n++) lanes.push(this.#keyLane(storeOf(n), `${prefix}-${n}`));
    for (let n = 0; n < counters; n++) lanes.push(this.#counterLane(storeOf(n), `${prefix}-counter-${n}`));
    for (let n = 0; n < onceWriters; n++) lanes.push(this.#onceLane(storeOf(n), `${prefix}-once-${n}`));
    this.#running = Promise.all(lanes);
    // A test that fails may leave it alone.
    this.#running.catch(() => undefined);
  }

  /** Acknowledged writes so far. */
  get acknowledged(): number {
    return this.#acknowledged;
  }

  get unknown(): number {
    return this.#unknown;
  }

  /** `CODE outcome` of what failed, and how often. */
  get failures(): ReadonlyMap<string, number> {
    return this.#failures;
  }

  #keyLane(store: GTStoreClient, key: string): Promise<void> {
    let possible: Possible = new Set([undefined]);
    /** Values of puts of unknown outcome since the last put that was acknowledged. */
    const perhaps = new Set<string>();
    let number = 0;
    this.#possible.set(key, possible);
    return repeat(pauseMs, async () => {
      number++;
      // Delete now and then.
      const value = number % 5 === 0 ? undefined : longValue(key, number, this.#valueChars);
      const call = value === undefined ? store.delete(key) : store.put(key, value);
      const outcome = await this.#outcome(call);
      if (outcome === 'acknowledged') {
        // A put whose fate is not known may take effect later still, as if it had been on its way all the time, but not after
        // a later put by the same client. A delete is none: its place is right behind what it was told to delete.
        possible = value === undefined ? new Set([undefined, ...perhaps]) : new Set([value]);
        if (value !== undefined) perhaps.clear();
      } else if (outcome === 'unknown') {
        possible.add(value);
        if (value !== undefined) perhaps.add(value);
      }
      this.#possible.set(key, possible);
      return !this.#isStopping && outcome !== 'closed';
    });
  }

  #onceLane(store: GTStoreClient, prefix: string): Promise<void> {
    let number = 0;
    return repeat(pauseMs, async () => {
      const key = `${prefix}-${++number}`;
      const value = longValue(key, number, this.#valueChars);
      const outcome = await this.#outcome(store.put(key, value));
      this.#possible.set(key, new Set(outcome === 'acknowledged' ? [value] : [value, undefined]));
      return !this.#isStopping && outcome !== 'closed';
    });
  }

  #counterLane(store: GTStoreClient, key: string): Promise<void> {
    const counter = { acknowledged: 0, unknown: 0 };
    this.#counters.set(key, counter);
    return repeat(pauseMs, async () => {
      const outcome = await this.#outcome(store.increment(key));
      if (outcome === 'acknowledged') counter.acknowledged++;
      else if (outcome === 'unknown') counter.unknown++;
      return !this.#isStopping && outcome !== 'closed';
    });
  }

  async #outcome(call: Promise<unknown>): Promise<'acknowledged' | 'unknown' | 'not-applied' | 'closed'> {
    try {
      await call;
      this.#acknowledged++;
      return 'acknowledged';
    } catch (error) {
      if (!(error instanceof GTStoreError)) throw error;
      const what = `${error.code} ${String(error.outcome)}`;
      this.#failures.set(what, (this.#failures.get(what) ?? 0) + 1);
      if (error.outcome !== 'not-applied') this.#unknown++;
      if (error.code === 'CLOSED') return 'closed';
      return error.outcome === 'not-applied' ? 'not-applied' : 'unknown';
    }
  }

  /** Waits until `count` more writes are acknowledged. */
  async untilAcknowledged(count: number, timeoutMs?: number): Promise<void> {
    const enough = this.#acknowledged + count;
    await eventually(`${count} further writes`, () => this.#acknowledged >= enough, timeoutMs);
  }

  /** Lets the writes under way end. */
  async stop(): Promise<void> {
    this.#isStopping = true;
    await this.#running;
  }

  /** @throws Error (rejects) if a key holds what it cannot hold; not to be called before `stop` is fulfilled */
  async check(reader: GTStoreClient): Promise<void> {
    const wrong: string[] = [];
    const entries = [...this.#possible];
    for (let from = 0; from < entries.length; from += getWindow) {
      const part = entries.slice(from, from + getWindow);
      const values = await reader.getMany(part.map(([key]) => key));
      part.forEach(([key, possible], i) => {
        const value = values[i] as string | undefined;
        if (!possible.has(value))
          wrong.push(`${key} is ${brief(value)}, not ${[...possible].map(brief).join(' or ')}`);
      });
    }
    for (const [key, { acknowledged, unknown }] of this.#counters) {
      const sum = ((await reader.get(key)) ?? 0) as number;
      if (sum < acknowledged || sum > acknowledged + unknown)
        wrong.push(`${key} is ${sum} after ${acknowledged} increments and ${unknown} perhaps`);
    }
    if (wrong.length > 0) throw new Error(`${wrong.length} wrong:\n${wrong.slice(0, 20).join('\n')}`);
  }
}

function brief(value: string | undefined): string {
  return value === undefined ? 'absent' : `${value.slice(0, 24)}... (${value.length} characters)`;
}
