/**
 * Decides, in one pass and without decoding, whether untrusted bytes are exactly one well-formed msgpack value
 * that this project speaks. What passes can be decoded by a plain, unchecked reader. Nothing is allocated but one
 * view for each text that is long or not ASCII.
 *
 * Refused besides malformed bytes:
 *  - extension types, timestamps included: a library may run code of its own choice on them;
 *  - map keys that are not strings, since maps become JS objects;
 *  - the key `__proto__`, which as an assignment would change the object's prototype. Only this one: `constructor`,
 *    `prototype` and `toString` assigned to a fresh object are ordinary own properties, and users may store them.
 *  - text that is not UTF-8, since decoders repair it each in their own way;
 *  - nesting beyond a bound. The scan itself is iterative: hostile depth cannot overflow the JS stack.
 *
 * A declared count is compared with the bytes left before it is believed: an item takes at least one byte.
 */
import { Buffer, isUtf8 } from 'node:buffer';
import { ProtocolError } from './errors.js';

/** Bytes that are not the msgpack expected at `offset`. */
export class MsgpackError extends ProtocolError {
  readonly reason: string;
  /** Index of the byte in the scanned or written buffer. */
  readonly offset: number;

  constructor(reason: string, offset: number) {
    super(`${reason} at byte ${offset}`);
    this.reason = reason;
    this.offset = offset;
  }
}

export interface ScanOptions {
  /** How many arrays and maps may be open at once; default {@link scanDepthMax}. */
  readonly depthMax?: number;
  /** How many values, map keys and containers included, there may be; default no limit but the bytes. */
  readonly itemsMax?: number;
  /** How many maps there may be, since of a byte each they become objects of many; default no limit but the bytes. */
  readonly mapsMax?: number;
}

export const scanDepthMax = 32;

/** Up to here a loop is quicker than calling out for the vectorised check. */
const shortTextLength = 48;

/** What remains of the containers around the current one. Grown to the deepest `depthMax` ever asked for. */
let outerItems: number[] = new Array<number>(scanDepthMax).fill(0);
let outerIsMap: boolean[] = new Array<boolean>(scanDepthMax).fill(false);

/**
 * Checks that [start, end) of `buf` holds one acceptable msgpack value and nothing else.
 *
 * @throws MsgpackError naming what is wrong and where
 */
