/**
 * The outgoing side of one connection: messages are encoded straight into a pooled chunk, which is handed to the
 * socket as it is when the connection is flushed.
 *
 * Invariants:
 *  - A chunk returns to the pool when the system has taken its bytes: nearly always at once, else when the write has
 *    called back. Until then it is not touched.
 *  - While a write is under way nothing more is given to the socket: what comes meanwhile fills chunks here. So a
 *    peer that does not read costs the bytes that wait for it, at most twice over, not a chunk per flush.
 *  - Of what the system does not take at once, at most a burst is given to the socket at a time. So the end of a
 *    write says that the peer takes bytes, even in the middle of a message that a slow line needs many seconds for.
 *    Bursts are longer where they are quick: short ones cost a fast line a quarter of its bandwidth.
 *  - A connection with nothing to send holds no chunk.
 *
 * The first `slabChunks` chunks lie side by side in one slab, so that a frame for several connections can be
 * copied from chunk to chunk by `copyWithin`: 25 ns instead of 80-160 for a view and a `set`, or for encoding anew.
 */
import { Buffer } from 'node:buffer';
import { encodeMessage } from '../protocol/codec.js';
import { extendRun, isRun, runLengthMax } from '../protocol/hot-codec.js';
import type { RunMessage } from '../protocol/hot-codec.js';
import type { Message, PlainValue } from '../protocol/messages.js';
import { MsgpackWriter } from '../protocol/msgpack-writer.js';
import { encodePlainValue } from '../protocol/plain-frame.js';
import { giveBuffer } from '../protocol/spare-buffers.js';
import { nothingLazy } from './flusher.js';
import type { Flushable } from './flusher.js';
import { fullRatio } from './options.js';
import { monotonicMs } from './real-time.js';

const chunkBytes = 64 * 1024;
/** From here on a chunk is full. What is left has room for most messages, so that only large ones make it grow. */
const chunkFullBytes = chunkBytes / 2;
const burstBytesMin = 4 * chunkBytes;
const burstBytesMax = 8 * chunkBytes;
/** A burst that is over sooner makes the next one twice as long, one that takes longer half as long. */
const burstMsQuick = 25;
const burstMsSlow = 100;
/** A frame of so many bytes for several connections is not copied to each. */
const sharedBytesMin = chunkBytes;
/** As good as all. (Infinity is no integer, and one connection that ends would cost all the others their compiled code.) */
const finalBytesMax = 1 << 30;
const slabChunks = 64;
/** Further ones that are made when they are needed, each by itself. */
const looseChunksMax = 3 * slabChunks;
/**
 * With more connections than that in one turn of the loop, as in a process of a thousand clients, each has little to say: room for
 * some messages, and it grows for more. Making and dropping large chunks took a millisecond an operation.
 */
const smallChunkBytes = 2 * 1024;
const smallChunksAtOnce = 64;

interface Chunk {
  readonly buf: Buffer;
  /** Where it begins in the slab; -1: somewhere else. */
  readonly offset: number;
  /** Where it returns to; undefined: a large message made it grow out of one of those. */
  readonly pool: Chunk[] | undefined;
  /** Connections that send it, beyond one. */
  shares: number;
}

const slab = Buffer.allocUnsafeSlow(slabChunks * chunkBytes);
const freeChunks: Chunk[] = [];
for (let offset = slab.length - chunkBytes; offset >= 0; offset -= chunkBytes) {
  freeChunks.push({ buf: slab.subarray(offset, offset + chunkBytes), offset, pool: freeChunks, shares: 0 });
}

const freeSmallChunks: Chunk[] = [];
let looseChunks = 0;

/** Last in, first out: what was used just now is still in the processor's cache. */
function takeChunk(): Chunk {
  const free = freeChunks.pop();
  if (free !== undefined) return free;
  if (looseChunks === looseChunksMax) return takeSmallChunk();
  looseChunks++;
  return looseChunk(Buffer.allocUnsafeSlow(chunkBytes), freeChunks);
}

