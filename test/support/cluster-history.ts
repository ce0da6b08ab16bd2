/**
 * Clients that do all kinds of operations on a few hot keys, and the record of what they were told, for the judge in
 * linearizability.ts. Every value is a number written once only. All clients live in this process, so the order of
 * calls and answers is known exactly.
 *
 * Outcomes: a call that fails with `outcome: 'not-applied'` did not happen; any other failed write is unknown. An
 * `update` is recorded as what it is to others: one conditional write for each time its function was called.
 */
import { compareVersions, GTStoreError } from '../../src/client/index.js';
import type { Entry, GTStoreClient, Version } from '../../src/client/index.js';
import { formatVersion } from '../../src/protocol/version.js';
import type { Prng } from '../sim/prng.js';
import { checkHistory, formatHistory, History } from './linearizability.js';
import type { Request, Token, WriteId } from './linearizability.js';
import { repeat } from './cluster-until.js';

export interface HistoryCounts {
  readonly operations: number;
  readonly unknown: number;
  readonly failed: number;
  readonly slowestMs: number;
}

export class HotKeys {
  readonly #history = new History();
  readonly #keys: readonly string[];
  readonly #random: Prng;
  readonly #lanes: Promise<void>[] = [];
  readonly #failures = new Map<string, number>();
  #isStopping = false;
  #operations = 0;
  #unknown = 0;
  #failed = 0;
  #slowestMs = 0;

  constructor(keys: readonly string[], random: Prng) {
    this.#keys = keys;
    this.#random = random;
  }

  get operations(): number {
    return this.#operations;
  }

  /** One more client that does one operation after the other, every `everyMs` at most, until it is closed. */
  start(name: string, store: GTStoreClient, everyMs: number): void {
    const lane = new Lane(name, store, this.#history, this.#random);
    this.#lanes.push(
      repeat(everyMs, async () => {
        const startMs = performance.now();
        const error = await lane.step(this.#random.pick(this.#keys));
        this.#slowestMs = Math.max(this.#slowestMs, performance.now() - startMs);
        this.#operations++;
        if (error !== undefined) this.#count(error);
        return !this.#isStopping && error?.code !== 'CLOSED';
      }),
    );
  }

  #count(error: GTStoreError): void {
    if (error.code === 'CLOSED') return;
    if (error.outcome === 'unknown') this.#unknown++;
    else this.#failed++;
    this.#failures.set(error.code, (this.#failures.get(error.code) ?? 0) + 1);
  }

