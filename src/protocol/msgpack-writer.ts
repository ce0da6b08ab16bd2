/**
 * Writes msgpack by hand into one growing buffer, for codecs that know the layout of what they write. Always the
 * smallest form. Output is [0, pos) of `buf`; `buf` is replaced when it grows, so read it afterwards, not before.
 *
 * Each method ensures its own room. A method that throws has written nothing.
 */
import { Buffer } from 'node:buffer';
import { MsgpackError } from './msgpack-scan.js';
import { takeBuffer } from './spare-buffers.js';
import { put32 } from './words.js';

/** Up to here a loop over char codes is quicker than calling out; within the 31 bytes of a fixstr. */
const shortTextLength = 31;
const lengthMax = 0xffffffff;
const wideChar = /[^\0-\xff]/;
const loneSurrogate = /\p{Surrogate}/u;

export class MsgpackWriter {
  buf: Buffer;
  pos = 0;

  /** @param bytesInitial - room to begin with */
  constructor(bytesInitial = 1024) {
    this.buf = Buffer.allocUnsafeSlow(bytesInitial);
  }

  /** Starts over in the same buffer. */
  reset(): void {
    this.pos = 0;
  }

  /** Makes room for `bytes` more; at least doubles the buffer when it must grow. The one before is left to whoever has it. */
  ensure(bytes: number): void {
    if (bytes > this.buf.length - this.pos) this.grow(bytes);
  }

  private grow(bytes: number): void {
    const grown = takeBuffer(Math.max(this.pos + bytes, 2 * this.buf.length));
    this.buf.copy(grown, 0, 0, this.pos);
    this.buf = grown;
  }

  nil(): void {
    this.ensure(1);
    this.buf[this.pos++] = 0xc0;
  }

  bool(value: boolean): void {
    this.ensure(1);
    this.buf[this.pos++] = value ? 0xc3 : 0xc2;
  }

  /**
   * @param value - a safe integer, 0 or above
   * @throws MsgpackError for any other number
   */
  uint(value: number): void {
    if (!Number.isSafeInteger(value) || value < 0)
      throw new MsgpackError(`${value} as an unsigned integer`, this.pos);
    this.ensure(9);
    const { buf } = this;
    let pos = this.pos;
    if (value < 0x80) {
      buf[pos++] = value;
    } else if (value < 0x100) {
      buf[pos++] = 0xcc;
      buf[pos++] = value;
    } else if (value < 0x10000) {
      buf[pos++] = 0xcd;
      buf[pos++] = value >>> 8;
      buf[pos++] = value;
    } else if (value < 0x100000000) {
      buf[pos++] = 0xce;
      pos = put32(buf, pos, value);
    } else {
      buf[pos++] = 0xcf;
      pos = put32(buf, pos, value / 0x100000000);
      pos = put32(buf, pos, value);
    }
    this.pos = pos;
  }

  /** Any double, exactly: safe integers as integers, -0 and all others as float 64. */
  number(value: number): void {
    if (!Number.isSafeInteger(value) || Object.is(value, -0)) {
      this.ensure(9);
      this.buf[this.pos] = 0xcb;
      this.buf.writeDoubleBE(value, this.pos + 1);
      this.pos += 9;
    } else if (value >= 0) {
      this.uint(value);
    } else {
      this.negative(value);
    }
  }

  private negative(value: number): void {
    this.ensure(9);
    const { buf } = this;
    let pos = this.pos;
    // A typed array keeps the low bits of what is assigned: two's complement for free.
    if (value >= -0x20) {
      buf[pos++] = value;
    } else if (value >= -0x80) {
      buf[pos++] = 0xd0;
      buf[pos++] = value;
    } else if (value >= -0x8000) {
      buf[pos++] = 0xd1;
      buf[pos++] = value >> 8;
      buf[pos++] = value;
    } else if (value >= -0x80000000) {
      buf[pos++] = 0xd2;
      pos = put32(buf, pos, value);
    } else {
      buf[pos++] = 0xd3;
      pos = put32(buf, pos, Math.floor(value / 0x100000000));
      pos = put32(buf, pos, value);
    }
    this.pos = pos;
  }

