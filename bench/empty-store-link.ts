/** What client and server of the empty store have in common: GTStore's frames and outgoing chunks on a bare socket. */
import { Buffer } from 'node:buffer';
import type { OnReadOpts, Socket } from 'node:net';
import { FrameDecoder } from '../src/protocol/frame-decoder.js';
import { flushSoon } from '../src/transport/flusher.js';
import { Outgoing } from '../src/transport/outgoing.js';
import type { Sink } from '../src/transport/outgoing.js';
import { writeTo } from '../src/transport/socket-write.js';

export const frameBytesMax = 4 * 1024 * 1024;
/** Every connection may share it: what it holds is worked off before the next one is read. */
const readBuffer = Buffer.allocUnsafeSlow(256 * 1024);

/** Bytes as they come: `onread` of one connection. */
export function readingFrames(onFrame: (buffer: Buffer, start: number, end: number) => void): OnReadOpts {
  const frames = new FrameDecoder(frameBytesMax);
  return {
    buffer: readBuffer,
    callback: (bytes) => {
      frames.push(readBuffer.subarray(0, bytes), onFrame);
      return true;
    },
  };
}

export class EmptyStoreLink implements Sink {
  readonly out = new Outgoing(this);
  readonly #socket: Socket;

  constructor(socket: Socket) {
    this.#socket = socket;
    this.out.bytesMax = 16 * frameBytesMax;
  }

  leaveSoon(): void {
    flushSoon(this.out);
  }

  write(bytes: Buffer, written: (error?: Error | null) => void): boolean {
    return writeTo(this.#socket, bytes, written);
  }

  onWritten(): void {
    // Whoever waits for answers sends no more than it has lanes.
  }

  onOverflow(): void {
    throw new Error('the other side does not read');
  }
}
