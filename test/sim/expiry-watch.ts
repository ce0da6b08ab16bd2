/**
 * Whether a node tells the end of a value's life to within what it knows of the cluster's clock (PROTOCOL W11): half of the round
 * trip of the answer that told it, and what its own clock may have drifted since. A value is not told of later, nor missed earlier.
 */
import type { RecordId } from '../../src/node/core/store.js';
import { clockDriftRatio } from '../../src/protocol/settings.js';
import type { NodeProcess } from './node-process.js';

/** Of numbers that were rounded. */
const roundingMs = 1;

export class ExpiryWatch {
  readonly #node: NodeProcess;
  /** Own-clock time at which the estimate was made that counts. */
  #toldAtMs = 0;

  constructor(node: NodeProcess) {
    this.#node = node;
    if (node.world.plan.ttlShare > 0) this.#noticeAnswers();
  }

  #noticeAnswers(): void {
    const { clock } = this.#node.core.lease;
    const answered = clock.answered.bind(clock);
    clock.answered = (sentMs, clockUs) => {
      // What was decided by the former estimate may be answered later.
      this.#noteSlack();
      const before = [clock.nowUs(), clock.errorUs];
      answered(sentMs, clockUs);
      const isTaken = before[0] !== clock.nowUs() || before[1] !== clock.errorUs;
      if (isTaken) this.#toldAtMs = this.#node.nowMs();
    };
  }

  get #slackMs(): number {
    const { clock } = this.#node.core.lease;
    const drift = (this.#node.nowMs() - this.#toldAtMs) * clockDriftRatio;
    return clock.errorUs / 1000 + drift + roundingMs;
  }

  /** For the history, which does not know who answered. */
  #noteSlack(): void {
    const { core, world } = this.#node;
    const { lease, membership } = core;
    const serves = lease.clock.isKnown && world.plan.keys.some((key) => this.#serves(world.slotOf(key)));
    if (serves && membership.incarnation !== 0)
      world.observer.clockSlackMs = Math.max(world.observer.clockSlackMs, this.#slackMs);
  }

  #serves(slot: number): boolean {
    return this.#node.core.lease.holds(slot);
  }

  /** Of a VALID key. */
  checkRead(record: RecordId, present: boolean): void {
    const { store, world, name } = this.#node;
    if (world.plan.ttlShare === 0) return;
    this.#noteSlack();
    const expiresAtMs = store.expiresAtMs(record);
    if (expiresAtMs === 0 || !store.hasValue(record)) return;
    if (!present) world.coverage.note('expiredRead');
    const slackMs = this.#slackMs;
    const isOver = world.hasExpired(expiresAtMs + slackMs);
    const isEarly = !world.hasExpired(expiresAtMs - slackMs);
    if (present ? !isOver : !isEarly) return;
    const offMs = world.managerClockUs() / 1000 - expiresAtMs;
    world.fail(
      `W11: ${name} tells of ${store.keyOf(record)} ${present ? 'as there' : 'as absent'}, ` +
        `${offMs.toFixed(3)} ms after it expired, and may be off by ${slackMs.toFixed(3)} ms`,
    );
  }

  /** A conditional write may be evaluated now. */
  evaluates(): void {
    if (this.#node.world.plan.ttlShare > 0) this.#noteSlack();
  }
}
