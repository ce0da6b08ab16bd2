/**
 * The second half of decodeValue: makes a value of bytes that scanMsgpack has passed. They are in range, their text
 * is UTF-8, keys are strings other than `__proto__`, depth is bounded; so nothing of that is checked again here.
 * What is made shares no memory with the bytes.
 */
import { type Buffer } from 'node:buffer';
import { MsgpackError } from './msgpack-scan.js';
import { type StoreValue } from './value-codec.js';

const keyCacheSize = 512;
const cachedKeyBytesMax = 24;
/** Values of one kind repeat their keys: ASCII strings by a hash of their bytes. */
const keyCache = new Array<string>(keyCacheSize).fill('');

export class ScannedReader {
  private readonly buf: Buffer;
  private pos = 0;

  constructor(buf: Buffer) {
    this.buf = buf;
  }

  /** @throws MsgpackError for a 64-bit integer that no double equals surely */
  read(): StoreValue {
    const { buf } = this;
    const token = buf[this.pos++] ?? 0;
    if (token < 0x80) return token;
    if (token < 0x90) return this.object(token & 0x0f);
    if (token < 0xa0) return this.array(token & 0x0f);
    if (token < 0xc0) return this.text(token & 0x1f);
    if (token >= 0xe0) return token - 0x100;
    switch (token) {
      case 0xc2:
        return false;
      case 0xc3:
        return true;
      case 0xc4:
      case 0xc5:
      case 0xc6:
        return this.bytes(this.length(1 << (token - 0xc4)));
      case 0xca:
        return buf.readFloatBE(this.step(4));
      case 0xcb:
        return buf.readDoubleBE(this.step(8));
      case 0xcc:
        return buf.readUInt8(this.step(1));
      case 0xcd:
        return buf.readUInt16BE(this.step(2));
      case 0xce:
        return buf.readUInt32BE(this.step(4));
      case 0xcf:
      case 0xd3:
        return this.integer64(token === 0xd3);
      case 0xd0:
        return buf.readInt8(this.step(1));
      case 0xd1:
        return buf.readInt16BE(this.step(2));
      case 0xd2:
        return buf.readInt32BE(this.step(4));
      case 0xd9:
      case 0xda:
      case 0xdb:
        return this.text(this.length(1 << (token - 0xd9)));
      case 0xdc:
      case 0xdd:
        return this.array(this.length(token === 0xdc ? 2 : 4));
      case 0xde:
      case 0xdf:
        return this.object(this.length(token === 0xde ? 2 : 4));
      default: // 0xc0; the scan lets no other token through
        return null;
    }
  }

  private array(length: number): StoreValue[] {
    const array: StoreValue[] = [];
    for (let i = 0; i < length; i++) array.push(this.read());
    return array;
  }

  private object(size: number): Record<string, StoreValue> {
    const object: Record<string, StoreValue> = {};
    for (let i = 0; i < size; i++) {
      const key = this.key();
      object[key] = this.read();
    }
    return object;
  }

  private key(): string {
    const { buf } = this;
    const token = buf[this.pos++] ?? 0;
    const length = token < 0xc0 ? token & 0x1f : this.length(1 << (token - 0xd9));
    if (length === 0 || length > cachedKeyBytesMax) return this.text(length);
    const start = this.pos;
    const last = buf[start + length - 1] ?? 0;
    const slot =
      (length * 31 + (buf[start] ?? 0) * 7 + (buf[start + (length >> 1)] ?? 0) * 3 + last) % keyCacheSize;
    const cached = keyCache[slot] ?? '';
    if (cached.length === length) {
      let i = 0;
      while (i < length && cached.charCodeAt(i) === buf[start + i]) i++;
      if (i === length) {
        this.pos = start + length;
        return cached;
      }
    }
    const key = this.text(length);
    // As many chars as bytes: ASCII. Others must not be cached, since chars are compared with bytes.
    if (key.length === length) keyCache[slot] = key;
    return key;
  }

  private text(length: number): string {
    const from = this.step(length);
    return this.buf.toString('utf8', from, this.pos);
  }

  private bytes(length: number): Uint8Array {
    const from = this.step(length);
    return new Uint8Array(this.buf.subarray(from, this.pos));
  }

  private integer64(signed: boolean): number {
    const at = this.step(8);
    const high = signed ? this.buf.readInt32BE(at) : this.buf.readUInt32BE(at);
    const value = high * 0x100000000 + this.buf.readUInt32BE(at + 4);
    if (!Number.isSafeInteger(value)) throw new MsgpackError('an integer beyond 2^53 - 1', at - 1);
    return value;
  }

  private length(width: number): number {
    const from = this.step(width);
    return this.buf.readUIntBE(from, width);
  }

  private step(bytes: number): number {
    const from = this.pos;
    this.pos = from + bytes;
    return from;
  }
}
