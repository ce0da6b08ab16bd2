/** The clients of one process, and what they do in each phase: fill in the keys, run the workload, clean up. */
import { GTStoreClient, GTStoreError } from '../client/index.js';
import { toKeyBytes } from '../protocol/partition.js';
import { KeyList } from './key-list.js';
import { Lanes, laneCommons, makeValue } from './lanes.js';
import type { CleanReport, RunReport } from './messages.js';
import { Pacer, timerSlackMs } from './pacer.js';
import { type LoadPlan, clientsOf } from './plan.js';
import { Recorder } from './recorder.js';

/** For the last operations: longer than their deadline. */
const drainMsMax = 12_000;
/** For the same while somebody waits for the end. */
const drainMsMaxStopped = 1_000;
/** Keys that each client fills in or deletes at once, unless it may have fewer operations under way. */
const bulkInFlightMax = 64;
/** Give up deleting where so many have failed: each failure may take a deadline. */
const cleanFailuresMax = 100;

export class ClientSession {
  /** Operations of the present phase. */
  done = 0;
  /** How many there will be; 0: that is not known before. */
  total = 0;
  readonly #plan: LoadPlan;
  /** Its number among the processes. */
  readonly #index: number;
  readonly #stores: readonly GTStoreClient[];
  readonly #keys: KeyList;
  readonly #stop = new AbortController();
  /** Shared keys of this process whose filling in was begun. */
  #filled = 0;

  private constructor(plan: LoadPlan, index: number, stores: readonly GTStoreClient[]) {
    this.#plan = plan;
    this.#index = index;
    this.#stores = stores;
    this.#keys = new KeyList(plan, index);
  }

  /** @throws GTStoreError UNAVAILABLE if no cluster answers */
  static async open(plan: LoadPlan, index: number): Promise<ClientSession> {
    const { manager, readFrom } = plan;
    const stores = Array.from(
      { length: clientsOf(plan, index) },
      () => new GTStoreClient({ manager, readFrom }),
    );
    await Promise.all(stores.map((store) => store.init()));
    return new ClientSession(plan, index, stores);
  }

  /** Ends filling in, or the run, before its time. */
  stop(): void {
    this.#stop.abort();
  }

