/**
 * Cuts a byte stream into frames. A frame is a u32 big-endian payload length, then that many bytes of payload.
 *
 * The idea: most frames lie wholly inside one chunk, so they are handed on where they are, as (buffer, start, end),
 * without a copy and without an object per frame. Only what a chunk leaves unfinished is copied, into one buffer
 * that grows geometrically.
 *
 * Invariants:
 *  - Memory follows bytes received, never the declared length: at most twice what has come of the unfinished frame
 *    (and at least `partialBytesMin`), or a spare buffer of at most 16 times that. Four bytes that announce 16 MiB cost nothing.
 *  - Work is linear in the bytes received, however they are cut.
 *  - No chunk is retained once `push` has returned.
 *  - Whatever ends a push early - a bad length, `stop()`, a callback that throws - ends the decoder: the place in
 *    the stream is lost, and reading on would take payload for lengths.
 */
import { Buffer } from 'node:buffer';
import { ProtocolError } from './errors.js';
import { giveBuffer, takeBuffer, takeSpare } from './spare-buffers.js';
import { read32 } from './words.js';

/** A length no frame may have; the stream cannot be read past it. */
export class FrameError extends ProtocolError {}

/** `buffer` holds the payload in [start, end), and only until the callback returns. */
export type OnFrame = (buffer: Buffer, start: number, end: number) => void;

const headerLength = 4;
const partialBytesMin = 64;
/** A spare buffer is taken for a frame of which at least an eighth has come. */
const aheadMax = 8;
const noBytes = Buffer.alloc(0);

export class FrameDecoder {
  private readonly frameBytesMax: number;
  private ended = false;
  /** How many of the four length bytes have come, and what they say so far. */
  private headerBytes = 0;
  private declared = 0;
  /** The first `received` bytes of an unfinished payload. */
  private partial: Buffer = noBytes;
  private received = 0;

  /** @param frameBytesMax - longest payload accepted, in bytes */
  constructor(frameBytesMax: number) {
    this.frameBytesMax = frameBytesMax;
  }

  /** Bytes held of a frame that is not complete yet, its length bytes included. */
  get bufferedBytes(): number {
    return this.headerBytes + this.received;
  }

  /** Memory that is taken for them. */
  get heldBytes(): number {
    return this.partial.length;
  }

  /**
   * Takes the next bytes of the stream and calls `onFrame` once for each frame they complete, in order.
   * Not re-entrant: `onFrame` must not push. After an error or `stop()` every push is ignored.
   *
   * @throws FrameError on a length of 0 or above `frameBytesMax`; and whatever `onFrame` throws
   */
  push(chunk: Buffer, onFrame: OnFrame): void {
    if (this.ended) return;
    try {
      this.cut(chunk, onFrame);
    } catch (error) {
      this.stop();
      throw error;
    }
  }

  /** Ends the decoder and lets go of its memory. Called from within `onFrame`, it drops the rest of the chunk. */
  stop(): void {
    this.ended = true;
    giveBuffer(this.partial);
    this.expectHeader();
  }

  private cut(chunk: Buffer, onFrame: OnFrame): void {
    const { length } = chunk;
    let pos = 0;
    while (pos < length) {
      if (this.headerBytes < headerLength) {
        pos = this.readHeader(chunk, pos, length);
        if (this.headerBytes < headerLength) return;
      }
      const start = pos;
      const missing = this.declared - this.received;
      if (length - start < missing) {
        this.keep(chunk, start, length);
        return;
      }
      pos = start + missing;
      if (this.received === 0) {
        this.expectHeader();
        onFrame(chunk, start, pos);
      } else {
        this.keep(chunk, start, pos);
        const { partial, received } = this;
        this.expectHeader();
        onFrame(partial, 0, received);
        giveBuffer(partial);
      }
      if (this.ended) return;
    }
  }

  /** @returns the position after the length bytes that `chunk` has. */
  private readHeader(chunk: Buffer, pos: number, length: number): number {
    if (this.headerBytes === 0 && length - pos >= headerLength) {
      this.declared = read32(chunk, pos);
      this.headerBytes = headerLength;
      pos += headerLength;
    } else {
      while (this.headerBytes < headerLength && pos < length) {
        this.declared = this.declared * 256 + (chunk[pos++] ?? 0);
        this.headerBytes++;
      }
      if (this.headerBytes < headerLength) return pos;
    }
    if (this.declared === 0) throw new FrameError('a frame of 0 bytes');
    if (this.declared > this.frameBytesMax) {
      throw new FrameError(`a frame of ${this.declared} bytes; the limit is ${this.frameBytesMax}`);
    }
    return pos;
  }

  private keep(chunk: Buffer, start: number, end: number): void {
    const needed = this.received + (end - start);
    if (needed > this.partial.length) {
      const grown = this.takeRoom(needed);
      this.partial.copy(grown, 0, 0, this.received);
      giveBuffer(this.partial);
      this.partial = grown;
    }
    chunk.copy(this.partial, this.received, start, end);
    this.received = needed;
  }

  /** Room for the whole frame, if a good part of it has come and a spare buffer is there; else for what has come, and as much again. */
  private takeRoom(needed: number): Buffer {
    const { declared } = this;
    const spare = needed * aheadMax < declared ? undefined : takeSpare(declared);
    if (spare !== undefined) return spare;
    const capacity = Math.max(needed, 2 * this.partial.length, partialBytesMin);
    return takeBuffer(Math.min(capacity, declared));
  }

  private expectHeader(): void {
    this.headerBytes = 0;
    this.declared = 0;
    this.received = 0;
    this.partial = noBytes;
  }
}
