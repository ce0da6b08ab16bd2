/**
 * Stores many keys with a bounded number of them, and of their bytes, under way. What fails for a while is tried again:
 * to store a value twice is the same as once. Two values of one key are stored in the order in which they came.
 */
import { setMaxListeners } from 'node:events';
import { setTimeout as pause } from 'node:timers/promises';
import { GTStoreError, type StoreValue } from '../client/index.js';

/** What is needed of a client. */
export interface PutTarget {
  put(key: string, value: StoreValue, options: { readonly ttlMs?: number }): Promise<unknown>;
}

export interface KeyToPut {
  readonly key: string;
  readonly value: StoreValue;
  /** About how much memory it takes. */
  readonly bytes: number;
  /** As `Date.now()` counts; undefined: never. */
  readonly expiresAtMs: number | undefined;
}

export interface PutWindowOptions {
  readonly signal?: AbortSignal;
  readonly inFlightMax?: number;
  /** May be exceeded by one value. */
  readonly bytesMax?: number;
  /** The first pause before another attempt; each is twice the one before. */
  readonly pauseMs?: number;
  /** Wraps an error, for example with where the value came from. */
  readonly describe?: (error: unknown, key: KeyToPut) => unknown;
}

const inFlightMaxDefault = 256;
const bytesMaxDefault = 16 * 1024 * 1024;
const attemptsMax = 8;
const pauseMsDefault = 100;
const pauseMsMax = 5_000;

export class PutWindow {
  /** Acknowledged. */
  stored = 0;
  /** Of `stored`, those that will be absent again by themselves. */
  storedWithExpiry = 0;
  /** Not stored: they would be absent already. */
  expired = 0;
  readonly #target: PutTarget;
  readonly #options: PutWindowOptions;
  readonly #underWay = new Map<string, Promise<void>>();
  #bytes = 0;
  #failure: { readonly error: unknown } | undefined;
  #wake: (() => void) | undefined;

  constructor(target: PutTarget, options: PutWindowOptions = {}) {
    this.#target = target;
    this.#options = options;
    // All keys under way may pause at once for it; Node 20 takes the eleventh for a leak, and says so.
    if (options.signal !== undefined) setMaxListeners(0, options.signal);
  }

  /**
   * Begins to store a key as soon as there is room. To be called again when it has returned.
   * @throws what an earlier one failed with
   */
  async add(item: KeyToPut): Promise<void> {
    const { inFlightMax = inFlightMaxDefault, bytesMax = bytesMaxDefault } = this.#options;
    const isFull = (): boolean =>
      this.#underWay.size >= inFlightMax || this.#bytes >= bytesMax || this.#underWay.has(item.key);
    while (isFull()) await this.#nextEnd();
    this.#throwFailure();
    this.#bytes += item.bytes;
    this.#underWay.set(item.key, this.#store(item));
  }

  /** Waits for all that are under way. @throws what the first one failed with */
  async drain(): Promise<void> {
    await this.settle();
    this.#throwFailure();
  }

  /** Waits for all that are under way, whether they fail or not. */
  async settle(): Promise<void> {
    while (this.#underWay.size > 0) await this.#nextEnd();
  }

  #throwFailure(): void {
    if (this.#failure !== undefined) throw this.#failure.error;
  }

  #nextEnd(): Promise<void> {
    return new Promise((resolve) => {
      this.#wake = resolve;
    });
  }

  async #store(item: KeyToPut): Promise<void> {
    try {
      await this.#putUntilStored(item);
    } catch (error) {
      this.#failure ??= { error: this.#options.describe?.(error, item) ?? error };
    }
    this.#underWay.delete(item.key);
    this.#bytes -= item.bytes;
    this.#wake?.();
    this.#wake = undefined;
  }

  async #putUntilStored({ key, value, expiresAtMs }: KeyToPut): Promise<void> {
    const { signal, pauseMs = pauseMsDefault } = this.#options;
    for (let attempt = 1; ; attempt++) {
      const leftMs = expiresAtMs === undefined ? undefined : expiresAtMs - Date.now();
      if (leftMs !== undefined && leftMs <= 0) {
        this.expired++;
        return;
      }
      try {
        await this.#target.put(key, value, leftMs === undefined ? {} : { ttlMs: leftMs });
        this.stored++;
        if (leftMs !== undefined) this.storedWithExpiry++;
        return;
      } catch (error) {
        // When another one has failed, this has been for nothing.
        if (attempt >= attemptsMax || this.#failure !== undefined || !mayPass(error)) throw error;
      }
      const ms = Math.min(pauseMsMax, pauseMs * 2 ** (attempt - 1)) * (0.5 + Math.random());
      await pause(ms, undefined, signal === undefined ? {} : { signal });
    }
  }
}

function mayPass(error: unknown): boolean {
  return error instanceof GTStoreError && (error.retryable || error.code === 'OUTCOME_UNKNOWN');
}
