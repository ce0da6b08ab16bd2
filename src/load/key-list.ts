/**
 * The keys as one client process knows them: those that were filled in before, which all processes share, and those
 * that this process has inserted. Processes insert different keys without asking each other: of the numbers behind
 * the shared ones, each takes every n-th.
 *
 * A key is a number here, and its name follows from that: what a process has inserted in a day takes no more room than
 * what it inserts just now.
 */
import { KeyNames } from './key-names.js';
import type { LoadPlan } from './plan.js';

/** Names made beforehand; the others are made when they are asked for, since ten million would take half a gigabyte. */
const namesMadeMax = 1_000_000;

export class KeyList {
  readonly #names: readonly string[];
  readonly #keyNames: KeyNames;
  readonly #shared: number;
  readonly #process: number;
  readonly #processes: number;
  /** For how many inserted keys there are names. */
  readonly #room: number;
  /** Numbers of inserted keys that `nextNew` has given. */
  #begun = 0;
  /** How often one of them was given once more because there are no others. */
  #repeated = 0;
  /** All numbers below are in the store. */
  #added = 0;
  /** And these, too, while one below is not: as many as are inserted in the time of the slowest one. */
  readonly #early = new Set<number>();
  /** These may be: they were given and then failed. They come next, so that no gap stays. */
  readonly #failed = new Set<number>();

  constructor(plan: LoadPlan, process: number) {
    const names = new KeyNames(plan.prefix, plan.keyBytes);
    this.#keyNames = names;
    this.#shared = plan.keys;
    this.#process = process;
    this.#processes = plan.processes;
    this.#room = Math.max(0, Math.floor((names.capacity - plan.keys) / plan.processes));
    this.#names = Array.from({ length: Math.min(plan.keys, namesMadeMax) }, (_, index) => names.name(index));
  }

  /** How many there are, in the order in which they came to be; those being inserted are not counted yet. */
  get length(): number {
    return this.#shared + this.#added;
  }

  /** @param index - below `length` */
  nameAt(index: number): string {
    if (index >= this.#shared) return this.insertedName(index - this.#shared);
    return this.#names[index] ?? this.#keyNames.name(index);
  }

  /**
   * The number of a key to be inserted, that nobody else has or gets, or of one whose insertion has failed. When there
   * are no more names, it begins again with the first of them. `added` or `failed` must follow.
   */
  nextNew(): number {
    const [failed] = this.#failed;
    if (failed !== undefined) {
      this.#failed.delete(failed);
      return failed;
    }
    if (this.#begun < this.#room) return this.#begun++;
    return this.#repeated++ % Math.max(1, this.#room);
  }

  /** It is in the store: now others may read it. */
  added(count: number): void {
    if (count < this.#added) return;
    this.#failed.delete(count);
    this.#early.add(count);
    while (this.#early.delete(this.#added)) this.#added++;
  }

  /** It may be in the store or not. */
  failed(count: number): void {
    if (count >= this.#added && !this.#early.has(count)) this.#failed.add(count);
  }

  /** How many keys were inserted, or perhaps inserted. */
  get inserted(): number {
    return this.#begun;
  }

  insertedName(count: number): string {
    return this.#keyNames.name(this.#shared + count * this.#processes + this.#process);
  }

  /** How many of the shared keys are this process's to fill in and to delete. */
  get ownShared(): number {
    return Math.max(0, Math.ceil((this.#shared - this.#process) / this.#processes));
  }

  ownSharedName(count: number): string {
    return this.nameAt(count * this.#processes + this.#process);
  }
}
