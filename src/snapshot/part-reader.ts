/** Reads one part of a snapshot, block by block, and believes nothing that its sums do not prove. */
import { createHash } from 'node:crypto';
import { constants } from 'node:fs';
import { type FileHandle, open } from 'node:fs/promises';
import { join } from 'node:path';
import { MsgpackError } from '../protocol/msgpack-scan.js';
import { SnapshotError, systemCode } from './errors.js';
import { type PartEntry, damaged, foreignVersion } from './manifest.js';
import {
  type SnapshotRecord,
  blockHeadBytes,
  formatVersion,
  isWhole,
  partHeadBytes,
  recordsOf,
  versionOfHead,
} from './part-format.js';

/** Opens to read. A named pipe in the place of a file is found to be empty, instead of being waited for. */
export const readWithoutWaiting = constants.O_RDONLY | constants.O_NONBLOCK;

/**
 * The records of a part, a block at a time. A block is given out when its own sum is right; whether the part as a
 * whole is right turns out at its end.
 * @param blockBytesMax - no longer block is believed in
 * @throws SnapshotError
 */
export async function* readPart(
  directory: string,
  entry: PartEntry,
  blockBytesMax: number,
): AsyncGenerator<readonly SnapshotRecord[]> {
  const path = join(directory, entry.name);
  const file = await openPart(path);
  try {
    const { size } = await file.stat();
    if (size !== entry.bytes) throw damaged(path, `it has ${size} bytes, ${entry.bytes} were written`);
    const source = new Source(file, path);
    checkHead(await source.take(partHeadBytes), path);
    let keys = 0;
    while (source.position < entry.bytes) {
      const at = source.position;
      const head = await source.take(blockHeadBytes);
      const length = head.readUInt32BE(0);
      if (length === 0 || length > blockBytesMax || length > entry.bytes - source.position) {
        throw damaged(path, `the block at byte ${at} cannot have ${length} bytes`);
      }
      const content = await source.take(length);
      if (!isWhole(content, head.readUInt32BE(4)))
        throw damaged(path, `the checksum of the block at byte ${at} does not fit`);
      const records = decode(content, path, at);
      keys += records.length;
      yield records;
    }
    if (keys !== entry.keys) throw damaged(path, `it has ${keys} keys, ${entry.keys} were written`);
    if (source.digest() !== entry.sha256) throw damaged(path, 'its checksum does not fit');
  } finally {
    await file.close();
  }
}

async function openPart(path: string): Promise<FileHandle> {
  try {
    return await open(path, readWithoutWaiting);
  } catch (error) {
    const why =
      systemCode(error) === 'ENOENT' ? 'is missing' : `cannot be read (${String(systemCode(error))})`;
    throw new SnapshotError(`${path} ${why}; use another snapshot, or another copy of this one`, {
      cause: error,
    });
  }
}

function checkHead(head: Buffer, path: string): void {
  const version = versionOfHead(head);
  if (version === undefined) throw damaged(path, 'it does not begin as a part of a snapshot');
  if (version !== formatVersion) throw foreignVersion(path, version);
}

function decode(content: Buffer, path: string, at: number): SnapshotRecord[] {
  try {
    return [...recordsOf(content)];
  } catch (cause) {
    if (!(cause instanceof MsgpackError)) throw cause;
    throw damaged(path, `the block at byte ${at} holds ${cause.message}`, cause);
  }
}

/** Bytes of a file in order, with the sum of all of them. */
class Source {
  position = 0;
  readonly #file: FileHandle;
  readonly #path: string;
  readonly #hash = createHash('sha256');

  constructor(file: FileHandle, path: string) {
    this.#file = file;
    this.#path = path;
  }

  /** @throws SnapshotError if there are fewer */
  async take(bytes: number): Promise<Buffer> {
    const buffer = Buffer.allocUnsafe(bytes);
    for (let filled = 0; filled < bytes;) {
      const { bytesRead } = await this.#file.read(buffer, filled, bytes - filled, this.position + filled);
      if (bytesRead === 0) throw damaged(this.#path, `it ends at byte ${this.position + filled}`);
      filled += bytesRead;
    }
    this.position += bytes;
    this.#hash.update(buffer);
    return buffer;
  }

  digest(): string {
    return this.#hash.digest('hex');
  }
}
