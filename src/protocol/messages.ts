/**
 * Every message that crosses a connection, as a closed union told apart by `type`.
 *
 * Hot messages (one or more per operation) are laid out by hand in hot-codec.ts and are decoded into scratch
 * objects that are overwritten by the next message of their type: a receiver copies what it keeps. All others go
 * through the table in cold-codec.ts. Both are plain msgpack arrays whose first element is the type.
 *
 * `rid` is the sender's request id; the answer carries it back. It is unique in the sender's process, not per
 * connection, so that one encoded frame serves all replicas. Keys are key bytes (see partition.ts).
 */
import type { AppliedList } from './applied-list.js';
import type { ClusterMapData } from './cluster-map.js';
import type { Version } from './version.js';

/** Raised with every incompatible change; a peer of another version is told so and closed. */
export const protocolVersion = 1;

export const MessageType = {
  write: 1,
  ack: 2,
  stale: 3,
  fenced: 4,
  validate: 5,
  get: 6,
  value: 7,
  condition: 8,
  conditionResult: 9,
  refused: 10,
  ping: 11,
  pong: 12,
  copyBatch: 13,
  scanBatch: 14,
  hello: 20,
  welcome: 21,
  error: 22,
  getMap: 30,
  map: 31,
  heartbeat: 32,
  lease: 33,
  register: 34,
  registered: 35,
  fence: 36,
  fenceAck: 37,
  copy: 38,
  copyDone: 40,
  report: 41,
  reportAck: 42,
  promiseAsk: 43,
  promise: 44,
  query: 45,
  queryResult: 46,
  status: 47,
  statusResult: 48,
  scan: 49,
  removed: 51,
  stop: 52,
  probe: 53,
  probeAck: 54,
} as const;

/** Who drives a WRITE: a client's put, the primary's conditional write, or a replica's replay. */
export const WriteKind = { plain: 0, conditional: 1, replay: 2 } as const;
export type WriteKind = (typeof WriteKind)[keyof typeof WriteKind];

/** Why a request was fenced. */
export const FencedReason = {
  /** The request's epoch is older than the slot's last change. */
  oldEpoch: 0,
  /** The node has not yet adopted the request's epoch; it is fetching the map. */
  behind: 1,
  /** The node holds no live lease. */
  noLease: 2,
  /** The node is not a member of the slot, or a learner that was asked to serve. */
  notReplica: 3,
  /** The slot is being moved away from this node (M4). */
  leaving: 4,
  /** A conditional write came to a full replica that is not the primary. */
  notPrimary: 5,
  /** The primary cannot reach another member just now; nothing was done. */
  memberUnreachable: 6,
} as const;
export type FencedReason = (typeof FencedReason)[keyof typeof FencedReason];

/** Why a single request was refused, although the connection is in order. */
export const RefusedReason = {
  keyTooLarge: 0,
  valueTooLarge: 1,
  /** A plain write older than `writeAgeMsMax` (W10). */
  tooOld: 2,
  /** Too many requests wait in the node. */
  queueFull: 3,
  /** A version far ahead of the cluster's clock: it would outrank every write to come. */
  fromFuture: 4,
} as const;
export type RefusedReason = (typeof RefusedReason)[keyof typeof RefusedReason];

export const ConditionStatus = {
  notApplied: 0,
  applied: 1,
  /** The primary ran it but could not finish: ask again with the same operation id. */
  interrupted: 2,
  /** It may have been applied by an earlier primary and no proof is left (RMW5). */
  unknown: 3,
} as const;
export type ConditionStatus = (typeof ConditionStatus)[keyof typeof ConditionStatus];

/** One key with everything a replica knows of it: what copies, scans and STALE answers carry. */
export interface Entry {
  readonly key: string;
  readonly version: Version;
  readonly valid: boolean;
  /** null: a tombstone. */
  readonly value: Uint8Array | null;
  /** Manager-clock milliseconds; 0: never. */
  readonly expiresAtMs: number;
  readonly applied: AppliedList | null;
}

export interface WriteMessage {
  readonly type: typeof MessageType.write;
  readonly rid: number;
  readonly epoch: number;
  readonly kind: WriteKind;
  readonly version: Version;
  readonly key: string;
  readonly value: Uint8Array | null;
  readonly expiresAtMs: number;
  readonly applied: AppliedList | null;
}

export interface AckMessage {
  readonly type: typeof MessageType.ack;
  readonly rid: number;
}

/** The replica holds a higher version. To another node the whole entry goes along (R3). */
export interface StaleMessage {
  readonly type: typeof MessageType.stale;
  readonly rid: number;
  readonly version: Version;
  readonly hasEntry: boolean;
  readonly value: Uint8Array | null;
  readonly expiresAtMs: number;
  readonly applied: AppliedList | null;
}

export interface FencedMessage {
  readonly type: typeof MessageType.fenced;
  readonly rid: number;
  /** Epoch of the answering node's map. */
  readonly epoch: number;
  readonly reason: FencedReason;
}

