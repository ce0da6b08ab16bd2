/**
 * Fields of hot messages, quicker than by MsgpackWriter and MsgpackReader, which serve everything else: a WRITE is
 * encoded in two thirds and decoded in under half of their time.
 *
 * Writing threads the position through (`pos = putUint(buf, pos, n)`) and leaves it to the caller to have made room
 * once for the whole message: `uintBytesMax` and `versionBytesMax` say for how much. Reading knows the forms that
 * this writer produces and leaves all others, bad ones included, to the reader it was given: what is accepted, and
 * every error, is the reader's.
 */
import { Buffer } from 'node:buffer';
import { ProtocolError } from './errors.js';
import type { KeyView } from './key-view.js';
import type { MsgpackReader } from './msgpack-reader.js';
import { clientIdEnd } from './version.js';
import type { MutableVersion, Version } from './version.js';
import { put32, read32 } from './words.js';

export const uintBytesMax = 9;
export const versionBytesMax = 4 * uintBytesMax;
/** Of a str or bin, beyond its bytes. */
export const headBytesMax = 5;

const two32 = 0x100000000;
/** Up to here a loop over char codes is quicker than calling out. */
const shortKeyLength = 32;
const wideChar = /[^\0-\xff]/;

/** @throws ProtocolError unless `n` is a safe integer, 0 or above */
export function putUint(buf: Buffer, pos: number, n: number): number {
  if (n >>> 0 !== n) return putUint64(buf, pos, n);
  if (n < 0x80) {
    buf[pos] = n;
    return pos + 1;
  }
  if (n < 0x10000) {
    if (n < 0x100) {
      buf[pos] = 0xcc;
      buf[pos + 1] = n;
      return pos + 2;
    }
    buf[pos] = 0xcd;
    buf[pos + 1] = n >>> 8;
    buf[pos + 2] = n;
    return pos + 3;
  }
  buf[pos] = 0xce;
  return put32(buf, pos + 1, n);
}

function putUint64(buf: Buffer, pos: number, n: number): number {
  if (!(n >= 0) || !Number.isSafeInteger(n)) throw new ProtocolError(`${n} as an unsigned integer`);
  buf[pos] = 0xcf;
  put32(buf, pos + 1, (n / two32) >>> 0);
  return put32(buf, pos + 5, n >>> 0);
}

export function putBool(buf: Buffer, pos: number, value: boolean): number {
  buf[pos] = value ? 0xc3 : 0xc2;
  return pos + 1;
}

export function putVersion(buf: Buffer, pos: number, version: Version): number {
  pos = putUint(buf, pos, version.hlc);
  pos = putUint(buf, pos, version.clientId);
  pos = putUint(buf, pos, version.seq);
  return putUint(buf, pos, version.epoch);
}

/** Key bytes as a str. @throws ProtocolError for a char code above 255 */
export function putKey(buf: Buffer, pos: number, key: string): number {
  const { length } = key;
  if (length < 32) buf[pos++] = 0xa0 | length;
  else pos = putHead(buf, pos, 0xd9, length);
  if (length > shortKeyLength) {
    if (wideChar.test(key)) throw new ProtocolError('a char code above 255 in key bytes');
    return pos + buf.write(key, pos, length, 'latin1');
  }
  let codes = 0;
  for (let i = 0; i < length; i++) {
    const code = key.charCodeAt(i);
    codes |= code;
    buf[pos + i] = code;
  }
  if (codes > 0xff) throw new ProtocolError('a char code above 255 in key bytes');
  return pos + length;
}

/** bin, or nil for null. */
export function putValue(buf: Buffer, pos: number, value: Uint8Array | null): number {
  if (value === null) {
    buf[pos] = 0xc0;
    return pos + 1;
  }
  pos = putHead(buf, pos, 0xc4, value.length);
  buf.set(value, pos);
  return pos + value.length;
}

/** `token` and a byte of length, or the tokens after it with 2 and 4 bytes. */
function putHead(buf: Buffer, pos: number, token: number, length: number): number {
  if (length < 0x100) {
    buf[pos] = token;
    buf[pos + 1] = length;
    return pos + 2;
  }
  if (length < 0x10000) {
    buf[pos] = token + 1;
    buf[pos + 1] = length >>> 8;
    buf[pos + 2] = length;
    return pos + 3;
  }
  buf[pos] = token + 2;
  return put32(buf, pos + 1, length);
}

