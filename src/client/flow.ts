/** Small helpers for doing several things at once, or a little later. */

const conflictPauseMsMax = 32;

/** Fulfilled after so many milliseconds. */
export function pause(ms: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, ms));
}

/** How long to wait after so many lost races for one key: longer each time, and by chance. */
export function conflictPauseMs(conflicts: number): number {
  return Math.random() * Math.min(conflictPauseMsMax, 2 ** conflicts);
}

/** Fulfilled when it is time to try again after so many conflicts. */
export function pauseAfter(conflicts: number): Promise<void> {
  return pause(conflictPauseMs(conflicts));
}

/** Applies `act` to all items, at most `window` at a time, and gives the results in order. Ends at the first error. */
export async function mapInWindow<T, R>(
  items: Iterable<T>,
  window: number,
  act: (item: T) => Promise<R>,
): Promise<R[]> {
  const results: R[] = [];
  const iterator = items[Symbol.iterator]();
  let count = 0;
  let failed = false;
  const work = async (): Promise<void> => {
    for (let next = iterator.next(); next.done !== true && !failed; next = iterator.next()) {
      const index = count++;
      try {
        results[index] = await act(next.value);
      } catch (error) {
        failed = true;
        throw error;
      }
    }
  };
  await Promise.all(Array.from({ length: window }, work));
  return results;
}
