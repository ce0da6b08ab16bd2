/**
 * How much memory a store holds, and whether it may take more (PROTOCOL D4). Counted where memory is taken and given back, a
 * page or a large value at a time, so that nothing is left to be done for a write: `isFull` is there to be read.
 */
import { megabytes } from '../reserve.js';
import type { Logger } from '../../../protocol/logger.js';

/** It takes values again below this share of the limit: not with every page that comes and goes. */
const againShare = 0.95;

/** What the system around it has left. */
export interface SystemMemory {
  readonly isLow: boolean;
  readonly isSpent: boolean;
  onTaken(bytes: number): void;
}

export interface HeldMemoryOptions {
  /** Default: no limit but that of the arena. */
  readonly bytesMax?: number | undefined;
  /** Default: nobody looks. */
  readonly system?: SystemMemory | undefined;
  readonly log?: Logger | undefined;
}

export class HeldMemory {
  readonly #bytesMax: number;
  readonly #system: SystemMemory | undefined;
  readonly #log: Logger | undefined;
  #bytes = 0;
  #isOver = false;

  constructor({ bytesMax = Infinity, system, log }: HeldMemoryOptions = {}) {
    this.#bytesMax = bytesMax;
    this.#system = system;
    this.#log = log;
  }

  /** For keys, values and their index, used or not. */
  get bytes(): number {
    return this.#bytes;
  }

  get isFull(): boolean {
    return this.#isOver || this.isSystemLow;
  }

  get isSystemLow(): boolean {
    return this.#system?.isLow === true;
  }

  get isSystemSpent(): boolean {
    return this.#system?.isSpent === true;
  }

  /** @param by - bytes; negative: given back */
  changed(by: number): void {
    this.#bytes += by;
    // What is given back may stay with the process; the next look tells.
    if (by > 0) this.#system?.onTaken(by);
    const isOver = this.#bytes > this.#bytesMax * (this.#isOver ? againShare : 1);
    if (isOver !== this.#isOver) this.#turn(isOver);
  }

  #turn(isOver: boolean): void {
    this.#isOver = isOver;
    const held = `memory: ${megabytes(this.#bytes)} held, --max-memory is ${megabytes(this.#bytesMax)}`;
    if (isOver) {
      this.#log?.error(`${held}: new values are refused; delete keys, start nodes with more, or add nodes`);
    } else {
      this.#log?.info(`${held}: values are taken again`);
    }
  }
}
