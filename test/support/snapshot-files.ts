/** Snapshots without a cluster: a store that only lists, and directories that are removed after each test. */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { StoredEntry } from '../../src/client/index.js';
import { decodeValue, encodeValue, type StoreValue } from '../../src/protocol/value-codec.js';
import type { SnapshotStore } from '../../src/snapshot/take-snapshot.js';

export type Listed = Pick<StoredEntry, 'key' | 'value' | 'expiresAtMs'>;

const settings = {
  replicas: 3,
  slotCount: 7,
  partitioner: 'ascii-sum',
  keyBytesMax: 250,
  valueBytesMax: 1000,
};

export function entry(key: string, value: StoreValue, expiresAtMs?: number): StoredEntry {
  const valueBytes = encodeValue(value);
  return { key, value: decodeValue(valueBytes), valueBytes, expiresAtMs };
}

/** @param before - called before each entry; what it throws ends the walk */
export function storeOf(entries: readonly StoredEntry[], before: (index: number) => void = () => undefined) {
  return {
    clusterMap: { clusterId: 'c', epoch: 4, settings } as unknown as SnapshotStore['clusterMap'],
    async *storedEntries() {
      for (const [index, each] of entries.entries()) {
        before(index);
        yield each;
      }
    },
  } satisfies SnapshotStore;
}

/** To be called within `describe`. @returns gives a new directory that is removed after the test */
export function useFolder(): () => string {
  const folders: string[] = [];
  afterEach(() => {
    for (const folder of folders.splice(0)) rmSync(folder, { recursive: true });
  });
  return () => {
    const folder = mkdtempSync(join(tmpdir(), 'gtstore-snapshot-'));
    folders.push(folder);
    return folder;
  };
}

/** The error with which a promise is rejected. */
export async function failureOf(promise: Promise<unknown>): Promise<Error> {
  try {
    await promise;
  } catch (error) {
    return error as Error;
  }
  throw new Error('it did not fail');
}