function takeSmallChunk(): Chunk {
  const free = freeSmallChunks.pop();
  if (free !== undefined) return free;
  const room = Buffer.allocUnsafeSlow(smallChunksAtOnce * smallChunkBytes);
  for (let begin = smallChunkBytes; begin < room.length; begin += smallChunkBytes)
    freeSmallChunks.push(smallChunk(room, begin));
  return smallChunk(room, 0);
}

function smallChunk(room: Buffer, begin: number): Chunk {
  return looseChunk(room.subarray(begin, begin + smallChunkBytes), freeSmallChunks);
}

function looseChunk(buf: Buffer, pool: Chunk['pool']): Chunk {
  return { buf, offset: -1, pool, shares: 0 };
}

function releaseChunk(chunk: Chunk): void {
  if (chunk.shares > 0) chunk.shares--;
  else if (chunk.pool === undefined) giveBuffer(chunk.buf);
  else chunk.pool.push(chunk);
}

const noChunk = looseChunk(Buffer.alloc(0), undefined);

/** Where bytes go, and who is told about it. */
export interface Sink {
  /**
   * @returns true: the system has taken the bytes; false: `written` is called once, later, when they are out of our
   *   hands
   */
  write(bytes: Buffer, written: (error?: Error | null) => void): boolean;
  /**
   * Writes were finished; `bufferedBefore` bytes waited until then. `progress`: the system had not taken them all at
   * once, so that the peer's must have made room.
   */
  onWritten(bufferedBefore: number, progress: boolean): void;
  /** The system has not taken everything at once: `heldBytes` may have changed. */
  onWaiting?(): void;
  /** More than `bytesMax` wait. The sink ends the connection. */
  onOverflow(): void;
}

/** [`at`, `end`) of the chunk are to be sent. */
interface Filled {
  readonly chunk: Chunk;
  readonly end: number;
  at: number;
}

/** What waits in the socket; `chunk` is free when it has written this. */
interface Piece {
  readonly bytes: number;
  readonly chunk: Chunk | undefined;
}

export class Outgoing implements Flushable {
  flushDue = false;
  lazyDue = false;
  lazyTick = nothingLazy;
  /** Calls of `Sink.write` so far. */
  writes = 0;
  /** How many bytes may wait for the peer before it is given up. */
  bytesMax = burstBytesMin;
  private readonly sink: Sink;
  private readonly nowMs: () => number;
  /** Its buffer is that of the current chunk, unless a large message made it grow. */
  private readonly writer = new MsgpackWriter(0);
  /** `noChunk` while there is nothing to send. */
  private chunk = noChunk;
  /** The run that is the last frame of the current chunk, if `runEnd` is where the chunk ends so far. */
  private runType: RunMessage['type'] | 0 = 0;
  private runStart = 0;
  private runEnd = -1;
  private runLength = 0;
  /** Chunks that were filled since the last flush. */
  private readonly waiting: Filled[] = [];
  private waitingBytes = 0;
  /** What the system has not taken at once, oldest first. */
  private readonly inFlight: Piece[] = [];
  private inFlightBytes = 0;
  private burstBytes = burstBytesMin;
  /** Of the one under way: since when, and whether it is as long as it may be. */
  private burstBeganMs = -Infinity;
  private burstIsWhole = false;
  private flushAfterwards = false;
  private discarded = false;
  /** Of writes that were under way when this was discarded. */
  private callbacksMissing = 0;

  constructor(sink: Sink, nowMs: () => number = monotonicMs) {
    this.sink = sink;
    this.nowMs = nowMs;
  }

  /** Bytes encoded and not yet known to have left this process. */
  get bufferedBytes(): number {
    return this.discarded ? 0 : this.writer.pos + this.waitingBytes + this.inFlightBytes;
  }

  /** From so many on it is full. */
  get fullBytes(): number {
    return this.bytesMax * fullRatio;
  }

  get isFull(): boolean {
    return this.bufferedBytes > this.fullBytes;
  }

