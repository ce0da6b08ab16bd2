/**
 * A small file that says up to which batch everything has been synced. If less is found, the end of the log was not
 * torn off by a power failure, but lost later.
 *
 * It is written over in place, a while after the batch and without waiting for the disk, so it may say too little but never too
 * much; after `close` it is exact.
 */
import { open, unlink } from 'node:fs/promises';
import type { FileHandle } from 'node:fs/promises';
import { join } from 'node:path';
import { crc32 } from 'node:zlib';
import { syncDirectory } from '../../../files/directories.js';
import type { Logger } from '../../../protocol/logger.js';
import { Corruption } from './format.js';

const name = 'SAVED';
const everyMs = 100;
const numberDigits = 16;
const sumDigits = 8;

export class SavedMark {
  /** What it said when it was opened. */
  readonly number: number;
  readonly #file: FileHandle;
  readonly #log: Logger;
  #wanted: number;
  #timer: NodeJS.Timeout | undefined;
  #writing: Promise<void> | undefined;

  private constructor(file: FileHandle, number: number, log: Logger) {
    this.#file = file;
    this.number = this.#wanted = number;
    this.#log = log;
  }

  /** @throws Corruption if there is one that cannot be read */
  static async open(directory: string, log: Logger): Promise<SavedMark> {
    const path = join(directory, name);
    const isThere = await open(path, 'r+').catch((error: unknown) => {
      if ((error as NodeJS.ErrnoException).code === 'ENOENT') return null;
      throw error;
    });
    if (isThere === null) return SavedMark.#create(path, directory, log);
    try {
      return new SavedMark(isThere, numberIn(await isThere.readFile('latin1')), log);
    } catch (error) {
      await isThere.close();
      throw error;
    }
  }

  /**
   * On the disk at once: from here on it is only written over, within one sector, which is old or new. Where there is no room for it,
   * nothing is left: an empty one would count as damage at the next start.
   */
  static async #create(path: string, directory: string, log: Logger): Promise<SavedMark> {
    const file = await open(path, 'wx+', 0o600);
    try {
      await file.write(textOf(0), 0);
      await file.sync();
      for (const each of [directory, join(directory, '..')]) await syncDirectory(each);
    } catch (error) {
      await file.close();
      await unlink(path);
      throw error;
    }
    return new SavedMark(file, 0, log);
  }

  /** All batches up to that one have been synced. */
  set(number: number): void {
    this.#wanted = number;
    if (this.#timer !== undefined) return;
    this.#timer = setTimeout(() => {
      this.#writing = this.#write();
    }, everyMs).unref();
  }

  async #write(): Promise<void> {
    const number = this.#wanted;
    try {
      await this.#file.write(textOf(number), 0);
    } catch (error) {
      // It says too little for a while.
      this.#log.debug(`${name} could not be written: ${String(error)}`);
    }
    this.#timer = undefined;
    if (this.#wanted !== number) this.set(this.#wanted);
  }

  async close(): Promise<void> {
    clearTimeout(this.#timer);
    await this.#writing;
    clearTimeout(this.#timer);
    await this.#write();
    await this.#file.close();
  }
}

function textOf(number: number): string {
  const digits = String(number).padStart(numberDigits, '0');
  return digits + crc32(digits).toString(16).padStart(sumDigits, '0');
}

function numberIn(text: string): number {
  const digits = text.slice(0, numberDigits);
  if (text.length !== numberDigits + sumDigits || text !== textOf(Number(digits)))
    throw new Corruption(`${name} cannot be read`);
  return Number(digits);
}