  /**
   * @param length - of bytes that may say something else of themselves, what they are
   * @throws MsgpackError for more than 4 GiB - 1
   */
  bin(bytes: Uint8Array, length = bytes.length): void {
    this.ensure(5 + length);
    this.head(length, 0, 0, 0xc4);
    this.buf.set(bytes, this.pos);
    this.pos += length;
  }

  /**
   * Writes key bytes: each char code of `text` is one byte of a UTF-8 string.
   *
   * @throws MsgpackError for a char code above 255
   */
  latin1Str(text: string): void {
    const { length } = text;
    if (length <= shortTextLength) {
      if (this.shortText(text) > 0xff) throw this.wide();
      this.pos += 1 + length;
      return;
    }
    if (wideChar.test(text)) throw this.wide();
    this.ensure(5 + length);
    this.head(length, 0xa0, 32, 0xd9);
    this.pos += this.buf.write(text, this.pos, length, 'latin1');
  }

  /** Writes any JS string as UTF-8. @returns false, having written nothing, if it has a lone surrogate. */
  tryStr(text: string): boolean {
    const { length } = text;
    if (length <= shortTextLength && this.shortText(text) < 0x80) {
      this.pos += 1 + length;
      return true;
    }
    const bytes = utf8Length(text);
    if (bytes < 0) return false;
    this.ensure(5 + bytes);
    this.head(bytes, 0xa0, 32, 0xd9);
    this.pos += this.buf.write(text, this.pos, bytes, 'utf8');
    return true;
  }

  private wide(): MsgpackError {
    return new MsgpackError('a char code above 255 in key bytes', this.pos);
  }

  /**
   * Lays a fixstr of one byte per char after `pos`, which stays where it is until the caller has judged the answer.
   * @returns all char codes or-ed together: what is below a power of two was below it in each
   */
  private shortText(text: string): number {
    const { length } = text;
    this.ensure(1 + length);
    const { buf } = this;
    let pos = this.pos;
    buf[pos++] = 0xa0 | length;
    let codes = 0;
    for (let i = 0; i < length; i++) {
      const code = text.charCodeAt(i);
      codes |= code;
      buf[pos++] = code;
    }
    return codes;
  }

  /** The head of an array of `count` items, which the caller writes next. */
  array(count: number): void {
    this.ensure(5);
    this.head(count, 0x90, 16, 0xdb);
  }

  /** The head of a map of `count` entries; the caller writes each key and its value next. */
  map(count: number): void {
    this.ensure(5);
    this.head(count, 0x80, 16, 0xdd);
  }

  /**
   * The short form holds n below `shortMax` in `shortToken`. The long forms are `token`, +1 and +2 with 1, 2 and 4
   * bytes of length; arrays and maps have no 1-byte form, and pass the token that would have been it.
   */
  private head(n: number, shortToken: number, shortMax: number, token: number): void {
    const { buf } = this;
    let pos = this.pos;
    if (n < shortMax) {
      buf[pos++] = shortToken | n;
    } else if (n < 0x100 && token < 0xdb) {
      buf[pos++] = token;
      buf[pos++] = n;
    } else if (n < 0x10000) {
      buf[pos++] = token + 1;
      buf[pos++] = n >>> 8;
      buf[pos++] = n;
    } else {
      if (n > lengthMax) throw new MsgpackError(`a length of ${n}`, pos);
      buf[pos++] = token + 2;
      pos = put32(buf, pos, n);
    }
    this.pos = pos;
  }
}

/** Bytes of `text` in UTF-8; -1 if it has a lone surrogate, which UTF-8 cannot say. */
export function utf8Length(text: string): number {
  const bytes = Buffer.byteLength(text, 'utf8');
  // As many bytes as char codes: all ASCII.
  return bytes !== text.length && loneSurrogate.test(text) ? -1 : bytes;
}
