/** What a manager is started with, and what it gives the nodes that it forks. */
import type { Logger } from '../protocol/logger.js';
import type { ClusterSettings, Durability } from '../protocol/settings.js';

export interface ManagerOptions {
  readonly host: string;
  /** 0: any free port. */
  readonly port: number;
  /** How many nodes to fork; default: as stored, or 7. */
  readonly nodes?: number;
  /** Of a new cluster. What differs from a stored one's is an error. */
  readonly settings?: Partial<Omit<ClusterSettings, 'slotCount'>>;
  /** Of each node forked here, most memory for what it stores, 0: no limit; default: as stored, or none. */
  readonly memoryBytesMax?: number;
  /** Whether a node that died is started again; default true. */
  readonly respawn?: boolean;
  /** Where the state is kept, and what the nodes store; default: the state in `stateDir`. */
  readonly dataDir?: string;
  /** Where the state alone is kept; default: a directory of this user's for host and port, none for port 0. */
  readonly stateDir?: string;
  /** A later life of one and the same command: what is stored counts, and the nodes need not live. */
  readonly isRestart?: boolean;
  /** Of the nodes forked here: nodes with the same label share a fate; default: each stands alone. */
  readonly hostLabel?: string;
  /** So long may nodes live on without a manager; default: for ever, if a later manager can find them. */
  readonly endWithoutManagerMs?: number;
  /** JS file to fork as a node; see `NodeArgument`. */
  readonly nodeEntry: string;
  /** Handed to each node with the rest. */
  readonly nodeExtras?: object;
  /** Environment of the nodes forked here; default: that of this process. */
  readonly nodeEnv?: NodeJS.ProcessEnv;
  readonly log: Logger;
}

/** What a forked node is given, as JSON in its first argument. */
export interface NodeArgument {
  readonly manager: { readonly host: string; readonly port: number };
  readonly host: string;
  readonly nodeId: number;
  readonly clusterId: string;
  readonly frameBytesMax: number;
  readonly durability: Durability;
  /** Set if there is a limit. */
  readonly memoryBytesMax?: number;
  /** Set if it stores on disk. */
  readonly dataDir?: string;
  readonly hostLabel?: string;
  /** Set if no later manager could find the node: it ends when its manager has been away for so long. */
  readonly endWithoutManagerMs?: number;
}