  /** `bufferedBytes` with what has left already out of a frame whose rest waits: it is in one buffer with that. */
  get heldBytes(): number {
    return this.bufferedBytes === 0 ? 0 : this.bufferedBytes + (this.waiting[0]?.at ?? 0);
  }

  /**
   * Encodes a message to the end of the current chunk: as a frame of its own, or as one more of a run.
   *
   * @returns the bytes that were added
   * @throws TypeError as `encodeMessage`
   */
  append(message: Message): number {
    this.makeRoom();
    const { writer } = this;
    const start = writer.pos;
    if (!isRun(message)) encodeMessage(writer, message);
    // What is no request id is found out by the codec.
    else if (this.isRunOf(message.type) && message.rid >>> 0 === message.rid) this.extend(message.rid);
    else this.beginRun(message.type, message.rid);
    return writer.pos - start;
  }

  /** The same as to append that message. */
  appendRid(type: RunMessage['type'], rid: number): void {
    if (this.isRunOf(type)) {
      this.extend(rid);
    } else {
      this.makeRoom();
      this.beginRun(type, rid);
    }
  }

  /** The same as to append a VALUE. */
  appendPlainValue(rid: number, value: PlainValue): void {
    this.makeRoom();
    encodePlainValue(this.writer, rid, value);
  }

  /** The last frame is a run of that type, and may become longer. */
  private isRunOf(type: RunMessage['type']): boolean {
    return this.runEnd === this.writer.pos && this.runType === type && this.runLength < runLengthMax;
  }

  private extend(rid: number): void {
    extendRun(this.writer, this.runStart, rid);
    this.runLength++;
    this.runEnd = this.writer.pos;
  }

  private beginRun(type: RunMessage['type'], rid: number): void {
    const start = this.writer.pos;
    this.runEnd = -1;
    encodeMessage(this.writer, { type, rid });
    this.runType = type;
    this.runStart = start;
    this.runLength = 1;
    this.runEnd = this.writer.pos;
  }

  /** Appends the frame that was the last one appended to `from`, of that many bytes. A large one is sent from where it is. */
  appendLastOf(from: Outgoing, bytes: number): void {
    if (bytes >= sharedBytesMin) {
      this.share(from, bytes);
      return;
    }
    this.makeRoom();
    const { writer } = this;
    writer.ensure(bytes);
    const { buf, pos } = writer;
    const { buf: source, pos: sourceEnd } = from.writer;
    if (
      buf === this.chunk.buf &&
      source === from.chunk.buf &&
      this.chunk.offset >= 0 &&
      from.chunk.offset >= 0
    ) {
      const end = from.chunk.offset + sourceEnd;
      slab.copyWithin(this.chunk.offset + pos, end - bytes, end);
    } else {
      source.copy(buf, pos, sourceEnd - bytes, sourceEnd);
    }
    writer.pos = pos + bytes;
  }

  private share(from: Outgoing, bytes: number): void {
    from.setAside();
    const filled = from.waiting.at(-1);
    this.setAside();
    if (this.bufferedBytes > this.bytesMax) this.sink.onOverflow();
    if (this.discarded || filled === undefined) return;
    filled.chunk.shares++;
    this.waiting.push({ chunk: filled.chunk, at: filled.end - bytes, end: filled.end });
    this.waitingBytes += bytes;
  }

  /** Gives the socket what is buffered; while an earlier write is under way, as soon as that is done. */
  flush(): void {
    this.lazyTick = nothingLazy;
    if (this.discarded || this.bufferedBytes === this.inFlightBytes) return;
    if (this.inFlight.length > 0) {
      this.flushAfterwards = true;
      if (this.bufferedBytes > this.bytesMax) this.sink.onOverflow();
      else this.sink.onWaiting?.();
      return;
    }
    this.writeUpTo(this.burstBytes);
  }

  /** Gives the socket everything, for the last time. */
  flushFinally(): void {
    if (!this.discarded) this.writeUpTo(finalBytesMax);
  }

