/**
 * How fast a learner may copy (`copyBytesPerSecondMax`): a token bucket of bytes of keys and values. A batch is paid
 * for when it has come, since nobody knows its size before; so the bucket may fall below zero, and on the whole the
 * rate is kept exactly. Those that are under way are taken to be as large as the ones before them.
 */

/** What may be saved up, as a part of a second's worth. */
const savedSeconds = 0.25;
/** Of a batch, until some have come: with a large value in it. */
const firstGuessBytes = 1024 * 1024;
const guessFadesBy = 0.9;

export class CopyBudget {
  #bytes = 0;
  #filledAtMs = -Infinity;
  #guessBytes = firstGuessBytes;

  /** Whether one more batch may be asked for. @param bytesPerSecondMax - 0: as fast as it goes */
  allows(batchesUnderWay: number, bytesPerSecondMax: number, nowMs: number): boolean {
    if (bytesPerSecondMax === 0) {
      // Nothing is owed for what is copied without a limit, should there be one later.
      this.#bytes = 0;
      this.#filledAtMs = nowMs;
      return true;
    }
    const earned = (bytesPerSecondMax * (nowMs - this.#filledAtMs)) / 1000;
    this.#bytes = Math.min(bytesPerSecondMax * savedSeconds, this.#bytes + earned);
    this.#filledAtMs = nowMs;
    return this.#bytes > batchesUnderWay * this.#guessBytes;
  }

  spend(bytes: number): void {
    this.#bytes -= bytes;
    this.#guessBytes = Math.max(bytes, this.#guessBytes * guessFadesBy);
  }
}
