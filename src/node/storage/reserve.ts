/**
 * Refuses in time (PROTOCOL D4): what is left of a disk, or of a system's memory, below a reserve counts as full already. In the
 * reserve goes what must not be refused.
 *
 * It costs nothing while nothing is taken. Whoever takes something says how much: that counts at once, and brings about a
 * look now and then, since others may take of the same. While too little is left it looks by itself, to see when that is over.
 */
import type { Logger } from '../../protocol/logger.js';

/** The rest is kept for what must not be refused, and for making the room that deletes give back. */
const deletesShareMax = 0.5;
const lookEveryMs = 250;

export interface Left {
  readonly free: number;
  readonly total: number;
  /** Of what, if that is not always the same. */
  readonly of?: string;
}

export interface ReserveOptions {
  /** What it is kept of, for the log. */
  readonly name: string;
  readonly log: Logger;
  /** Rejects where the system does not tell. */
  readonly look: () => Promise<Left>;
  /** The lower of the two is the reserve. */
  readonly bytesMax: number;
  readonly shareMax: number;
  /** Enough again above so many times the reserve: not with every table or page that is given back. */
  readonly enoughAgainRatio: number;
  /** A look for every so many bytes that were taken, as a share of the reserve. */
  readonly lookShare: number;
  /** No look for fewer, however long ago the last one was. */
  readonly lookBytesMin: number;
  /** For the log: what it is for, what is refused, what to do, and what is taken again at the end. */
  readonly words: {
    readonly keptFor: string;
    readonly refused: string;
    readonly mend: string;
    readonly takenAgain: string;
  };
}

export class Reserve {
  readonly #options: ReserveOptions;
  #free = Infinity;
  #bytes = 0;
  #of = '';
  /** Since `free` was right. */
  #taken = 0;
  #lookedAtMs = -Infinity;
  #isLooking = false;
  #isLow = false;
  #hasFailed = false;
  #isClosed = false;
  #timer: NodeJS.Timeout | undefined;

  constructor(options: ReserveOptions) {
    this.#options = options;
  }

  /** Less than the reserve is left. */
  get isLow(): boolean {
    return this.#isLow;
  }

  /** Deletes have used up their part of the reserve. */
  get isSpent(): boolean {
    return this.#isLow && this.#free - this.#taken < this.#bytes * (1 - deletesShareMax);
  }

  onTaken(bytes: number): void {
    this.#taken += bytes;
    this.#judge();
    const { lookShare, lookBytesMin } = this.#options;
    if (this.#isLooking || this.#taken < lookBytesMin) return;
    const isDue = performance.now() - this.#lookedAtMs >= lookEveryMs;
    const isMuch = !this.#hasFailed && this.#bytes > 0 && this.#taken >= this.#bytes * lookShare;
    if (isDue || isMuch) void this.look();
  }

  protected async look(): Promise<void> {
    this.#isLooking = true;
    this.#lookedAtMs = performance.now();
    const takenBefore = this.#taken;
    const { look, bytesMax, shareMax, name, log } = this.#options;
    try {
      const { free, total, of = '' } = await look();
      this.#free = free;
      this.#bytes = Math.min(bytesMax, total * shareMax);
      this.#of = of;
      this.#taken -= takenBefore;
      this.#hasFailed = false;
      this.#judge();
    } catch (error) {
      // Once, not with every look. What was found before stays; where nothing ever was, nothing is refused. What has been
      // taken is not counted on and on: what was given back is not known either.
      this.#taken -= takenBefore;
      if (!this.#hasFailed) log.debug(`${name}: what is left is not known: ${String(error)}`);
      this.#hasFailed = true;
    }
    this.#isLooking = false;
    // Nothing may be taken until there is enough.
    if (this.#isLow && !this.#isClosed) this.#lookLater();
  }

  #lookLater(): void {
    clearTimeout(this.#timer);
    this.#timer = setTimeout(() => {
      if (!this.#isLooking) void this.look();
    }, lookEveryMs).unref();
  }

  #judge(): void {
    const free = this.#free - this.#taken;
    const enough = this.#isLow ? this.#bytes * this.#options.enoughAgainRatio : this.#bytes;
    const isLow = free < enough;
    if (isLow === this.#isLow) return;
    this.#isLow = isLow;
    const { log, name, words } = this.#options;
    const what = `${name}${this.#of}`;
    if (isLow) {
      const kept = `${megabytes(this.#bytes)} are kept for ${words.keptFor}`;
      log.error(`${what}: ${megabytes(free)} left, ${kept}: ${words.refused} are refused; ${words.mend}`);
      if (!this.#isClosed) this.#lookLater();
    } else {
      log.info(`${what}: ${megabytes(free)} free, ${words.takenAgain} are taken again`);
    }
  }

  close(): void {
    this.#isClosed = true;
    clearTimeout(this.#timer);
  }
}

/** For people: a million and some bytes each. */
export function megabytes(bytes: number): string {
  return `${(Math.max(0, bytes) / 2 ** 20).toFixed(1)} MB`;
}
