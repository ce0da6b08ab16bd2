/**
 * The frames that nearly all requests are, read where they lie in the chunk they came in, in one go and into one object
 * (ADR 22): GET of a value; WRITE of a plain version, with a value, without end of life and list of conditional writes;
 * VALIDATE. Any other frame, and a form that this project's writer does not give its fields, is left to `MessageDecoder`:
 * what is accepted, and every error, is its own. And the answer that most GETs get, written as directly.
 */
import { Buffer } from 'node:buffer';
import { elementCounts, runLengthMax } from './hot-codec.js';
import { KeyView } from './key-view.js';
import { MessageType } from './message-type.js';
import type { PlainValue } from './messages.js';
import type { MsgpackWriter } from './msgpack-writer.js';
import { clientIdEnd } from './version.js';
import { put32, read32 } from './words.js';

const two32 = 0x100000000;
const noBytes = Buffer.alloc(0);
/** Of an array of up to 15 elements, or'ed with their number. */
const shortArray = 0x90;
const getHead = shortArray | elementCounts[MessageType.get];
const writeHead = shortArray | elementCounts[MessageType.write];
const valueHead = shortArray | elementCounts[MessageType.value];
/** An array with its length in two bytes, as runs are. */
const runHead = 0xdc;
/** Bytes of a VALUE frame beyond the value. */
const valueBytesBeyond = 40;
/** What is read before anything has been compared with the end of the frame. */
const getBytesAhead = 9;
const writeBytesAhead = 36;

/** Which of the types read here the frame may be, by its first bytes; 0: none. */
export function plainTypeOf(buf: Buffer, start: number): number {
  const head = buf[start];
  const type = buf[start + 1];
  if (head === getHead && type === MessageType.get) return type;
  if (head === writeHead && type === MessageType.write) return type;
  return head === runHead && buf[start + 3] === MessageType.validate ? MessageType.validate : 0;
}

/** Where the request ids of a run begin, and how far apart they are. */
export const firstRidAt = 4;
export const ridBytes = 5;

/** The request id at that place of a run. */
export function ridAt(buf: Buffer, at: number): number {
  return read32(buf, at + 1);
}

/** The fields of the frame read last; good as long as the chunk it lies in. */
export class PlainFrame {
  rid = 0;
  /** Of a WRITE, like all that follows but the key. */
  epoch = 0;
  hlc = 0;
  clientId = 0;
  readonly key = new KeyView();
  /** Where the value lies in the chunk. */
  valueAt = 0;
  valueLength = 0;
  /** Of the chunk: asking a Buffer for them takes longer than all the rest. */
  memory: ArrayBufferLike = noBytes.buffer;
  memoryOffset = 0;
  private at = 0;

  /** Reads a GET of the value; false: it is no such one. */
  readGet(buf: Buffer, start: number, end: number): boolean {
    if (buf.length - start < getBytesAhead) return false;
    this.at = start + 2;
    this.rid = this.uint(buf);
    if (this.rid < 0 || buf[this.at] !== 0xc2) return false;
    this.at++;
    return this.readKey(buf, end) && this.at === end;
  }

  /** Reads a plain WRITE of a value; false: it is no such one. */
  readWrite(buf: Buffer, start: number, end: number): boolean {
    if (buf.length - start < writeBytesAhead) return false;
    this.at = start + 2;
    this.rid = this.uint(buf);
    this.epoch = this.uint(buf);
    if (this.rid < 0 || this.epoch < 0 || buf[this.at] !== 0) return false;
    this.at++;
    if (!this.readVersion(buf)) return false;
    return this.readKey(buf, end) && this.readBytes(buf, end) && this.isAtEndOfWrite(buf, end);
  }

  /**
   * Looks through a VALIDATE: whether it has the length it says, and its request ids have five bytes each, from
   * `firstRidAt` to the end.
   */
  readValidate(buf: Buffer, start: number, end: number): boolean {
    const count = ((buf[start + 1] ?? 0) << 8) | (buf[start + 2] ?? 0);
    if (count < 2 || count - 1 > runLengthMax || end - start !== firstRidAt + (count - 1) * ridBytes)
      return false;
    for (let at = start + firstRidAt; at < end; at += ridBytes) if (buf[at] !== 0xce) return false;
    return true;
  }

