/**
 * The hot loop. A lane is one operation under way: it begins its next one as soon as the one before has ended (closed
 * loop), or when the pacer says so (open loop). Values and most keys are made before; the clock is read once an operation,
 * since the end of one is the beginning of the next.
 */
import { GTStoreError, type GTStoreClient } from '../client/index.js';
import { type Choice, type Chooser, choiceOf, chooserOf } from './choosers.js';
import type { KeyList } from './key-list.js';
import type { Pacer } from './pacer.js';
import type { LoadPlan } from './plan.js';
import { Random } from './random.js';
import type { Recorder } from './recorder.js';
import { KindChooser, kinds, runLengthMax } from './workloads.js';

/** What a run needs of the client. */
export type LoadStore = Pick<GTStoreClient, 'get' | 'put' | 'getMany' | 'update' | 'delete'>;

/** After a failure: an operation that is refused at once must not keep the loop from seeing anything else. */
const failurePauseMs = 10;
/** Each put stores another value than the one before: so many, if they are not too large together. */
const valueCountMax = 16;
const valuesBytesMax = 64 * 1024 * 1024;

const kindOf = Object.fromEntries(kinds.map((kind, index) => [kind, index])) as Record<
  (typeof kinds)[number],
  number
>;

/** Text of one-byte characters, another one for each `index`. */
export function makeValue(bytes: number, index: number): string {
  return String.fromCharCode(97 + (index % 26)).repeat(bytes);
}

/** What all clients of a process have in common. */
export interface LaneCommons {
  readonly plan: LoadPlan;
  readonly keys: KeyList;
  readonly recorder: Recorder;
  readonly pacer: Pacer | undefined;
  readonly values: readonly string[];
  readonly choice: Choice;
}

export function laneCommons(
  plan: LoadPlan,
  keys: KeyList,
  recorder: Recorder,
  pacer: Pacer | undefined,
): LaneCommons {
  const { valueBytes, workload } = plan;
  const fitting = Math.floor(valuesBytesMax / Math.max(1, valueBytes));
  const count = Math.max(2, Math.min(valueCountMax, fitting));
  const values = Array.from({ length: count }, (_, index) => makeValue(valueBytes, index));
  // YCSB has twice as many as it expects. How many there will be in the time nobody knows here: as many as there are.
  const expected = workload.mix.insert === undefined ? 0 : plan.keys;
  return { plan, keys, recorder, pacer, values, choice: choiceOf(workload.distribution, keys, expected) };
}

/** The lanes of one client. */
export class Lanes {
  /** Operations that succeeded since it was made, warm-up included. */
  completed = 0;
  /** Lanes that have not ended. */
  running = 0;
  readonly #store: LoadStore;
  readonly #keys: KeyList;
  readonly #recorder: Recorder;
  readonly #pacer: Pacer | undefined;
  readonly #random: Random;
  readonly #kinds: KindChooser;
  readonly #chooser: Chooser;
  readonly #values: readonly string[];
  readonly #mutate: () => string;
  #valuesUsed = 0;
  #isStopped = false;

  /** @param client - its number among all clients of the run */
  constructor(
    store: LoadStore,
    { plan, keys, recorder, pacer, values, choice }: LaneCommons,
    client: number,
  ) {
    this.#store = store;
    this.#keys = keys;
    this.#recorder = recorder;
    this.#pacer = pacer;
    this.#values = values;
    this.#random = new Random(plan.seed + client);
    this.#kinds = new KindChooser(plan.workload.mix, this.#random);
    this.#chooser = chooserOf(choice, this.#random);
    this.#mutate = () => this.#nextValue();
  }

  /** Fulfilled when all lanes have ended, after `stop`. */
  async run(inFlight: number): Promise<void> {
    await Promise.all(Array.from({ length: inFlight }, () => this.#lane()));
  }

  stop(): void {
    this.#isStopped = true;
  }

  async #lane(): Promise<void> {
    this.running++;
    let nowMs = performance.now();
    while (!this.#isStopped) {
      let beganMs = nowMs;
      if (this.#pacer !== undefined) {
        const due = this.#pacer.next(nowMs);
        beganMs = typeof due === 'number' ? due : await due;
        if (Number.isNaN(beganMs)) break;
      }
      const kind = this.#kinds.next();
      try {
        const result = await this.#begin(kind);
        nowMs = performance.now();
        this.completed++;
        this.#recorder.succeeded(kind, beganMs, nowMs);
        if (result === undefined && kind === kindOf.get) this.#recorder.foundNothing(beganMs, nowMs);
      } catch (error) {
        if (!(error instanceof GTStoreError)) throw error;
        this.#recorder.failed(error.code, beganMs, performance.now());
        await new Promise((resolve) => setTimeout(resolve, failurePauseMs));
        nowMs = performance.now();
      }
    }
    this.running--;
  }

  #begin(kind: number): Promise<unknown> {
    switch (kind) {
      case kindOf.get:
        return this.#store.get(this.#nextKey());
      case kindOf.put:
        return this.#store.put(this.#nextKey(), this.#nextValue());
      case kindOf.update:
        return this.#store.update(this.#nextKey(), this.#mutate);
      case kindOf.insert:
        return this.#insert();
      default:
        return this.#store.getMany(this.#nextRun());
    }
  }

  async #insert(): Promise<true> {
    const count = this.#keys.nextNew();
    try {
      await this.#store.put(this.#keys.insertedName(count), this.#nextValue());
    } catch (error) {
      this.#keys.failed(count);
      throw error;
    }
    this.#keys.added(count);
    return true;
  }

  #nextKey(): string {
    return this.#keys.nameAt(this.#chooser.next());
  }

  /** Consecutive keys from a chosen one on; shorter at the end of the list, as in YCSB. */
  #nextRun(): string[] {
    const from = this.#chooser.next();
    const end = Math.min(this.#keys.length, from + 1 + this.#random.below(runLengthMax));
    return Array.from({ length: end - from }, (_, offset) => this.#keys.nameAt(from + offset));
  }

  #nextValue(): string {
    return this.#values[this.#valuesUsed++ % this.#values.length] ?? '';
  }
}
