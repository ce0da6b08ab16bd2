/**
 * Layout of the messages that travel once or more per operation, written and read by hand: about as quick as a
 * private binary format, and still ordinary msgpack. A message is a flat array
 *
 *     [type, ...fields in the order of their interface]
 *
 * with a version as its four numbers, a key as a str of key bytes, a value as bin or nil, and an applied list as an
 * array of numbers or nil. ACK and VALIDATE are *runs*, `[type, rid, ...rids]`: a message for each request id, in that
 * order. COPY_BATCH and SCAN_BATCH are `[type, rid, done, ...entries]`, each entry an array
 * `[key, hlc, clientId, seq, epoch, valid, value, expiresAtMs, applied]`.
 *
 * This file writes them; hot-decoder.ts reads them.
 */
import type { Buffer } from 'node:buffer';
import { appliedLengthMax } from './applied-list.js';
import type { AppliedList } from './applied-list.js';
import { ProtocolError } from './errors.js';
import { headBytesMax, putBool, putKey, putUint, putValue, putVersion, uintBytesMax } from './hot-fields.js';
import { MessageType } from './messages.js';
import type {
  AckMessage,
  ConditionMessage,
  ConditionResultMessage,
  EntriesMessage,
  Entry,
  FencedMessage,
  GetMessage,
  HotMessage,
  Message,
  PingMessage,
  PongMessage,
  RefusedMessage,
  StaleMessage,
  ValidateMessage,
  ValueMessage,
  WriteMessage,
} from './messages.js';
import type { MsgpackWriter } from './msgpack-writer.js';

/** Longest key a frame may carry, in bytes. The cluster's own limit is lower and is the node's to check. */
export const wireKeyBytesMax = 65_536;

/** Array elements of a message of each hot type; of a batch without entries, of a run of one. */
export const elementCounts: Readonly<Record<HotMessage['type'], number>> = {
  [MessageType.write]: 12,
  [MessageType.ack]: 2,
  [MessageType.stale]: 10,
  [MessageType.fenced]: 4,
  [MessageType.validate]: 2,
  [MessageType.get]: 4,
  [MessageType.value]: 8,
  [MessageType.condition]: 15,
  [MessageType.conditionResult]: 9,
  [MessageType.refused]: 3,
  [MessageType.ping]: 2,
  [MessageType.pong]: 2,
  [MessageType.copyBatch]: 3,
  [MessageType.scanBatch]: 3,
};
export const entryElements = 9;

/** Hot types are the low numbers; the cold ones begin here. */
export const firstColdType = MessageType.hello;

/** Messages that are no more than a request id: those that follow each other on a connection share one frame. */
export type RunMessage = AckMessage | ValidateMessage;

/** Messages in one frame, at most: its length and count stay within the two bytes that `extendRun` writes. */
export const runLengthMax = 4096;

export function isRun(message: Message): message is RunMessage {
  return message.type === MessageType.ack || message.type === MessageType.validate;
}

export function isHot(message: Message): message is HotMessage {
  return message.type < firstColdType;
}

/** Room for everything in a message but key, value, applied list and entries: 15 elements and their array. */
const fixedBytesMax = 1 + 15 * uintBytesMax;

/**
 * Appends a payload to `writer`.
 *
 * @throws ProtocolError if a field has a value that its kind cannot hold; `writer.pos` is then as before
 */
export function encodeHot(writer: MsgpackWriter, message: HotMessage): void {
  // A function for each: together they are more than the compiler is willing to inline into one.
  switch (message.type) {
    case MessageType.write:
      writer.pos = putWrite(writer, message);
      return;
    case MessageType.ack:
    case MessageType.validate:
      writer.pos = putRun(writer, message);
      return;
    case MessageType.ping:
    case MessageType.pong:
      writer.pos = putRidOnly(writer, message);
      return;
    case MessageType.stale:
      writer.pos = putStale(writer, message);
      return;
    case MessageType.fenced:
      writer.pos = putFenced(writer, message);
      return;
    case MessageType.get:
      writer.pos = putGet(writer, message);
      return;
    case MessageType.value:
      writer.pos = putValueMessage(writer, message);
      return;
    case MessageType.condition:
      writer.pos = putCondition(writer, message);
      return;
    case MessageType.conditionResult:
      writer.pos = putConditionResult(writer, message);
      return;
    case MessageType.refused:
      writer.pos = putRefused(writer, message);
      return;
    case MessageType.copyBatch:
    case MessageType.scanBatch:
      putEntries(writer, message);
      return;
  }
}

