/** Small helpers for doing several things at once, or a little later. */

const conflictPauseMsMax = 32;

/** How long to wait after so many lost races for one key: longer each time, and by chance. */
export function conflictPauseMs(conflicts: number): number {
  return Math.random() * Math.min(conflictPauseMsMax, 2 ** conflicts);
}

/**
 * Applies `act` to all items, at most `window` at a time, and gives the results in order. After the first error no more
 * are begun.
 * @throws (rejects) the first error, when all that were begun have ended
 */
export async function mapInWindow<T, R>(
  items: Iterable<T>,
  window: number,
  act: (item: T) => Promise<R>,
): Promise<R[]> {
  const results: R[] = [];
  const errors: unknown[] = [];
  const iterator = items[Symbol.iterator]();
  let count = 0;
  const work = async (): Promise<void> => {
    while (errors.length === 0) {
      const next = iterator.next();
      if (next.done === true) return;
      const index = count++;
      results[index] = await act(next.value);
    }
  };
  const keepError = (error: unknown): void => {
    errors.push(error);
  };
  await Promise.all(Array.from({ length: window }, () => work().catch(keepError)));
  if (errors.length === 0) return results;
  iterator.return?.();
  throw errors[0];
}
