/**
 * Reads msgpack by hand from [start, end) of a buffer, for codecs that know the layout of what they read. Nothing is
 * believed: every read is checked against `end`, every count against the bytes left. Any valid form of a value is
 * accepted, not just the smallest.
 *
 * One reader serves many frames: `reset` points it at the next. Only results are allocated.
 */
import { Buffer } from 'node:buffer';
import { MsgpackError } from './msgpack-scan.js';

const noBytes = Buffer.alloc(0);
/** 2^53: from here on not every integer is a double. */
const highWordMax = 0x1fffff;

export class MsgpackReader {
  buf: Buffer = noBytes;
  pos = 0;
  end = 0;
  /** What `buf` is a part of, and where it begins there: asking a Buffer for it is slow. */
  memory: ArrayBufferLike = noBytes.buffer;
  memoryOffset = 0;
  private size = 0;

  /** @throws MsgpackError if [start, end) is not within `buf` */
  reset(buf: Buffer, start: number, end: number): void {
    if (buf !== this.buf) {
      this.buf = buf;
      this.memory = buf.buffer;
      this.memoryOffset = buf.byteOffset;
      this.size = buf.length;
    }
    if (!(start >= 0 && start <= end && end <= this.size)) {
      throw new MsgpackError('a range outside the buffer', start);
    }
    this.pos = start;
    this.end = end;
  }

  /** An integer from 0 to 2^53 - 1, in whichever integer form, signed ones included. */
  uint(): number {
    const at = this.pos;
    const token = this.token();
    if (token < 0x80) return token;
    switch (token) {
      case 0xcc:
        return this.buf[this.take(1)] ?? 0;
      case 0xcd:
        return this.buf.readUInt16BE(this.take(2));
      case 0xce:
        return this.buf.readUInt32BE(this.take(4));
      case 0xd0:
        return this.unsigned(this.buf.readInt8(this.take(1)), at);
      case 0xd1:
        return this.unsigned(this.buf.readInt16BE(this.take(2)), at);
      case 0xd2:
        return this.unsigned(this.buf.readInt32BE(this.take(4)), at);
      case 0xcf:
      case 0xd3: {
        // A negative int 64 has a high word above the bound as well.
        const from = this.take(8);
        const high = this.buf.readUInt32BE(from);
        if (high > highWordMax) return this.fail('an integer outside 0 to 2^53 - 1', at);
        return high * 0x100000000 + this.buf.readUInt32BE(from + 4);
      }
      default:
        return this.expected('an unsigned integer', token, at);
    }
  }

  bool(): boolean {
    const at = this.pos;
    const token = this.token();
    if (token === 0xc3) return true;
    if (token === 0xc2) return false;
    return this.expected('true or false', token, at);
  }

  /** Whether nil comes next; consumes nothing. */
  isNil(): boolean {
    return this.pos < this.end && this.buf[this.pos] === 0xc0;
  }

  /** Consumes nil if it comes next. */
  tryNil(): boolean {
    const nil = this.isNil();
    if (nil) this.pos++;
    return nil;
  }

  /** A view of the buffer: copy what is to outlive the buffer. */
  bin(): Buffer {
    const at = this.pos;
    const token = this.token();
    if (token < 0xc4 || token > 0xc6) return this.expected('binary', token, at);
    const length = this.length(1 << (token - 0xc4));
    const from = this.take(length);
    return this.buf.subarray(from, from + length);
  }

  /**
   * Key bytes: a string in which each char code is one byte of the msgpack str. Whether the bytes are UTF-8 is not
   * looked at.
   *
   * @param bytesMax - longest accepted
   */
  latin1Str(bytesMax: number): string {
    const length = this.str(bytesMax);
    return this.buf.toString('latin1', this.pos - length, this.pos);
  }

  /**
   * Steps over a str.
   *
   * @param bytesMax - longest accepted
   * @returns how many bytes it has; they end at `pos`
   */
  str(bytesMax: number): number {
    const at = this.pos;
    const token = this.token();
    let length: number;
    if (token >= 0xa0 && token < 0xc0) length = token & 0x1f;
    else if (token >= 0xd9 && token <= 0xdb) length = this.length(1 << (token - 0xd9));
    else return this.expected('a string', token, at);
    if (length > bytesMax) return this.fail(`a string of ${length} bytes; the limit is ${bytesMax}`, at);
    this.take(length);
    return length;
  }

  /** @returns how many items follow; never more than there are bytes left */
  array(): number {
    const at = this.pos;
    const token = this.token();
    let count: number;
    if (token >= 0x90 && token < 0xa0) count = token & 0x0f;
    else if (token === 0xdc || token === 0xdd) count = this.length(token === 0xdc ? 2 : 4);
    else return this.expected('an array', token, at);
    if (count > this.end - this.pos) {
      return this.fail(`${count} items declared, ${this.end - this.pos} bytes left`, at);
    }
    return count;
  }

  /** Ends the frame: there must be nothing more in it. */
  done(): void {
    if (this.pos !== this.end) this.fail(`${this.end - this.pos} bytes too many`, this.pos);
  }

  private token(): number {
    return this.buf[this.take(1)] ?? 0;
  }

  /** Steps over `bytes` bytes. @returns where they begin */
  private take(bytes: number): number {
    const from = this.pos;
    if (bytes > this.end - from) this.fail(`${bytes} bytes needed, ${this.end - from} left`, from);
    this.pos = from + bytes;
    return from;
  }

  private length(width: number): number {
    const from = this.take(width);
    if (width === 1) return this.buf[from] ?? 0;
    return width === 2 ? this.buf.readUInt16BE(from) : this.buf.readUInt32BE(from);
  }

  private unsigned(value: number, at: number): number {
    return value >= 0 ? value : this.fail(`${value} as an unsigned integer`, at);
  }

  private expected(what: string, token: number, at: number): never {
    return this.fail(`expected ${what}, found byte 0x${token.toString(16).padStart(2, '0')}`, at);
  }

  private fail(reason: string, at: number): never {
    throw new MsgpackError(reason, at);
  }
}
