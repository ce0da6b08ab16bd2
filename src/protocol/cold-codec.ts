/**
 * Layout of all messages that are not sent per operation. A message is a msgpack array `[type, ...fields]`; the
 * table below names the fields in the order of their interface and says of each what may stand there. The same
 * table serves both ways, so that the two cannot drift apart, and the compiler holds it against the interfaces.
 * msgpackr does the writing and reading, of plain data that was scanned before.
 *
 * Invariants:
 *  - What is decoded is a fresh plain object within the bounds of the table: no wrong type, no number out of range,
 *    no missing or surplus element. Fields are told apart by place: no property name comes from the peer.
 *  - A cluster map is sound in itself (map-check.ts): cores need not look again.
 *  - HELLO and WELCOME of another protocol version are read as far as that version, so that the peer can be told
 *    what is wrong. Their first field, and the whole of ERROR, therefore stay as they are in all versions.
 */
import { Buffer } from 'node:buffer';
import { Packr } from 'msgpackr';
import type { ClusterMapData, MemberNode, SlotAssignment } from './cluster-map.js';
import {
  arrayOf,
  bool,
  bytes,
  enumeration,
  keyBytes,
  listOf,
  nullable,
  oneOf,
  pairOf,
  printable,
  RecordBody,
  recordOf,
  text,
  uint,
  uintOrMinusOne,
  uintsOf,
} from './cold-fields.js';
import type { FieldsOf } from './cold-fields.js';
import { ProtocolError } from './errors.js';
import { wireKeyBytesMax } from './hot-codec.js';
import { checkMap } from './map-check.js';
import { MessageType, PeerRole, protocolVersion, RefusedReason } from './messages.js';
import type { ColdMessage, DiskContent, HelloMessage, SlotLoad, WelcomeMessage } from './messages.js';
import { scanMsgpack } from './msgpack-scan.js';
import type { MsgpackWriter } from './msgpack-writer.js';
import { partitionerNamed } from './partition.js';
import { durabilities, hostBytesMax } from './settings.js';
import type { ClusterSettings } from './settings.js';

/** What a peer may say at most: more than any cluster needs, less than could hurt. */
export const wireLimits = {
  nodeIdMax: 2 ** 31,
  /** Client ids have 48 bits. */
  clientIdMax: 2 ** 48 - 1,
  nodesMax: 4096,
  slotsMax: 65_536,
  /** Full replicas of one slot; as many learners. */
  replicasMax: 64,
  hostBytesMax,
  nameBytesMax: 255,
  /** Text of an ERROR. */
  textBytesMax: 2048,
  /** Of the keys of one slot, in digests. */
  bucketsMax: 2 ** 16,
  knownBytesMax: 2 ** 21,
  jsonBytesMax: 2 ** 24,
  valueBytesMax: 2 ** 29,
  frameBytesMax: 2 ** 30,
} as const;

const anyUint = uint();
const rid = anyUint;
const buckets = uint(wireLimits.bucketsMax);
const epoch = anyUint;
const incarnation = anyUint;
const nodeId = uint(wireLimits.nodeIdMax);
const senderId = uint(wireLimits.clientIdMax);
const slot = uint(wireLimits.slotsMax - 1);
const port = uint(65_535, 1);
/** Systems count no further, and refuse to be asked for more. */
const pid = uint(2 ** 31 - 1);
const host = text(wireLimits.hostBytesMax);
const name = text(wireLimits.nameBytesMax);
const key = keyBytes(wireKeyBytesMax);
const role = enumeration<PeerRole>(PeerRole.manager);
const refusedReason = enumeration<RefusedReason>(RefusedReason.memoryLow);
const nodeIds = uintsOf(nodeId, wireLimits.replicasMax);
/** A month: longer, and a number meant as something else has slipped in. */
const ms = uint(31 * 24 * 3600 * 1000, 1);

