/** Writes records to one part of a snapshot, and sums up what it has written. */
import { createHash } from 'node:crypto';
import { type FileHandle, open } from 'node:fs/promises';
import { join } from 'node:path';
import type { PartEntry } from './manifest.js';
import { type BlockWriter, type SnapshotRecord, partHead } from './part-format.js';

export class PartWriter {
  readonly #name: string;
  readonly #file: FileHandle;
  readonly #block: BlockWriter;
  readonly #hash = createHash('sha256');
  #bytes = 0;
  #keys = 0;

  private constructor(name: string, file: FileHandle, block: BlockWriter) {
    this.#name = name;
    this.#file = file;
    this.#block = block;
  }

  /** @param block - empty; all parts of a snapshot use the same, one after the other */
  static async create(directory: string, index: number, block: BlockWriter): Promise<PartWriter> {
    const name = `part-${String(index).padStart(4, '0')}.gts`;
    const part = new PartWriter(name, await open(join(directory, name), 'wx', 0o600), block);
    await part.#write(partHead());
    return part;
  }

  /** Length of the file so far. */
  get bytes(): number {
    return this.#bytes;
  }

  /** May write nothing yet: whole blocks are written. */
  async add(record: SnapshotRecord): Promise<void> {
    this.#block.add(record);
    this.#keys++;
    if (this.#block.isFull) await this.#write(this.#block.take());
  }

  async #write(bytes: Buffer): Promise<void> {
    this.#hash.update(bytes);
    this.#bytes += bytes.length;
    // Appends, and unlike `write` always all of it.
    await this.#file.writeFile(bytes);
  }

  /** Writes the last block and waits for the disk. */
  async finish(): Promise<PartEntry> {
    if (!this.#block.isEmpty) await this.#write(this.#block.take());
    await this.#file.sync();
    await this.#file.close();
    return { name: this.#name, keys: this.#keys, bytes: this.#bytes, sha256: this.#hash.digest('hex') };
  }

  /** Gives the file up. */
  async abandon(): Promise<void> {
    await this.#file.close();
  }
}
