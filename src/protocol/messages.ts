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
import type { ColdMessage } from './cold-messages.js';
import type { KeyView } from './key-view.js';
import type { MessageType } from './message-type.js';
import type { Version } from './version.js';

export * from './cold-messages.js';
export * from './message-type.js';

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
  /** The node has no room for it on its disk (`--durability interval` and `always`). */
  diskFull: 5,
  /** The node holds as much as it may in memory. */
  memoryFull: 6,
  /** Hardly any memory is left to the machine of the node, or to the cgroup that it runs in. */
  memoryLow: 7,
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

/** What a message has whose key is looked up with every operation. */
interface KeyedMessage {
  readonly key: string;
  /** The same key in the frame, if the message was decoded from one. Not enumerable: no copy has it. */
  readonly keyView?: KeyView;
}

export interface WriteMessage extends KeyedMessage {
  readonly type: typeof MessageType.write;
  readonly rid: number;
  readonly epoch: number;
  readonly kind: WriteKind;
  readonly version: Version;
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

/** What the WRITE of that request id, on the same connection, stored is committed at all members (W9). */
export interface ValidateMessage {
  readonly type: typeof MessageType.validate;
  readonly rid: number;
}

export interface GetMessage extends KeyedMessage {
  readonly type: typeof MessageType.get;
  readonly rid: number;
  /** Answer with version and presence only. */
  readonly versionOnly: boolean;
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

/** What a conditional write wants if it is not applied. Bits of one element: an array of up to 15 has a header of one byte. */
export const Want = {
  /** The current value with the answer. */
  value: 1,
  /** That plain WRITEs of the key wait for a moment; also if it has to wait itself (RMW7). */
  turn: 2,
} as const;

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
  /** Of `Want`, their sum. */
  readonly wants: number;
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

export type Message = HotMessage | ColdMessage;

/** One connection as a core sees it. The shell encodes at once, so a message object may be reused after `send`. */
export interface Link {
  /** Unique in the process. */
  readonly id: number;
  /** So much waits for the peer that whatever can wait, too, should: a peer for which much more waits is given up. */
  readonly isFull: boolean;
  /** The peer says of itself that it is a node. */
  readonly isOfNode: boolean;
  /**
   * Sends with the next flush of this connection, at the end of the current loop turn. No effect once closed.
   *
   * @param isAlone - nothing else is expected in this turn: it leaves within the call
   */
  send(message: Message, isAlone?: boolean): void;
  /**
   * Sends without causing a flush: goes with whatever is sent next, or by itself within so many milliseconds (W9), a
   * whole number.
   */
  sendLazily(message: Message, patienceMs: number): void;
}

/** A value with a plain version, where it lies in memory. */
export interface PlainValue {
  hlc: number;
  clientId: number;
  memory: ArrayBufferLike;
  at: number;
  length: number;
}

/** A connection on which requests come; the commonest answers need no message object. */
export interface RequestLink extends Link {
  /** The same as to `send` an ACK. */
  sendAck(rid: number): void;
  /** The same as to `send` a VALUE. */
  sendPlainValue(rid: number, value: PlainValue): void;
}
