/**
 * Whether this node's own disk hangs (PROTOCOL M2). The node answers everything then but writes, and does not so to those alone
 * that share slots with it, so it says so itself. *[found: as long as only its fellows could report it, a node with two of them
 * among seven was never taken off its slots]* A disk without room is another matter: those of others may be full soon, too.
 *
 * Time is that for which the node has been running (peer-reach.ts).
 */
import type { Journal } from './journal.js';
import type { LogLevel } from './ports.js';

export class DiskWatch {
  readonly #journal: Journal;
  readonly #hungMsMax: number;
  readonly #log: (level: LogLevel, text: string) => void;
  /** What was on the disk when that was looked at last, and since when no more has been. */
  #saved = 0;
  #sinceMs = 0;
  #isHung = false;

  constructor(journal: Journal, hungMsMax: number, log: (level: LogLevel, text: string) => void) {
    this.#journal = journal;
    this.#hungMsMax = hungMsMax;
    this.#log = log;
  }

  /** With each tick. @returns whether the disk hangs */
  isHung(runningMs: number): boolean {
    const { saved, noted, hasNoRoom } = this.#journal;
    if (saved === noted || hasNoRoom || saved !== this.#saved) {
      this.#saved = saved;
      this.#sinceMs = runningMs;
    }
    const isHung = runningMs - this.#sinceMs >= this.#hungMsMax;
    if (isHung !== this.#isHung) {
      const seconds = Math.round(this.#hungMsMax / 1000);
      if (isHung) this.#log('error', `the disk has taken nothing for ${seconds} s; telling the manager`);
      else this.#log('info', 'the disk takes what waits for it again');
    }
    this.#isHung = isHung;
    return isHung;
  }
}
