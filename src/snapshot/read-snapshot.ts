/** Reads snapshots: what they are by their manifest, and their records with every sum checked. */
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { SnapshotError, systemCode } from './errors.js';
import { type Manifest, damaged, manifestName, parseManifest } from './manifest.js';
import { type SnapshotRecord, blockBytesMax } from './part-format.js';
import { readPart, readWithoutWaiting } from './part-reader.js';

export interface Snapshot {
  readonly directory: string;
  readonly manifest: Manifest;
}

/** @throws SnapshotError if there is no whole snapshot of this version of the format */
export async function openSnapshot(directory: string): Promise<Snapshot> {
  const path = join(directory, manifestName);
  let text: string;
  try {
    text = await readFile(path, { encoding: 'utf8', flag: readWithoutWaiting });
  } catch (cause) {
    const code = systemCode(cause);
    if (code === undefined) throw cause;
    const why = code === 'ENOENT' || code === 'ENOTDIR' ? 'is missing' : `cannot be read (${code})`;
    throw new SnapshotError(
      `${directory} holds no whole snapshot: ${manifestName} ${why}; give the directory of a gtstore snapshot`,
      { cause },
    );
  }
  const manifest = parseManifest(text, path);
  const keys = manifest.parts.reduce((sum, part) => sum + part.keys, 0);
  if (keys !== manifest.keys)
    throw damaged(path, `its parts have ${keys} keys, it speaks of ${manifest.keys}`);
  return { directory, manifest };
}

/**
 * All records, a block at a time: what is given out has been checked, but what comes later has not.
 * @throws SnapshotError at the first damage
 */
export async function* readRecords({
  directory,
  manifest,
}: Snapshot): AsyncGenerator<readonly SnapshotRecord[]> {
  const { longestKeyBytes, largestValueBytes, parts } = manifest;
  const bytesMax = blockBytesMax(longestKeyBytes, largestValueBytes);
  for (const part of parts) yield* readPart(directory, part, bytesMax);
}
