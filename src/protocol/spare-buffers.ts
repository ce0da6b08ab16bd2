/**
 * Large buffers that are used again, for frames that are more than a chunk. A new one costs a page fault for every 4 KiB
 * of it, and the collector, which counts memory outside its heap, goes through the whole heap after some dozens: with values of
 * 1 MiB that took a node more than half of its time.
 *
 * One pool for the process. What is free in it is bounded; whatever has lain there longest makes room for what comes.
 */
import { Buffer } from 'node:buffer';

/** Smaller ones are cheap enough to make. */
const spareBytesMin = 48 * 1024;
/** Free buffers together. */
const freeBytesMax = 16 * 1024 * 1024;
/** Lengths are multiples of this, so that frames of about one length fit into each other's buffers. */
const stepBytes = 64 * 1024;

/** Oldest first. */
const free: Buffer[] = [];
let freeBytes = 0;

/** A free buffer of `bytes` to twice as many, the shortest there is, if there is one. */
export function takeSpare(bytes: number): Buffer | undefined {
  if (bytes < spareBytesMin) return undefined;
  let best = -1;
  let bestLength = 2 * bytes + 1;
  for (const [at, { length }] of free.entries()) {
    if (length < bytes || length >= bestLength) continue;
    best = at;
    bestLength = length;
  }
  if (best < 0) return undefined;
  freeBytes -= bestLength;
  return free.splice(best, 1)[0];
}

/** A buffer of `bytes` or more, whose contents are anything: if it is to be large, one that was used before, if there is one. */
export function takeBuffer(bytes: number): Buffer {
  // Slow: not from Node's shared pool, where a few bytes would keep a whole slab alive.
  if (bytes < spareBytesMin) return Buffer.allocUnsafeSlow(bytes);
  return takeSpare(bytes) ?? Buffer.allocUnsafeSlow(Math.ceil(bytes / stepBytes) * stepBytes);
}

/** Nobody will touch it any more. One that is too short, or too long, is left to the collector. */
export function giveBuffer(buffer: Buffer): void {
  const { length } = buffer;
  if (length < spareBytesMin || length > freeBytesMax) return;
  free.push(buffer);
  freeBytes += length;
  while (freeBytes > freeBytesMax) freeBytes -= free.shift()?.length ?? 0;
}