function putWrite(writer: MsgpackWriter, message: WriteMessage): number {
  const { key, value, applied } = message;
  const buf = roomFor(writer, key, value, applied);
  let pos = putHeader(buf, writer.pos, MessageType.write);
  pos = putUint(buf, pos, message.rid);
  pos = putUint(buf, pos, message.epoch);
  pos = putUint(buf, pos, message.kind);
  pos = putVersion(buf, pos, message.version);
  pos = putKey(buf, pos, key);
  pos = putValue(buf, pos, value);
  pos = putUint(buf, pos, message.expiresAtMs);
  return putApplied(buf, pos, applied);
}

function putRidOnly(writer: MsgpackWriter, message: PingMessage | PongMessage): number {
  writer.ensure(fixedBytesMax);
  const { buf } = writer;
  const pos = putHeader(buf, writer.pos, message.type);
  return putUint(buf, pos, message.rid);
}

/** The frame of a run with one message, as `extendRun` wants to find it: an array 16. */
function putRun(writer: MsgpackWriter, message: RunMessage): number {
  writer.ensure(fixedBytesMax);
  const { buf, pos } = writer;
  buf[pos] = 0xdc;
  buf[pos + 1] = 0;
  buf[pos + 2] = 2;
  buf[pos + 3] = message.type;
  return putUint(buf, pos + 4, message.rid);
}

/**
 * Adds one more message to a run: to the frame that begins at `start`, header included, and ends at `writer.pos`.
 *
 * @throws ProtocolError if `rid` is no unsigned integer; nothing has changed then
 */
export function extendRun(writer: MsgpackWriter, start: number, rid: number): void {
  writer.ensure(uintBytesMax);
  const { buf } = writer;
  writer.pos = putUint(buf, writer.pos, rid);
  const count = (((buf[start + 5] ?? 0) << 8) | (buf[start + 6] ?? 0)) + 1;
  buf[start + 5] = count >>> 8;
  buf[start + 6] = count;
  const length = writer.pos - start - 4;
  buf[start + 2] = length >>> 8;
  buf[start + 3] = length;
}

function putStale(writer: MsgpackWriter, message: StaleMessage): number {
  const { value, applied } = message;
  const buf = roomFor(writer, '', value, applied);
  let pos = putHeader(buf, writer.pos, message.type);
  pos = putUint(buf, pos, message.rid);
  pos = putVersion(buf, pos, message.version);
  pos = putBool(buf, pos, message.hasEntry);
  pos = putValue(buf, pos, value);
  pos = putUint(buf, pos, message.expiresAtMs);
  return putApplied(buf, pos, applied);
}

function putFenced(writer: MsgpackWriter, message: FencedMessage): number {
  const buf = roomFor(writer, '', null, null);
  let pos = putHeader(buf, writer.pos, message.type);
  pos = putUint(buf, pos, message.rid);
  pos = putUint(buf, pos, message.epoch);
  return putUint(buf, pos, message.reason);
}

function putGet(writer: MsgpackWriter, message: GetMessage): number {
  const buf = roomFor(writer, message.key, null, null);
  let pos = putHeader(buf, writer.pos, message.type);
  pos = putUint(buf, pos, message.rid);
  pos = putBool(buf, pos, message.versionOnly);
  return putKey(buf, pos, message.key);
}

