/** The public client. */
import { EventEmitter } from 'node:events';
import type { AdminRequest, AdminResult } from '../protocol/admin.js';
import type { ClusterMap } from '../protocol/cluster-map.js';
import { GTStoreError } from '../protocol/errors.js';
import type { ClusterSettings } from '../protocol/settings.js';
import type { ClusterStatus } from '../protocol/status.js';
import type { StoreValue } from '../protocol/value-codec.js';
import type { Version } from '../protocol/version.js';
import { queueMicrotask } from '../transport/real-time.js';
import { abortedError, onAbort } from './abort-watch.js';
import { askAdmin, askLocation, askStatus, reportFailure } from './admin.js';
import {
  checkGiven,
  checkInFlightMax,
  checkLocalAddress,
  checkMutate,
  checkedExpiry,
  checkedKey,
  checkedManagers,
  checkedPairs,
  checkedPrefix,
  checkedSignal,
  checkedTimeoutMs,
  checkedValue,
  checkedVersion,
  checkOptions,
  incremented,
  invalidArgument,
  isIterable,
} from './arguments.js';
import type { EntriesOptions, OperationOptions, Pairs, WriteOptions } from './arguments.js';
import {
  BytesCall,
  ConditionCall,
  CurrentEntryCall,
  CurrentVersionCall,
  EntryCall,
  GetCall,
  PutCall,
} from './calls.js';
import type { Call, CompareAndSetResult, ConditionOutcome, Entry } from './calls.js';
import type { ClientEvents, ClientOptions, KeyLocation } from './client-options.js';
import { noWants } from './core/operation.js';
import type { Operation, Wants } from './core/operation.js';
import { closedError, queueFullError, remainingOf } from './deadline.js';
import { mapInWindow } from './flow.js';
import { type KeyCall, type Mutate, ReadModifyWrite } from './read-modify-write.js';
import { Session } from './session.js';
import type { SessionListener } from './session.js';
import type { Storable } from './storable.js';
import { type CommittedValue, type StoredEntry, walkEntries } from './stored-entries.js';

/** How many operations `getMany` and `putMany` keep under way, or as many as the client may. */
const windowMax = 512;

/**
 * A client of one cluster. Every key is a linearizable register; every call has a deadline and rejects with a
 * {@link GTStoreError} whose `code` says what to do. Node failures are handled inside: a call that meets one is late,
 * not failed.
 *
 * @example
 * ```ts
 * await using store = new GTStoreClient({ manager: 'gtstore://127.0.0.1:7400' });
 * await store.init();
 * await store.put('greeting', 'hello');
 * console.log(await store.get('greeting'));
 * ```
 */
