/**
 * How fast a learner fills itself beside what else it has to do. While nobody asks for anything it asks for many batches
 * at once and the next one as each comes. While requests come in it asks for a few with every tick: its share of
 * the processor, and of those that it copies from, belongs to them, for every write of the slots waits for the learner, too. A
 * tick that is late says that the processor is scarce: then it asks for fewer.
 */

/**
 * Batches on their way at once, beside requests as well: over a long way more would be asked for in the time of one answer than a
 * source keeps walks for (walks.ts), and each that it drops begins anew.
 */
const underWayMax = 32;
/** Batches asked for in one tick beside requests: less with a late one by half, a little more with one in time. */
const perTickFirst = 1;
const perTickMin = 0.25;
const perTickMore = 0.05;
/**
 * A move can wait: with one batch, p99 of a load beside it is less than twice the quiet one; with four it was three times.
 * Nodes of one host share its processor, and so they share the batches.
 */
const perTickMaxOfMoves = 1;
const perTickMaxOfHost = 2;
/** A slot that lacks a replica cannot. */
const perTickMaxInNeed = 4;
/** While slots are filled, ticks are ten milliseconds apart, unless something holds them up. */
const lateMs = 20;
/** Nobody has asked for anything for this long. */
const calmAfterMs = 50;
/** Entries of the own disk that are looked at in one tick. */
const looksBeside = 512;
const looksCalm = 4096;

export class CopyPace {
  // These begin as fractions, for the engine's sake: most of the time some of them are integers.
  #perTick = perTickMin;
  #perTickMin = perTickMin;
  #perTickMaxOfMoves = perTickMin;
  #left = 1;
  #looksLeft = looksBeside;
  #tickedAtMs = -Infinity;
  #wasFilling = false;
  #requests = 0;
  #askedAtMs = -Infinity;
  #isCalm = false;

  constructor() {
    this.#perTick = perTickFirst;
    this.shareWith(1);
  }

  /** @param learners how many nodes of this host fill slots, with this one */
  shareWith(learners: number): void {
    this.#perTickMaxOfMoves = Math.min(perTickMaxOfMoves, perTickMaxOfHost / learners);
    this.#perTickMin = perTickMin * this.#perTickMaxOfMoves;
  }

  /**
   * @param requests how many have come since the node started, or since any moment
   * @param isInNeed a slot that is being copied has fewer full replicas than it should
   * @param isFilling slots are being filled; if not, ticks are farther apart, and none of them is late
   */
  tick(nowMs: number, requests: number, isInNeed: boolean, isFilling: boolean): void {
    const isLate = this.#wasFilling && nowMs - this.#tickedAtMs > lateMs;
    this.#tickedAtMs = nowMs;
    this.#wasFilling = isFilling;
    if (requests !== this.#requests) this.#askedAtMs = nowMs;
    this.#requests = requests;
    this.#isCalm = nowMs - this.#askedAtMs > calmAfterMs;
    const perTick = isLate ? this.#perTick / 2 : this.#perTick + perTickMore;
    const perTickMax = isInNeed ? perTickMaxInNeed : this.#perTickMaxOfMoves;
    this.#perTick = Math.min(perTickMax, Math.max(this.#perTickMin, perTick));
    this.#left = Math.min(Math.max(0, this.#left), 1) + this.#perTick;
    this.#looksLeft = this.#isCalm && !isLate ? looksCalm : looksBeside;
  }

  /** Whether one more batch may be asked for. */
  allows(underWay: number): boolean {
    return underWay < underWayMax && (this.#isCalm || this.#left >= 1);
  }

  asked(): void {
    this.#left--;
  }

  /** How many entries of the own disk may be looked at before the next tick. */
  get looks(): number {
    return this.#looksLeft;
  }

  looked(entries: number): void {
    this.#looksLeft -= entries;
  }
}
