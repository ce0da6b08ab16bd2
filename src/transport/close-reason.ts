/**
 * Why a connection ended, as a value: logged as it is, and turned into the public error family where a caller waits.
 */
import { GTStoreError } from '../protocol/errors.js';
import type { ErrorCode } from '../protocol/errors.js';

export type CloseCode =
  /** This side's owner closed it. */
  | 'closed'
  /** The peer hung up in good order. */
  | 'ended'
  /** The network or the peer's system broke it. */
  | 'lost'
  /** Nothing was received for `silenceMsMax`. */
  | 'silent'
  /** The peer reads too slowly: more than `outgoingBytesMax` waited for it. */
  | 'overflow'
  /** The peer broke the protocol; it was told how. */
  | 'violation'
  /** The peer sent an ERROR with this text. */
  | 'peer-error'
  /** The peer did not greet in time, or was not let in. */
  | 'handshake'
  /** Our own handler threw; the error has been thrown again for the process to see. */
  | 'bug';

export interface CloseReason {
  readonly code: CloseCode;
  /** One line for people. */
  readonly text: string;
  /** `code` of the peer's ERROR, with 'peer-error' only. */
  readonly peerCode?: string;
  readonly cause?: unknown;
}

const errorCodes: Readonly<Record<ErrorCode, true>> = {
  KEY_TOO_LARGE: true,
  VALUE_TOO_LARGE: true,
  INVALID_ARGUMENT: true,
  TIMEOUT: true,
  OUTCOME_UNKNOWN: true,
  UNAVAILABLE: true,
  QUEUE_FULL: true,
  CLOSED: true,
  DISK_FULL: true,
  MEMORY_FULL: true,
  PROTOCOL: true,
  UNAUTHENTICATED: true,
};

function isErrorCode(code: string): code is ErrorCode {
  return Object.hasOwn(errorCodes, code);
}

/** Code of the ERROR of a manager whose cluster is another than the HELLO names. Callers are told PROTOCOL. */
export const otherCluster = 'OTHER_CLUSTER';

/** The peer said that it is the manager of another cluster: no bytes of a stranger can mean that. */
export class OtherClusterError extends GTStoreError {}

/** What a caller that needed the connection is told. */
export function errorOf(reason: CloseReason): GTStoreError {
  const kind = reason.peerCode === otherCluster ? OtherClusterError : GTStoreError;
  return new kind(codeOf(reason), reason.text, { cause: reason.cause });
}

function codeOf({ code, peerCode }: CloseReason): ErrorCode {
  switch (code) {
    case 'closed':
      return 'CLOSED';
    case 'violation':
      return 'PROTOCOL';
    case 'peer-error':
      return peerCode !== undefined && isErrorCode(peerCode) ? peerCode : 'PROTOCOL';
    case 'ended':
    case 'lost':
    case 'silent':
    case 'overflow':
    case 'handshake':
    case 'bug':
      return 'UNAVAILABLE';
  }
}
