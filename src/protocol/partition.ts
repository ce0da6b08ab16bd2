/**
 * Which slot a key lives in. Keys are *key bytes*: a JS string in which every char code is one byte of the key's
 * UTF-8 form (for ASCII keys that is the key itself). Bijective, hashable by `Map`, and written to the wire as is.
 */
import { Buffer, isUtf8 } from 'node:buffer';
import type { KeyView } from './key-view.js';

/** Maps key bytes to a non-negative integer; the slot is that modulo the slot count. */
export type Partitioner = (keyBytes: string) => number;

/** The class project's hash: the sum of the bytes. Places a key where anybody can work out by hand. */
function asciiSum(keyBytes: string): number {
  let sum = 0;
  for (let i = 0; i < keyBytes.length; i++) sum += keyBytes.charCodeAt(i);
  return sum;
}

/** What the partitioner says of a key in a frame. */
export function partitionView(partition: Partitioner, view: KeyView): number {
  if (partition !== asciiSum) return partition(view.text);
  const { bytes, at, length } = view;
  let sum = 0;
  for (let i = at; i < at + length; i++) sum += bytes[i] ?? 0;
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

const prime1 = 0x9e3779b1;
const prime2 = 0x85ebca77;
const prime3 = 0xc2b2ae3d;
const prime4 = 0x27d4eb2f;
const prime5 = 0x165667b1;

/** xxHash, 32 bits, seed 0: spreads any keys, and is quick on long ones. */
function xxhash32(keyBytes: string): number {
  const { length } = keyBytes;
  let at = 0;
  let hash = prime5;
  if (length >= 16) {
    let a = (prime1 + prime2) | 0;
    let b = prime2;
    let c = 0;
    let d = -prime1;
    for (; at <= length - 16; at += 16) {
      a = xxRound(a, wordAt(keyBytes, at));
      b = xxRound(b, wordAt(keyBytes, at + 4));
      c = xxRound(c, wordAt(keyBytes, at + 8));
      d = xxRound(d, wordAt(keyBytes, at + 12));
    }
    hash = rotateLeft(a, 1) + rotateLeft(b, 7) + rotateLeft(c, 12) + rotateLeft(d, 18);
  }
  hash = (hash + length) | 0;
  for (; at <= length - 4; at += 4) {
    hash = Math.imul(rotateLeft(hash + Math.imul(wordAt(keyBytes, at), prime3), 17), prime4);
  }
  for (; at < length; at++) {
    hash = Math.imul(rotateLeft(hash + Math.imul(keyBytes.charCodeAt(at), prime5), 11), prime1);
  }
  hash = Math.imul(hash ^ (hash >>> 15), prime2);
  hash = Math.imul(hash ^ (hash >>> 13), prime3);
  return (hash ^ (hash >>> 16)) >>> 0;
}

function xxRound(lane: number, word: number): number {
  return Math.imul(rotateLeft(lane + Math.imul(word, prime2), 13), prime1);
}

function rotateLeft(word: number, bits: number): number {
  return (word << bits) | (word >>> (32 - bits));
}

/** Little-endian. */
function wordAt(keyBytes: string, at: number): number {
  return (
    keyBytes.charCodeAt(at) |
    (keyBytes.charCodeAt(at + 1) << 8) |
    (keyBytes.charCodeAt(at + 2) << 16) |
    (keyBytes.charCodeAt(at + 3) << 24)
  );
}

const partitioners = new Map<string, Partitioner>([
  ['ascii-sum', asciiSum],
  ['fnv1a', fnv1a],
  ['xxhash32', xxhash32],
]);

export const partitionerNames: readonly string[] = [...partitioners.keys()];

/** @returns the named hash, or undefined if there is none of that name. */
export function partitionerNamed(name: string): Partitioner | undefined {
  return partitioners.get(name);
}

/** @returns the name of one that spreads keys which this one spreads badly; null: it spreads any keys well. */
export function betterPartitionerThan(name: string): string | null {
  return name === 'ascii-sum' ? 'xxhash32' : null;
}

// eslint-disable-next-line no-control-regex -- the ASCII range is what is meant
const asciiOnly = /^[\x00-\x7f]*$/;

/** Whether a client can have made them of a key: they are UTF-8, and not empty. */
export function areKeyBytes(key: string | KeyView): boolean {
  if (key.length === 0) return false;
  if (typeof key === 'string') return asciiOnly.test(key) || isUtf8(Buffer.from(key, 'latin1'));
  const { bytes, at, length } = key;
  let bits = 0;
  for (let i = at; i < at + length; i++) bits |= bytes[i] ?? 0;
  return bits < 0x80 || isUtf8(bytes.subarray(at, at + length));
}

/** Key bytes of a key as users write it. The string must be well-formed Unicode. */
export function toKeyBytes(key: string): string {
  return asciiOnly.test(key) ? key : Buffer.from(key, 'utf8').toString('latin1');
}

/** The key as users wrote it. */
export function fromKeyBytes(keyBytes: string): string {
  return asciiOnly.test(keyBytes) ? keyBytes : Buffer.from(keyBytes, 'latin1').toString('utf8');
}
