/**
 * Numbers that look random and are the same for the same seed, so that a run can be repeated. sfc32: four words of
 * state, passes the usual batteries, and costs a few additions.
 */
export class Random {
  #a: number;
  #b: number;
  #c: number;
  #counter = 1;

  /** @param seed - any whole number; neighbours give unrelated sequences */
  constructor(seed: number) {
    this.#a = mix32(seed);
    this.#b = mix32(this.#a + 0x9e3779b9);
    this.#c = mix32(this.#b + 0x9e3779b9);
    for (let i = 0; i < 12; i++) this.next();
  }

  /** An unsigned number of 32 bits. */
  next(): number {
    const sum = (this.#a + this.#b + this.#counter) | 0;
    this.#counter = (this.#counter + 1) | 0;
    this.#a = this.#b ^ (this.#b >>> 9);
    this.#b = (this.#c + (this.#c << 3)) | 0;
    this.#c = (((this.#c << 21) | (this.#c >>> 11)) + sum) | 0;
    return sum >>> 0;
  }

  /** From 0 to below 1. */
  fraction(): number {
    return this.next() / 2 ** 32;
  }

  /** A whole number from 0 to below `end`, of at most 32 bits. */
  below(end: number): number {
    return Math.floor(this.fraction() * end);
  }
}

/** Spreads 32 bits over 32 bits, each number to another one (the finalizer of MurmurHash3). */
export function mix32(value: number): number {
  let hash = value | 0;
  hash = Math.imul(hash ^ (hash >>> 16), 0x85ebca6b);
  hash = Math.imul(hash ^ (hash >>> 13), 0xc2b2ae35);
  return (hash ^ (hash >>> 16)) >>> 0;
}
