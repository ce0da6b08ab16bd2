/**
 * The bytes of a part of a snapshot.
 *
 * A part begins with `GTSNAP` and a big-endian u16, the version of the format. Then come blocks: u32 length and u32 CRC-32
 * of what follows, which are records one after the other. A record is a u32 length and a msgpack array `[key, expiry,
 * value]`: the key as a string; the expiry in milliseconds since 1970, 0 for never; the value as bytes that are themselves
 * msgpack, as the cluster holds it.
 */
import { crc32 } from 'node:zlib';
import { MsgpackReader } from '../protocol/msgpack-reader.js';
import { MsgpackError } from '../protocol/msgpack-scan.js';
import { MsgpackWriter } from '../protocol/msgpack-writer.js';
import { fromKeyBytes, toKeyBytes } from '../protocol/partition.js';

/** Raised with every incompatible change of parts or manifest. */
export const formatVersion = 1;

const magic = Buffer.from('GTSNAP');
export const partHeadBytes = magic.length + 2;
export const blockHeadBytes = 8;
const recordHeadBytes = 4;
/** Of a record beside key and value: array head, heads of key and value, expiry. */
const recordOverheadBytes = recordHeadBytes + 1 + 5 + 9 + 5;
/** A block is closed when it has as many bytes as this. */
const blockBytesAimed = 256 * 1024;

/** What a snapshot keeps of a key. */
export interface SnapshotRecord {
  readonly key: string;
  /** msgpack. */
  readonly valueBytes: Uint8Array;
  /** As `Date.now()` counts; undefined: never. */
  readonly expiresAtMs: number | undefined;
}

/** Longest block there can be when no key and no value is longer than this. */
export function blockBytesMax(keyBytesMax: number, valueBytesMax: number): number {
  return blockBytesAimed + recordOverheadBytes + keyBytesMax + valueBytesMax;
}

export function partHead(): Buffer {
  const head = Buffer.alloc(partHeadBytes);
  magic.copy(head);
  head.writeUInt16BE(formatVersion, magic.length);
  return head;
}

/** @returns the version of the format, or undefined if these bytes do not begin a part */
export function versionOfHead(head: Buffer): number | undefined {
  return head.length >= partHeadBytes && head.subarray(0, magic.length).equals(magic)
    ? head.readUInt16BE(magic.length)
    : undefined;
}

/** Collects records until they make a block. */
export class BlockWriter {
  readonly #writer = new MsgpackWriter(blockBytesAimed + 64 * 1024);

  constructor() {
    this.#writer.pos = blockHeadBytes;
  }

  get isEmpty(): boolean {
    return this.#writer.pos === blockHeadBytes;
  }

  get isFull(): boolean {
    return this.#writer.pos >= blockHeadBytes + blockBytesAimed;
  }

  add({ key, valueBytes, expiresAtMs = 0 }: SnapshotRecord): void {
    const writer = this.#writer;
    writer.ensure(recordHeadBytes);
    const from = writer.pos;
    writer.pos += recordHeadBytes;
    writer.array(3);
    writer.latin1Str(toKeyBytes(key));
    writer.uint(expiresAtMs);
    writer.bin(valueBytes);
    writer.buf.writeUInt32BE(writer.pos - from - recordHeadBytes, from);
  }

  /** The block so far, head included: good until the next call of `add`, which begins a new one. */
  take(): Buffer {
    const { buf, pos } = this.#writer;
    const block = buf.subarray(0, pos);
    block.writeUInt32BE(pos - blockHeadBytes, 0);
    block.writeUInt32BE(crc32(block.subarray(blockHeadBytes)), 4);
    this.#writer.pos = blockHeadBytes;
    return block;
  }
}

/** @returns whether the content is what the head of the block speaks of */
export function isWhole(content: Buffer, crc: number): boolean {
  return crc32(content) === crc;
}

/**
 * The records of a block, head excluded; their values are views onto it.
 * @throws MsgpackError if they are no records
 */
export function* recordsOf(content: Buffer): Generator<SnapshotRecord> {
  const reader = new MsgpackReader();
  for (let pos = 0; pos < content.length;) {
    if (content.length - pos < recordHeadBytes) throw new MsgpackError('a record without a length', pos);
    const from = pos + recordHeadBytes;
    pos = from + content.readUInt32BE(pos);
    if (pos > content.length) throw new MsgpackError('a record that goes beyond its block', from);
    reader.reset(content, from, pos);
    if (reader.array() !== 3) throw new MsgpackError('a record without three fields', from);
    const key = fromKeyBytes(reader.latin1Str(content.length));
    const expiresAtMs = reader.uint();
    const valueBytes = reader.bin();
    reader.done();
    yield { key, valueBytes, expiresAtMs: expiresAtMs === 0 ? undefined : expiresAtMs };
  }
}
