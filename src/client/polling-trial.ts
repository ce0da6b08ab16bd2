/**
 * Whether busy polling pays, found out by trying. It depends on what no program knows beforehand: how long the way to the
 * nodes is, whether a core is free, what the system takes to put a thread to sleep and to wake it again.
 *
 * Operations come in rounds. Each begins with a trial, blocks with polling and without by turns; whichever was the better one is used
 * for the rest of the round.
 */

/** Operations of a block. The first of each says more of the block before and is not counted. */
const blockLength = 8;
const blocks = 8;
export const trialLength = blockLength * blocks;
const samplesPerMode = (blocks / 2) * (blockLength - 1);
/** After the first trials, which much not yet compiled code may decide, the next one comes soon. */
const firstRoundLength = 4 * trialLength;
export const roundLength = 16 * trialLength;
/** Polling costs CPU time: it has to make this much of a difference. */
const shareMax = 0.9;

export class PollingTrial {
  readonly #withPollingMs = new Float64Array(samplesPerMode);
  readonly #withoutMs = new Float64Array(samplesPerMode);
  #roundLength = firstRoundLength;
  /** Operations of this round so far. */
  #count = 0;
  #isWorthwhile = false;

  /** Whether the next operation is to be polled for. */
  get isPolling(): boolean {
    return this.#count < trialLength ? this.#isPollingBlock : this.#isWorthwhile;
  }

  get #isPollingBlock(): boolean {
    return Math.trunc(this.#count / blockLength) % 2 === 1;
  }

  /** The next operation took so long. */
  took(ms: number): void {
    if (this.#count < trialLength) this.#note(ms);
    this.#count++;
    if (this.#count === trialLength) {
      this.#isWorthwhile = middle(this.#withPollingMs) <= shareMax * middle(this.#withoutMs);
    } else if (this.#count === this.#roundLength) {
      this.#count = 0;
      this.#roundLength = roundLength;
    }
  }

  #note(ms: number): void {
    const place = this.#count % blockLength;
    if (place === 0) return;
    const block = Math.trunc(this.#count / (2 * blockLength));
    const samples = this.#isPollingBlock ? this.#withPollingMs : this.#withoutMs;
    samples[block * (blockLength - 1) + place - 1] = ms;
  }
}

/** Of as many as there are of both: one that met with something else says nothing. */
function middle(samples: Float64Array): number {
  samples.sort();
  return samples[samples.length >> 1] ?? NaN;
}
