/**
 * Values as JSON and back. What JSON has is itself; what it has not is an object with one key that begins with `$`:
 * `{"$bytes": "aGk="}` (base64), `{"$number": "NaN"}` (also `Infinity`, `-Infinity`, `-0`). So that nothing else looks like
 * one, a key of an ordinary object that begins with `$` gets another `$` before it.
 */
import type { StoreValue } from '../client/index.js';
import { valueDepthMax } from '../protocol/value-codec.js';

export type Json = string | number | boolean | null | Json[] | { [name: string]: Json };

const bytesKey = '$bytes';
const numberKey = '$number';
const escape = '$';

const numbersByName = new Map<string, number>([
  ['NaN', NaN],
  ['Infinity', Infinity],
  ['-Infinity', -Infinity],
  ['-0', -0],
]);

export function toJson(value: StoreValue): Json {
  if (typeof value === 'number') return toJsonNumber(value);
  if (typeof value !== 'object' || value === null) return value;
  if (value instanceof Uint8Array) {
    const { buffer, byteOffset, byteLength } = value;
    return { [bytesKey]: Buffer.from(buffer, byteOffset, byteLength).toString('base64') };
  }
  if (isArray(value)) return value.map(toJson);
  return Object.fromEntries(
    Object.entries(value).map(([key, each]) => [key.startsWith(escape) ? escape + key : key, toJson(each)]),
  );
}

function isArray(value: object): value is readonly StoreValue[] {
  return Array.isArray(value);
}

function toJsonNumber(value: number): Json {
  if (Object.is(value, -0)) return { [numberKey]: '-0' };
  return Number.isFinite(value) ? value : { [numberKey]: String(value) };
}

/** @throws Error that says what is wrong, for JSON that `toJson` does not make */
export function fromJson(json: Json, depth = 0): StoreValue {
  if (typeof json === 'number' && !Number.isFinite(json)) {
    throw new Error('a number is too large for JSON; write {"$number": "Infinity"} if that is meant');
  }
  if (typeof json !== 'object' || json === null) return json;
  // Deeper than any value; the store says so more exactly for what is just one too deep.
  if (depth > valueDepthMax + 1) throw new Error(`nesting deeper than ${valueDepthMax} cannot be stored`);
  if (Array.isArray(json)) return json.map((each) => fromJson(each, depth + 1));
  const entries = Object.entries(json);
  const [first] = entries;
  if (first !== undefined && entries.length === 1) {
    if (first[0] === bytesKey) return bytesOf(first[1]);
    if (first[0] === numberKey) return numberOf(first[1]);
  }
  return Object.fromEntries(entries.map(([key, each]) => [unescaped(key), fromJson(each, depth + 1)]));
}

function unescaped(key: string): string {
  if (!key.startsWith(escape)) return key;
  if (key.startsWith(escape + escape)) return key.slice(escape.length);
  throw new Error(`the key ${JSON.stringify(key)} of an object begins with $; write another $ before it`);
}

function bytesOf(text: Json): Uint8Array {
  const bytes = typeof text === 'string' ? Buffer.from(text, 'base64') : undefined;
  // Decoding passes over what is no base64.
  if (bytes?.toString('base64') === text) return new Uint8Array(bytes);
  throw new Error(`${bytesKey} must be base64 with its padding`);
}

function numberOf(name: Json): number {
  const number = typeof name === 'string' ? numbersByName.get(name) : undefined;
  if (number !== undefined) return number;
  throw new Error(`${numberKey} must be one of ${[...numbersByName.keys()].join(', ')}`);
}
