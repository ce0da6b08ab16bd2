/**
 * Calls of several steps on one key: what is there is read, then written anew under the condition that it is still there, until
 * no other write came between (PROTOCOL RMW1-RMW5).
 *
 * A refused condition tells what was in the way, and the next attempt goes out at once with that: every pause, and a read just
 * as much, is time for the next put to come between. Conditional writers do no harm to each other in this way, for of those
 * that meet one succeeds; still they pause now and then, when there are many of them.
 */
import type { StoreValue } from '../protocol/value-codec.js';
import type { Version } from '../protocol/version.js';
import { clearTimeout, pause, setTimeout } from '../transport/real-time.js';
import type { OperationOptions, WriteOptions } from './arguments.js';
import type { ConditionOutcome, Entry } from './calls.js';
import type { Wants } from './core/operation.js';
import type { Left, Remaining } from './deadline.js';
import { inTime } from './deadline.js';
import { conflictPauseMs } from './flow.js';
import type { Turn } from './key-turns.js';
import { KeyTurns } from './key-turns.js';

/** The single steps, each with its deadline. */
export interface KeySteps {
  readonly entry: (key: string, options: OperationOptions) => Promise<Entry | undefined>;
  readonly version: (key: string, options: OperationOptions) => Promise<Version | undefined>;
  /** `value` undefined deletes. */
  readonly putIf: (
    key: string,
    expected: Version | null,
    value: StoreValue | undefined,
    wants: Wants,
    options: WriteOptions,
  ) => Promise<ConditionOutcome>;
}

/** One call: its key, its deadline, and the end of its client. */
export interface KeyCall {
  readonly key: string;
  readonly remaining: Remaining;
  readonly closing: AbortSignal;
}

/** What `update` is given: from the value that is there to the next, `N`. */
export type Mutate<V = StoreValue, N = V> = (value: V | undefined) => N | undefined | Promise<N | undefined>;

/** A call that was refused so often asks for a turn (RMW7). */
const conflictsBeforeTurn = 2;
/** From one pause to the next. */
const conflictsPerPause = 8;
/**
 * A function of the caller's that takes longer loses its call the turn: it may itself wait for a call that waits for that turn.
 */
const turnMsMax = 50;

export class ReadModifyWrite {
  readonly #steps: KeySteps;
  readonly #turns = new KeyTurns();

  constructor(steps: KeySteps) {
    this.#steps = steps;
  }

  /** @returns whether it existed */
  delete(call: KeyCall): Promise<boolean> {
    return this.#inTurn(call, async () => {
      const { key, remaining } = call;
      let version = (await this.#steps.version(key, remaining())) ?? null;
      for (let conflicts = 1; version !== null; conflicts++) {
        const outcome = await this.#steps.putIf(
          key,
          version,
          undefined,
          wantsAfter(conflicts, false),
          remaining(),
        );
        if (outcome.applied) return true;
        version = outcome.version;
        await pauseAfter(conflicts);
      }
      return false;
    });
  }

  /** @returns what was stored; undefined after a delete */
  update(call: KeyCall, mutate: Mutate, ttlMs: number | undefined): Promise<Entry | undefined> {
    return this.#inTurn(call, async (turn) => {
      const { key, remaining } = call;
      let current = await this.#steps.entry(key, remaining());
      for (let conflicts = 1; ; conflicts++) {
        const next = await this.#mutated(call, mutate, current?.value, turn);
        if (next === undefined && current === undefined) return undefined;
        const options = ttlMs === undefined ? remaining() : { ...remaining(), ttlMs };
        const expected = current?.version ?? null;
        const { applied, version, value } = await this.#steps.putIf(
          key,
          expected,
          next,
          wantsAfter(conflicts, true),
          options,
        );
        if (applied) return next === undefined || version === null ? undefined : { value: next, version };
        current = version === null || value === undefined ? undefined : { version, value };
        await pauseAfter(conflicts);
      }
    });
  }

  async #inTurn<T>(call: KeyCall, act: (turn: Turn) => Promise<T>): Promise<T> {
    const { key, remaining, closing } = call;
    const turn = this.#turns.enter(key);
    try {
      if (turn.before !== undefined) {
        const others = `this client's earlier updates of '${key}'`;
        await inTime(turn.begun(), remaining(), closing, others);
      }
      return await act(turn);
    } finally {
      this.#turns.leave(turn);
    }
  }

  async #mutated(
    { key, remaining, closing }: KeyCall,
    mutate: Mutate,
    value: StoreValue | undefined,
    turn: Turn,
  ): Promise<StoreValue | undefined> {
    const left: Left = remaining();
    const next = mutate(value);
    if (!isThenable(next)) return next;
    const lapse = setTimeout(() => {
      this.#turns.leave(turn);
    }, turnMsMax);
    try {
      return await inTime(next, left, closing, `the function given to update '${key}'`);
    } finally {
      clearTimeout(lapse);
    }
  }
}

/** @param conflicts this attempt included, should it be refused */
function wantsAfter(conflicts: number, value: boolean): Wants {
  return { value, turn: conflicts > conflictsBeforeTurn };
}

/** Fulfilled when it is time to try again after so many conflicts. */
async function pauseAfter(conflicts: number): Promise<void> {
  if (conflicts % conflictsPerPause === 0) await pause(conflictPauseMs(conflicts / conflictsPerPause));
}

function isThenable<T>(result: T | PromiseLike<T>): result is PromiseLike<T> {
  return typeof (result as { readonly then?: unknown } | null | undefined)?.then === 'function';
}