const settings = recordOf<ClusterSettings>(
  {
    replicas: uint(wireLimits.replicasMax, 1),
    slotCount: uint(wireLimits.slotsMax, 1),
    partitioner: name,
    keyBytesMax: uint(wireKeyBytesMax, 1),
    valueBytesMax: uint(wireLimits.valueBytesMax, 1),
    leaseMs: ms,
    writeAgeMsMax: ms,
    tombstoneMs: ms,
    durability: oneOf(durabilities),
    copyBytesPerSecondMax: anyUint,
  },
  ({ partitioner, writeAgeMsMax, tombstoneMs }) => {
    if (partitionerNamed(partitioner) === undefined)
      throw new ProtocolError(`the cluster uses partitioner '${partitioner}', unknown here; update gtstore`);
    if (tombstoneMs < writeAgeMsMax) {
      throw new ProtocolError(`tombstoneMs ${tombstoneMs} is below writeAgeMsMax ${writeAgeMsMax}`);
    }
  },
);
const slotLoad = recordOf<SlotLoad>({
  slot,
  keys: anyUint,
  bytes: anyUint,
  reads: anyUint,
  writes: anyUint,
});
const node = recordOf<MemberNode>({ id: nodeId, incarnation, host, port });
const nodes = listOf(node, wireLimits.nodesMax);
const slotAssignment = recordOf<SlotAssignment>({
  changedAt: epoch,
  replicas: nodeIds,
  learners: nodeIds,
  joinedAt: uintsOf(epoch, 2 * wireLimits.replicasMax),
});
const map = recordOf<ClusterMapData>(
  {
    clusterId: name,
    epoch,
    settings,
    nodes,
    slots: listOf(slotAssignment, wireLimits.slotsMax),
  },
  checkMap,
);

type LayoutOf<M> = FieldsOf<Omit<M, 'type'>>;

const layouts: { readonly [M in ColdMessage as M['type']]: LayoutOf<M> } = {
  [MessageType.hello]: { protocolVersion: anyUint, role, clusterId: name, senderId, incarnation },
  [MessageType.welcome]: {
    protocolVersion: anyUint,
    role,
    clusterId: name,
    senderId,
    incarnation,
    clockUs: anyUint,
    frameBytesMax: uint(wireLimits.frameBytesMax, 1024),
  },
  [MessageType.error]: { code: name, text: text(wireLimits.textBytesMax) },
  [MessageType.getMap]: { rid, newerThan: epoch },
  [MessageType.map]: { rid, map: nullable(map) },
  [MessageType.mapChange]: {
    base: epoch,
    epoch,
    settings,
    nodes,
    slots: listOf(pairOf(slot, slotAssignment), wireLimits.slotsMax),
  },
  [MessageType.heartbeat]: {
    rid,
    nodeId,
    incarnation,
    epoch,
    keys: anyUint,
    bytes: anyUint,
    noRoom: nullable(refusedReason),
  },
  [MessageType.lease]: { rid, epoch, leaseMs: ms, clockUs: anyUint },
  [MessageType.register]: {
    rid,
    nodeId: uintOrMinusOne(wireLimits.nodeIdMax),
    incarnation,
    host: printable(wireLimits.hostBytesMax),
    port,
    pid,
    hostLabel: printable(wireLimits.nameBytesMax),
    hasDisk: bool,
    disk: recordOf<DiskContent>({
      clusterId: name,
      slots: listOf(pairOf(slot, epoch), wireLimits.slotsMax),
      clockUs: anyUint,
    }),
  },
  [MessageType.registered]: { rid, nodeId, incarnation, map },
  [MessageType.fence]: { rid, epoch, slots: listOf(slot, wireLimits.slotsMax) },
  [MessageType.fenceAck]: { rid, epoch },
  [MessageType.copy]: { rid, slot, joinedAt: epoch, first: bool },
  [MessageType.copyDone]: { nodeId, incarnation, slots: listOf(pairOf(slot, epoch), wireLimits.slotsMax) },
  [MessageType.report]: { rid, nodeId, incarnation, epoch },
  [MessageType.reportAck]: { rid, epoch },
  [MessageType.promiseAsk]: { rid, nodeId, incarnation, epoch },
  [MessageType.promise]: { rid, epoch, granted: bool },
  [MessageType.release]: { rid, nodeId, incarnation },
  [MessageType.room]: { nodeId, reason: nullable(refusedReason) },
  [MessageType.query]: { rid, key },
  [MessageType.queryResult]: { rid, epoch, slot, replicas: nodeIds },
  [MessageType.status]: { rid },
  [MessageType.statusResult]: { rid, json: text(wireLimits.jsonBytesMax) },
  [MessageType.scan]: { rid, slot, scanId: anyUint, first: bool, prefix: key },
  [MessageType.removed]: { incarnation, epoch },
  [MessageType.stop]: { epoch, fault: text(wireLimits.textBytesMax) },
  [MessageType.probe]: { rid },
  [MessageType.probeAck]: { rid },
  [MessageType.digestAsk]: { rid, slot, joinedAt: epoch, first: bool },
  [MessageType.digests]: { rid, done: bool, buckets, digests: bytes(8 * wireLimits.bucketsMax) },
  [MessageType.difference]: {
    rid,
    slot,
    joinedAt: epoch,
    first: bool,
    buckets,
    wanted: bytes(wireLimits.bucketsMax / 8),
    known: bytes(wireLimits.knownBytesMax),
  },
  [MessageType.differenceEnd]: { rid, missing: bytes(wireLimits.knownBytesMax / 64) },
  [MessageType.admin]: { rid, json: text(wireLimits.jsonBytesMax) },
  [MessageType.adminResult]: { rid, json: text(wireLimits.jsonBytesMax) },
  [MessageType.slotLoads]: { nodeId, incarnation, loads: listOf(slotLoad, wireLimits.slotsMax) },
};

