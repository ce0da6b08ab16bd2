/** Removes records of cleared slots bit by bit: those of earlier generations, which nobody reads any more. */
import { setTimeout as pause } from 'node:timers/promises';
import type { Logger } from '../../../protocol/logger.js';
import type { Database } from './batch.js';
import { recordPrefix } from './format.js';
import type { BatchWriter } from './writer.js';

const pieceKeys = 500;
const pauseMs = 10;
const retryMs = 1000;

interface Task {
  readonly slot: number;
  /** Records of earlier ones are garbage. */
  readonly generation: number;
  /** Batch that said so: before it is written, garbage may still be coming. */
  readonly number: number;
}

export class Sweeper {
  readonly #writer: BatchWriter;
  readonly #log: Logger;
  readonly #tasks: Task[] = [];
  readonly #stopped = new AbortController();
  #written = 0;
  #isRunning = false;

  constructor(writer: BatchWriter, log: Logger) {
    this.#writer = writer;
    this.#log = log;
  }

  get isDone(): boolean {
    return this.#tasks.length === 0;
  }

  add(slot: number, generation: number, number: number): void {
    this.#tasks.push({ slot, generation, number });
    this.#begin();
  }

  onWritten(number: number): void {
    this.#written = number;
    this.#begin();
  }

  stop(): void {
    this.#stopped.abort();
  }

  #begin(): void {
    const [first] = this.#tasks;
    if (first === undefined || first.number > this.#written || this.#isRunning) return;
    this.#isRunning = true;
    void this.#run();
  }

  async #run(): Promise<void> {
    for (let task = this.#next(); task !== undefined; task = this.#next()) {
      const { db } = this.#writer;
      try {
        if (db === undefined) throw new Error('the database is being opened anew');
        await this.#sweep(db, task);
        this.#tasks.shift();
      } catch (error) {
        if (this.#isStopped) break;
        this.#log.debug(`cleared slot ${task.slot} could not be swept, trying again: ${String(error)}`);
        await this.#pause(retryMs).catch(() => undefined); // stopped: `next` sees it
      }
    }
    this.#isRunning = false;
  }

  #next(): Task | undefined {
    const [first] = this.#tasks;
    return first === undefined || first.number > this.#written || this.#isStopped ? undefined : first;
  }

  async #sweep(db: Database, { slot, generation }: Task): Promise<void> {
    const keys = db.keys({
      gte: recordPrefix(slot, 0),
      lt: recordPrefix(slot, generation),
      fillCache: false,
      highWaterMarkBytes: 64 * 1024,
    });
    try {
      for (;;) {
        const piece = await keys.nextv(pieceKeys);
        if (piece.length === 0 || this.#isStopped) return;
        const { batch } = this.#writer;
        for (const key of piece) batch.delete(key);
        do await this.#pause(this.#mustWait ? retryMs : pauseMs);
        while (this.#mustWait);
      }
    } finally {
      await keys.close();
    }
  }

  get #mustWait(): boolean {
    return this.#writer.isFull || this.#writer.isCrowded;
  }

  get #isStopped(): boolean {
    return this.#stopped.signal.aborted;
  }

  /** Keeps no process alive. Rejected when stopped. */
  async #pause(ms: number): Promise<void> {
    await pause(ms, undefined, { ref: false, signal: this.#stopped.signal });
  }
}
