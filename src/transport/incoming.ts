/**
 * The incoming side of one connection: chunks in, messages out.
 *
 * The first frame is the greeting and has a bound of its own: whoever has not greeted yet cannot make us hold more
 * than a greeting's bytes. Its receiver says how long frames may be from then on.
 *
 * A receiver that cannot take more may `hold` from within `onMessage`: the frames that had come in the same chunk
 * are then copied and wait, in order, for `release`.
 */
import type { Buffer } from 'node:buffer';
import { frameHeaderBytes, MessageDecoder } from '../protocol/codec.js';
import { FrameDecoder } from '../protocol/frame-decoder.js';
import type { Message } from '../protocol/messages.js';
import { HeldFrames } from './held-frames.js';

/** A greeting is short. Whatever declares a longer first frame is not a peer. */
const greetingBytesMax = 1024;

/** What is taken from a peer that has greeted. */
export interface Limits {
  readonly frameBytesMax: number;
  /** As of `MessageDecoder`. */
  readonly types: ReadonlySet<number> | undefined;
}

export interface Receiver {
  /** @returns what may come from now on; undefined: nothing */
  onGreeting(message: Message): Limits | undefined;
  /** A frame that may be taken as it is. @returns false: it is to be decoded */
  onFrame(buffer: Buffer, start: number, end: number): boolean;
  onMessage(message: Message): void;
  /** So many bytes are held of a frame that is not complete yet; 0: there is none any more, or the one that there is has just begun. */
  onUnfinished(bytes: number): void;
}

export class Incoming {
  bytesReceived = 0;
  private readonly receiver: Receiver;
  private frames = new FrameDecoder(greetingBytesMax);
  private decoder = new MessageDecoder({ frameBytesMax: greetingBytesMax });
  private greeted = false;
  private stopped = false;
  /** As the receiver was told. */
  private unfinishedBytes = 0;
  /** Frames to be handed on later; undefined: hand on at once. */
  private held: HeldFrames | undefined;

  constructor(receiver: Receiver) {
    this.receiver = receiver;
  }

  get isHeld(): boolean {
    return this.held !== undefined;
  }

  /**
   * Hands on all messages that `chunk` completes. Keeps nothing of it.
   *
   * @throws ProtocolError if the bytes are no messages; and whatever the receiver throws
   */
  receive(chunk: Buffer): void {
    this.bytesReceived += chunk.length;
    if (this.greeted) this.frames.push(chunk, this.onFrame);
    else this.receiveGreeting(chunk);
    const { heldBytes, bufferedBytes } = this.frames;
    if (heldBytes === 0 && this.unfinishedBytes === 0) return;
    const hasBegunHere = bufferedBytes <= chunk.length;
    if (hasBegunHere) this.noteUnfinished(0);
    this.noteUnfinished(heldBytes);
  }

  private noteUnfinished(bytes: number): void {
    if (bytes === this.unfinishedBytes) return;
    this.unfinishedBytes = bytes;
    this.receiver.onUnfinished(bytes);
  }

  /** Holds all further frames back. */
  hold(): void {
    this.held ??= new HeldFrames();
  }

  /** Hands on what was held back, until the receiver holds again. @returns whether nothing is held any more */
  release(): boolean {
    const { held } = this;
    this.held = undefined;
    held?.forEach(this.onFrame);
    return !this.isHeld;
  }

  /** Nothing is handed on any more, not even the rest of the current chunk. */
  stop(): void {
    this.stopped = true;
    this.held = undefined;
    this.frames.stop();
    this.noteUnfinished(0);
  }

  private receiveGreeting(chunk: Buffer): void {
    const { frames } = this;
    const before = frames.bufferedBytes;
    let rest: Buffer | undefined;
    frames.push(chunk, (buffer, start, end) => {
      frames.stop();
      rest = chunk.subarray(frameHeaderBytes + end - start - before);
      const limits = this.receiver.onGreeting(this.decoder.decode(buffer, start, end));
      this.greeted = true;
      if (limits === undefined) return;
      this.frames = new FrameDecoder(limits.frameBytesMax);
      this.decoder = new MessageDecoder(limits);
    });
    if (rest !== undefined && !this.stopped) this.frames.push(rest, this.onFrame);
  }

  private readonly onFrame = (buffer: Buffer, start: number, end: number): void => {
    if (this.stopped) return;
    if (this.held !== undefined) {
      this.held.add(buffer, start, end);
      return;
    }
    if (this.receiver.onFrame(buffer, start, end)) return;
    const { decoder } = this;
    this.receiver.onMessage(decoder.decode(buffer, start, end));
    // The rest of a run is handed on whole, held back or not: it is no more than its request ids.
    for (let next = decoder.next(); next !== null; next = decoder.next()) {
      // A method call: a handler may have stopped this since.
      if (this.hasStopped()) return;
      this.receiver.onMessage(next);
    }
  };

  private hasStopped(): boolean {
    return this.stopped;
  }
}
