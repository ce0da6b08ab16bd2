/**
 * Messages that pass now and then: greetings, maps, leases, membership, copies, reports, status. Encoded through the
 * table in cold-codec.ts, their fields in the order in which they stand here.
 */
import type { MapChange } from './map-change.js';
import type { ClusterMapData } from './cluster-map.js';
import type { MessageType } from './message-type.js';
import type { RefusedReason } from './messages.js';

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

/**
 * Pushed instead of a MAP to whoever has been sent the map of epoch `base` on the same connection: what has changed since
 * (map-change.ts).
 */
export interface MapChangeMessage extends MapChange {
  readonly type: typeof MessageType.mapChange;
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
  /** Why it takes no new values (D4); null: it does. */
  readonly noRoom: RefusedReason | null;
}

export interface LeaseMessage {
  readonly type: typeof MessageType.lease;
  readonly rid: number;
  /** Counts only once a map of at least this epoch is adopted (M1). */
  readonly epoch: number;
  readonly leaseMs: number;
  readonly clockUs: number;
}

/** In the place of an epoch of joining. */
export const unlabelled = 0;

/** What a node had before it joined: on its disk, or in memory when it was removed while alive (M6). */
export interface DiskContent {
  /** '': nothing. */
  readonly clusterId: string;
  /**
   * Slots that it had whole, as they were when it last was a full replica of them: pairs of slot and epoch of joining. A learner that
   * fills a slot over that says `unlabelled`.
   */
  readonly slots: readonly (readonly [slot: number, joinedAt: number])[];
  /** Microseconds: the highest hlc saved. */
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
  /** Nodes with the same label share a fate, as those of one host do; '': it stands alone. */
  readonly hostLabel: string;
  /** What it stores is kept on one. */
  readonly hasDisk: boolean;
  readonly disk: DiskContent;
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

/** A learner that has some of a slot on its disk asks a full replica for the digests of all buckets (slot-digest.ts). */
export interface DigestAskMessage {
  readonly type: typeof MessageType.digestAsk;
  readonly rid: number;
  readonly slot: number;
  readonly joinedAt: number;
  readonly first: boolean;
}

/** Answer to DIGEST_ASK. */
export interface DigestsMessage {
  readonly type: typeof MessageType.digests;
  readonly rid: number;
  /** False: ask again, the slot is large. */
  readonly done: boolean;
  /** How many buckets, a power of two; 0 unless done. */
  readonly buckets: number;
  /** 8 bytes for each bucket. */
  readonly digests: Uint8Array;
}

/**
 * A learner asks for what it does not have of some buckets. The answer is a COPY_BATCH that is not done, after which it
 * asks again, or, at the end, a DIFFERENCE_END.
 */
export interface DifferenceMessage {
  readonly type: typeof MessageType.difference;
  readonly rid: number;
  readonly slot: number;
  readonly joinedAt: number;
  readonly first: boolean;
  /** As in DIGESTS. This and what follows counts with `first` only. */
  readonly buckets: number;
  /** A bit for each bucket: it is asked for. */
  readonly wanted: Uint8Array;
  /** Digests of all entries that the learner has in them, 8 bytes each. */
  readonly known: Uint8Array;
}

export interface DifferenceEndMessage {
  readonly type: typeof MessageType.differenceEnd;
  readonly rid: number;
  /** A bit for each of `known`: the replica does not hold that entry. */
  readonly missing: Uint8Array;
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

/** The asker serves by no promise that was given to its questions up to `rid` any more (M8). No answer. */
export interface ReleaseMessage {
  readonly type: typeof MessageType.release;
  readonly rid: number;
  readonly nodeId: number;
  readonly incarnation: number;
}

/** Node to node, again and again while it is so, and once when it is over: it takes no new values (D4). No answer. */
export interface RoomMessage {
  readonly type: typeof MessageType.room;
  readonly nodeId: number;
  /** Why; null: it takes them again. */
  readonly reason: RefusedReason | null;
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

/** Manager to node: exit, for the cluster is ending, or has no use for this node. */
export interface StopMessage {
  readonly type: typeof MessageType.stop;
  /** Only if the node has adopted no newer one: it was in no slot then (M9); 0: whatever it holds. */
  readonly epoch: number;
  /** What is wrong with the node, for its user: one line, which goes on from 'this node'; '': nothing. */
  readonly fault: string;
}

/** Manager to a node that was reported, or a node to one that leaves a write unanswered: are you there? (M2) */
export interface ProbeMessage {
  readonly type: typeof MessageType.probe;
  readonly rid: number;
}

export interface ProbeAckMessage {
  readonly type: typeof MessageType.probeAck;
  readonly rid: number;
}

/** A request of an administrator, as JSON text; see admin.ts. */
export interface AdminMessage {
  readonly type: typeof MessageType.admin;
  readonly rid: number;
  readonly json: string;
}

export interface AdminResultMessage {
  readonly type: typeof MessageType.adminResult;
  readonly rid: number;
  readonly json: string;
}

/** What one slot of a node holds, and how often it was asked since the node's last report. */
export interface SlotLoad {
  readonly slot: number;
  readonly keys: number;
  /** Of keys and values, without overhead. */
  readonly bytes: number;
  readonly reads: number;
  readonly writes: number;
}

/** Node to manager, about every second: the slots it is a full replica of and that changed or were asked. */
export interface SlotLoadsMessage {
  readonly type: typeof MessageType.slotLoads;
  readonly nodeId: number;
  readonly incarnation: number;
  readonly loads: readonly SlotLoad[];
}

export type ColdMessage =
  | HelloMessage
  | WelcomeMessage
  | ErrorMessage
  | GetMapMessage
  | MapMessage
  | MapChangeMessage
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
  | ReleaseMessage
  | RoomMessage
  | QueryMessage
  | QueryResultMessage
  | StatusMessage
  | StatusResultMessage
  | ScanMessage
  | RemovedMessage
  | StopMessage
  | ProbeMessage
  | ProbeAckMessage
  | AdminMessage
  | AdminResultMessage
  | SlotLoadsMessage
  | DigestAskMessage
  | DigestsMessage
  | DifferenceMessage
  | DifferenceEndMessage;