/** The table by type. What the compiler knew of each row it has checked above; here they are all alike. */
const bodies = new Map<number, RecordBody<object>>(
  Object.entries(layouts).map(([type, fields]) => [Number(type), new RecordBody<object>(fields)]),
);

/** A map of 65,536 slots with K = 10 has some 1.7 million. An item of one byte may be an array, and some 40 when it is built. */
const itemsMax = 2 ** 21;
/**
 * Beyond what the table has for a type: what is wrong in a small way is told by the table, in better words. And for a greeting, of
 * which another version may have more.
 */
const surplusItemsMax = 1024;
/** We have none; but a greeting of another version may. */
const mapsMax = 16;

/** Plain msgpack: no records, no extension types; numbers beyond 32 bits as doubles, which hold ours exactly. */
const msgpackr = new Packr({ useRecords: false, variableMapSize: true, int64AsType: 'number' });

/** The map and the change of it that were pushed last. Messages are immutable, and these go to everybody: encoded once. */
const pushed = new Map<number, { readonly message: ColdMessage; readonly payload: Uint8Array }>();

/** Appends the message as one msgpack array. @throws ProtocolError if a field is out of its bounds */
export function encodeCold(writer: MsgpackWriter, message: ColdMessage): void {
  const payload = payloadOf(message);
  writer.ensure(payload.length);
  writer.buf.set(payload, writer.pos);
  writer.pos += payload.length;
}

function payloadOf(message: ColdMessage): Uint8Array {
  const { type } = message;
  const last = pushed.get(type);
  if (last?.message === message) return last.payload;
  const payload = msgpackr.pack([type, ...bodyOf(type).toWire(message)]);
  if (type === MessageType.mapChange || (type === MessageType.map && message.rid === 0))
    pushed.set(type, { message, payload: Buffer.from(payload) });
  return payload;
}

/**
 * Reads one message that fills [start, end).
 *
 * @param type - its first element
 * @throws ProtocolError if it is no message of a cold type; MsgpackError, one of those, if it is no plain msgpack
 */
export function decodeCold(buffer: Buffer, start: number, end: number, type: number): ColdMessage {
  const body = bodyOf(type);
  // Before anything is built of it: hostile counts, nesting, names and extension types end here. Two items are the message and its type.
  const options = { itemsMax: Math.min(itemsMax, 2 + body.itemsMax + surplusItemsMax), mapsMax };
  scanMsgpack(buffer, start, end, options);
  const wire = arrayOf(msgpackr.unpack(buffer.subarray(start, end)), 'message');
  if (type === MessageType.hello || type === MessageType.welcome) {
    if (wire[1] !== protocolVersion) return foreignGreeting(type, wire[1]);
  }
  if (wire.length !== 1 + body.length) {
    throw new ProtocolError(`message type ${type} has ${1 + body.length} elements, this one ${wire.length}`);
  }
  const message = { type };
  body.fromWire(wire, 1, message);
  return message as ColdMessage;
}

function bodyOf(type: number): RecordBody<object> {
  const body = bodies.get(type);
  if (body === undefined) throw new ProtocolError(`message type ${type}, unknown here`);
  return body;
}

/** A greeting of another protocol version, its other fields left empty. */
function foreignGreeting(
  type: HelloMessage['type'] | WelcomeMessage['type'],
  version: unknown,
): HelloMessage | WelcomeMessage {
  const fields = {
    protocolVersion: anyUint.fromWire(version, 'protocolVersion'),
    role: PeerRole.client,
    clusterId: '',
    senderId: 0,
    incarnation: 0,
  };
  return type === MessageType.hello ? { type, ...fields } : { type, ...fields, clockUs: 0, frameBytesMax: 0 };
}