/** An integer from 0 to 2^53 - 1. @throws ProtocolError for anything else */
export function readUint(reader: MsgpackReader): number {
  const { buf, pos } = reader;
  if (reader.end - pos >= 5) {
    const token = buf[pos] ?? 0;
    if (token < 0x80) {
      reader.pos = pos + 1;
      return token;
    }
    if (token === 0xce) {
      reader.pos = pos + 5;
      return read32(buf, pos + 1);
    }
  }
  return reader.uint();
}

/** The same, for numbers of which most have more than 32 bits. */
export function readLongUint(reader: MsgpackReader): number {
  const { buf, pos } = reader;
  if (reader.end - pos >= 9 && buf[pos] === 0xcf) {
    const high = read32(buf, pos + 1);
    if (high < 0x200000) {
      reader.pos = pos + 9;
      return high * two32 + read32(buf, pos + 5);
    }
  }
  return readUint(reader);
}

/** Into `version`, which is half overwritten if this throws. @throws ProtocolError unless four integers follow */
export function readVersion(reader: MsgpackReader, version: MutableVersion): void {
  const { buf, pos } = reader;
  // The version of a plain write: two long numbers and two zeros.
  if (reader.end - pos >= 20 && buf[pos] === 0xcf && buf[pos + 9] === 0xcf) {
    const hlcHigh = read32(buf, pos + 1);
    const clientHigh = read32(buf, pos + 10);
    if (hlcHigh < 0x200000 && clientHigh < 0x10000 && buf[pos + 18] === 0 && buf[pos + 19] === 0) {
      version.hlc = hlcHigh * two32 + read32(buf, pos + 5);
      version.clientId = clientHigh * two32 + read32(buf, pos + 14);
      version.seq = 0;
      version.epoch = 0;
      reader.pos = pos + 20;
      return;
    }
  }
  version.hlc = reader.uint();
  version.clientId = reader.uint();
  if (version.clientId >= clientIdEnd) throw new ProtocolError(`a writer with id ${version.clientId}`);
  version.seq = reader.uint();
  version.epoch = reader.uint();
}

/** Key bytes. @throws ProtocolError unless a str of up to `bytesMax` bytes follows */
export function readKey(reader: MsgpackReader, bytesMax: number): string {
  const { buf, pos } = reader;
  const length = (buf[pos] ?? 0) - 0xa0;
  if (length < 0 || length >= 32 || length > reader.end - pos - 1) return reader.latin1Str(bytesMax);
  reader.pos = pos + 1 + length;
  return buf.toString('latin1', pos + 1, pos + 1 + length);
}

/** Where the key bytes lie, into `view`. @throws ProtocolError unless a str of up to `bytesMax` bytes follows */
export function readKeyView(reader: MsgpackReader, bytesMax: number, view: KeyView): void {
  const { buf, pos } = reader;
  let length = (buf[pos] ?? 0) - 0xa0;
  if (length < 0 || length >= 32 || length > reader.end - pos - 1) length = reader.str(bytesMax);
  else reader.pos = pos + 1 + length;
  view.bytes = buf;
  view.at = reader.pos - length;
  view.length = length;
}

/**
 * The same as `readValue`, as a Buffer: for values that are to be decoded, which would make one of them. A plain view is
 * quicker to make.
 */
export function readValueBuffer(reader: MsgpackReader): Buffer | null {
  const { buf, pos, end } = reader;
  if (pos + 1 < end && buf[pos] === 0xc4) {
    const length = buf[pos + 1] ?? 0;
    if (length <= end - pos - 2) {
      reader.pos = pos + 2 + length;
      return Buffer.from(reader.memory, reader.memoryOffset + pos + 2, length);
    }
  }
  return reader.tryNil() ? null : reader.bin();
}

/** A view of the buffer, or null for nil. @throws ProtocolError unless bin or nil follows */
export function readValue(reader: MsgpackReader): Uint8Array | null {
  const { buf, pos, end } = reader;
  const token = pos < end ? buf[pos] : 0;
  if (token === 0xc0) {
    reader.pos = pos + 1;
    return null;
  }
  if (token === 0xc4 && pos + 1 < end) {
    const length = buf[pos + 1] ?? 0;
    if (length <= end - pos - 2) {
      reader.pos = pos + 2 + length;
      return new Uint8Array(reader.memory, reader.memoryOffset + pos + 2, length);
    }
  }
  return reader.bin();
}
