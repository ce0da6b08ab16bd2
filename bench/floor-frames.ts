/**
 * Frames of the floor: as long as GTStore's for the same operation, otherwise hand-made. A frame is a u32 length, a
 * type byte, a u32 request id, and filling.
 */
import { encodeMessage } from '../src/protocol/codec.js';
import { MessageType, WriteKind } from '../src/protocol/messages.js';
import type { Message } from '../src/protocol/messages.js';
import { MsgpackWriter } from '../src/protocol/msgpack-writer.js';
import { encodeValue } from '../src/protocol/value-codec.js';
import { put32, read32 } from '../src/protocol/words.js';
import { keyBytes, makeValue } from './workload.js';

/** `getOfUsual` is answered with a value of the usual size, whatever size the server is for. */
export const FloorType = { put: 1, get: 2, ack: 3, value: 4, getOfUsual: 5 } as const;

/** Frames with their length and type in place, to be copied and given a request id. */
export type FloorFrames = Readonly<Record<keyof typeof FloorType, Buffer>>;

/** Where the request id lies in a frame. */
export const ridOffset = 5;
const headBytes = 9;

/** For values of so many bytes. */
export function makeFrames(valueBytes: number): FloorFrames {
  const version = { hlc: 2 ** 50, clientId: 2 ** 47, seq: 0, epoch: 0 };
  const rid = 2 ** 31;
  const key = 'k'.repeat(keyBytes);
  const value = encodeValue(makeValue(valueBytes));
  const write = { rid, epoch: 1, kind: WriteKind.plain, version, key, value, expiresAtMs: 0, applied: null };
  return {
    put: template(FloorType.put, { type: MessageType.write, ...write }),
    get: template(FloorType.get, { type: MessageType.get, rid, versionOnly: false, key }),
    ack: template(FloorType.ack, { type: MessageType.ack, rid }),
    value: template(FloorType.value, { type: MessageType.value, rid, present: true, version, value }),
    getOfUsual: template(FloorType.getOfUsual, { type: MessageType.get, rid, versionOnly: false, key }),
  };
}

function template(type: number, ours: Message): Buffer {
  const writer = new MsgpackWriter();
  encodeMessage(writer, ours);
  const frame = Buffer.alloc(writer.pos, 0x78);
  frame.writeUInt32BE(frame.length - 4, 0);
  frame[4] = type;
  return frame;
}

/** Cuts chunks into frames and hands on type and request id; of what a chunk leaves unfinished only the head is kept. */
export class FloorReader {
  readonly #onFrame: (type: number, rid: number) => void;
  readonly #head = Buffer.alloc(headBytes);
  #held = 0;
  /** What is still to come of the frame whose head is held. */
  #restBytes = 0;

  constructor(onFrame: (type: number, rid: number) => void) {
    this.#onFrame = onFrame;
  }

  read(chunk: Uint8Array, length: number): void {
    let pos = this.#held > 0 ? this.#finish(chunk, length) : 0;
    while (length - pos >= headBytes) {
      const end = pos + 4 + read32(chunk, pos);
      if (end > length) break;
      this.#onFrame(chunk[pos + 4] ?? 0, read32(chunk, pos + ridOffset));
      pos = end;
    }
    if (pos < length) this.#hold(chunk, pos, length);
  }

  /** Goes on with the frame that an earlier chunk began. @returns where the next one begins */
  #finish(chunk: Uint8Array, length: number): number {
    let pos = 0;
    if (this.#held < headBytes) {
      pos = Math.min(headBytes - this.#held, length);
      this.#hold(chunk, 0, pos);
      if (this.#held < headBytes) return length;
    }
    const count = Math.min(this.#restBytes, length - pos);
    this.#restBytes -= count;
    if (this.#restBytes > 0) return length;
    this.#held = 0;
    this.#onFrame(this.#head[4] ?? 0, read32(this.#head, ridOffset));
    return pos + count;
  }

  #hold(chunk: Uint8Array, pos: number, end: number): void {
    const count = Math.min(headBytes - this.#held, end - pos);
    this.#head.set(chunk.subarray(pos, pos + count), this.#held);
    this.#held += count;
    if (this.#held === headBytes)
      this.#restBytes = 4 + read32(this.#head, 0) - headBytes - (end - pos - count);
  }
}

const bufferBytes = 256 * 1024;

/** Collects frames and writes them once a loop turn, from buffers that are used again. */
export class FloorWriter {
  readonly #write: (bytes: Uint8Array, done: () => void) => void;
  readonly #free: Buffer[] = [];
  #buffer: Buffer = Buffer.allocUnsafeSlow(bufferBytes);
  #pos = 0;
  #isDue = false;

  constructor(write: (bytes: Uint8Array, done: () => void) => void) {
    this.#write = write;
  }

  append(frame: Buffer, rid: number): void {
    if (this.#pos + frame.length > bufferBytes) this.#flush();
    if (frame.length > bufferBytes) {
      this.#appendLarge(frame, rid);
      return;
    }
    const buffer = this.#buffer;
    const pos = this.#pos;
    buffer.set(frame, pos);
    put32(buffer, pos + ridOffset, rid);
    this.#pos = pos + frame.length;
    if (this.#isDue) return;
    this.#isDue = true;
    setImmediate(this.#onDue);
  }

  /** Only the head is copied. */
  #appendLarge(frame: Buffer, rid: number): void {
    const head = Buffer.from(frame.subarray(0, headBytes));
    head.writeUInt32BE(rid, ridOffset);
    const nothing = (): void => undefined;
    this.#write(head, nothing);
    this.#write(frame.subarray(headBytes), nothing);
  }

  readonly #onDue = (): void => {
    this.#isDue = false;
    this.#flush();
  };

  #flush(): void {
    const buffer = this.#buffer;
    if (this.#pos === 0) return;
    this.#write(buffer.subarray(0, this.#pos), () => this.#free.push(buffer));
    this.#buffer = this.#free.pop() ?? Buffer.allocUnsafeSlow(bufferBytes);
    this.#pos = 0;
  }
}
