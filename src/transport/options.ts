/** What can be set on a connection, with defaults. Durations are in milliseconds, sizes in bytes. */

export interface ConnectionOptions {
  /** Longest frame accepted from the peer; default what the WELCOME announces, which binds both sides. */
  readonly frameBytesMax?: number;
  /** A peer for which more than this waits is cut off; default 16 times what the WELCOME announces. */
  readonly outgoingBytesMax?: number;
  /** A connection for which more than this waits is `congested`; default 1 MiB. */
  readonly congestedBytes?: number;
  /** After this long without a byte from the peer it is sent a PING; default 1000. */
  readonly heartbeatMs?: number;
  /** After this long without a byte from the peer it is given up; default 3000. */
  readonly silenceMsMax?: number;
  /** How long an accepted connection may take to greet; default 2000. A dialler has the deadline of its dial. */
  readonly handshakeMsMax?: number;
}

type WithDefault = 'congestedBytes' | 'heartbeatMs' | 'silenceMsMax' | 'handshakeMsMax';
export type ResolvedOptions = ConnectionOptions & Required<Pick<ConnectionOptions, WithDefault>>;

/** Longest outgoing queue, in the longest frames. */
export const outgoingFramesMax = 16;

export function resolveOptions(options: ConnectionOptions): ResolvedOptions {
  return {
    ...options,
    congestedBytes: options.congestedBytes ?? 1024 * 1024,
    heartbeatMs: options.heartbeatMs ?? 1000,
    silenceMsMax: options.silenceMsMax ?? 3000,
    handshakeMsMax: options.handshakeMsMax ?? 2000,
  };
}
