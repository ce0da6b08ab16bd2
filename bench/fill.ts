/** Many keys through the public client, so many at a time. */
import type { GTStoreClient } from '../src/client/index.js';
import { computedKey, makeValue } from './workload.js';

const lanes = 256;

/** Does it for every key, many at a time. */
export async function forEachKey(
  count: number,
  act: (key: string, index: number) => Promise<unknown>,
): Promise<void> {
  let next = 0;
  const lane = async (): Promise<void> => {
    while (next < count) {
      const index = next++;
      await act(computedKey(index), index);
    }
  };
  await Promise.all(Array.from({ length: lanes }, lane));
}

export function fill(store: GTStoreClient, count: number, value = makeValue()): Promise<void> {
  return forEachKey(count, (key) => store.put(key, value));
}

/** The same with keys of one's own. */
export async function putAll(store: GTStoreClient, keys: readonly string[], value: string): Promise<void> {
  let next = 0;
  const lane = async (): Promise<void> => {
    for (let key = keys[next++]; key !== undefined; key = keys[next++]) await store.put(key, value);
  };
  await Promise.all(Array.from({ length: lanes }, lane));
}
