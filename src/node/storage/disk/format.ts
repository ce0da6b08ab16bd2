/**
 * What lies in a node's database, byte by byte.
 *
 *     0 f                              version of this format
 *     0 i                              whose it is: [clusterId, nodeId] as JSON
 *     0 b                              number of the last batch written
 *     0 c                              highest hlc ever saved, microseconds
 *     0 s slot:2                       [generation, 0] or, of a slot held whole, [generation, 1 + joinedAt]
 *     1 slot:2 generation:4 key        [hlc, clientId, seq, epoch, value, expiresAtMs, applied]
 *
 * Values are msgpack, laid out by hand, and end in the CRC-32 of key and value. A slot is cleared by counting up its
 * generation: records of earlier ones are garbage, removed at leisure.
 */
import { Buffer } from 'node:buffer';
import { crc32 } from 'node:zlib';
import type { AppliedList } from '../../../protocol/applied-list.js';
import { putApplied } from '../../../protocol/hot-codec.js';
import { readApplied } from '../../../protocol/hot-decoder.js';
import {
  headBytesMax,
  putUint,
  putValue,
  putVersion,
  readUint,
  readValue,
  readVersion,
  uintBytesMax,
  versionBytesMax,
} from '../../../protocol/hot-fields.js';
import { MsgpackReader } from '../../../protocol/msgpack-reader.js';
import type { MutableVersion, Version } from '../../../protocol/version.js';

/** Raised with every incompatible change. */
export const formatVersion = 1;

const metaTag = 0;
const recordTag = 1;
/** Bytes of a record's key before those of the user's key. */
export const recordPrefixBytes = 7;
const crcBytes = 4;
const recordElements = 7;

function metaKey(name: string): Buffer {
  return Buffer.from(`${String.fromCharCode(metaTag)}${name}`, 'latin1');
}

export const formatKey = metaKey('f');
export const identityKey = metaKey('i');
export const batchKey = metaKey('b');
export const clockKey = metaKey('c');
const slotPrefix = metaKey('s');

/** All records lie from here on. */
export const firstRecordKey: Buffer = Buffer.of(recordTag);

export function slotKey(slot: number): Buffer {
  return Buffer.of(...slotPrefix, slot >>> 8, slot & 0xff);
}

/** @returns the slot, or -1 if it is another key */
export function slotOfSlotKey(key: Buffer): number {
  if (key.length !== slotPrefix.length + 2 || !slotPrefix.equals(key.subarray(0, slotPrefix.length)))
    return -1;
  return key.readUInt16BE(slotPrefix.length);
}

/** What all keys of the slot's records of that generation begin with, and those of no other do. */
export function recordPrefix(slot: number, generation: number): Buffer {
  const key = Buffer.allocUnsafe(recordPrefixBytes);
  putRecordPrefix(key, 0, slot, generation);
  return key;
}

function putRecordPrefix(buf: Buffer, pos: number, slot: number, generation: number): void {
  buf[pos] = recordTag;
  buf[pos + 1] = slot >>> 8;
  buf[pos + 2] = slot;
  buf[pos + 3] = generation >>> 24;
  buf[pos + 4] = generation >>> 16;
  buf[pos + 5] = generation >>> 8;
  buf[pos + 6] = generation;
}

/** Up to here a loop over char codes is quicker than calling out. */
const shortKeyBytes = 32;

/** @returns the position behind it; room for `recordPrefixBytes` and the key is the caller's care */
export function putRecordKey(
  buf: Buffer,
  pos: number,
  slot: number,
  generation: number,
  key: string,
): number {
  putRecordPrefix(buf, pos, slot, generation);
  pos += recordPrefixBytes;
  const { length } = key;
  if (length > shortKeyBytes) return pos + buf.write(key, pos, length, 'latin1');
  for (let i = 0; i < length; i++) buf[pos + i] = key.charCodeAt(i);
  return pos + length;
}

export interface RecordKey {
  slot: number;
  generation: number;
  key: string;
}

