/** From a caller's promise to the outcome of an operation, and from that to a value or an error. */
import { channel } from 'node:diagnostics_channel';
import { GTStoreError } from '../protocol/errors.js';
import type { WriteOutcome } from '../protocol/errors.js';
import { RefusedReason } from '../protocol/messages.js';
import { fromKeyBytes } from '../protocol/partition.js';
import { decodeValue } from '../protocol/value-codec.js';
import type { StoreValue } from '../protocol/value-codec.js';
import { cloneVersion } from '../protocol/version.js';
import type { Version } from '../protocol/version.js';
import { monotonicMs } from '../transport/real-time.js';
import { forgetAbort } from './abort-watch.js';
import type { Operation } from './core/operation.js';
import { OperationKind, Outcome } from './core/operation.js';
import { diagnosticsChannelNames } from './diagnostics.js';
import type { OperationEvent } from './diagnostics.js';
import type { CommittedValue } from './stored-entries.js';

export interface Entry<V = StoreValue> {
  readonly value: V;
  readonly version: Version;
}

export interface CompareAndSetResult {
  readonly applied: boolean;
  /** Applied: the new version. Not applied: the one that was in the way, null if the key is absent. */
  readonly version: Version | null;
}

/** Of a delete that was applied the version is null. */
export interface ConditionOutcome extends CompareAndSetResult {
  /** Not applied, and asked for: the current value. */
  readonly value: StoreValue | undefined;
}

const operationChannel = channel(diagnosticsChannelNames.operation);

/** What waits for one operation. Subclasses say what its answer means. */
export abstract class Call<T> {
  readonly #resolve: (result: T) => void;
  readonly #reject: (error: unknown) => void;
  /** 0: nobody listened when it began. */
  readonly #startedAtMs: number;
  signal: AbortSignal | undefined;
  onAbort: (() => void) | undefined;
  /** Why none of those that answered at the managers' addresses when it began was one of this cluster. */
  stranger: GTStoreError | undefined;

  constructor(resolve: (result: T) => void, reject: (error: unknown) => void) {
    this.#resolve = resolve;
    this.#reject = reject;
    this.#startedAtMs = operationChannel.hasSubscribers ? monotonicMs() : 0;
  }

  protected abstract result(operation: Operation): T;

  /** The caller wants to write, whatever this step does. */
  protected isPartOfWrite(): boolean {
    return false;
  }

  #isWrite({ kind }: Operation): boolean {
    return this.isPartOfWrite() || kind !== OperationKind.get;
  }

  #errorOf(operation: Operation): GTStoreError {
    const error = errorOf(operation, this.#isWrite(operation), this.signal);
    if (this.stranger === undefined || error.code !== 'UNAVAILABLE') return error;
    return strangerError(this.stranger, error.outcome);
  }

  /** The operation is decided; it and its bytes are reused when this returns. */
  completed(operation: Operation): void {
    if (this.signal !== undefined && this.onAbort !== undefined) forgetAbort(this.signal, this.onAbort);
    if (this.#startedAtMs !== 0 && operationChannel.hasSubscribers)
      operationChannel.publish(this.#event(operation));
    if (operation.outcome !== Outcome.done) {
      this.#reject(this.#errorOf(operation));
      return;
    }
    let result: T;
    try {
      result = this.result(operation);
    } catch (cause) {
      // Only what is there and in the way is decoded.
      const outcome = this.#isWrite(operation) ? 'not-applied' : undefined;
      this.#reject(unreadable(fromKeyBytes(operation.key), cause, outcome));
      return;
    }
    this.#resolve(result);
  }

  #event(operation: Operation): OperationEvent {
    return {
      operation: kindNames[operation.kind],
      key: fromKeyBytes(operation.key),
      attempts: operation.attempts,
      durationMs: monotonicMs() - this.#startedAtMs,
      error: operation.outcome === Outcome.done ? undefined : this.#errorOf(operation),
    };
  }
}

