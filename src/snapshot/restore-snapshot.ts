/**
 * Brings a snapshot back into a cluster, of whatever size. All of the snapshot is read and checked before the first
 * key is stored, so that a damaged one leaves nothing behind; then once more, block by block, with many puts under way.
 */
import type { GTStoreClient, StoreValue } from '../client/index.js';
import { decodeValue } from '../protocol/value-codec.js';
import { IncompleteError, SnapshotError, skipUnreadable } from './errors.js';
import type { SnapshotRecord } from './part-format.js';
import { PutWindow } from './put-window.js';
import { type Snapshot, readRecords } from './read-snapshot.js';

export type RestorePhase = 'checking' | 'storing' | 'counting';

export interface RestoreOptions {
  /** Into a cluster that has keys: those that are in the snapshot as well are overwritten. Default: refused. */
  readonly overwrite?: boolean;
  readonly signal?: AbortSignal;
  /** Told of each value that cannot be read: its key is left out. Default: the first one ends it. */
  readonly onUnreadable?: (error: SnapshotError) => void;
  readonly onProgress?: (phase: RestorePhase, done: number, total: number) => void;
}

export interface RestoreResult {
  /** Stored. */
  readonly keys: number;
  /** Not stored: their time was over. */
  readonly expired: number;
}

/** What is needed of a client. */
export type RestoreStore = Pick<GTStoreClient, 'clusterMap' | 'storedEntries' | 'put'>;

/** @throws SnapshotError, GTStoreError, the signal's reason */
export async function restoreSnapshot(
  store: RestoreStore,
  snapshot: Snapshot,
  options: RestoreOptions = {},
): Promise<RestoreResult> {
  checkLimits(store, snapshot);
  if (options.overwrite !== true) await checkEmpty(store);
  const { signal, onUnreadable } = options;
  await eachBlock('checking', snapshot, options, (records) => {
    if (onUnreadable === undefined) for (const record of records) valueOf(record, snapshot);
    return Promise.resolve();
  });
  const window = new PutWindow(store, signal === undefined ? {} : { signal });
  try {
    await eachBlock('storing', snapshot, options, async (records) => {
      for (const record of records) {
        const { key, valueBytes, expiresAtMs } = record;
        const value = valueOf(record, snapshot, onUnreadable);
        if (value !== undefined)
          await window.add({ key, value, bytes: valueBytes.length + key.length, expiresAtMs });
      }
    });
    await window.drain();
  } catch (error) {
    await window.settle();
    throw new IncompleteError(window.stored, error);
  }
  const result = { keys: window.stored, expired: window.expired };
  options.onProgress?.('counting', 0, window.stored);
  try {
    await checkCount(store, window, options);
  } catch (error) {
    if (error instanceof SnapshotError || signal?.aborted === true) throw error;
    const why = error instanceof Error ? error.message : String(error);
    throw new SnapshotError(`${why}; all ${window.stored} keys are stored, but were not counted`, {
      cause: error,
    });
  }
  return result;
}

/**
 * @returns undefined if it cannot be read, and `onUnreadable` has been told
 * @throws SnapshotError that names the key
 */
function valueOf(
  { key, valueBytes }: SnapshotRecord,
  { directory }: Snapshot,
  onUnreadable?: RestoreOptions['onUnreadable'],
): StoreValue | undefined {
  try {
    return decodeValue(valueBytes);
  } catch (cause) {
    const why = cause instanceof Error ? cause.message : String(cause);
    const text = `${directory}: the value of '${key}' cannot be read: ${why}`;
    if (onUnreadable === undefined) throw new SnapshotError(`${text}; ${skipUnreadable}`, { cause });
    onUnreadable(new SnapshotError(text, { cause }));
    return undefined;
  }
}

async function eachBlock(
  phase: RestorePhase,
  snapshot: Snapshot,
  { signal, onProgress }: RestoreOptions,
  act: (records: readonly SnapshotRecord[]) => Promise<void>,
): Promise<void> {
  let done = 0;
  for await (const records of readRecords(snapshot)) {
    signal?.throwIfAborted();
    await act(records);
    done += records.length;
    onProgress?.(phase, done, snapshot.manifest.keys);
  }
}

/** Before hours are spent on it. */
function checkLimits({ clusterMap }: RestoreStore, { directory, manifest }: Snapshot): void {
  if (clusterMap === undefined) throw new SnapshotError('the client is not open; call init() first');
  const { keyBytesMax, valueBytesMax } = clusterMap.settings;
  const { longestKeyBytes, largestValueBytes } = manifest;
  const refuse = (what: string, bytes: number, most: number, option: string): never => {
    throw new SnapshotError(
      `${directory} has ${what} of ${bytes} bytes, this cluster takes at most ${most}; restore into a new cluster, started with ${option} ${bytes}`,
    );
  };
  if (longestKeyBytes > keyBytesMax) refuse('a key', longestKeyBytes, keyBytesMax, '--max-key-bytes');
  if (largestValueBytes > valueBytesMax)
    refuse('a value', largestValueBytes, valueBytesMax, '--max-value-bytes');
}

async function checkEmpty(store: RestoreStore): Promise<void> {
  for await (const { key } of store.storedEntries()) {
    throw new SnapshotError(
      `the cluster is not empty: it has the key '${key}'; restore into a new one, or add --overwrite to let the snapshot's keys replace those of the same name`,
    );
  }
}

/** Looks whether all of it has arrived. Keys whose time was over meanwhile may be missing, and others may be there. */
async function checkCount(
  store: RestoreStore,
  { stored, storedWithExpiry }: PutWindow,
  { signal, onProgress }: RestoreOptions,
): Promise<void> {
  let keys = 0;
  for await (const _entry of store.storedEntries()) {
    signal?.throwIfAborted();
    keys++;
    onProgress?.('counting', keys, stored);
  }
  const keysMin = stored - storedWithExpiry;
  if (keys >= keysMin) return;
  throw new SnapshotError(
    `${stored} keys were restored, but the cluster has ${keys} now, not ${keysMin} at least; does something delete keys? Restore it again with --overwrite`,
  );
}
