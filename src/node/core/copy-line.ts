/**
 * What a learner knows of the line from one of its sources: how much it may have under way on it, and since when nothing
 * has come.
 *
 * Nobody knows how large a batch is before it has come, or what a line carries. So bytes under way are the requests under way times
 * a guess from the answers so far, and the window that bounds them begins small, grows while answers come quickly, and
 * is halved when one comes late: more than that would not come sooner, but lie before everything else that the source
 * has to send. One request is under way however slow the line is.
 */
import type { Link } from '../../protocol/messages.js';

/** A link that counts what has come on it, part of a long message included, as a connection of the transport does. */
export interface CountingLink extends Link {
  readonly bytesReceived?: number;
}

const windowBytesFirst = 1024 * 1024;
/** Some ordinary batches. */
const windowBytesMin = 128 * 1024;
/** A gigabit in a second on a line of a quarter of a second. */
const windowBytesMax = 32 * 1024 * 1024;
/** Of an answer, until some have come: with a large value in it. */
const firstGuessBytes = 1024 * 1024;
/** Of a dozen answers many may be of empty slots. */
const guessFadesBy = 0.8;
/** An answer that takes so much longer than the quickest one stood in a queue. It is late on a long line if it takes twice as long. */
const lateMs = 250;

export class CopyLine {
  #underWay = 0;
  #windowBytes = windowBytesFirst;
  #guessBytes = firstGuessBytes;
  /** What the quickest answer took: the way there and back. */
  #quickestMs = Infinity;
  /** It grows by what has come, twice as large in each round, until an answer was late for the first time. */
  #hasBeenLate = false;
  #shrunkAtMs = -Infinity;
  #heardAtMs = -Infinity;
  #bytesReceived = 0;

  get hasRoom(): boolean {
    return this.#underWay === 0 || (this.#underWay + 1) * this.#guessBytes <= this.#windowBytes;
  }

  /** @param bytes of the request, if it is a long one: they hold up the line as well */
  asked(bytes = 0): void {
    this.#underWay++;
    this.#guessBytes = Math.max(this.#guessBytes, bytes);
  }

  /** Before it has `ended`. */
  answered(bytes: number, sentMs: number, nowMs: number): void {
    const isUsed = (this.#underWay + 1) * this.#guessBytes > this.#windowBytes / 2;
    this.#heardAtMs = nowMs;
    this.#guessBytes = Math.max(bytes, this.#guessBytes * guessFadesBy, 1);
    const tookMs = nowMs - sentMs;
    this.#quickestMs = Math.min(this.#quickestMs, tookMs);
    if (tookMs - this.#quickestMs > Math.max(lateMs, this.#quickestMs)) this.#shrink(sentMs, nowMs);
    else if (isUsed) this.#grow(bytes);
  }

  /** A request has been answered, or given up. */
  ended(): void {
    this.#underWay--;
  }

  /** Answers to what was asked before it shrank say nothing new. */
  #shrink(sentMs: number, nowMs: number): void {
    this.#hasBeenLate = true;
    if (sentMs < this.#shrunkAtMs) return;
    this.#shrunkAtMs = nowMs;
    this.#windowBytes = Math.max(windowBytesMin, this.#windowBytes / 2);
  }

  #grow(bytes: number): void {
    const more = this.#hasBeenLate ? (bytes * this.#guessBytes) / this.#windowBytes : bytes;
    this.#windowBytes = Math.min(windowBytesMax, this.#windowBytes + more);
  }

  /** Sees whether anything has come on it, part of an answer included. */
  look(link: CountingLink | undefined, nowMs: number): void {
    const bytesReceived = link?.bytesReceived ?? 0;
    if (bytesReceived !== this.#bytesReceived) this.#heardAtMs = nowMs;
    this.#bytesReceived = bytesReceived;
  }

  /** For how long nothing has come to whoever asked at that time. */
  quietMs(sentMs: number, nowMs: number): number {
    return nowMs - Math.max(sentMs, this.#heardAtMs);
  }
}
