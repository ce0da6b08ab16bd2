/** What a learner did from its first unfilled slot to the last one filled, for the log. */
import type { Entry } from '../../protocol/messages.js';

export class FillTally {
  #slots = 0;
  #entries = 0;
  #bytes = 0;
  #confirmed = 0;
  readonly #startedAtMs: number;

  constructor(nowMs: number) {
    this.#startedAtMs = nowMs;
  }

  /** A full replica sent these. @returns bytes of their keys and values */
  copied(entries: readonly Entry[]): number {
    let bytes = 0;
    for (const { key, value } of entries) bytes += key.length + (value?.length ?? 0);
    this.#entries += entries.length;
    this.#bytes += bytes;
    return bytes;
  }

  /** The disk had them, and a full replica the very same. */
  confirmed(entries: number): void {
    this.#confirmed += entries;
  }

  slotFilled(): void {
    this.#slots++;
  }

  text(nowMs: number): string {
    const seconds = ((nowMs - this.#startedAtMs) / 1000).toFixed(2);
    return (
      `filled ${this.#slots} slots: ${this.#entries} entries, ${this.#bytes} bytes copied, ` +
      `${this.#confirmed} entries confirmed from the disk, in ${seconds} s`
    );
  }
}
