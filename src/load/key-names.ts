/**
 * The names of the bench keys: the prefix, and behind it letters and digits that follow from the key's number alone.
 * So every process knows every key without being told, each number has another name, and neighbours share nothing:
 * also a cluster that goes by the sum of the bytes spreads them over its slots.
 */
import { Buffer } from 'node:buffer';
import { mix32 } from './random.js';

const alphabet = Buffer.from('0123456789abcdefghijklmnopqrstuvwxyz', 'latin1');
const base = alphabet.length;
/** Of the characters behind the prefix, so many say the number; 36^6 keys are more than memory holds. */
const numberDigitsMax = 6;
/**
 * Multiplying modulo 36^digits is a permutation, since this is prime and no factor of 36. Small enough for the product
 * of two to be exact.
 */
const multiplier = 2_750_159;

export class KeyNames {
  /** How many keys have names. */
  readonly capacity: number;
  readonly #numberDigits: number;
  /** Where the prefix ends. */
  readonly #from: number;
  /**
   * Each name is written here and then read as a whole: a string put together char by char would keep all its parts,
   * ten times as much memory as its bytes.
   */
  readonly #bytes: Buffer;
  readonly #encoding: 'latin1' | 'utf8';

  /** @param keyBytes - length of each name in bytes of UTF-8, the prefix included */
  constructor(prefix: string, keyBytes: number) {
    this.#from = Buffer.byteLength(prefix);
    const room = Math.max(0, keyBytes - this.#from);
    this.#bytes = Buffer.alloc(this.#from + room);
    this.#bytes.write(prefix, 'utf8');
    // As many bytes as chars: all of them are ASCII, which is read faster.
    this.#encoding = this.#from === prefix.length ? 'latin1' : 'utf8';
    this.#numberDigits = Math.min(room, numberDigitsMax);
    this.capacity = this.#numberDigits === 0 ? 0 : base ** this.#numberDigits;
  }

  /** The name of key `index`, which is below `capacity`. */
  name(index: number): string {
    const bytes = this.#bytes;
    const fillersFrom = this.#from + this.#numberDigits;
    this.#write((index * multiplier) % this.capacity, this.#from, fillersFrom);
    for (let at = fillersFrom; at < bytes.length; at += numberDigitsMax) {
      const word = mix32(index + Math.imul(at - fillersFrom + 1, 0x9e3779b9));
      // A word is enough for six characters.
      this.#write(word, at, Math.min(bytes.length, at + numberDigitsMax));
    }
    return bytes.toString(this.#encoding);
  }

  /** The lowest digit first. @param word - of 32 bits */
  #write(word: number, from: number, end: number): void {
    const bytes = this.#bytes;
    let left = word;
    for (let at = from; at < end; at++) {
      // The operator % takes several times as long, of a number that may not fit into 31 bits.
      const rest = (left / base) >>> 0;
      bytes[at] = alphabet[left - rest * base] ?? 0;
      left = rest;
    }
  }
}

/** Shortest `keyBytes` at which so many keys have names. */
export function keyBytesMin(prefix: string, count: number): number {
  let digits = 1;
  while (base ** digits < count) digits++;
  return Buffer.byteLength(prefix) + digits;
}