  private readKey(buf: Buffer, end: number): boolean {
    const { key, at } = this;
    const token = buf[at] ?? 0;
    if ((token & 0xe0) === 0xa0) {
      key.length = token & 0x1f;
      key.at = at + 1;
    } else if (token === 0xd9 && at + 1 < end) {
      key.length = buf[at + 1] ?? 0;
      key.at = at + 2;
    } else {
      return false;
    }
    if (key.bytes !== buf) this.beginChunk(buf);
    this.at = key.at + key.length;
    return this.at <= end;
  }

  private beginChunk(buf: Buffer): void {
    this.key.bytes = buf;
    this.memory = buf.buffer;
    this.memoryOffset = buf.byteOffset;
  }

  /** The version of a plain write. */
  private readVersion(buf: Buffer): boolean {
    if (buf[this.at] !== 0xcf) return false;
    this.hlc = long(buf, this.at + 1);
    this.at += 9;
    if (buf[this.at] === 0xcf) {
      this.clientId = long(buf, this.at + 1);
      this.at += 9;
    } else {
      this.clientId = this.uint(buf);
    }
    if (this.hlc > Number.MAX_SAFE_INTEGER || this.clientId < 0 || this.clientId >= clientIdEnd) return false;
    if (buf[this.at] !== 0 || buf[this.at + 1] !== 0) return false;
    this.at += 2;
    return true;
  }

  /** A value, not nil. */
  private readBytes(buf: Buffer, end: number): boolean {
    const { at } = this;
    // A head of two bytes at least.
    if (end - at < 2) return false;
    const token = buf[at];
    if (token === 0xc4) {
      this.valueLength = buf[at + 1] ?? 0;
      this.valueAt = at + 2;
      return true;
    }
    if (token !== 0xc5 || end - at < 3) return false;
    this.valueLength = ((buf[at + 1] ?? 0) << 8) | (buf[at + 2] ?? 0);
    this.valueAt = at + 3;
    return true;
  }

  /** After the value come no end of life and no list, and nothing else. */
  private isAtEndOfWrite(buf: Buffer, end: number): boolean {
    return this.valueAt + this.valueLength + 2 === end && buf[end - 2] === 0 && buf[end - 1] === 0xc0;
  }

  /** The number at `at`, up to 32 bits; -1: something else is there. */
  private uint(buf: Buffer): number {
    const { at } = this;
    const token = buf[at] ?? 0;
    if (token < 0x80) {
      this.at = at + 1;
      return token;
    }
    if (token === 0xce) {
      this.at = at + 5;
      return read32(buf, at + 1);
    }
    if (token === 0xcd) {
      this.at = at + 3;
      return ((buf[at + 1] ?? 0) << 8) | (buf[at + 2] ?? 0);
    }
    this.at = at + 2;
    return token === 0xcc ? (buf[at + 1] ?? 0) : -1;
  }
}

function long(buf: Buffer, at: number): number {
  return read32(buf, at) * two32 + read32(buf, at + 4);
}

/** Appends the frame of a VALUE: that value is what the key has. It may have 64 KiB less than a byte. */
export function encodePlainValue(writer: MsgpackWriter, rid: number, value: PlainValue): void {
  const { hlc, clientId, length } = value;
  writer.ensure(valueBytesBeyond + length);
  const { buf, pos: start } = writer;
  buf[start + 4] = valueHead;
  buf[start + 5] = MessageType.value;
  buf[start + 6] = 0xce;
  put32(buf, start + 7, rid);
  buf[start + 11] = 0xc3;
  buf[start + 12] = 0xcf;
  put32(buf, start + 13, (hlc / two32) >>> 0);
  put32(buf, start + 17, hlc >>> 0);
  buf[start + 21] = 0xcf;
  put32(buf, start + 22, (clientId / two32) >>> 0);
  put32(buf, start + 26, clientId >>> 0);
  buf[start + 30] = 0;
  buf[start + 31] = 0;
  let at = start + 34;
  if (length < 0x100) {
    buf[start + 32] = 0xc4;
    buf[start + 33] = length;
  } else {
    buf[start + 32] = 0xc5;
    buf[start + 33] = length >>> 8;
    buf[at++] = length;
  }
  buf.set(new Uint8Array(value.memory, value.at, length), at);
  at += length;
  put32(buf, start, at - start - 4);
  writer.pos = at;
}