/** Another cluster has the addresses of the client's: one in memory that was ended and started again is another one. */
export function strangerError(stranger: GTStoreError, outcome: WriteOutcome | undefined): GTStoreError {
  const text = `the cluster of this client cannot be reached: ${stranger.message}; if it has ended, make a new client`;
  return new GTStoreError('PROTOCOL', text, {
    cause: stranger,
    ...(outcome === undefined ? {} : { outcome }),
  });
}

/** A value that is none of ours: another program stored it. */
export function unreadable(key: string, cause: unknown, outcome?: WriteOutcome): GTStoreError {
  const why = cause instanceof Error ? cause.message : String(cause);
  const options = outcome === undefined ? { cause } : { cause, outcome };
  return new GTStoreError('PROTOCOL', `the value of '${key}' cannot be read: ${why}`, options);
}

const kindNames = {
  [OperationKind.put]: 'put',
  [OperationKind.get]: 'get',
  [OperationKind.condition]: 'condition',
} as const;

export class GetCall extends Call<StoreValue | undefined> {
  protected result(operation: Operation): StoreValue | undefined {
    return operation.value === null ? undefined : decodeValue(operation.value);
  }
}

export class EntryCall extends Call<Entry | undefined> {
  protected result(operation: Operation): Entry | undefined {
    if (operation.value === null) return undefined;
    return { value: decodeValue(operation.value), version: cloneVersion(operation.version) };
  }
}

/** As `EntryCall`, the value as it is stored. */
export class BytesCall extends Call<CommittedValue | undefined> {
  protected result({ value, version }: Operation): CommittedValue | undefined {
    // The operation's bytes are reused.
    return value === null ? undefined : { valueBytes: new Uint8Array(value), version: cloneVersion(version) };
  }
}

/** As `EntryCall`, for a caller that is to replace it. */
export class CurrentEntryCall extends EntryCall {
  protected override isPartOfWrite(): boolean {
    return true;
  }
}

/** As `CurrentEntryCall`, the version alone. */
export class CurrentVersionCall extends Call<Version | undefined> {
  protected override isPartOfWrite(): boolean {
    return true;
  }

  protected result(operation: Operation): Version | undefined {
    return operation.present ? cloneVersion(operation.version) : undefined;
  }
}

export class PutCall extends Call<{ version: Version }> {
  protected result(operation: Operation): { version: Version } {
    return { version: cloneVersion(operation.version) };
  }
}

export class ConditionCall extends Call<ConditionOutcome> {
  protected result({ applied, present, version, value }: Operation): ConditionOutcome {
    return {
      applied,
      version: present ? cloneVersion(version) : null,
      value: value === null ? undefined : decodeValue(value),
    };
  }
}

function errorOf(operation: Operation, isWrite: boolean, signal: AbortSignal | undefined): GTStoreError {
  const key = fromKeyBytes(operation.key);
  const cause = signal?.aborted === true ? (signal.reason as unknown) : undefined;
  const options = (outcome: WriteOutcome): { cause?: unknown; outcome?: WriteOutcome } =>
    isWrite ? { cause, outcome } : { cause };
  const attempts = operation.attempts === 1 ? '1 attempt' : `${operation.attempts} attempts`;
  switch (operation.outcome) {
    case Outcome.unknown:
      if (operation.isRefused && isForWantOfRoom(operation.refused)) {
        const isDisk = operation.refused === RefusedReason.diskFull;
        return new GTStoreError(
          isDisk ? 'DISK_FULL' : 'MEMORY_FULL',
          `a replica of '${key}' has no room for it ${isDisk ? 'on its disk' : 'in memory'}, says node ${operation.refusedBy}, and others may have stored it; read the key to find out`,
          options('unknown'),
        );
      }
      return new GTStoreError(
        'OUTCOME_UNKNOWN',
        `it is not known whether the write of '${key}' was applied (${attempts}); read the key to find out`,
        options('unknown'),
      );
    case Outcome.refused:
      return refusal(operation, key, options('not-applied'));
    case Outcome.closed:
      return new GTStoreError('CLOSED', 'the client was closed', options('not-applied'));
    case Outcome.timedOut:
    case Outcome.pending:
    case Outcome.done:
      return timeout(operation, key, attempts, signal, options('not-applied'));
  }
}

