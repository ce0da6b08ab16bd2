/**
 * The key of the message at hand, read from its string once: that gives its hash, and its bytes as words, to be compared
 * with those in memory four at a time.
 *
 * The hash has 31 bits, so that it is a small integer everywhere. It is seeded by chance, so that nobody outside can
 * choose keys that collide. A byte a step: with whole words the seed would not help, since a difference in the upper
 * bit of a word goes through a multiplication unchanged and can be undone by the next.
 */
import type { KeyView } from '../../protocol/key-view.js';

export class SoughtKey {
  length = 0;
  #bytes = new Uint8Array(256);
  #words = new Uint32Array(this.#bytes.buffer);
  readonly #seed: number;

  constructor(seed: number) {
    this.#seed = seed;
  }

  /** Reads key bytes: a string of char codes below 256. @returns the hash */
  read(key: string | KeyView): number {
    if (typeof key !== 'string') return this.#readView(key);
    const { length } = key;
    if (length > this.#bytes.length) this.#grow(length);
    const bytes = this.#bytes;
    let hash = this.#seed;
    // The last word is compared whole.
    if (length > 0) this.#words[(length - 1) >>> 2] = 0;
    for (let i = 0; i < length; i++) {
      const code = key.charCodeAt(i);
      bytes[i] = code;
      hash = mixed(hash, code);
    }
    this.length = length;
    return finish(hash);
  }

  /** The same of a key in a frame. */
  #readView({ bytes: from, at, length }: KeyView): number {
    if (length > this.#bytes.length) this.#grow(length);
    const bytes = this.#bytes;
    let hash = this.#seed;
    if (length > 0) this.#words[(length - 1) >>> 2] = 0;
    for (let i = 0; i < length; i++) {
      const byte = from[at + i] ?? 0;
      bytes[i] = byte;
      hash = mixed(hash, byte);
    }
    this.length = length;
    return finish(hash);
  }

  #grow(length: number): void {
    this.#bytes = new Uint8Array(4 * Math.ceil((length + length / 4) / 4));
    this.#words = new Uint32Array(this.#bytes.buffer);
  }

  /** Whether the key lies in `words` from there on. */
  isAt(words: Uint32Array, at: number): boolean {
    const own = this.#words;
    const whole = this.length >>> 2;
    for (let i = 0; i < whole; i++) if (words[at + i] !== own[i]) return false;
    const rest = this.length & 3;
    if (rest === 0) return true;
    return (((words[at + whole] ?? 0) ^ (own[whole] ?? 0)) & maskOf(rest)) === 0;
  }

  /** Writes the key into `words` from there on, and zeros behind it up to a whole word. */
  copyTo(words: Uint32Array, at: number): void {
    const count = (this.length + 3) >>> 2;
    for (let i = 0; i < count; i++) words[at + i] = this.#words[i] ?? 0;
  }

  /** The hash of a key as it lies in memory. */
  hashOf(bytes: Uint8Array, at: number, length: number): number {
    let hash = this.#seed;
    for (let i = at; i < at + length; i++) {
      hash = mixed(hash, bytes[i] ?? 0);
    }
    return finish(hash);
  }
}

const isLittleEndian = new Uint8Array(Uint32Array.of(1).buffer)[0] === 1;

/** The first 1 to 3 bytes of a word. */
function maskOf(bytes: number): number {
  return isLittleEndian ? (1 << (8 * bytes)) - 1 : -1 << (32 - 8 * bytes);
}

/** The hash with one more byte in it. */
function mixed(hash: number, byte: number): number {
  const product = Math.imul(hash ^ byte, 0x9e3779b1);
  return product ^ (product >>> 15);
}

/** The index goes by the upper bits. */
function finish(hash: number): number {
  return Math.imul(hash ^ (hash >>> 16), 0x85ebca6b) >>> 1;
}
