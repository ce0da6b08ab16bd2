/**
 * The one error family that users see. Codes are closed: programs branch on `code`, never on the message.
 * Fencing, redirects and lapsed leases are replies handled inside; they never surface as exceptions.
 */

export type ErrorCode =
  | 'KEY_TOO_LARGE'
  | 'VALUE_TOO_LARGE'
  | 'INVALID_ARGUMENT'
  | 'TIMEOUT'
  | 'OUTCOME_UNKNOWN'
  | 'UNAVAILABLE'
  | 'QUEUE_FULL'
  | 'CLOSED'
  | 'PROTOCOL'
  | 'DISK_FULL'
  | 'MEMORY_FULL'
  | 'UNAUTHENTICATED';

/** For writes, those of an administrator included: whether the cluster may have taken it all the same. */
export type WriteOutcome = 'not-applied' | 'unknown';

const retryableCodes: ReadonlySet<ErrorCode> = new Set([
  'TIMEOUT',
  'UNAVAILABLE',
  'QUEUE_FULL',
  'DISK_FULL',
  'MEMORY_FULL',
]);

export class GTStoreError extends Error {
  override readonly name = 'GTStoreError';
  readonly code: ErrorCode;
  /** The same call may succeed later, unchanged, and doing it again is safe. */
  readonly retryable: boolean;
  /**
   * Set for every write, and for a request of an administrator that may have been carried out. Where a call failed before
   * anything was sent it is `not-applied`, whatever the call; of reads it means no more than that.
   */
  readonly outcome: WriteOutcome | undefined;

  /** @param options - `isAborted`: by the caller's own signal, with which the same call would fail again */
  constructor(
    code: ErrorCode,
    message: string,
    options: { cause?: unknown; outcome?: WriteOutcome; isAborted?: boolean } = {},
  ) {
    super(message, options.cause === undefined ? undefined : { cause: options.cause });
    this.code = code;
    this.retryable = retryableCodes.has(code) && options.outcome !== 'unknown' && options.isAborted !== true;
    this.outcome = options.outcome;
  }
}

/** Protocol trouble on one connection: it gets one ERROR frame with this text and is closed. */
export class ProtocolError extends Error {
  override readonly name = 'ProtocolError';
}
