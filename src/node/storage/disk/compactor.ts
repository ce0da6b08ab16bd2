/**
 * Gives the room of deleted records back while the disk has hardly any (PROTOCOL D4). LevelDB drops what was overwritten
 * only when it merges the tables it lies in, which it does for the sake of what is written; and when the disk is full
 * hardly anything is. So the tables of slots in which something was deleted are merged at once.
 *
 * And the tables it has merged it removes only after the next merge or flush; after a merge that found no room, only once it is opened
 * anew, which a write that fails brings about. Where all writes are refused there is none, so it is given cause now and then.
 */
import { Buffer } from 'node:buffer';
import type { Logger } from '../../../protocol/logger.js';
import { recordPrefix } from './format.js';
import type { BatchWriter } from './writer.js';

/** Slots that lie this close to each other are merged in one go. */
const gapMax = 16;
const generationMax = 0xffffffff;
const collectEveryMs = 10_000;
const behindAll = Buffer.of(0xff);

export interface CompactorOptions {
  readonly writer: () => BatchWriter;
  /** The disk has hardly any room. */
  readonly isLow: () => boolean;
  readonly log: Logger;
}

export class Compactor {
  readonly #options: CompactorOptions;
  /** Slots with something deleted in them, and the batch that says so last. */
  readonly #deletedIn = new Map<number, number>();
  #written = 0;
  #isRunning = false;
  #isStopped = false;
  #timer: NodeJS.Timeout | undefined;

  constructor(options: CompactorOptions) {
    this.#options = options;
  }

  /** All is loaded: no iterator pins tables any more, and batches may be written. */
  begin(): void {
    this.#timer ??= setInterval(() => this.#collect(), collectEveryMs).unref();
    this.#collect();
  }

  /** @param number - of the batch */
  onDeleted(slot: number, number: number): void {
    this.#deletedIn.set(slot, number);
  }

  /** Batches up to this number are on the disk. */
  onWritten(number: number): void {
    this.#written = number;
    if (this.#isRunning || this.#deletedIn.size === 0 || !this.#options.isLow()) return;
    this.#isRunning = true;
    void this.#run();
  }

  stop(): void {
    this.#isStopped = true;
    clearInterval(this.#timer);
  }

  #collect(): void {
    const { writer, isLow } = this.#options;
    if (this.#isStopped || !isLow()) return;
    writer().probe();
    // What is no table yet is flushed, and no table is merged: none has such keys.
    void this.#compact(behindAll, behindAll);
  }

  async #run(): Promise<void> {
    const { writer, isLow } = this.#options;
    for (let slots = this.#take(); slots.length > 0 && isLow(); slots = this.#take()) {
      for (const [first, last] of stretches(slots)) {
        if (this.#isStopped || writer().db === undefined) break;
        await this.#compact(recordPrefix(first, 0), recordPrefix(last, generationMax));
      }
    }
    this.#isRunning = false;
  }

  async #compact(from: Buffer, to: Buffer): Promise<void> {
    try {
      await this.#options.writer().db?.compactRange(from, to);
    } catch (error) {
      this.#options.log.debug(`could not be compacted: ${String(error)}`);
    }
  }

  /** Those whose deletes are on the disk, ascending. */
  #take(): number[] {
    const slots: number[] = [];
    for (const [slot, number] of this.#deletedIn) if (number <= this.#written) slots.push(slot);
    for (const slot of slots) this.#deletedIn.delete(slot);
    return slots.sort((a, b) => a - b);
  }
}

/** Ascending slots as stretches from a first to a last one. */
function stretches(slots: readonly number[]): [first: number, last: number][] {
  const found: [first: number, last: number][] = [];
  for (const slot of slots) {
    const current = found.at(-1);
    if (current !== undefined && slot - current[1] <= gapMax) current[1] = slot;
    else found.push([slot, slot]);
  }
  return found;
}
