/**
 * Writes batches one after the other, each synced before the next begins; what changes meanwhile gathers in the next. A batch
 * that cannot be written is kept and tried again, so nothing is lost and nothing overtakes. LevelDB takes nothing more
 * after a failed sync, and what follows half a record in its log would not be read again: so after any
 * failure the database is closed and opened anew, once its files have been looked at: LevelDB drops damaged pieces in silence. If it
 * is not what was saved, that is told, and nothing more is written: whoever starts the node again checks it as at any start.
 *
 * Now and then it is opened anew without a failure. With each table that LevelDB makes or drops its manifest grows, and its own LOG,
 * and it begins both anew only then: in months they would fill the disk, and a manifest of gigabytes cannot be checked at a start.
 */
import { setImmediate as turn, setTimeout as pause } from 'node:timers/promises';
import type { Logger } from '../../../protocol/logger.js';
import { Batch } from './batch.js';
import type { Database } from './batch.js';
import { checkFiles, manifestBytesIn } from './check.js';
import { readAllMeta } from './database.js';
import { Corruption } from './format.js';
import { isNoRoom, openInLittleRoom } from './little-room.js';

/** More than this that waits for the disk is too much: new writes have to wait outside. */
const behindBytesMax = 64 * 1024 * 1024;
/** Nor is anything else taken beyond this. */
const overfullBytes = 2 * behindBytesMax;
/** More than this, and slots are filled no faster than the disk takes it. */
const copiedBytesMax = 8 * 1024 * 1024;
const retryMsFirst = 20;
const retryMsMax = 1000;
/** With a disk that fails for so long writes are refused, as with one that is full. */
const brokenAfterMs = 2000;
/** Some 50 GB have been written then, and its LOG is twice as long. */
const manifestBytesMaxDefault = 8 * 1024 * 1024;
/** It is looked at whenever so much has been written. */
const manifestLookBytes = 16 * 1024 * 1024;
/** A disk may stay full for hours: told at once, then now and then, and when it is over. */
const logEveryMs = 10_000;

export interface WriterOptions {
  readonly directory: string;
  readonly db: Database;
  /** Of the last batch written, and the highest hlc in it or before it. */
  readonly number: number;
  readonly clockUs: number;
  /** At least this long from the beginning of one batch to that of the next, to begin with. */
  readonly everyMs: number;
  readonly log: Logger;
  /** It is on the disk. */
  readonly onWritten: (batch: Batch) => void;
  /** What is there is not what was saved: nothing will be written any more. */
  readonly onCorrupt: (error: Corruption) => void;
  /** With a longer manifest the database is opened anew; default: 8 MiB. */
  readonly manifestBytesMax?: number;
}

export class BatchWriter {
  readonly #options: WriterOptions;
  everyMs: number;
  #db: Database | undefined;
  /** In the order of their numbers; the last one may be the one that is being filled. */
  readonly #queue: Batch[] = [];
  #filling: Batch | null = null;
  #writing: Batch | null = null;
  #number: number;
  #written: number;
  #clockUs: number;
  #bytesBehind = 0;
  /** Since the manifest was looked at. */
  #bytesWritten = 0;
  #hasNoRoom = false;
  /** When the first of the failures came that have followed one another; null: the last batch was written. */
  #failingSinceMs: number | null = null;
  #running: Promise<void> | null = null;
  #isClosing = false;
  /** It took too long to close, or the database is damaged: what is not written yet is lost. */
  #hasGivenUp = false;
  #failures = 0;
  #loggedAtMs = -Infinity;

  constructor(options: WriterOptions) {
    this.#options = options;
    this.everyMs = options.everyMs;
    this.#db = options.db;
    this.#number = this.#written = options.number;
    this.#clockUs = options.clockUs;
  }

  /** The database; undefined while it is being opened anew. */
  get db(): Database | undefined {
    return this.#db;
  }

  get isFull(): boolean {
    return this.#hasNoRoom || this.#isBroken;
  }

  get isCrowded(): boolean {
    return this.#bytesBehind > behindBytesMax;
  }

  get isOverfull(): boolean {
    return this.#bytesBehind > overfullBytes;
  }

  get hasNoRoom(): boolean {
    return this.#hasNoRoom;
  }

  get isBehind(): boolean {
    return this.#bytesBehind > copiedBytesMax;
  }