export class GTStoreClient extends EventEmitter<ClientEvents> implements AsyncDisposable {
  readonly #newSession: () => Session;
  #session: Session;
  readonly #timeoutMs: number;
  /** How many of its operations a call with many keys keeps under way. */
  readonly #window: number;
  readonly #readModifyWrite = new ReadModifyWrite({
    entry: (key, options) => this.#entry(CurrentEntryCall, key, options),
    version: (key, options) =>
      this.#call(CurrentVersionCall, options, (settings, deadlineMs, call) =>
        this.#session.core.get(checkedKey(key, settings), true, deadlineMs, call),
      ),
    putIf: (...args) => this.#putIf(...args),
  });
  #state: 'new' | 'open' | 'closed' = 'new';
  #opening: Promise<void> | undefined;

  /** @throws GTStoreError INVALID_ARGUMENT */
  constructor(options: ClientOptions) {
    super();
    checkOptions(options);
    const { manager, readFrom = 'primary', localAddress, inFlightMax } = options;
    if (!['primary', 'any'].includes(readFrom)) throw invalidArgument("readFrom must be 'primary' or 'any'");
    checkInFlightMax(inFlightMax);
    checkLocalAddress(localAddress);
    this.#timeoutMs = checkedTimeoutMs(options.timeoutMs);
    this.#window = Math.min(windowMax, inFlightMax ?? windowMax);
    const sessionOptions = { managers: checkedManagers(manager), readFrom, localAddress, inFlightMax };
    const listener: SessionListener = {
      mapAdopted: (map) => this.#tell('map', map),
      nodeDown: (nodeId) => this.#tell('node-down', nodeId),
      nodeUp: (nodeId) => this.#tell('node-up', nodeId),
      trouble: (error) => this.#tell('error', error),
    };
    this.#newSession = () => new Session(sessionOptions, listener);
    this.#session = this.#newSession();
  }

  /** Not in the middle of the session's work, which what a listener throws, for the process to see, would interrupt. */
  #tell<E extends keyof ClientEvents>(event: E, ...args: ClientEvents[E]): void {
    // Without a listener an 'error' would be thrown.
    queueMicrotask(() => this.listenerCount(event) > 0 && (this as EventEmitter).emit(event, ...args));
  }

  /**
   * Begins the session: cluster map, clock offset, limits, connections. Calling it again is the same as once; after it has
   * failed, it tries anew.
   * @throws GTStoreError UNAVAILABLE if no cluster answers within the deadline, PROTOCOL if something else does at every
   *   address, CLOSED after `finalize`
   */
  async init(options: Pick<OperationOptions, 'timeoutMs'> = {}): Promise<void> {
    this.#assertNotClosed();
    checkOptions(options);
    const timeoutMs = checkedTimeoutMs(options.timeoutMs, this.#timeoutMs);
    return (this.#opening ??= this.#open(timeoutMs));
  }

  async #open(timeoutMs: number): Promise<void> {
    try {
      await this.#session.open(timeoutMs);
      this.#assertNotClosed();
    } catch (error) {
      this.#session.close();
      this.#session = this.#newSession();
      this.#opening = undefined;
      throw error;
    }
    this.#state = 'open';
  }

  #assertNotClosed(): void {
    if (this.#state === 'closed') throw closedError();
  }

  /** Ends the session: calls under way are rejected with CLOSED, or OUTCOME_UNKNOWN for writes already sent. */
  finalize(): Promise<void> {
    const wasClosed = this.#state === 'closed';
    // First: whoever subscribes to diagnostics hears of calls that end by this, and may make one.
    this.#state = 'closed';
    if (!wasClosed) this.#session.close();
    return Promise.resolve();
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.finalize();
  }

  /** What the client routes by; undefined before `init`. Immutable: a newer map is a new object. */
  get clusterMap(): ClusterMap | undefined {
    return this.#session.core.map ?? undefined;
  }

  // --- one key -----------------------------------------------------------------------------------------------------

  /**
   * Stores the value, whatever was there: one round trip to all replicas at once (PROTOCOL W1-W9). Of two puts of one key
   * that are under way together either may come last: await the first if the order matters.
   * @param key 1 byte up to the cluster's limit (250 by default) in UTF-8
   * @param value at most 1 MiB encoded by default
   * @throws GTStoreError KEY_TOO_LARGE, VALUE_TOO_LARGE, INVALID_ARGUMENT (before anything is sent), TIMEOUT,
   *   UNAVAILABLE, QUEUE_FULL, CLOSED (not applied), PROTOCOL if its version would be far ahead of the cluster's clock
   *   (not applied), DISK_FULL and MEMORY_FULL (see `outcome`), OUTCOME_UNKNOWN (perhaps applied)
   */
  put<V>(key: string, value: Storable<V>, options?: WriteOptions): Promise<{ version: Version }>;
  put(key: string, value: StoreValue, options?: WriteOptions): Promise<{ version: Version }>;
  put(key: string, value: StoreValue, options: WriteOptions = {}): Promise<{ version: Version }> {
    return this.#call(PutCall, options, (settings, deadlineMs, call) => {
      const keyBytes = checkedKey(key, settings);
      const bytes = checkedValue(value, key, settings);
      const expiresAtMs = checkedExpiry(options.ttlMs, this.#session.lifeClockUs());
      // A getter of the value may have closed the client.
      this.#assertOpen();
      return this.#session.core.put(keyBytes, bytes, expiresAtMs, deadlineMs, call);
    });
  }

  /**
   * The value, or undefined if the key is absent: one round trip to the primary (PROTOCOL R1). `V` is what the caller
   * knows to be there; nothing checks it, here and elsewhere.
   * @throws GTStoreError KEY_TOO_LARGE, INVALID_ARGUMENT, TIMEOUT, UNAVAILABLE, QUEUE_FULL, CLOSED; PROTOCOL at a value that
   *   another program has stored and that cannot be decoded
   */
  get(key: string, options?: OperationOptions): Promise<StoreValue | undefined>;
  get<V>(key: string, options?: OperationOptions): Promise<V | undefined>;
  get(key: string, options: OperationOptions = {}): Promise<StoreValue | undefined> {
    return this.#call(GetCall, options, (settings, deadlineMs, call) =>
      this.#session.core.get(checkedKey(key, settings), false, deadlineMs, call),
    );
  }

  /** The value with its version, for `compareAndSet`. Errors as `get`. */
  getEntry(key: string, options?: OperationOptions): Promise<Entry | undefined>;
  getEntry<V>(key: string, options?: OperationOptions): Promise<Entry<V> | undefined>;
  getEntry(key: string, options: OperationOptions = {}): Promise<Entry | undefined> {
    return this.#entry(EntryCall, key, options);
  }

  #entry(CallType: typeof EntryCall, key: string, options: OperationOptions): Promise<Entry | undefined> {
    return this.#call(CallType, options, (settings, deadlineMs, call) =>
      this.#session.core.get(checkedKey(key, settings), false, deadlineMs, call),
    );
  }

  /**
   * Stores the value if the key is still at `expectedVersion`; null: if it is absent (PROTOCOL RMW1-RMW5).
   * @returns whether it was applied, and the key's version now: the new one, or the one that was in the way (null:
   *   the key is absent)
   * @throws GTStoreError as `put`
   */
  compareAndSet<V>(
    key: string,
    expectedVersion: Version | null,
    value: Storable<V>,
    options?: WriteOptions,
  ): Promise<CompareAndSetResult>;
  compareAndSet(
    key: string,
    expectedVersion: Version | null,
    value: StoreValue,
    options?: WriteOptions,
  ): Promise<CompareAndSetResult>;
  async compareAndSet(
    key: string,
    expectedVersion: Version | null,
    value: StoreValue,
    options: WriteOptions = {},
  ): Promise<CompareAndSetResult> {
    checkGiven(value);
    const { applied, version } = await this.#putIf(key, expectedVersion, value, noWants, options);
    return { applied, version };
  }

  /** @param value undefined deletes */
  #putIf(
    key: string,
    expected: Version | null,
    value: StoreValue | undefined,
    wants: Wants,
    options: WriteOptions,
  ): Promise<ConditionOutcome> {
    return this.#call(ConditionCall, options, (settings, deadlineMs, call) => {
      const keyBytes = checkedKey(key, settings);
      const version = expected === null ? null : checkedVersion(expected);
      const bytes = value === undefined ? null : checkedValue(value, key, settings);
      const expiresAtMs = checkedExpiry(options.ttlMs, this.#session.lifeClockUs());
      // A getter of the value may have closed the client.
      this.#assertOpen();
      return this.#session.core.putIf(keyBytes, version, bytes, expiresAtMs, wants, deadlineMs, call);
    });
  }

  /**
   * Deletes the key. Beside others who put it without a pause it gets its turn (PROTOCOL RMW7).
   * @returns true if it existed: exactly one of several concurrent deletes of one value gets true
   * @throws GTStoreError as `put`
   */
  async delete(key: string, options: OperationOptions = {}): Promise<boolean> {
    return this.#readModifyWrite.delete(this.#keyCall(key, options));
  }

  /**
   * Read, mutate, store, until no concurrent write came between. `mutate` gets the current value (undefined: absent)
   * and gives the next (undefined: delete); it is called once per attempt and must not depend on being called once.
   * Updates, increments and deletes of one key by one client wait for each other. Beside others who put the key without a pause
   * it gets its turn (PROTOCOL RMW7), if `mutate` does not take longer than some 20 ms; otherwise it may end as TIMEOUT, or as
   * OUTCOME_UNKNOWN if its last attempt is still without an answer.
   * @returns what was stored, with its version; undefined after a delete
   * @throws GTStoreError as `put`, and PROTOCOL as `get`; or whatever `mutate` throws, with nothing stored
   */
  update<V = StoreValue>(
    key: string,
    mutate: Mutate<V, Storable<V>>,
    options?: WriteOptions,
  ): Promise<Entry<V> | undefined>;
  update<V extends StoreValue = StoreValue>(
    key: string,
    mutate: Mutate<V>,
    options?: WriteOptions,
  ): Promise<Entry<V> | undefined>;
  async update(key: string, mutate: Mutate, options: WriteOptions = {}): Promise<Entry | undefined> {
    checkMutate(mutate);
    const call = this.#keyCall(key, options);
    checkedExpiry(options.ttlMs, 0);
    return this.#readModifyWrite.update(call, mutate, options.ttlMs);
  }

  #keyCall(key: string, options: OperationOptions): KeyCall {
    checkedKey(key, this.#assertOpen());
    const remaining = remainingOf(options, this.#timeoutMs, 'not-applied');
    return { key, remaining, closing: this.#session.closing };
  }

  /**
   * Adds `by` to the number at the key; an absent key counts as 0.
   * @returns the new number
   * @throws GTStoreError as `update`; INVALID_ARGUMENT if there is something else than a number, or a whole one that would
   *   not be exact any more, beyond 2^53
   */
  async increment(key: string, by = 1, options: WriteOptions = {}): Promise<number> {
    if (!Number.isFinite(by)) throw invalidArgument('increment needs a finite number');
    let sum = by;
    const add = (value: StoreValue | undefined): StoreValue => (sum = incremented(key, value, by));
    await this.update(key, add, options);
    return sum;
  }

  // --- many keys ---------------------------------------------------------------------------------------------------

  /** The values in the order of the keys, undefined where absent; each is read by itself. Errors as `get`, the first one. */
  getMany(keys: Iterable<string>, options?: OperationOptions): Promise<(StoreValue | undefined)[]>;
  getMany<V>(keys: Iterable<string>, options?: OperationOptions): Promise<(V | undefined)[]>;
  async getMany(keys: Iterable<string>, options: OperationOptions = {}): Promise<(StoreValue | undefined)[]> {
    if (!isIterable(keys)) throw invalidArgument('getMany needs an array or another iterable of keys');
    const remaining = remainingOf(options, this.#timeoutMs);
    return mapInWindow(keys, this.#window, (key) => this.get(key, remaining()));
  }

  /**
   * Stores the entries of a plain object, or of an iterable such as an array or a Map, each by itself and in any order, and
   * gives their versions in the order of the entries.
   * @throws GTStoreError as `put`: the first error, when no entry is under way any more; others may have been stored
   */
  putMany<V>(entries: Pairs<Storable<V>>, options?: WriteOptions): Promise<{ version: Version }[]>;
  putMany(entries: Pairs<StoreValue>, options?: WriteOptions): Promise<{ version: Version }[]>;
  async putMany(entries: Pairs<StoreValue>, options: WriteOptions = {}): Promise<{ version: Version }[]> {
    const pairs = checkedPairs(entries);
    const remaining = remainingOf(options, this.#timeoutMs, 'not-applied');
    checkedExpiry(options.ttlMs, 0);
    return mapInWindow(pairs, this.#window, (pair) => {
      if (!Array.isArray(pair)) throw invalidArgument('putMany needs [key, value] pairs');
      return this.put(pair[0], pair[1], { ...options, ...remaining() });
    });
  }

  /**
   * All keys of the cluster that begin with `prefix`, in no order, each once. Every value is one that was committed
   * at some moment of the walk; keys that come or go meanwhile may be met or not.
   * @throws GTStoreError UNAVAILABLE if a slot cannot be read within the deadline, which counts anew for each batch;
   *   INVALID_ARGUMENT, KEY_TOO_LARGE for the prefix; PROTOCOL, naming the key, at a value that another program has stored
   *   and that cannot be decoded; CLOSED
   */
  entries(options?: EntriesOptions): AsyncGenerator<[key: string, value: StoreValue]>;
  entries<V>(options?: EntriesOptions): AsyncGenerator<[key: string, value: V]>;
  async *entries(options: EntriesOptions = {}): AsyncGenerator<[key: string, value: StoreValue]> {
    for await (const { key, value } of this.#walk(options, false)) yield [key, value];
  }

  /**
   * As `entries`, with each key's bytes and expiry: all that is needed to store it elsewhere. Errors as `entries`, but a value
   * that cannot be decoded is told of when it is asked for.
   */
  async *storedEntries(options: EntriesOptions = {}): AsyncGenerator<StoredEntry> {
    yield* this.#walk(options, true);
  }

  #walk(options: EntriesOptions, wantExpiry: boolean): AsyncGenerator<StoredEntry> {
    checkOptions(options);
    const prefix = checkedPrefix(options.prefix, this.#assertOpen());
    const timeoutMs = checkedTimeoutMs(options.timeoutMs, this.#timeoutMs);
    const look = (key: string): Promise<CommittedValue | undefined> =>
      this.#call(BytesCall, { timeoutMs }, (_settings, deadlineMs, call) =>
        this.#session.core.get(key, false, deadlineMs, call),
      );
    return walkEntries(this.#session, { prefix, timeoutMs, wantExpiry }, look);
  }

  // --- the cluster -------------------------------------------------------------------------------------------------

  /**
   * Tells the manager that a node does not answer (see-tell). The manager looks for itself: a healthy node stays.
   * @throws GTStoreError INVALID_ARGUMENT if there is no such node, UNAVAILABLE, TIMEOUT
   */
  async reportNodeFailure(nodeId: number): Promise<void> {
    this.#assertOpen();
    return reportFailure(this.#session, nodeId, this.#timeoutMs);
  }

  /** What `gtstore status --json` prints, and `clusterId` and `warnings`. @throws GTStoreError UNAVAILABLE, TIMEOUT */
  async status(): Promise<ClusterStatus> {
    this.#assertOpen();
    return askStatus(this.#session, this.#timeoutMs);
  }

  /**
   * Asks the manager to change the cluster. What it refuses is a result, not an error.
   * @throws GTStoreError INVALID_ARGUMENT, UNAVAILABLE, TIMEOUT, PROTOCOL, CLOSED; with `outcome` 'unknown', and not `retryable`, if it was
   *   sent and may have been begun: look at `status` before doing it again
   */
  async admin(request: AdminRequest): Promise<AdminResult> {
    this.#assertOpen();
    return askAdmin(this.#session, request, this.#timeoutMs);
  }

  /** Asks the manager where a key lives. @throws GTStoreError as `get` */
  async locate(key: string): Promise<KeyLocation> {
    const keyBytes = checkedKey(key, this.#assertOpen());
    return askLocation(this.#session, keyBytes, this.#timeoutMs);
  }

  // --- one call ----------------------------------------------------------------------------------------------------

  /** @throws GTStoreError CLOSED */
  #assertOpen(): ClusterSettings {
    const settings = this.#session.core.map?.settings;
    if (this.#state === 'open' && settings !== undefined) return settings;
    this.#assertNotClosed();
    throw new GTStoreError('CLOSED', 'call init() first', { outcome: 'not-applied' });
  }

  #call<T>(
    CallType: new (resolve: (result: T) => void, reject: (error: unknown) => void) => Call<T>,
    options: WriteOptions,
    start: (settings: ClusterSettings, deadlineMs: number, call: Call<T>) => Operation | undefined,
  ): Promise<T> {
    return new Promise<T>((resolve, reject) => {
      const settings = this.#assertOpen();
      checkOptions(options);
      const { timeoutMs, ttlMs } = options;
      const isExact =
        timeoutMs !== undefined || ttlMs !== undefined || (CallType as unknown) === ConditionCall;
      const nowMs = isExact ? this.#session.now() : this.#session.nowOfBeginning();
      const deadlineMs = nowMs + checkedTimeoutMs(timeoutMs, this.#timeoutMs);
      const signal = checkedSignal(options.signal);
      if (signal?.aborted === true) throw abortedError(signal, 'the call was aborted before it began');
      const call = new CallType(resolve, reject);
      const operation = start(settings, deadlineMs, call);
      if (operation === undefined) throw queueFullError();
      this.#session.watch(operation, call as Call<unknown>);
      if (signal !== undefined) this.#giveUpWhenAborted(operation, call, signal);
    });
  }

  #giveUpWhenAborted<T>(operation: Operation, call: Call<T>, signal: AbortSignal): void {
    call.signal = signal;
    call.onAbort = (): void => {
      // The object may serve another call by now.
      if (operation.context === call) this.#session.core.giveUp(operation);
    };
    onAbort(signal, call.onAbort);
  }
}
