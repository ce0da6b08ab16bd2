/**
 * User values to msgpack and back: what comes back equals what went in, or `encodeValue` says why it cannot.
 *
 * Bytes and strings at the top level are the hot path and are laid out directly. All else is one walk that checks
 * while it writes into a scratch buffer, and on the way back one scan that checks (msgpack-scan.ts) and one reader
 * that then need not (value-reader.ts). What is given back shares no memory with what came in, either way.
 *
 * The bytes are ordinary msgpack; the tests hold them against two libraries. Why no library writes them: msgpackr
 * loses the sign of -0, and a leading U+FEFF of longer strings where its native addon is missing; it refuses
 * objects of more than 65,535 keys, gives back a Buffer for a Uint8Array and leaves a property on the buffers it
 * reads. To mend each, every value would be walked before and after it; that walk may as well write.
 */
import { Buffer, isUtf8 } from 'node:buffer';
import { MsgpackError, scanMsgpack } from './msgpack-scan.js';
import { MsgpackWriter, utf8Length } from './msgpack-writer.js';
import { giveBuffer } from './spare-buffers.js';
import { loneSurrogate, refusal, ValueError, valuePath, ValueTooLargeError } from './value-error.js';
import { ScannedReader } from './value-reader.js';

/**
 * What a key can hold. Any number is kept exactly, NaN, the infinities and -0 included; strings must be well-formed
 * Unicode; objects must be plain, and come back with the ordinary prototype; a Buffer comes back as a Uint8Array.
 */
export type StoreValue =
  | string
  | number
  | boolean
  | null
  | Uint8Array
  | readonly StoreValue[]
  | { readonly [key: string]: StoreValue };

/** How many arrays and objects may lie inside one another. */
export const valueDepthMax = 32;

/** A scratch buffer that grew above this is not kept. */
const scratchBytesMax = 64 * 1024;

/** undefined while in use: a getter inside a value may itself store a value. */
let scratch: MsgpackWriter | undefined;

/**
 * @param bytesMax - longest encoding allowed, in bytes; a longer one is given up before it costs much more than that
 * @throws ValueError naming the part of the value that cannot be stored
 * @throws ValueTooLargeError if the encoding would have more than `bytesMax` bytes
 */
export function encodeValue(value: StoreValue, bytesMax = Infinity): Buffer {
  if (typeof value === 'string') {
    if (value.length > bytesMax) throw new ValueTooLargeError(bytesMax);
    const bytes = utf8Length(value);
    if (bytes < 0) throw new ValueError(valuePath([]), loneSurrogate);
    const out = allocate(bytes, 0xa0, 32, 0xd9, bytesMax);
    // As many bytes as char codes: all ASCII, for which latin1 is the same in half of the time.
    out.write(value, out.length - bytes, bytes, bytes === value.length ? 'latin1' : 'utf8');
    return out;
  }
  if (isBytes(value)) {
    const bytes = byteLength.call(value);
    const out = allocate(bytes, 0, 0, 0xc4, bytesMax);
    out.set(value, out.length - bytes);
    return out;
  }
  const writer = scratch ?? new MsgpackWriter(4096);
  scratch = undefined;
  try {
    writer.reset();
    new ValueWalk(writer, value, bytesMax).write(value, 0);
    const out = Buffer.allocUnsafe(writer.pos);
    writer.buf.copy(out, 0, 0, writer.pos);
    return out;
  } finally {
    if (writer.buf.length <= scratchBytesMax) scratch = writer;
    else giveBuffer(writer.buf);
  }
}

/** Room for exactly one str or bin of `length` bytes, its head written (as MsgpackWriter does it). */
function allocate(
  length: number,
  shortToken: number,
  shortMax: number,
  token: number,
  bytesMax: number,
): Buffer {
  const head = length < shortMax ? 1 : length < 0x100 ? 2 : length < 0x10000 ? 3 : 5;
  if (head + length > bytesMax) throw new ValueTooLargeError(bytesMax);
  const out = Buffer.allocUnsafe(head + length);
  if (head === 1) {
    out[0] = shortToken | length;
  } else if (head === 2) {
    out[0] = token;
    out[1] = length;
  } else if (head === 3) {
    out[0] = token + 1;
    out.writeUInt16BE(length, 1);
  } else {
    out[0] = token + 2;
    out.writeUInt32BE(length, 1);
  }
  return out;
}

type Getter<T> = (this: unknown) => T;
/** What an array of bytes is and how long, whatever its own properties, its class and its prototype say. */
const typedArray = Object.getPrototypeOf(Uint8Array.prototype) as object;
const brand = getterOf(Symbol.toStringTag) as Getter<string | undefined>;
const byteLength = getterOf('byteLength') as Getter<number>;

function getterOf(name: string | symbol): Getter<unknown> {
  return (Object.getOwnPropertyDescriptor(typedArray, name) as { get: Getter<unknown> }).get;
}

function isBytes(value: unknown): value is Uint8Array {
  return brand.call(value) === 'Uint8Array';
}

/** Writes one value depth first. A cycle ends at the depth limit, at the first descent. */
class ValueWalk {
  private readonly writer: MsgpackWriter;
  private readonly root: unknown;
  private readonly bytesMax: number;
  /** Keys and indexes that lead from the root to the value at hand; what lies beyond its depth is stale. */
  private readonly path: (string | number)[] = [];

  constructor(writer: MsgpackWriter, root: unknown, bytesMax: number) {
    this.writer = writer;
    this.root = root;
    this.bytesMax = bytesMax;
  }