export function scanMsgpack(buf: Uint8Array, start: number, end: number, options?: ScanOptions): void {
  if (!(start >= 0 && start <= end && end <= buf.length))
    throw new MsgpackError('a range outside the buffer', start);
  const depthMax = options?.depthMax ?? scanDepthMax;
  const itemsMax = options?.itemsMax ?? Infinity;
  let mapsLeft = options?.mapsMax ?? Infinity;
  if (outerItems.length < depthMax) {
    outerItems = new Array<number>(depthMax).fill(0);
    outerIsMap = new Array<boolean>(depthMax).fill(false);
  }
  let pos = start;
  let depth = 0;
  let items = 0;
  /** Items still to come in the innermost container; a map counts keys and values. The value itself is one item. */
  let left = 1;
  let isMap = false;

  for (;;) {
    while (left === 0) {
      if (depth === 0) {
        if (pos < end) throw new MsgpackError(`${end - pos} bytes after the value`, pos);
        return;
      }
      depth--;
      left = outerItems[depth] ?? 0;
      isMap = outerIsMap[depth] ?? false;
    }
    // Keys and values alternate and a map starts with an even number of items: even means that a key is due.
    const isKey = isMap && (left & 1) === 0;
    left--;
    if (++items > itemsMax) throw new MsgpackError(`more than ${itemsMax} items`, pos);
    if (pos >= end) throw new MsgpackError('the bytes end inside the value', pos);

    const at = pos;
    const token = buf[pos++] ?? 0;
    /** Payload bytes of a scalar; -1: `count` items follow instead. */
    let payload = 0;
    let count = 0;
    let isText = false;
    if (token < 0x80 || token >= 0xe0) {
      // a fixint, complete as it is
    } else if (token < 0xa0) {
      payload = -1;
      count = token & 0x0f;
    } else if (token < 0xc0) {
      isText = true;
      payload = token & 0x1f;
    } else {
      const width = headerWidths[token - 0xc0] ?? 0;
      if (width < 0) {
        throw new MsgpackError(token === 0xc1 ? 'the never-used byte 0xc1' : 'an extension type', at);
      }
      if (width > end - pos) throw new MsgpackError('the bytes end inside the value', end);
      if (hasLength(token)) {
        const length = readLength(buf, pos, width);
        pos += width;
        if (token >= 0xdc) {
          payload = -1;
          count = length;
        } else {
          isText = token >= 0xd9;
          payload = length;
        }
      } else {
        payload = width;
      }
    }

    if (payload >= 0) {
      if (payload > end - pos) throw new MsgpackError(`${payload} bytes declared, ${end - pos} left`, at);
      if (isText) {
        if (!isUtf8Text(buf, pos, pos + payload)) throw new MsgpackError('text that is not UTF-8', at);
        if (isKey && payload === 9 && isProto(buf, pos)) throw new MsgpackError('the key __proto__', at);
      } else if (isKey) {
        throw new MsgpackError('a map key that is not a string', at);
      }
      pos += payload;
      continue;
    }

    if (isKey) throw new MsgpackError('a map key that is not a string', at);
    const opensMap = (token & 0xf0) === 0x80 || token >= 0xde;
    if (opensMap && --mapsLeft < 0) throw new MsgpackError('too many maps', at);
    const bytesMin = opensMap ? 2 * count : count;
    if (bytesMin > end - pos) throw new MsgpackError(`${count} items declared, ${end - pos} bytes left`, at);
    if (depth >= depthMax) throw new MsgpackError(`nesting deeper than ${depthMax}`, at);
    outerItems[depth] = left;
    outerIsMap[depth] = isMap;
    depth++;
    left = bytesMin;
    isMap = opensMap;
  }
}

/**
 * For each token from 0xc0 to 0xdf, the bytes that follow it: a length (see {@link hasLength}) or the scalar
 * itself. -1: refused.
 */
// prettier-ignore
const headerWidths: readonly number[] = [
  0, -1, 0, 0,                // nil, never used, false, true
  1, 2, 4,                    // bin 8, 16, 32: a length
  -1, -1, -1,                 // ext 8, 16, 32
  4, 8,                       // float 32, 64
  1, 2, 4, 8, 1, 2, 4, 8,     // uint 8 to 64, int 8 to 64
  -1, -1, -1, -1, -1,         // fixext 1 to 16
  1, 2, 4,                    // str 8, 16, 32: a length
  2, 4, 2, 4,                 // array 16, 32, map 16, 32: a count
];

function hasLength(token: number): boolean {
  return token >= 0xd9 || (token >= 0xc4 && token <= 0xc6);
}

function readLength(buf: Uint8Array, pos: number, width: number): number {
  let length = 0;
  for (let i = 0; i < width; i++) length = length * 256 + (buf[pos + i] ?? 0);
  return length;
}

/** Whether [start, end) is UTF-8: no overlong forms, no surrogates, nothing cut short. */
function isUtf8Text(buf: Uint8Array, start: number, end: number): boolean {
  if (end - start <= shortTextLength) {
    let bits = 0;
    for (let i = start; i < end; i++) bits |= buf[i] ?? 0;
    if (bits < 0x80) return true;
  }
  return isUtf8(buf.subarray(start, end));
}

const proto = Buffer.from('__proto__');

function isProto(buf: Uint8Array, pos: number): boolean {
  for (let i = 0; i < proto.length; i++) if (buf[pos + i] !== proto[i]) return false;
  return true;
}
