/** Doing an operation again until it succeeds, and many operations at once. */
import { setMaxListeners } from 'node:events';
import { setTimeout as sleep } from 'node:timers/promises';
import { isWorthRetrying } from './errors.js';

/** How long to insist. */
export interface Persistence {
  /** No new attempt this long after the first began. */
  readonly forMs: number;
  /** Between the first two attempts; doubles up to a second. */
  readonly pauseMs: number;
  /** No new attempt once aborted. */
  readonly signal?: AbortSignal;
}

/** Outlasts a failover several times over; the client has retried for its own deadline before each failure seen here. */
export const defaultPersistence: Persistence = { forMs: 60_000, pauseMs: 50 };

const pauseMsMax = 1_000;

/**
 * Runs `attempt` until it succeeds. It must be idempotent: it runs again after an unknown outcome, too.
 * Rejects with the last error.
 */
export async function persist<T>(how: Persistence, attempt: () => Promise<T>): Promise<T> {
  const endsAt = performance.now() + how.forMs;
  // Many pause at once for one signal; Node 20 takes the eleventh for a leak, and says so.
  if (how.signal !== undefined) setMaxListeners(0, how.signal);
  for (let pauseMs = how.pauseMs; ; pauseMs = Math.min(pauseMs * 2, pauseMsMax)) {
    try {
      return await attempt();
    } catch (error) {
      if (!isWorthRetrying(error) || how.signal?.aborted === true) throw error;
      if (performance.now() + pauseMs > endsAt) throw error;
      await sleep(pauseMs, undefined, how.signal === undefined ? {} : { signal: how.signal }).catch(() => {
        throw error;
      });
    }
  }
}

/** Calls `task` for every item, `width` at a time; the first failure stops the rest and is thrown when all have stopped. */
export async function forEachAtOnce<T>(
  items: Iterable<T>,
  width: number,
  task: (item: T) => Promise<void>,
): Promise<void> {
  const queue = items[Symbol.iterator]();
  let failed = false;
  const drain = async (): Promise<void> => {
    for (let next = queue.next(); next.done !== true && !failed; next = queue.next()) {
      try {
        await task(next.value);
      } catch (error) {
        failed = true;
        throw error;
      }
    }
  };
  throwFirst(await Promise.allSettled(Array.from({ length: width }, drain)));
}

/** Throws the first rejection, if there is one. */
export function throwFirst(results: readonly PromiseSettledResult<unknown>[]): void {
  for (const result of results) if (result.status === 'rejected') throw result.reason;
}
