/**
 * Which slot a key lives in. Keys are *key bytes*: a JS string in which every char code is one byte of the key's
 * UTF-8 form (for ASCII keys that is the key itself). Bijective, hashable by `Map`, and written to the wire as is.
 */
import { Buffer } from 'node:buffer';

/** Maps key bytes to a non-negative integer; the slot is that modulo the slot count. */
export type Partitioner = (keyBytes: string) => number;

/** The class project's hash: the sum of the bytes. Places a key where anybody can work out by hand. */
function asciiSum(keyBytes: string): number {
  let sum = 0;
  for (let i = 0; i < keyBytes.length; i++) sum += keyBytes.charCodeAt(i);
  return sum;
}

/** FNV-1a, 32 bits, with a final avalanche: for key sets that byte sums spread badly. */
function fnv1a(keyBytes: string): number {
  let hash = 0x811c9dc5;
  for (let i = 0; i < keyBytes.length; i++) hash = Math.imul(hash ^ keyBytes.charCodeAt(i), 0x01000193);
  hash = Math.imul(hash ^ (hash >>> 16), 0x85ebca6b);
  hash = Math.imul(hash ^ (hash >>> 13), 0xc2b2ae35);
  return (hash ^ (hash >>> 16)) >>> 0;
}

const partitioners = new Map<string, Partitioner>([
  ['ascii-sum', asciiSum],
  ['fnv1a', fnv1a],
]);

export const partitionerNames: readonly string[] = [...partitioners.keys()];

/** @returns the named hash, or undefined if there is none of that name. */
export function partitionerNamed(name: string): Partitioner | undefined {
  return partitioners.get(name);
}

// eslint-disable-next-line no-control-regex -- the ASCII range is what is meant
const asciiOnly = /^[\x00-\x7f]*$/;

/** Key bytes of a key as users write it. The string must be well-formed Unicode. */
export function toKeyBytes(key: string): string {
  return asciiOnly.test(key) ? key : Buffer.from(key, 'utf8').toString('latin1');
}

/** The key as users wrote it. */
export function fromKeyBytes(keyBytes: string): string {
  return asciiOnly.test(keyBytes) ? keyBytes : Buffer.from(keyBytes, 'latin1').toString('utf8');
}
