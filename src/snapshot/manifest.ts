/**
 * `manifest.json` of a snapshot: what there is beside it, and the sums to prove it by. It is written last: a directory
 * without one is no snapshot.
 */
import { createHash } from 'node:crypto';
import { SnapshotError } from './errors.js';
import { formatVersion } from './part-format.js';

export const manifestName = 'manifest.json';
const formatName = 'gtstore-snapshot';

export interface PartEntry {
  readonly name: string;
  readonly keys: number;
  /** Length of the file. */
  readonly bytes: number;
  readonly sha256: string;
}

/** The cluster it was taken of, as it was when it began. */
export interface SnapshotSource {
  readonly clusterId: string;
  readonly epoch: number;
  readonly replicas: number;
  readonly slotCount: number;
  readonly partitioner: string;
  readonly keyBytesMax: number;
  readonly valueBytesMax: number;
}

export interface Manifest {
  readonly format: typeof formatName;
  readonly formatVersion: number;
  /** ISO 8601. */
  readonly startedAt: string;
  readonly finishedAt: string;
  readonly keys: number;
  /** Of keys and values, without overhead. */
  readonly bytes: number;
  /** The longest key and the largest value there are, in bytes as a cluster counts them. */
  readonly longestKeyBytes: number;
  readonly largestValueBytes: number;
  readonly source: SnapshotSource;
  readonly parts: readonly PartEntry[];
}

/** Completes a manifest with what is the same in all. */
export function newManifest(facts: Omit<Manifest, 'format' | 'formatVersion'>): Manifest {
  return { format: formatName, formatVersion, ...facts };
}

/** The text of the file. */
export function formatManifest(manifest: Manifest): string {
  return `${JSON.stringify({ ...manifest, checksum: checksumOf(manifest) }, null, 2)}\n`;
}

/** Over all that is said, whatever white space it is said with. */
function checksumOf(document: object): string {
  return createHash('sha256').update(JSON.stringify(document)).digest('hex');
}

/**
 * @param path - for messages
 * @throws SnapshotError
 */
export function parseManifest(text: string, path: string): Manifest {
  let document: unknown;
  try {
    document = JSON.parse(text);
  } catch (cause) {
    throw damaged(path, 'it is no JSON', cause);
  }
  if (typeof document !== 'object' || document === null) throw damaged(path, 'it is no JSON object');
  const { checksum, ...rest } = document as Record<string, unknown>;
  if (rest['format'] !== formatName) throw damaged(path, `it does not say "format": "${formatName}"`);
  const version = rest['formatVersion'];
  if (typeof version === 'number' && version !== formatVersion) throw foreignVersion(path, version);
  if (checksum !== checksumOf(rest)) throw damaged(path, 'its checksum does not fit');
  if (!isManifest(rest)) throw damaged(path, 'a field is missing or wrong');
  return rest;
}

export function foreignVersion(path: string, version: number): SnapshotError {
  return new SnapshotError(
    `${path} is of format version ${version}, this gtstore reads version ${formatVersion}; use the gtstore that wrote it`,
  );
}

export function damaged(path: string, why: string, cause?: unknown): SnapshotError {
  return new SnapshotError(`${path} is damaged: ${why}; use another snapshot, or another copy of this one`, {
    cause,
  });
}

/** The checksum has shown that a gtstore wrote it: this finds mistakes of ours, and types what comes out. */
function isManifest(document: object): document is Manifest {
  const { keys, bytes, longestKeyBytes, largestValueBytes, parts, source } = document as Partial<Manifest>;
  const counts = [keys, bytes, longestKeyBytes, largestValueBytes];
  return (
    counts.every(isCount) && typeof source === 'object' && Array.isArray(parts) && parts.every(isPartEntry)
  );
}

function isPartEntry(entry: unknown): boolean {
  if (typeof entry !== 'object' || entry === null) return false;
  const { name, keys, bytes, sha256 } = entry as Partial<PartEntry>;
  // A name that leads elsewhere is none of ours.
  const isName = typeof name === 'string' && /^part-\d{4,}\.gts$/.test(name);
  return isName && isCount(keys) && isCount(bytes) && typeof sha256 === 'string';
}

function isCount(value: unknown): boolean {
  return Number.isSafeInteger(value) && (value as number) >= 0;
}