  /** Puts this process's part of the shared keys. @throws GTStoreError the first of a key that could not be put */
  async fill(): Promise<void> {
    const value = makeValue(this.#plan.valueBytes, 0);
    const count = this.#keys.ownShared;
    this.#begin(count);
    await this.#inBulk(async (store) => {
      if (this.#filled >= count || this.#stop.signal.aborted) return false;
      await store.put(this.#keys.ownSharedName(this.#filled++), value);
      this.done++;
      return true;
    });
  }

  /** The workload: warm-up, the measured time, and then the operations still under way. */
  async run(): Promise<RunReport> {
    this.#begin(0);
    const { warmUpSeconds, seconds, inFlight } = this.#plan;
    const recorder = new Recorder();
    const pacer = this.#pacer();
    const clients = this.#lanes(recorder, pacer);
    const count = setInterval(() => (this.done = sum(clients, ({ completed }) => completed)), 50);
    try {
      pacer?.start(performance.now(), this.#index / this.#plan.processes);
      const ended = Promise.all(clients.map((client) => client.run(inFlight)));
      await Promise.race([this.#wait(warmUpSeconds * 1000), ended]);
      const cpuBefore = process.cpuUsage();
      const beganMs = performance.now();
      const plannedEndMs = beganMs + seconds * 1000;
      if (!this.#stop.signal.aborted) recorder.begin(beganMs, plannedEndMs);
      await Promise.race([this.#wait(seconds * 1000), ended]);
      // The timer is a little late, or somebody asked for the end.
      const endMs = Math.min(performance.now(), plannedEndMs);
      recorder.end(endMs);
      const cpu = process.cpuUsage(cpuBefore);
      const notBegun = pacer?.backlog(endMs - timerSlackMs) ?? 0;
      for (const client of clients) client.stop();
      pacer?.stop();
      await Promise.race([ended, this.#patience()]);
      return {
        ...recorder.recording(),
        unfinished: sum(clients, ({ running }) => running),
        notBegun,
        keysBySlot: this.#keysBySlot(),
        cpuShare: (cpu.user + cpu.system) / 1000 / Math.max(1, endMs - beganMs),
      };
    } finally {
      clearInterval(count);
    }
  }

  /** Deletes this process's part of the shared keys, and what it has inserted. */
  async clean(): Promise<CleanReport> {
    const errors = new Map<string, number>();
    const count = this.#filled + this.#keys.inserted;
    this.#begin(count);
    let next = 0;
    let failed = 0;
    await this.#inBulk(async (store) => {
      if (next >= count || failed >= cleanFailuresMax) return false;
      const index = next++;
      try {
        await store.delete(
          index < this.#filled
            ? this.#keys.ownSharedName(index)
            : this.#keys.insertedName(index - this.#filled),
        );
        this.done++;
      } catch (error) {
        if (!(error instanceof GTStoreError)) throw error;
        errors.set(error.code, (errors.get(error.code) ?? 0) + 1);
        failed++;
      }
      return true;
    });
    return { deleted: this.done, left: count - this.done, errors: Object.fromEntries(errors) };
  }

  /** A phase of so many operations. */
  #begin(total: number): void {
    this.done = 0;
    this.total = total;
  }

  /** Lets every client do steps, several at once, until `step` answers false. */
  async #inBulk(step: (store: GTStoreClient) => Promise<boolean>): Promise<void> {
    const lanes = Math.min(this.#plan.inFlight, bulkInFlightMax);
    let isFailed = false;
    const lane = async (store: GTStoreClient): Promise<void> => {
      try {
        while (!isFailed && (await step(store)));
      } catch (error) {
        isFailed = true;
        throw error;
      }
    };
    await Promise.all(this.#stores.flatMap((store) => Array.from({ length: lanes }, () => lane(store))));
  }

  #pacer(): Pacer | undefined {
    const { ratePerSecond, clients } = this.#plan;
    if (ratePerSecond === null) return undefined;
    return new Pacer((ratePerSecond * this.#stores.length) / clients);
  }

  #lanes(recorder: Recorder, pacer: Pacer | undefined): Lanes[] {
    const before = sum([...Array(this.#index).keys()], (index) => clientsOf(this.#plan, index));
    const commons = laneCommons(this.#plan, this.#keys, recorder, pacer);
    return this.#stores.map((store, index) => new Lanes(store, commons, before + index));
  }

  /** Fulfilled after that time, or when the end is asked for. */
  #wait(ms: number): Promise<void> {
    const { signal } = this.#stop;
    return new Promise((resolve) => {
      if (signal.aborted) {
        resolve();
        return;
      }
      const timer = setTimeout(resolve, ms);
      signal.addEventListener('abort', () => {
        clearTimeout(timer);
        resolve();
      });
    });
  }

  /** Fulfilled when the last operations have had time enough. */
  async #patience(): Promise<void> {
    await this.#wait(drainMsMax);
    if (this.#stop.signal.aborted) await new Promise((resolve) => setTimeout(resolve, drainMsMaxStopped));
  }

  #keysBySlot(): number[] {
    const map = this.#stores[0]?.clusterMap;
    if (map === undefined) return [];
    const counts = map.slots.map(() => 0);
    const add = (name: string): void => {
      const slot = map.slotOf(toKeyBytes(name));
      counts[slot] = (counts[slot] ?? 0) + 1;
    };
    for (let index = 0; index < this.#filled; index++) add(this.#keys.ownSharedName(index));
    for (let index = 0; index < this.#keys.inserted; index++) add(this.#keys.insertedName(index));
    return counts;
  }
}

function sum<T>(items: readonly T[], amount: (item: T) => number): number {
  return items.reduce((total, item) => total + amount(item), 0);
}