export interface ValidateMessage {
  readonly type: typeof MessageType.validate;
  readonly version: Version;
  readonly key: string;
}

export interface GetMessage {
  readonly type: typeof MessageType.get;
  readonly rid: number;
  /** Answer with version and presence only. */
  readonly versionOnly: boolean;
  readonly key: string;
}

export interface ValueMessage {
  readonly type: typeof MessageType.value;
  readonly rid: number;
  /** False: no value, whatever the other fields say. */
  readonly present: boolean;
  readonly version: Version;
  /** null when absent or not asked for. */
  readonly value: Uint8Array | null;
}

/** A conditional write, asked of the primary (RMW1). */
export interface ConditionMessage {
  readonly type: typeof MessageType.condition;
  readonly rid: number;
  readonly epoch: number;
  /** Identity of the operation, the same in every retry (RMW5). */
  readonly opClientId: number;
  readonly opNumber: number;
  /** An earlier attempt may have been applied. */
  readonly retried: boolean;
  /** If it is not applied, answer with the current value, too. */
  readonly wantValue: boolean;
  /** True: the key must be absent; `expected` then means nothing. */
  readonly expectAbsent: boolean;
  readonly expected: Version;
  readonly key: string;
  /** null: delete. */
  readonly value: Uint8Array | null;
  readonly expiresAtMs: number;
}

export interface ConditionResultMessage {
  readonly type: typeof MessageType.conditionResult;
  readonly rid: number;
  readonly status: ConditionStatus;
  /** Applied: the new version. Not applied: the current one, if `present`. */
  readonly version: Version;
  readonly present: boolean;
  readonly value: Uint8Array | null;
}

export interface RefusedMessage {
  readonly type: typeof MessageType.refused;
  readonly rid: number;
  readonly reason: RefusedReason;
}

export interface PingMessage {
  readonly type: typeof MessageType.ping;
  readonly rid: number;
}

export interface PongMessage {
  readonly type: typeof MessageType.pong;
  readonly rid: number;
}

/** Answer to COPY and SCAN: the next bounded batch. */
export interface EntriesMessage {
  readonly type: typeof MessageType.copyBatch | typeof MessageType.scanBatch;
  readonly rid: number;
  readonly entries: readonly Entry[];
  readonly done: boolean;
}

export const PeerRole = { client: 0, node: 1, manager: 2 } as const;
export type PeerRole = (typeof PeerRole)[keyof typeof PeerRole];

/** First frame of whoever dials. */
export interface HelloMessage {
  readonly type: typeof MessageType.hello;
  readonly protocolVersion: number;
  readonly role: PeerRole;
  /** '' if not known yet. */
  readonly clusterId: string;
  /** Node id or client id; 0 if not known yet. */
  readonly senderId: number;
  readonly incarnation: number;
}

/** First frame of whoever listens. */
export interface WelcomeMessage {
  readonly type: typeof MessageType.welcome;
  readonly protocolVersion: number;
  readonly role: PeerRole;
  readonly clusterId: string;
  readonly senderId: number;
  readonly incarnation: number;
  /** The listener's estimate of the manager's clock, microseconds; 0: it has none. */
  readonly clockUs: number;
  readonly frameBytesMax: number;
}

/** Last frame before a connection is closed for a reason. */
export interface ErrorMessage {
  readonly type: typeof MessageType.error;
  readonly code: string;
  readonly text: string;
}

/** Asks manager or node for its map if that is newer. */
export interface GetMapMessage {
  readonly type: typeof MessageType.getMap;
  readonly rid: number;
  readonly newerThan: number;
}

/** Answer to GET_MAP, or pushed with rid 0. `map` is null if there is no newer one. */
export interface MapMessage {
  readonly type: typeof MessageType.map;
  readonly rid: number;
  readonly map: ClusterMapData | null;
}

/** Node to manager: asks for a lease (M1). */
export interface HeartbeatMessage {
  readonly type: typeof MessageType.heartbeat;
  readonly rid: number;
  readonly nodeId: number;
  readonly incarnation: number;
  /** Epoch the node has adopted. */
  readonly epoch: number;
  readonly keys: number;
  readonly bytes: number;
}

export interface LeaseMessage {
  readonly type: typeof MessageType.lease;
  readonly rid: number;
  /** Counts only once a map of at least this epoch is adopted (M1). */
  readonly epoch: number;
  readonly leaseMs: number;
  readonly clockUs: number;
}

/** A node asks to become a member. */
export interface RegisterMessage {
  readonly type: typeof MessageType.register;
  readonly rid: number;
  /** The id it was started with, or -1: any. */
  readonly nodeId: number;
  /** Its incarnation if it believes to be a member still (a manager came back); 0: a new life. */
  readonly incarnation: number;
  readonly host: string;
  readonly port: number;
  readonly pid: number;
}

export interface RegisteredMessage {
  readonly type: typeof MessageType.registered;
  readonly rid: number;
  readonly nodeId: number;
  readonly incarnation: number;
  readonly map: ClusterMapData;
}

