/**
 * Refuses in time (PROTOCOL D4): what is left of the file system below a reserve counts as full already. In the reserve go
 * the writes that are under way, the replays that settle them, and the tables LevelDB writes before it removes others;
 * so no key stays INVALID for want of room. Deletes may take a part of it.
 */
import { statfs } from 'node:fs/promises';
import type { Logger } from '../../../protocol/logger.js';

/** Nodes that share the disk may all be merging tables at once. */
const reserveBytesMax = 64 * 1024 * 1024;
const reserveShareMax = 0.05;
/** The rest is kept for what must not be refused, and for making the room that deletes give back. */
const deletesShareMax = 0.5;
/** Free again above so many times the reserve: not with every table that LevelDB drops. */
const freeAgainRatio = 1.25;
const lookEveryMs = 250;
/** Others may write there, too: a look for every so many bytes, as a share of the reserve. */
const lookShare = 1 / 8;

export interface FreeBytes {
  readonly free: number;
  readonly total: number;
}

async function freeBytesOf(directory: string): Promise<FreeBytes> {
  const { bavail, blocks, bsize } = await statfs(directory);
  return { free: bavail * bsize, total: blocks * bsize };
}

export class FreeSpace {
  readonly #directory: string;
  readonly #log: Logger;
  readonly #freeBytes: (directory: string) => Promise<FreeBytes>;
  #free = Infinity;
  #reserve = 0;
  /** Since `free` was right. */
  #written = 0;
  #lookedAtMs = -Infinity;
  #isLooking = false;
  #isLow = false;
  #isClosed = false;
  #timer: NodeJS.Timeout | undefined;

  constructor(directory: string, log: Logger, freeBytes = freeBytesOf) {
    this.#directory = directory;
    this.#log = log;
    this.#freeBytes = freeBytes;
    void this.#look();
  }

  /** Less than the reserve is left. */
  get isLow(): boolean {
    return this.#isLow;
  }

  /** Deletes have used up their part of the reserve. */
  get isSpent(): boolean {
    return this.#isLow && this.#free - this.#written < this.#reserve * (1 - deletesShareMax);
  }

  onWritten(bytes: number): void {
    this.#written += bytes;
    this.#judge();
    if (this.#isLooking) return;
    const isDue = performance.now() - this.#lookedAtMs >= lookEveryMs;
    if (isDue || this.#written >= this.#reserve * lookShare) void this.#look();
  }

  async #look(): Promise<void> {
    this.#isLooking = true;
    this.#lookedAtMs = performance.now();
    const writtenBefore = this.#written;
    try {
      const { free, total } = await this.#freeBytes(this.#directory);
      this.#free = free;
      this.#reserve = Math.min(reserveBytesMax, total * reserveShareMax);
      this.#written -= writtenBefore;
      this.#judge();
    } catch (error) {
      // Where the system does not tell, the disk is full when a write fails.
      this.#log.debug(`${this.#directory}: the free space is not known: ${String(error)}`);
      this.#isLow = false;
    }
    this.#isLooking = false;
    // Nothing may be written until there is room.
    if (this.#isLow && !this.#isClosed) this.#lookLater();
  }

  #lookLater(): void {
    clearTimeout(this.#timer);
    this.#timer = setTimeout(() => {
      if (!this.#isLooking) void this.#look();
    }, lookEveryMs).unref();
  }

  #judge(): void {
    const free = this.#free - this.#written;
    const enough = this.#isLow ? this.#reserve * freeAgainRatio : this.#reserve;
    const isLow = free < enough;
    if (isLow === this.#isLow) return;
    this.#isLow = isLow;
    if (isLow) {
      this.#log.error(
        `${this.#directory}: ${megabytes(free)} left, ${megabytes(this.#reserve)} are kept for writes under way and deletes: new writes are refused; free some`,
      );
      this.#lookLater();
    } else {
      this.#log.info(`${this.#directory}: ${megabytes(free)} free, writes are taken again`);
    }
  }

  close(): void {
    this.#isClosed = true;
    clearTimeout(this.#timer);
  }
}

function megabytes(bytes: number): string {
  return `${(Math.max(0, bytes) / 2 ** 20).toFixed(1)} MB`;
}
