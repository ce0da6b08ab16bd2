/** What can be set on a connection, with defaults. Durations are in milliseconds, sizes in bytes. */

export interface ConnectionOptions {
  /** Longest frame accepted from the peer; default what the WELCOME announces, which binds both sides. */
  readonly frameBytesMax?: number;
  /** A peer for which more than this waits is cut off; default 16 times what the WELCOME announces. */
  readonly outgoingBytesMax?: number;
  /** A connection for which more than this waits is `congested`; default 1 MiB. */
  readonly congestedBytes?: number;
  /** After this long without a byte from the peer it is sent a PING; default 1000, of an accepted connection 3000. */
  readonly heartbeatMs?: number;
  /** After this long without a byte from the peer it is given up; default 3000, of an accepted connection 10,000. */
  readonly silenceMsMax?: number;
  /** How long an accepted connection may take to greet; default 5000. A dialler has the deadline of its dial. */
  readonly handshakeMsMax?: number;
}

type WithDefault = 'congestedBytes' | 'heartbeatMs' | 'silenceMsMax' | 'handshakeMsMax';
export type ResolvedOptions = ConnectionOptions & Required<Pick<ConnectionOptions, WithDefault>>;

/** Longest outgoing queue, in the longest frames. */
export const outgoingFramesMax = 16;
/** Of the longest outgoing queue: beyond that share a connection is full. */
export const fullRatio = 1 / 16;

const defaults: ResolvedOptions = {
  congestedBytes: 1024 * 1024,
  heartbeatMs: 1000,
  silenceMsMax: 3000,
  handshakeMsMax: 2000,
};

/**
 * Who accepts waits longer than who dials. A dialler needs to know soon that its peer is gone, and asks; so the other
 * side hears enough to be silent itself. And a process full of clients that is starved for a few seconds would lose
 * all its connections at once, and starve of making them anew.
 */
const acceptedDefaults: ResolvedOptions = {
  ...defaults,
  heartbeatMs: 3000,
  silenceMsMax: 10_000,
  handshakeMsMax: 5000,
};

export function resolveOptions(options: ConnectionOptions, isAccepted = false): ResolvedOptions {
  return { ...(isAccepted ? acceptedDefaults : defaults), ...options };
}
