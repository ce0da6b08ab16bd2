/** Work that waits at one key until it is VALID: parked readers, conditional writes in turn, the write in flight. */
import type { Link } from '../../protocol/messages.js';
import type { Version } from '../../protocol/version.js';
import type { PeerWrite } from './peer-writes.js';

const replayBackoffMsMax = 500;

/** A GET that found the key INVALID (R2). */
export interface Reader {
  readonly link: Link;
  readonly rid: number;
  readonly versionOnly: boolean;
}

/** A conditional write at the primary (RMW1); a copy of its message, for it may have to wait. */
export interface Condition {
  readonly link: Link;
  readonly rid: number;
  readonly opClientId: number;
  readonly opNumber: number;
  readonly retried: boolean;
  readonly wantValue: boolean;
  readonly expectAbsent: boolean;
  readonly expected: Version;
  readonly slot: number;
  readonly key: string;
  readonly value: Uint8Array | null;
  readonly expiresAtMs: number;
  /** RMW5: found in the key's list; whether all members agree on that list is being found out. */
  isConfirming: boolean;
}

export interface KeyWork {
  readonly readers: Reader[];
  readonly conditions: Condition[];
  /** The replay or conditional write of this key that is under way at the other members. */
  active: PeerWrite | null;
  /** Own-clock time of the next replay, if the key is still INVALID then. */
  replayAtMs: number;
  /** Replays that failed in a row, for the back-off. */
  failures: number;
  /** Its conditional writes are being run: one that commits at once must not start that again below itself. */
  waking: boolean;
}

export function newKeyWork(replayAtMs: number): KeyWork {
  return { readers: [], conditions: [], active: null, replayAtMs, failures: 0, waking: false };
}

/** A replay came to nothing: the next one waits longer. @param random uniform in [0, 1) */
export function postponeReplay(work: KeyWork, nowMs: number, firstMs: number, random: number): void {
  work.failures++;
  const pauseMs = Math.min(replayBackoffMsMax, firstMs * 2 ** Math.min(work.failures, 10));
  work.replayAtMs = nowMs + pauseMs * (0.5 + random);
}

export function isIdle(work: KeyWork): boolean {
  return work.active === null && work.readers.length === 0 && work.conditions.length === 0;
}