  /**
   * Ends all clients, reads every key at rest, and has the history judged.
   * @throws Error (rejects) with a small part of it that cannot be put in order
   */
  async stop(reader: GTStoreClient): Promise<HistoryCounts> {
    this.#isStopping = true;
    await Promise.all(this.#lanes);
    const lane = new Lane('at rest', reader, this.#history, this.#random);
    for (const key of this.#keys) await lane.get(key);
    const verdict = checkHistory(this.#history);
    if (!verdict.ok) {
      throw new Error(`${verdict.key}: ${verdict.reason}\n${formatHistory(verdict.operations)}`);
    }
    return {
      operations: this.#operations,
      unknown: this.#unknown,
      failed: this.#failed,
      slowestMs: this.#slowestMs,
    };
  }

  /** One line for the log of a run. */
  describe({ operations, unknown, failed, slowestMs }: HistoryCounts): string {
    const codes = [...this.#failures].map(([code, count]) => `${code} ${count}`).join(', ');
    const trouble = codes === '' ? '' : ` (${codes})`;
    return `${operations} operations, ${unknown} unknown, ${failed} failed${trouble}, slowest ${Math.round(slowestMs)} ms`;
  }
}

class Lane {
  readonly #name: string;
  readonly #store: GTStoreClient;
  readonly #history: History;
  readonly #random: Prng;

  constructor(name: string, store: GTStoreClient, history: History, random: Prng) {
    this.#name = name;
    this.#store = store;
    this.#history = history;
    this.#random = random;
  }

  /** @returns with what the operation failed, if it did. @throws (rejects) what no operation may fail with */
  async step(key: string): Promise<GTStoreError | undefined> {
    const kind = this.#random.below(100);
    try {
      if (kind < 30) await this.#put(key);
      else if (kind < 60) await this.get(key);
      else if (kind < 68) await this.#delete(key);
      else if (kind < 84) await this.#compareAndSet(key);
      else await this.#update(key);
      return undefined;
    } catch (error) {
      if (error instanceof GTStoreError) return error;
      throw error;
    }
  }

  #begin(key: string, request: Request): Token {
    return this.#history.begin(this.#name, key, request);
  }

  /** Records how it ended. @throws (rejects) with what it failed */
  async #record<T>(token: Token, call: Promise<T>, ended: (result: T) => void): Promise<void> {
    try {
      ended(await call);
    } catch (error) {
      if (token.open) this.#failed(token, error);
      throw error;
    }
  }

  #failed(token: Token, error: unknown): void {
    const isNotApplied = error instanceof GTStoreError && error.outcome === 'not-applied';
    if (isNotApplied) this.#history.fail(token);
    else this.#history.lose(token);
  }

  async #put(key: string): Promise<void> {
    const value = this.#history.newWriteId();
    const token = this.#begin(key, { kind: 'put', value });
    await this.#record(token, this.#store.put(key, value), ({ version }) => {
      this.#history.end(token, undefined, formatVersion(version));
    });
  }

  async get(key: string): Promise<Entry | undefined> {
    const token = this.#begin(key, { kind: 'get' });
    let found: Entry | undefined;
    await this.#record(token, this.#store.getEntry(key), (entry) => {
      found = entry;
      if (entry === undefined) this.#history.end(token, null);
      else this.#history.end(token, writeId(entry), formatVersion(entry.version));
    });
    return found;
  }

  async #delete(key: string): Promise<void> {
    const token = this.#begin(key, { kind: 'delete' });
    await this.#record(token, this.#store.delete(key), (existed) => {
      this.#history.end(token, existed);
    });
  }

  async #compareAndSet(key: string): Promise<void> {
    const entry = await this.get(key);
    const value = this.#history.newWriteId();
    const expected = entry === undefined ? null : writeId(entry);
    const token = this.#begin(key, { kind: 'cas', expected, value });
    const call = this.#store.compareAndSet(key, entry?.version ?? null, value);
    await this.#record(token, call, ({ applied, version }) => {
      if (applied && version !== null) this.#history.end(token, true, formatVersion(version));
      else if (applied) throw new Error(`a conditional write of ${key} was applied without a version`);
      else this.#refused(token, entry?.version, version);
    });
  }

  #refused(token: Token, expected: Version | undefined, version: Version | null): void {
    const isSame = expected === undefined ? version === null : version && !compareVersions(expected, version);
    if (isSame === true) throw new Error('a conditional write was refused although what it expects is there');
    this.#history.end(token, false);
  }

  async #update(key: string): Promise<void> {
    let token: Token | undefined;
    const mutate = (current: unknown): WriteId | undefined => {
      if (token !== undefined) this.#history.end(token, false);
      const expected = current === undefined ? null : (current as WriteId);
      // Sometimes the update deletes.
      const value = expected !== null && this.#random.chance(0.1) ? null : this.#history.newWriteId();
      token = this.#begin(key, { kind: 'cas', expected, value });
      return value ?? undefined;
    };
    try {
      const entry = await this.#store.update(key, mutate);
      if (token !== undefined) this.#history.end(token, true, entry && formatVersion(entry.version));
    } catch (error) {
      if (token?.open === true) this.#failed(token, error);
      throw error;
    }
  }
}

function writeId({ value }: Entry): WriteId {
  if (typeof value !== 'number') throw new Error(`${JSON.stringify(value)} was never written`);
  return value;
}