  /** It has taken nothing for a while: to refuse a write at once is better than to leave it without an answer. */
  get #isBroken(): boolean {
    return this.#failingSinceMs !== null && performance.now() - this.#failingSinceMs > brokenAfterMs;
  }

  /** For how long the oldest change has waited that is not on the disk; 0: all are. */
  get lateMs(): number {
    const oldest = this.#writing ?? this.#queue[0];
    return oldest === undefined ? 0 : performance.now() - oldest.sinceMs;
  }

  /** Highest hlc on the disk. */
  get clockUs(): number {
    return this.#clockUs;
  }

  /** Where the next change belongs; it is written soon. */
  get batch(): Batch {
    let batch = this.#filling;
    if (batch?.isFull === true) {
      this.#bytesBehind += batch.bytes;
      batch = null;
    }
    if (batch === null) {
      batch = new Batch(++this.#number, this.#clockUs, this.#db);
      this.#queue.push(batch);
      this.#filling = batch;
      this.#running ??= this.#run();
    }
    return batch;
  }

  /** Writes a batch of nothing but its number: whether LevelDB still takes any. It is opened anew if not. @returns the number */
  probe(): number {
    return this.batch.number;
  }

  async #run(): Promise<void> {
    // What else comes in this turn of the event loop shall go with it.
    await turn();
    for (let batch = this.#take(); batch !== undefined; batch = this.#take()) {
      const startMs = performance.now();
      this.#writing = batch;
      if (!(await this.#write(batch))) return;
      this.#writing = null;
      this.#bytesBehind -= batch.bytes;
      this.#written = batch.number;
      // What it holds may be older than what the ones before it did.
      this.#clockUs = Math.max(this.#clockUs, batch.clockUs);
      this.#options.onWritten(batch);
      this.#bytesWritten += batch.bytes;
      if (this.#bytesWritten > manifestLookBytes) await this.#renewIfLong();
      const restMs = startMs + this.everyMs - performance.now();
      if (restMs > 0 && this.#queue.length < 2 && !this.#isClosing) await pause(restMs);
    }
    this.#running = null;
  }

  #take(): Batch | undefined {
    const batch = this.#queue.shift();
    if (batch === undefined) return undefined;
    let counted = batch.bytes;
    if (batch === this.#filling) {
      this.#filling = null;
      counted = 0;
    }
    batch.seal(this.#clockUs);
    this.#bytesBehind += batch.bytes - counted;
    return batch;
  }

  /** @returns false if it was given up */
  async #write(batch: Batch): Promise<boolean> {
    for (;;) {
      try {
        this.#db ??= await this.#reopen();
        await batch.write(this.#db);
        break;
      } catch (error) {
        if (error instanceof Corruption) this.#giveUp(error);
        else this.#failed(error);
        await this.#closeDatabase();
        if (this.#hasGivenUp) return false;
        const mostMs = Math.min(retryMsMax, retryMsFirst * 2 ** Math.min(this.#failures++, 10));
        await pause(mostMs * (0.5 + Math.random() / 2));
      }
    }
    if (this.#failures === 0) return true;
    this.#options.log.info(`${this.#options.directory} can be written again`);
    this.#failures = 0;
    this.#loggedAtMs = -Infinity;
    this.#hasNoRoom = false;
    this.#failingSinceMs = null;
    return true;
  }

  /** What fails here is told by the next write, which tries again. */
  async #renewIfLong(): Promise<void> {
    this.#bytesWritten = 0;
    const { directory, manifestBytesMax = manifestBytesMaxDefault, log } = this.#options;
    const bytes = await manifestBytesIn(directory).catch(() => 0);
    if (bytes <= manifestBytesMax || this.#isClosing) return;
    await this.#closeDatabase();
    try {
      this.#db = await this.#reopen();
      log.debug(`${directory} was opened anew: its manifest had ${bytes} bytes`);
    } catch (error) {
      log.debug(`${directory} could not be opened anew: ${String(error)}`);
    }
  }

  #giveUp(error: Corruption): void {
    this.#hasGivenUp = true;
    this.#options.onCorrupt(error);
  }

  #failed(error: unknown): void {
    const text = String(error);
    this.#hasNoRoom = isNoRoom(error);
    const nowMs = performance.now();
    this.#failingSinceMs ??= nowMs;
    if (nowMs < this.#loggedAtMs + logEveryMs) return;
    this.#loggedAtMs = nowMs;
    const { directory, log } = this.#options;
    if (this.#hasNoRoom)
      log.error(`no room in ${directory}: writes are refused until there is; free some (${text})`);
    else log.error(`cannot write to ${directory}, trying again; writes are refused until it can: ${text}`);
  }

  async #closeDatabase(): Promise<void> {
    const db = this.#db;
    this.#db = undefined;
    for (const batch of this.#queue) batch.withdraw();
    // The error that matters has been told.
    await db?.close().catch((error: unknown) => this.#options.log.debug(`while closing: ${String(error)}`));
  }

  async #reopen(): Promise<Database> {
    const { directory } = this.#options;
    await this.#checkLogs();
    const db = await openInLittleRoom(directory);
    try {
      const { batch } = await readAllMeta(db);
      if (batch >= this.#written) return db;
      throw new Corruption(`batch ${batch} is the last of ${this.#written}`);
    } catch (error) {
      // Or it would be in its own way when it is opened again.
      await db.close();
      throw error;
    }
  }

  /** Before LevelDB puts what it finds into a table. The tables' contents are left to the next start: they are read in parts only. */
  async #checkLogs(): Promise<void> {
    try {
      await checkFiles(this.#options.directory, { tables: false });
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== 'ENOENT') throw error;
      throw new Corruption('files of it are gone', { cause: error });
    }
  }

  /** Writes all there is and closes the database. @returns false if that took too long, or cannot be done, and was given up */
  async close(withinMs: number): Promise<boolean> {
    this.#isClosing = true;
    const deadline = new AbortController();
    const closed = async (): Promise<boolean> => {
      await this.#running;
      await this.#db?.close();
      return !this.#hasGivenUp;
    };
    const late = pause(withinMs, false, { signal: deadline.signal }).catch(() => false);
    try {
      const isClosed = await Promise.race([closed(), late]);
      this.#hasGivenUp = !isClosed;
      return isClosed;
    } finally {
      deadline.abort();
    }
  }
}
