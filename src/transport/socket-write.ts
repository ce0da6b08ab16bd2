import { Buffer } from 'node:buffer';
import type { Socket } from 'node:net';

const noBytes = Buffer.alloc(0);

/**
 * Writes as `Sink.write` says. Asking to be called back costs as much as the rest of Node's part in a write, and is hardly ever
 * needed.
 */
export function writeTo(socket: Socket, bytes: Buffer, written: (error?: Error | null) => void): boolean {
  socket.write(bytes);
  if (socket.writableLength === 0) return true;
  // Nothing, behind all that waits there: called back when that has been written.
  socket.write(noBytes, written);
  return false;
}
