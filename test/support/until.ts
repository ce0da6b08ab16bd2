/**
 * Waiting for a condition instead of sleeping: a test that waits goes on as soon as it can, and one that waits in
 * vain says for what.
 */

export interface UntilOptions {
  /** Milliseconds; default 5000. */
  readonly timeoutMs?: number;
  /** For the error; default the source of the condition. */
  readonly what?: string;
}

const pollMs = 2;

/** Resolves as soon as `condition` gives something other than false, null and undefined, with what it gave. */
export async function until<T>(
  condition: () => T | Promise<T>,
  options: UntilOptions = {},
): Promise<Exclude<T, false | null | undefined>> {
  const { timeoutMs = 5000, what = condition.toString() } = options;
  const deadlineMs = performance.now() + timeoutMs;
  for (;;) {
    const result = await condition();
    if (result !== false && result !== null && result !== undefined) {
      return result as Exclude<T, false | null | undefined>;
    }
    if (performance.now() > deadlineMs) throw new Error(`not within ${timeoutMs} ms: ${what}`);
    await new Promise((resolve) => setTimeout(resolve, pollMs));
  }
}
