/** Many calls, some at a time. */

const windowDefault = 128;

/** Calls `act` for all items, at most `window` at a time. @returns the results in order */
export async function mapInWindow<T, R>(
  items: readonly T[],
  act: (item: T) => Promise<R>,
  window = windowDefault,
): Promise<R[]> {
  const results: R[] = [];
  let next = 0;
  const work = async (): Promise<void> => {
    while (next < items.length) {
      const index = next++;
      results[index] = await act(items[index] as T);
    }
  };
  await Promise.all(Array.from({ length: window }, work));
  return results;
}
