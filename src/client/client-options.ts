/** What a client is made of, and what it tells. */
import type { ClusterMap } from '../protocol/cluster-map.js';
import type { GTStoreError } from '../protocol/errors.js';

export interface ClientOptions {
  /** Where the manager is: `gtstore://host:port` or `host:port`, or several of them. */
  readonly manager: string | readonly string[];
  /** Whom a `get` asks: the primary (default), or all full replicas in turn. Both are linearizable. */
  readonly readFrom?: 'primary' | 'any' | undefined;
  /** Default deadline of every call in milliseconds, at most 120,000; default 10,000. */
  readonly timeoutMs?: number | undefined;
  /** IP address to dial from; default the system's choice. */
  readonly localAddress?: string | undefined;
  /** Most operations under way at once, 1 to 16,384 (default); more are refused with QUEUE_FULL. */
  readonly inFlightMax?: number | undefined;
}

/** Where a key lives. */
export interface KeyLocation {
  readonly slot: number;
  /** Node id, or null while the slot has no replica. */
  readonly primary: number | null;
  /** Node ids of all full replicas, primary first. If the primary fails, the next one takes over. */
  readonly replicas: readonly number[];
}

export interface ClientEvents {
  /** A newer cluster map is in force. */
  map: [map: ClusterMap];
  'node-down': [nodeId: number];
  'node-up': [nodeId: number];
  /** Trouble that no call was told of. Without a listener it is dropped: calls report what concerns them. */
  error: [error: GTStoreError];
}