function putValueMessage(writer: MsgpackWriter, message: ValueMessage): number {
  const buf = roomFor(writer, '', message.value, null);
  let pos = putHeader(buf, writer.pos, message.type);
  pos = putUint(buf, pos, message.rid);
  pos = putBool(buf, pos, message.present);
  pos = putVersion(buf, pos, message.version);
  return putValue(buf, pos, message.value);
}

function putCondition(writer: MsgpackWriter, message: ConditionMessage): number {
  const { key, value } = message;
  const buf = roomFor(writer, key, value, null);
  let pos = putHeader(buf, writer.pos, message.type);
  pos = putUint(buf, pos, message.rid);
  pos = putUint(buf, pos, message.epoch);
  pos = putUint(buf, pos, message.opClientId);
  pos = putUint(buf, pos, message.opNumber);
  pos = putBool(buf, pos, message.retried);
  pos = putUint(buf, pos, message.wants);
  pos = putBool(buf, pos, message.expectAbsent);
  pos = putVersion(buf, pos, message.expected);
  pos = putKey(buf, pos, key);
  pos = putValue(buf, pos, value);
  return putUint(buf, pos, message.expiresAtMs);
}

function putConditionResult(writer: MsgpackWriter, message: ConditionResultMessage): number {
  const buf = roomFor(writer, '', message.value, null);
  let pos = putHeader(buf, writer.pos, message.type);
  pos = putUint(buf, pos, message.rid);
  pos = putUint(buf, pos, message.status);
  pos = putVersion(buf, pos, message.version);
  pos = putBool(buf, pos, message.present);
  return putValue(buf, pos, message.value);
}

function putRefused(writer: MsgpackWriter, message: RefusedMessage): number {
  const buf = roomFor(writer, '', null, null);
  let pos = putHeader(buf, writer.pos, message.type);
  pos = putUint(buf, pos, message.rid);
  return putUint(buf, pos, message.reason);
}

function putEntries(writer: MsgpackWriter, message: EntriesMessage): void {
  writer.array(elementCounts[message.type] + message.entries.length);
  writer.uint(message.type);
  writer.uint(message.rid);
  writer.bool(message.done);
  for (const entry of message.entries) putEntry(writer, entry);
}

/** Makes room for a message with these parts. @returns the buffer to write to */
function roomFor(
  writer: MsgpackWriter,
  key: string,
  value: Uint8Array | null,
  applied: AppliedList | null,
): Buffer {
  const appliedBytes = applied === null ? 1 : headBytesMax + applied.length * uintBytesMax;
  const valueBytes = value === null ? 1 : headBytesMax + value.length;
  writer.ensure(fixedBytesMax + headBytesMax + key.length + valueBytes + appliedBytes);
  return writer.buf;
}

/** The head of the array and the type, a byte each. */
function putHeader(buf: Buffer, pos: number, type: HotMessage['type']): number {
  buf[pos] = 0x90 | elementCounts[type];
  buf[pos + 1] = type;
  return pos + 2;
}

export function putApplied(buf: Buffer, pos: number, applied: AppliedList | null): number {
  if (applied === null) {
    buf[pos] = 0xc0;
    return pos + 1;
  }
  if (applied.length > appliedLengthMax)
    throw new ProtocolError(`an applied list of ${applied.length} numbers`);
  buf[pos] = 0xdc;
  buf[pos + 1] = 0;
  buf[pos + 2] = applied.length;
  pos += 3;
  for (const item of applied) pos = putUint(buf, pos, item);
  return pos;
}

function putEntry(writer: MsgpackWriter, entry: Entry): void {
  const { key, value, applied } = entry;
  const buf = roomFor(writer, key, value, applied);
  let pos = writer.pos;
  buf[pos++] = 0x90 | entryElements;
  pos = putKey(buf, pos, key);
  pos = putVersion(buf, pos, entry.version);
  pos = putBool(buf, pos, entry.valid);
  pos = putValue(buf, pos, value);
  pos = putUint(buf, pos, entry.expiresAtMs);
  writer.pos = putApplied(buf, pos, applied);
}