  /** Forgets everything. What the socket holds returns to the pool when it has called back for all of it. */
  discard(): void {
    if (this.discarded) return;
    this.discarded = true;
    this.setAside();
    this.callbacksMissing = this.inFlight.length;
    // The socket may hold the beginning of a chunk whose end still waits.
    for (const { chunk } of this.waiting.splice(0)) this.inFlight.push({ bytes: 0, chunk });
    if (this.callbacksMissing === 0) release(this.inFlight);
    this.waitingBytes = 0;
    this.inFlightBytes = 0;
  }

  private makeRoom(): void {
    if (this.writer.pos >= chunkFullBytes) this.setAside();
    if (this.chunk !== noChunk) return;
    if (this.bufferedBytes > this.bytesMax) this.sink.onOverflow();
    if (this.discarded) return;
    this.chunk = takeChunk();
    this.writer.buf = this.chunk.buf;
  }

  /** The current chunk, if it holds anything, waits with the full ones. */
  private setAside(): void {
    const { writer, chunk } = this;
    if (writer.pos === 0) return;
    const { buf, pos: bytes } = writer;
    const isGrown = buf !== chunk.buf;
    if (isGrown) releaseChunk(chunk);
    const filled = isGrown ? looseChunk(buf, undefined) : chunk;
    this.waiting.push({ chunk: filled, at: 0, end: bytes });
    this.waitingBytes += bytes;
    this.chunk = noChunk;
    this.runEnd = -1;
    writer.buf = noChunk.buf;
    writer.pos = 0;
  }

  /** @param bytesMax - most bytes to leave waiting in the socket */
  private writeUpTo(bytesMax: number): void {
    const bufferedBefore = this.bufferedBytes;
    let room = bytesMax;
    let taken = false;
    while (room > 0) {
      if (this.waiting.length === 0) {
        if (this.writer.pos === 0) break;
        this.setAside();
      }
      const [filled] = this.waiting;
      if (filled === undefined) break;
      const { at } = filled;
      const { buf } = filled.chunk;
      const end = Math.min(filled.end, at + room);
      const chunk = end === filled.end ? filled.chunk : undefined;
      if (end === filled.end) this.waiting.shift();
      else filled.at = end;
      const count = end - at;
      this.waitingBytes -= count;
      this.writes++;
      if (this.sink.write(buf.subarray(at, end), this.written)) {
        if (chunk !== undefined) releaseChunk(chunk);
        taken = true;
      } else {
        room -= count;
        this.inFlightBytes += count;
        this.inFlight.push({ bytes: count, chunk });
      }
    }
    this.flushAfterwards = this.burstIsWhole = room <= 0;
    if (taken) this.sink.onWritten(bufferedBefore, false);
    if (this.inFlight.length === 0) return;
    this.burstBeganMs = this.nowMs();
    this.sink.onWaiting?.();
  }

  private burstEnded(): void {
    const ms = this.nowMs() - this.burstBeganMs;
    if (ms > burstMsSlow) this.burstBytes = Math.max(this.burstBytes / 2, burstBytesMin);
    else if (ms < burstMsQuick && this.burstIsWhole)
      this.burstBytes = Math.min(2 * this.burstBytes, burstBytesMax);
  }

  /** Writes call back in their order, until the socket is destroyed. After an error it closes by itself. */
  private readonly written = (error?: Error | null): void => {
    if (this.discarded) {
      if (--this.callbacksMissing === 0) release(this.inFlight);
      return;
    }
    const piece = this.inFlight.shift();
    if (piece === undefined) return;
    const bufferedBefore = this.bufferedBytes;
    this.inFlightBytes -= piece.bytes;
    if (piece.chunk !== undefined) releaseChunk(piece.chunk);
    if (error) return;
    const done = this.inFlight.length === 0;
    if (done) this.burstEnded();
    this.sink.onWaiting?.();
    this.sink.onWritten(bufferedBefore, done);
    if (!done || !this.flushAfterwards) return;
    this.flushAfterwards = false;
    this.flush();
  };
}

function release(list: { readonly chunk: Chunk | undefined }[]): void {
  for (const { chunk } of list) if (chunk !== undefined) releaseChunk(chunk);
  list.length = 0;
}