  write(value: unknown, depth: number): void {
    const { writer } = this;
    if (typeof value === 'string') {
      this.checkRoom(value.length);
      if (!writer.tryStr(value)) this.fail(depth, loneSurrogate);
    } else if (typeof value === 'number') writer.number(value);
    else if (typeof value === 'boolean') writer.bool(value);
    else if (value === null) writer.nil();
    else if (Array.isArray(value)) this.writeArray(value, depth);
    else if (isBytes(value)) this.writeBytes(value);
    else if (isPlainObject(value)) this.writeObject(value, depth);
    else this.fail(depth, refusal(value));
    this.checkRoom(0);
  }

  /** Before `bytes` or more are written. A string has at least as many as it has char codes. */
  private checkRoom(bytes: number): void {
    if (bytes > this.bytesMax - this.writer.pos) throw new ValueTooLargeError(this.bytesMax);
  }

  private writeBytes(value: Uint8Array): void {
    const bytes = byteLength.call(value);
    this.checkRoom(bytes);
    this.writer.bin(value, bytes);
  }

  private writeArray(array: readonly unknown[], depth: number): void {
    // Array.prototype, of whichever realm, is itself an array; a subclass's prototype is not.
    if (!Array.isArray(Object.getPrototypeOf(array))) this.fail(depth, refusal(array));
    this.descend(array, depth);
    const { length } = array;
    this.writer.array(length);
    for (let i = 0; i < length; i++) {
      this.path[depth] = i;
      const item = array[i];
      if (item === undefined && !(i in array))
        this.fail(depth + 1, 'a hole in an array cannot be stored; store null');
      this.write(item, depth + 1);
    }
    // Indexes come first, and all are there.
    const extra = Object.keys(array)[length];
    if (extra !== undefined) {
      this.path[depth] = extra;
      this.fail(depth + 1, 'a named property of an array cannot be stored; store an object');
    }
  }

  private writeObject(object: Readonly<Record<string, unknown>>, depth: number): void {
    this.descend(object, depth);
    const keys = Object.keys(object);
    this.writer.map(keys.length);
    for (const key of keys) {
      this.path[depth] = key;
      if (key === '__proto__') this.fail(depth + 1, 'the key __proto__ cannot be stored; use another name');
      this.checkRoom(key.length);
      if (!this.writer.tryStr(key)) this.fail(depth + 1, `as a key, ${loneSurrogate}`);
      this.write(object[key], depth + 1);
    }
  }

  /** What holds for arrays and objects alike. */
  private descend(container: object, depth: number): void {
    if (depth >= valueDepthMax) {
      const cyclic = this.encloses(container, depth);
      this.fail(
        depth,
        cyclic ? 'a cycle cannot be stored' : `nesting deeper than ${valueDepthMax} cannot be stored`,
      );
    }
    const symbol = Object.getOwnPropertySymbols(container)[0];
    if (symbol !== undefined)
      this.fail(depth, `the symbol key ${String(symbol)} cannot be stored; use a string`);
  }

  /** Whether one of the containers around depth `depth` is `container`, or is met twice. */
  private encloses(container: object, depth: number): boolean {
    const open = new Set<unknown>([container]);
    let at = this.root;
    for (let i = 0; i < depth; i++) {
      if (open.has(at)) return true;
      open.add(at);
      at = (at as Record<string | number, unknown>)[this.path[i] ?? ''];
    }
    return false;
  }

  private fail(depth: number, reason: string): never {
    throw new ValueError(valuePath(this.path.slice(0, depth)), reason);
  }
}

/** No prototype, or the Object.prototype of this realm or another. */
export function isPlainObject(value: unknown): value is Record<string, unknown> {
  if (typeof value !== 'object' || value === null) return false;
  const proto = Object.getPrototypeOf(value) as object | null;
  if (proto === Object.prototype || proto === null) return true;
  return Object.getPrototypeOf(proto) === null && Object.hasOwn(proto, 'isPrototypeOf');
}

const scanOptions = { depthMax: valueDepthMax };

/**
 * @param bytes - one encoded value, from wherever; it may be overwritten afterwards
 * @throws MsgpackError if the bytes are not what `encodeValue` or another msgpack writer makes of a StoreValue
 */
export function decodeValue(bytes: Uint8Array): StoreValue {
  const buf = Buffer.isBuffer(bytes) ? bytes : Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const token = buf[0] ?? 0;
  const payload = loneHeadLength(buf, token);
  if (payload > 0) {
    if (token >= 0xc4 && token <= 0xc6) return new Uint8Array(buf.subarray(payload));
    const text = buf.toString('utf8', payload);
    // Decoding puts U+FFFD wherever it finds no UTF-8: without one there is nothing to check.
    if (text.includes('\ufffd') && !isUtf8(buf.subarray(payload))) {
      throw new MsgpackError('text that is not UTF-8', 0);
    }
    return text;
  }
  scanMsgpack(buf, 0, buf.length, scanOptions);
  return new ScannedReader(buf).read();
}

/** If `buf` is one str or bin from end to end: where its payload begins. Else 0, and the scan will tell. */
function loneHeadLength(buf: Buffer, token: number): number {
  const { length } = buf;
  if (token >= 0xa0 && token < 0xc0) return length === 1 + (token & 0x1f) ? 1 : 0;
  if (token === 0xc4 || token === 0xd9) return length >= 2 && length === 2 + (buf[1] ?? 0) ? 2 : 0;
  if (token === 0xc5 || token === 0xda) return length >= 3 && length === 3 + buf.readUInt16BE(1) ? 3 : 0;
  if (token === 0xc6 || token === 0xdb) return length >= 5 && length === 5 + buf.readUInt32BE(1) ? 5 : 0;
  return 0;
}
