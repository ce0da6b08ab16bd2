/** Nodes that a task waits for, and for how long: no task waits for ever. Pure, told the time. */
export class Absences {
  readonly #waitMsMax: number;
  readonly #sinceMs = new Map<number, number>();

  constructor(waitMsMax: number) {
    this.#waitMsMax = waitMsMax;
  }

  /** @param away - all that are away now. @returns those of them that have been for too long */
  overdue(away: readonly number[], nowMs: number): number[] {
    for (const id of this.#sinceMs.keys()) if (!away.includes(id)) this.#sinceMs.delete(id);
    for (const id of away) if (!this.#sinceMs.has(id)) this.#sinceMs.set(id, nowMs);
    return away.filter((id) => nowMs - (this.#sinceMs.get(id) ?? nowMs) >= this.#waitMsMax);
  }

  forget(): void {
    this.#sinceMs.clear();
  }
}
