/** A snapshot, or a line to import, that cannot be used; the message says which, why, and what to do about it. */
export class SnapshotError extends Error {
  override readonly name = 'SnapshotError';
}

/** It ended in the middle: some keys are stored in the cluster, and stay there. */
export class IncompleteError extends SnapshotError {
  /** How many. */
  readonly stored: number;

  constructor(stored: number, cause: unknown) {
    const why = cause instanceof Error ? cause.message : String(cause);
    const before =
      stored === 1
        ? '1 key had been stored before, and is'
        : `${stored} keys had been stored before, and are`;
    super(`${why}; ${before} there`, { cause });
    this.stored = stored;
  }
}

/** What to do about a value that cannot be read; the message of the error before it names the key. */
export const skipUnreadable =
  'another program than gtstore has stored it; add --skip-unreadable to go on without such keys';

/** What is wrong with a line of a text, and where it is. */
export function lineError(name: string, number: number, why: string, cause?: unknown): SnapshotError {
  return new SnapshotError(`${name}:${number}: ${why}`, { cause });
}

/** The code of an error of the system (`ENOENT`), undefined for any other. */
export function systemCode(error: unknown): string | undefined {
  return error instanceof Error && 'code' in error && typeof error.code === 'string' ? error.code : undefined;
}
