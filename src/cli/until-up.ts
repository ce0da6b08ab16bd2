/** Waits for nodes that the manager has started. */
import type { GTStoreClient } from '../client/index.js';
import { codeOf } from './exit.js';
import { pauseUnless } from './run-task.js';

const pollMs = 200;
/** Starting a process takes a second or so, many at once on a small machine longer. */
const upMsMax = 60_000;

/** @returns false if the waiting was given up. @throws Error if they do not come up in time */
export async function areUp(
  store: GTStoreClient,
  nodeIds: readonly number[],
  signal: AbortSignal,
): Promise<boolean> {
  const untilMs = performance.now() + upMsMax;
  for (;;) {
    if (signal.aborted) return false;
    const missing = await notUp(store, nodeIds);
    if (missing.length === 0) return true;
    if (performance.now() > untilMs) {
      throw new Error(
        `${named(missing)} did not come up within ${upMsMax / 1000} s; the manager's log says why`,
      );
    }
    await pauseUnless(signal, pollMs);
  }
}

/** All of them while the manager is away. */
async function notUp(store: GTStoreClient, nodeIds: readonly number[]): Promise<readonly number[]> {
  try {
    const { nodes } = await store.status();
    return nodeIds.filter((id) => nodes.find((node) => node.id === id)?.state !== 'up');
  } catch (error) {
    const code = codeOf(error);
    if (code === 'UNAVAILABLE' || code === 'TIMEOUT') return nodeIds;
    throw error;
  }
}

export function named(nodeIds: readonly number[]): string {
  return `${nodeIds.length === 1 ? 'node' : 'nodes'} ${nodeIds.join(', ')}`;
}
