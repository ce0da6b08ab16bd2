/** What can go wrong, by who can mend it, and what the store's own errors mean for a caller who may try again. */

/** The command line, a typed command or the input file is wrong; nothing was written. */
export class UsageError extends Error {
  override readonly name = 'UsageError';
}

/** The user stopped it. */
export class InterruptedError extends Error {
  override readonly name = 'InterruptedError';
}

const codesWorthRetrying = new Set(['OUTCOME_UNKNOWN', 'TIMEOUT', 'UNAVAILABLE', 'QUEUE_FULL']);

/** The `code` of an error of the store; undefined for any other. */
export function codeOf(error: unknown): string | undefined {
  if (!(error instanceof Error) || !('code' in error)) return undefined;
  return typeof error.code === 'string' ? error.code : undefined;
}

/** A write that failed but may have been applied, or may still be. */
export function isOutcomeUnknown(error: unknown): boolean {
  if (codeOf(error) === 'OUTCOME_UNKNOWN') return true;
  return error instanceof Error && 'outcome' in error && error.outcome === 'unknown';
}

/** Whether an idempotent operation that failed so may succeed when it is simply done again. */
export function isWorthRetrying(error: unknown): boolean {
  return codesWorthRetrying.has(codeOf(error) ?? '') || isOutcomeUnknown(error);
}
