/**
 * Frames that wait to be handed on, in order, in one piece of memory: as objects of their own those of one chunk would take
 * fifteen times what they are, and all connections of a process may hold one at the same moment (slow-readers.ts).
 */
import { Buffer } from 'node:buffer';

const headBytes = 4;

export class HeldFrames {
  /** Each after its length. */
  private bytes = Buffer.alloc(0);
  private length = 0;

  /** A copy of the frame in [start, end). */
  add(buffer: Buffer, start: number, end: number): void {
    const needed = this.length + headBytes + end - start;
    // Its chunk may have more, each after its length as here.
    if (needed > this.bytes.length)
      this.grow(Math.max(needed, this.length + headBytes + buffer.length - start));
    this.bytes.writeUInt32BE(end - start, this.length);
    buffer.copy(this.bytes, this.length + headBytes, start, end);
    this.length = needed;
  }

  private grow(bytes: number): void {
    const grown = Buffer.allocUnsafeSlow(bytes);
    this.bytes.copy(grown, 0, 0, this.length);
    this.bytes = grown;
  }

  forEach(visit: (buffer: Buffer, start: number, end: number) => void): void {
    for (let at = 0; at < this.length;) {
      const start = at + headBytes;
      at = start + this.bytes.readUInt32BE(at);
      visit(this.bytes, start, at);
    }
  }
}
