/**
 * Pages of memory outside the JS heap, of which the collector sees nothing but a handful of objects a mebibyte.
 *
 * A page grows and shrinks in place (a resizable buffer: address space is reserved whole, memory is taken as it is
 * needed). So a page that has just begun is small, and what a page gives up goes back to the system at once. Plain
 * buffers do not do that: they are freed when the collector comes round to it, and glibc keeps what it then gets
 * (measured: of 450 MiB freed, none left the process; of resizable buffers, all).
 */
import type { HeldMemory } from './memory/held-memory.js';

/** Size of a page that holds little, and the unit of all sizes. */
const pageBytesStep = 4 * 1024;
/** A page grows by a quarter, but not by more than this. */
const growthBytesMax = 64 * 1024;

/** Memory as bytes and as words of 32 bits, in the byte order of this machine: nobody else ever sees it. */
export interface Memory {
  readonly bytes: Uint8Array;
  readonly words: Uint32Array;
}

/** What ES2024 adds to an ArrayBuffer; every Node that we run on has it. */
type ResizableBuffer = ArrayBuffer & { resize(bytes: number): void };
type ResizableBufferConstructor = new (bytes: number, options: { maxByteLength: number }) => ResizableBuffer;

export class Page implements Memory {
  readonly bytes: Uint8Array;
  readonly words: Uint32Array;
  readonly floats: Float64Array;
  readonly #buffer: ResizableBuffer;
  readonly #bytesMax: number;
  readonly #held: HeldMemory;
  #size = pageBytesStep;

  /** @param bytesMax address space of the page; @param held where its memory is counted */
  constructor(bytesMax: number, held: HeldMemory) {
    this.#bytesMax = bytesMax;
    this.#held = held;
    held.changed(pageBytesStep);
    const Resizable = ArrayBuffer as unknown as ResizableBufferConstructor;
    this.#buffer = new Resizable(pageBytesStep, { maxByteLength: bytesMax });
    // Made without a length, they follow the buffer's.
    this.bytes = new Uint8Array(this.#buffer);
    this.words = new Uint32Array(this.#buffer);
    this.floats = new Float64Array(this.#buffer);
  }

  get buffer(): ArrayBuffer {
    return this.#buffer;
  }

  /** Memory it has at present. */
  get size(): number {
    return this.#size;
  }

  /** Makes sure that `bytes` are there, and somewhat more. */
  grow(bytes: number): void {
    if (bytes <= this.#size) return;
    const growth = Math.min(growthBytesMax, this.#size / 4);
    this.#resize(Math.min(this.#bytesMax, Math.max(bytes, this.#size + growth)));
  }

  /** Gives back what is beyond `bytes`, if that is a good part of the page. */
  shrink(bytes: number): void {
    if (bytes <= this.#size / 2 && this.#size > pageBytesStep) this.#resize(Math.max(bytes, pageBytesStep));
  }

  /** Gives everything back; the page is of no more use. */
  release(): void {
    this.#resize(0);
  }

  #resize(bytes: number): void {
    const before = this.#size;
    this.#size = Math.ceil(bytes / pageBytesStep) * pageBytesStep;
    this.#buffer.resize(this.#size);
    this.#held.changed(this.#size - before);
  }
}

/** Up to here a loop copies quicker than a call that needs a view. */
const loopWordsMax = 64;

/** Copies words that do not overlap. */
export function copyWords(
  from: Uint32Array,
  start: number,
  to: Uint32Array,
  at: number,
  count: number,
): void {
  if (count > loopWordsMax) to.set(from.subarray(start, start + count), at);
  else for (let i = 0; i < count; i++) to[at + i] = from[start + i] ?? 0;
}
