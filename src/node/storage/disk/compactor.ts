/**
 * Gives the room of deleted records back while the disk has hardly any (PROTOCOL D4). LevelDB drops what was overwritten
 * only when it merges the tables it lies in, which it does for the sake of what is written; and when the disk is full
 * hardly anything is. So the tables of slots in which something was deleted are merged at once.
 */
import type { Logger } from '../../../protocol/logger.js';
import type { Database } from './batch.js';
import { recordPrefix } from './format.js';

/** Slots that lie this close to each other are merged in one go. */
const gapMax = 16;
const generationMax = 0xffffffff;

export interface CompactorOptions {
  /** undefined: it is being opened anew */
  readonly database: () => Database | undefined;
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

  constructor(options: CompactorOptions) {
    this.#options = options;
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
  }

  async #run(): Promise<void> {
    const { database, isLow, log } = this.#options;
    for (let slots = this.#take(); slots.length > 0 && isLow(); slots = this.#take()) {
      for (const [first, last] of stretches(slots)) {
        const db = database();
        if (this.#isStopped || db === undefined) break;
        try {
          await db.compactRange(recordPrefix(first, 0), recordPrefix(last, generationMax));
        } catch (error) {
          log.debug(`slots ${first} to ${last} could not be compacted: ${String(error)}`);
        }
      }
    }
    this.#isRunning = false;
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