function timeout(
  operation: Operation,
  key: string,
  attempts: string,
  signal: AbortSignal | undefined,
  options: ConstructorParameters<typeof GTStoreError>[2],
): GTStoreError {
  if (signal?.aborted === true)
    return new GTStoreError('TIMEOUT', `the call on '${key}' was aborted`, { ...options, isAborted: true });
  const isUnreached = operation.members.length === 0 || operation.unreached !== 0 || operation.waitsForClock;
  return isUnreached
    ? new GTStoreError('UNAVAILABLE', `${obstacle(operation, key)} (${attempts})`, options)
    : new GTStoreError('TIMEOUT', `the replicas of '${key}' did not serve in time (${attempts})`, options);
}

function isForWantOfRoom(reason: RefusedReason): boolean {
  return (
    reason === RefusedReason.diskFull ||
    reason === RefusedReason.memoryFull ||
    reason === RefusedReason.memoryLow
  );
}

/** Why nobody was asked. */
function obstacle({ kind, members, unreached, waitsForClock }: Operation, key: string): string {
  if (waitsForClock) return 'this host was suspended, and nobody could be reached who tells the time since';
  const ids = members.filter((_id, i) => (unreached & (1 << i)) !== 0);
  if (ids.length === members.length) return `no replica of '${key}' could be reached in time`;
  const nodes = `${ids.length === 1 ? 'node' : 'nodes'} ${ids.join(', ')}`;
  if (kind === OperationKind.get) return `${nodes} could not be reached in time for a read of '${key}'`;
  return kind === OperationKind.put
    ? `${nodes} could not be reached in time, and a put of '${key}' goes to all its replicas`
    : `${nodes} could not be reached in time, and the primary of '${key}' must be`;
}

function refusal(
  { refused: reason, refusedBy: nodeId }: Operation,
  key: string,
  options: ConstructorParameters<typeof GTStoreError>[2],
): GTStoreError {
  switch (reason) {
    case RefusedReason.keyTooLarge:
      return new GTStoreError('KEY_TOO_LARGE', `the cluster refused the key '${key}' as too large`, options);
    case RefusedReason.valueTooLarge:
      return new GTStoreError(
        'VALUE_TOO_LARGE',
        `the cluster refused the value of '${key}' as too large`,
        options,
      );
    case RefusedReason.queueFull:
      return new GTStoreError('QUEUE_FULL', `the node of '${key}' has too many requests waiting`, options);
    case RefusedReason.fromFuture:
      return new GTStoreError(
        'PROTOCOL',
        `the version of '${key}' is out of bounds, or far ahead of the cluster's clock`,
        options,
      );
    case RefusedReason.diskFull:
      return new GTStoreError(
        'DISK_FULL',
        `a replica of '${key}' has no room for it on its disk, says node ${nodeId}; reads and deletes go on`,
        options,
      );
    case RefusedReason.memoryFull:
      return new GTStoreError(
        'MEMORY_FULL',
        `a replica of '${key}' holds as much as it may in memory (--max-memory; never more than 15 GiB of small values) and takes no value, says node ${nodeId}: delete keys, give it more, or add nodes; reads and deletes go on`,
        options,
      );
    case RefusedReason.memoryLow:
      return new GTStoreError(
        'MEMORY_FULL',
        `hardly any memory is left to a replica of '${key}' (its log says how much), and it takes no value, says node ${nodeId}: end other programs there, delete keys, or add nodes elsewhere; reads go on`,
        options,
      );
    case RefusedReason.tooOld:
      return new GTStoreError('TIMEOUT', `the write of '${key}' came too late and was refused`, options);
  }
}