/** Into `to`. @throws Corruption if it is no key of a record */
export function readRecordKey(buf: Buffer, to: RecordKey): void {
  if (buf.length < recordPrefixBytes || buf[0] !== recordTag) throw new Corruption('a key of unknown form');
  to.slot = buf.readUInt16BE(1);
  to.generation = buf.readUInt32BE(3);
  to.key = buf.toString('latin1', recordPrefixBytes);
}

/** The longest that the value of such a record can be. */
export function recordBytesMax(valueBytes: number, applied: AppliedList | null): number {
  const appliedBytes = headBytesMax + (applied === null ? 0 : applied.length * uintBytesMax);
  return 1 + versionBytesMax + headBytesMax + valueBytes + uintBytesMax + appliedBytes + crcBytes;
}

/** Its value, without the sum. @returns the position behind it */
export function putRecord(
  buf: Buffer,
  pos: number,
  version: Version,
  value: Uint8Array | null,
  expiresAtMs: number,
  applied: AppliedList | null,
): number {
  buf[pos++] = 0x90 | recordElements;
  pos = putVersion(buf, pos, version);
  pos = putValue(buf, pos, value);
  pos = putUint(buf, pos, expiresAtMs);
  return putApplied(buf, pos, applied);
}

/** The sum of key and value, which lie from `start` to `pos`, behind them. @returns the position behind it */
export function putSum(buf: Buffer, start: number, pos: number): number {
  return buf.writeUInt32BE(crc32(buf.subarray(start, pos)), pos);
}

/** Value of a key that is not a record's. */
export function metaValue(key: Buffer, numbers: readonly number[]): Buffer {
  const buf = Buffer.allocUnsafe(1 + numbers.length * uintBytesMax);
  buf[0] = 0x90 | numbers.length;
  let pos = 1;
  for (const each of numbers) pos = putUint(buf, pos, each);
  return withSum(key, buf.subarray(0, pos));
}

export function withSum(key: Buffer, content: Buffer): Buffer {
  const value = Buffer.allocUnsafe(content.length + crcBytes);
  content.copy(value);
  value.writeUInt32BE(crc32(content, crc32(key)), content.length);
  return value;
}

/** What was saved is not what is there. */
export class Corruption extends Error {
  override readonly name = 'Corruption';
}

const reader = new MsgpackReader();
const noBytes = Buffer.alloc(0);

/** The value without its sum. @throws Corruption if the sum is wrong */
export function contentOf(key: Buffer, value: Buffer): Buffer {
  const end = value.length - crcBytes;
  if (end < 0 || crc32(value.subarray(0, end), crc32(key)) !== value.readUInt32BE(end))
    throw new Corruption(`a wrong sum at key ${key.subarray(0, 64).toString('hex')}`);
  return value.subarray(0, end);
}

/** @throws Corruption unless there are so many */
export function readMeta(key: Buffer, value: Buffer, count: number): number[] {
  const content = contentOf(key, value);
  reader.reset(content, 0, content.length);
  const numbers: number[] = [];
  if (reader.array() !== count) throw new Corruption(`a wrong length at key ${key.toString('hex')}`);
  for (let i = 0; i < count; i++) numbers.push(reader.uint());
  reader.reset(noBytes, 0, 0);
  return numbers;
}

export interface RecordContent {
  readonly version: MutableVersion;
  value: Uint8Array | null;
  expiresAtMs: number;
  applied: AppliedList | null;
}

/** Into `to`, whose value is a view. @throws Corruption */
export function readRecord(key: Buffer, value: Buffer, to: RecordContent): void {
  const content = contentOf(key, value);
  reader.reset(content, 0, content.length);
  if (reader.array() !== recordElements) throw new Corruption('a record of unknown form');
  readVersion(reader, to.version);
  to.value = readValue(reader);
  to.expiresAtMs = readUint(reader);
  to.applied = readApplied(reader);
  reader.done();
}
