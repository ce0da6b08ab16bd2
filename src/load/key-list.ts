/**
 * The keys as one client process knows them: those that were filled in before, which all processes share, and those
 * that this process has inserted. Processes insert different keys without asking each other: of the numbers behind
 * the shared ones, each takes every n-th.
 */
import { KeyNames } from './key-names.js';
import type { LoadPlan } from './plan.js';

export class KeyList {
  /** In the order in which they came to be; those being inserted are not in it yet. */
  readonly names: string[] = [];
  readonly #keyNames: KeyNames;
  readonly #shared: number;
  readonly #process: number;
  readonly #processes: number;
  /** Keys that `nextNew` has given. */
  #begun = 0;

  constructor(plan: LoadPlan, process: number) {
    this.#keyNames = new KeyNames(plan.prefix, plan.keyBytes);
    this.#shared = plan.keys;
    this.#process = process;
    this.#processes = plan.processes;
    for (let index = 0; index < plan.keys; index++) this.names.push(this.#keyNames.name(index));
  }

  /** A key that nobody else has or gets. When there are no more names, it begins again with the first of them. */
  nextNew(): string {
    return this.#newName(this.#begun++ % this.#room);
  }

  /** For how many inserted keys there are names. */
  get #room(): number {
    return Math.max(1, Math.floor((this.#keyNames.capacity - this.#shared) / this.#processes));
  }

  #newName(count: number): string {
    return this.#keyNames.name(this.#shared + count * this.#processes + this.#process);
  }

  /** How many of the shared keys are this process's to fill in and to delete. */
  get ownShared(): number {
    return Math.max(0, Math.ceil((this.#shared - this.#process) / this.#processes));
  }

  ownSharedName(count: number): string {
    return this.names[count * this.#processes + this.#process] ?? '';
  }

  /** How many keys were inserted, or perhaps inserted. */
  get inserted(): number {
    return Math.min(this.#begun, this.#room);
  }

  insertedName(count: number): string {
    return this.#newName(count);
  }
}
