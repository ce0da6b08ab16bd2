/**
 * Takes a snapshot of a cluster that serves. Each value in it is one that was committed at some moment meanwhile; keys are
 * independent of one another. Memory is bounded: one batch of the walk and one block of a part.
 *
 * It is made beside its place, under a name that says so, and gets its own with a rename when all of it is on the disk.
 */
import { rmSync } from 'node:fs';
import { mkdtemp, readdir, realpath, rename, rm, stat, writeFile } from 'node:fs/promises';
import { dirname, join, resolve } from 'node:path';
import type { GTStoreClient, StoredEntry } from '../client/index.js';
import { makeSyncedDirectory, syncDirectory } from '../files/directories.js';
import { isLink } from '../files/links.js';
import { toKeyBytes } from '../protocol/partition.js';
import { SnapshotError, systemCode } from './errors.js';
import {
  type Manifest,
  type PartEntry,
  type SnapshotSource,
  formatManifest,
  manifestName,
  newManifest,
} from './manifest.js';
import { BlockWriter } from './part-format.js';
import { PartWriter } from './part-writer.js';

/** A part gets no further block when it has as many bytes as this. */
const partBytesAimed = 64 * 1024 * 1024;
/** What follows the name of a snapshot that is being made. */
export const unfinishedMark = '.unfinished-';

/** What is needed of a client. */
export type SnapshotStore = Pick<GTStoreClient, 'clusterMap' | 'storedEntries'>;

export interface TakeOptions {
  readonly signal?: AbortSignal;
  /** Told now and then how many keys there are so far. */
  readonly onProgress?: (keys: number) => void;
  /** Told how to remove what there is so far, for a process that ends at once. */
  readonly onStarted?: (discard: () => void) => void;
  /** Default 64 MiB. */
  readonly partBytesAimed?: number;
}

/**
 * Why no snapshot can be put there; undefined: it can. Nothing, or an empty directory, is a place, unless a file system is
 * mounted there: nothing can take its place, and what is made beside it lies on another one.
 */
export async function placeProblem(directory: string): Promise<string | undefined> {
  if (directory === '') return 'names nothing';
  try {
    if ((await readdir(directory)).length > 0) return 'is not empty';
    const above = await stat(dirname(await realpath(directory)));
    return (await stat(directory)).dev === above.dev ? undefined : 'is where a file system is mounted';
  } catch (error) {
    const code = systemCode(error);
    if (code === 'ENOENT') return (await isLink(directory)) ? 'is a link that leads nowhere' : undefined;
    return code === 'ENOTDIR' ? 'is not a directory' : `cannot be read (${code ?? String(error)})`;
  }
}

/**
 * @param directory - where the snapshot is to be: absent, or empty
 * @throws SnapshotError, GTStoreError of the walk, errors of the file system, the signal's reason
 */
export async function takeSnapshot(
  store: SnapshotStore,
  directory: string,
  options: TakeOptions = {},
): Promise<Manifest> {
  // A link to an empty directory stays: what it leads to is replaced.
  const place = await realpath(directory).catch(() => resolve(directory));
  await makeSyncedDirectory(dirname(place));
  const unfinished = await mkdtemp(place + unfinishedMark);
  options.onStarted?.(() => {
    rmSync(unfinished, { recursive: true, force: true });
  });
  try {
    const manifest = await write(store, unfinished, options);
    await syncDirectory(unfinished);
    await putInPlace(unfinished, place);
    return manifest;
  } catch (error) {
    await rm(unfinished, { recursive: true, force: true });
    throw named(error, directory);
  }
}

/** What the system says of a file that is open does not say which. */
function named(error: unknown, directory: string): unknown {
  if (!(error instanceof Error && systemCode(error) !== undefined && 'syscall' in error)) return error;
  return new SnapshotError(`${directory} cannot be written: ${error.message}`, { cause: error });
}

async function write(store: SnapshotStore, directory: string, options: TakeOptions): Promise<Manifest> {
  const source = sourceOf(store);
  const startedAt = new Date().toISOString();
  const content = new Content(directory, options.partBytesAimed ?? partBytesAimed);
  try {
    for await (const entry of store.storedEntries()) {
      options.signal?.throwIfAborted();
      await content.add(entry);
      options.onProgress?.(content.keys);
    }
    const parts = await content.finish();
    const { keys, bytes, longestKeyBytes, largestValueBytes } = content;
    const sums = { keys, bytes, longestKeyBytes, largestValueBytes };
    const manifest = newManifest({
      startedAt,
      finishedAt: new Date().toISOString(),
      ...sums,
      source,
      parts,
    });
    options.signal?.throwIfAborted();
    await writeManifest(directory, manifest);
    return manifest;
  } finally {
    await content.close();
  }
}

function sourceOf({ clusterMap }: SnapshotStore): SnapshotSource {
  if (clusterMap === undefined) throw new SnapshotError('the client is not open; call init() first');
  const { clusterId, epoch, settings } = clusterMap;
  const { replicas, slotCount, partitioner, keyBytesMax, valueBytesMax } = settings;
  return { clusterId, epoch, replicas, slotCount, partitioner, keyBytesMax, valueBytesMax };
}

/** The parts, one after the other, and their sums. */
class Content {
  keys = 0;
  bytes = 0;
  longestKeyBytes = 0;
  largestValueBytes = 0;
  readonly #directory: string;
  readonly #partBytesAimed: number;
  readonly #block = new BlockWriter();
  readonly #finished: PartEntry[] = [];
  #part: PartWriter | undefined;

  constructor(directory: string, aimed: number) {
    this.#directory = directory;
    this.#partBytesAimed = aimed;
  }

  async add(entry: StoredEntry): Promise<void> {
    const part = (this.#part ??= await PartWriter.create(
      this.#directory,
      this.#finished.length + 1,
      this.#block,
    ));
    await part.add(entry);
    const keyBytes = toKeyBytes(entry.key).length;
    this.keys++;
    this.bytes += keyBytes + entry.valueBytes.length;
    this.longestKeyBytes = Math.max(this.longestKeyBytes, keyBytes);
    this.largestValueBytes = Math.max(this.largestValueBytes, entry.valueBytes.length);
    if (part.bytes >= this.#partBytesAimed) await this.#finishPart();
  }

  async #finishPart(): Promise<void> {
    const part = this.#part;
    if (part === undefined) return;
    this.#finished.push(await part.finish());
    this.#part = undefined;
  }

  async finish(): Promise<readonly PartEntry[]> {
    await this.#finishPart();
    return this.#finished;
  }

  /** Gives up a part that is not finished. */
  async close(): Promise<void> {
    await this.#part?.abandon();
    this.#part = undefined;
  }
}

async function writeManifest(directory: string, manifest: Manifest): Promise<void> {
  const options = { flag: 'wx', mode: 0o600, flush: true };
  await writeFile(join(directory, manifestName), formatManifest(manifest), options);
}

async function putInPlace(unfinished: string, place: string): Promise<void> {
  try {
    await rename(unfinished, place);
  } catch (cause) {
    if (!['ENOTEMPTY', 'EEXIST', 'ENOTDIR'].includes(systemCode(cause) ?? '')) throw cause;
    throw new SnapshotError(`something else has been put at ${place} meanwhile; choose another directory`, {
      cause,
    });
  }
  await syncDirectory(dirname(place));
}
