/** What the client core asks of its surroundings: the shell in production, the simulated world in test/sim. */
import type { ClusterMap } from '../../protocol/cluster-map.js';
import type { Link, WriteMessage } from '../../protocol/messages.js';
import type { LargeWriteLimits } from './large-writes.js';
import type { Operation } from './operation.js';

export interface ClientPorts {
  /** Milliseconds of this host's monotonic clock, sampled at each batch. */
  nowMs(): number;
  /** Microseconds of the manager's clock: own monotonic clock plus the offset learnt at `init` and every ten minutes (W1). */
  clockUs(): number;
  /** Uniform in [0, 1). */
  random(): number;
  /** The open connection to that member of the current map, if any. */
  node(nodeId: number): Link | undefined;
  /** How many bytes have come on the connection to that member; of another connection it is counted anew. */
  bytesFrom(nodeId: number): number;
  /** The open connection to the manager, if any. */
  manager(): Link | undefined;
  /** Sends one frame, encoded once, to all of them (W2); `isAlone`: as of `Link.send`. */
  broadcast(links: readonly Link[], message: WriteMessage, isAlone: boolean): void;
  /** A newer map is in force: dial new members, drop connections to old ones. */
  mapAdopted(map: ClusterMap, previous: ClusterMap | null): void;
  /** The operation is decided. It, and the bytes in it, are reused when this returns. */
  completed(operation: Operation): void;
}

/** Delays of the client core, all in milliseconds. */
export interface ClientTimings {
  /** A node that is silent and leaves a request unanswered for this long is reported; a read is tried elsewhere. */
  readonly answerMsMax: number;
  /** Pause before the second attempt; doubled for each further one, with jitter. */
  readonly retryMsMin: number;
  readonly retryMsMax: number;
  /** At least this long between two requests for a map, and between two reports on one node. */
  readonly mapWantedEveryMs: number;
  readonly reportEveryMs: number;
}

export const clientTimings: ClientTimings = {
  answerMsMax: 300,
  retryMsMin: 2,
  retryMsMax: 100,
  mapWantedEveryMs: 20,
  reportEveryMs: 100,
};

export interface ClientCoreOptions {
  readonly ports: ClientPorts;
  /** Unique among all clients of the cluster; not 0. */
  readonly clientId: number;
  /** Read from the primary, or from the full replicas in turn. */
  readonly readFrom?: 'primary' | 'any';
  /** Most operations under way. */
  readonly inFlightMax?: number;
  readonly timings?: ClientTimings;
  readonly largeWrites?: LargeWriteLimits;
}