/** Manager to a node that is about to leave slots: stop serving them (M4). */
export interface FenceMessage {
  readonly type: typeof MessageType.fence;
  readonly rid: number;
  /** The epoch that will take the slots away; a map of that epoch lifts the fence. */
  readonly epoch: number;
  readonly slots: readonly number[];
}

export interface FenceAckMessage {
  readonly type: typeof MessageType.fenceAck;
  readonly rid: number;
  readonly epoch: number;
}

/** A learner asks a full replica for the next batch of a slot (M5). */
export interface CopyMessage {
  readonly type: typeof MessageType.copy;
  readonly rid: number;
  readonly slot: number;
  /** Epoch in which the learner joined the slot. */
  readonly joinedAt: number;
  /** True: begin anew. */
  readonly first: boolean;
}

/** A learner has all of these slots: pairs of slot and epoch of joining. */
export interface CopyDoneMessage {
  readonly type: typeof MessageType.copyDone;
  readonly nodeId: number;
  readonly incarnation: number;
  readonly slots: readonly (readonly [slot: number, joinedAt: number])[];
}

/** See-tell: the sender got no answer from this node (M2). */
export interface ReportMessage {
  readonly type: typeof MessageType.report;
  readonly rid: number;
  readonly nodeId: number;
  readonly incarnation: number;
  readonly epoch: number;
}

export interface ReportAckMessage {
  readonly type: typeof MessageType.reportAck;
  readonly rid: number;
  /** Epoch of the manager's map. */
  readonly epoch: number;
}

/** The manager is away: a node asks another not to adopt a newer epoch for a lease's time (M8). */
export interface PromiseAskMessage {
  readonly type: typeof MessageType.promiseAsk;
  readonly rid: number;
  readonly nodeId: number;
  readonly incarnation: number;
  readonly epoch: number;
}

export interface PromiseMessage {
  readonly type: typeof MessageType.promise;
  readonly rid: number;
  readonly epoch: number;
  readonly granted: boolean;
}

export interface QueryMessage {
  readonly type: typeof MessageType.query;
  readonly rid: number;
  readonly key: string;
}

export interface QueryResultMessage {
  readonly type: typeof MessageType.queryResult;
  readonly rid: number;
  readonly epoch: number;
  readonly slot: number;
  /** Primary first; empty if the slot has none just now. */
  readonly replicas: readonly number[];
}

export interface StatusMessage {
  readonly type: typeof MessageType.status;
  readonly rid: number;
}

/** The status document of CLI and client, as JSON text. */
export interface StatusResultMessage {
  readonly type: typeof MessageType.statusResult;
  readonly rid: number;
  readonly json: string;
}

/** A client walks through the keys of a slot. */
export interface ScanMessage {
  readonly type: typeof MessageType.scan;
  readonly rid: number;
  readonly slot: number;
  /** Names the walk on this connection. */
  readonly scanId: number;
  readonly first: boolean;
  readonly prefix: string;
}

/** Manager to node: this incarnation is no longer a member; join anew (M6). */
export interface RemovedMessage {
  readonly type: typeof MessageType.removed;
  readonly incarnation: number;
  readonly epoch: number;
}

/** Manager to node: the cluster is ending; exit. */
export interface StopMessage {
  readonly type: typeof MessageType.stop;
}

/** Manager to a node that was reported: are you there? (M2) */
export interface ProbeMessage {
  readonly type: typeof MessageType.probe;
  readonly rid: number;
}

export interface ProbeAckMessage {
  readonly type: typeof MessageType.probeAck;
  readonly rid: number;
}

export type HotMessage =
  | WriteMessage
  | AckMessage
  | StaleMessage
  | FencedMessage
  | ValidateMessage
  | GetMessage
  | ValueMessage
  | ConditionMessage
  | ConditionResultMessage
  | RefusedMessage
  | PingMessage
  | PongMessage
  | EntriesMessage;

export type ColdMessage =
  | HelloMessage
  | WelcomeMessage
  | ErrorMessage
  | GetMapMessage
  | MapMessage
  | HeartbeatMessage
  | LeaseMessage
  | RegisterMessage
  | RegisteredMessage
  | FenceMessage
  | FenceAckMessage
  | CopyMessage
  | CopyDoneMessage
  | ReportMessage
  | ReportAckMessage
  | PromiseAskMessage
  | PromiseMessage
  | QueryMessage
  | QueryResultMessage
  | StatusMessage
  | StatusResultMessage
  | ScanMessage
  | RemovedMessage
  | StopMessage
  | ProbeMessage
  | ProbeAckMessage;

export type Message = HotMessage | ColdMessage;

/** One connection as a core sees it. The shell encodes at once, so a message object may be reused after `send`. */
export interface Link {
  /** Unique in the process. */
  readonly id: number;
  /** Sends with the next flush of this connection, at the end of the current loop turn. No effect once closed. */
  send(message: Message): void;
  /** Sends without causing a flush: goes with whatever is sent next, or after a millisecond (W9). */
  sendLazily(message: Message): void;
}
