/**
 * The names of the bench keys: the prefix, and behind it letters and digits that follow from the key's number alone.
 * So every process knows every key without being told, each number has another name, and neighbours share nothing:
 * also a cluster that goes by the sum of the bytes spreads them over its slots.
 */
import { Buffer } from 'node:buffer';
import { mix32 } from './random.js';

const alphabet = '0123456789abcdefghijklmnopqrstuvwxyz';
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
  readonly #prefix: string;
  readonly #numberDigits: number;
  readonly #fillers: number;

  /** @param keyBytes - length of each name in bytes of UTF-8, the prefix included */
  constructor(prefix: string, keyBytes: number) {
    const room = Math.max(0, keyBytes - Buffer.byteLength(prefix));
    this.#prefix = prefix;
    this.#numberDigits = Math.min(room, numberDigitsMax);
    this.#fillers = room - this.#numberDigits;
    this.capacity = this.#numberDigits === 0 ? 0 : base ** this.#numberDigits;
  }

  /** The name of key `index`, which is below `capacity`. */
  name(index: number): string {
    let name = this.#prefix;
    let number = (index * multiplier) % this.capacity;
    for (let i = 0; i < this.#numberDigits; i++) {
      name += alphabet.charAt(number % base);
      number = Math.floor(number / base);
    }
    let bits = 0;
    for (let i = 0; i < this.#fillers; i++) {
      // A word is enough for six characters.
      bits =
        i % numberDigitsMax === 0 ? mix32(index + Math.imul(i + 1, 0x9e3779b9)) : Math.floor(bits / base);
      name += alphabet.charAt(bits % base);
    }
    return name;
  }
}

/** Shortest `keyBytes` at which so many keys have names. */
export function keyBytesMin(prefix: string, count: number): number {
  let digits = 1;
  while (base ** digits < count) digits++;
  return Buffer.byteLength(prefix) + digits;
}
