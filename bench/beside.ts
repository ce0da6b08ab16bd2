/** Runs of a load beside something else that takes its time, such as slots that move. */

export interface Beside<T> {
  readonly runs: readonly T[];
  /** False: what they should stand beside was over before the first of them; that one counts all the same. */
  readonly areWithin: boolean;
}

/**
 * Runs one after the other. Only what was over while the other thing was still under way stood beside it: a run that
 * saw its end was quiet for a while.
 */
export async function runsBeside<T>(
  run: () => Promise<T>,
  isUnderWay: () => Promise<boolean>,
): Promise<Beside<T>> {
  const runs: T[] = [];
  for (;;) {
    const found = await run();
    if (!(await isUnderWay())) {
      return runs.length > 0 ? { runs, areWithin: true } : { runs: [found], areWithin: false };
    }
    runs.push(found);
  }
}
