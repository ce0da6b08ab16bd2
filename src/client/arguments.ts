/** Checks what callers hand in, before anything is sent: one clear error each, naming the argument. */
import type { AdminRequest } from '../protocol/admin.js';
import { wireLimits } from '../protocol/cold-codec.js';
import { wireKeyBytesMax } from '../protocol/hot-codec.js';
import { GTStoreError } from '../protocol/errors.js';
import type { WriteOutcome } from '../protocol/errors.js';
import { utf8Length } from '../protocol/msgpack-writer.js';
import { toKeyBytes } from '../protocol/partition.js';
import { timeoutMsDefault, timeoutMsMax } from '../protocol/settings.js';
import type { ClusterSettings } from '../protocol/settings.js';
import { encodeValue, isPlainObject } from '../protocol/value-codec.js';
import type { StoreValue } from '../protocol/value-codec.js';
import { ValueError, ValueTooLargeError } from '../protocol/value-error.js';
import { cloneVersion, isVersion, type Version } from '../protocol/version.js';
import { isIpAddress } from '../transport/dialer.js';

export interface OperationOptions {
  /** Deadline of the whole call in milliseconds, at most 120,000; default 10,000. */
  readonly timeoutMs?: number | undefined;
  /** Gives the call up when aborted: TIMEOUT, or OUTCOME_UNKNOWN for a write that was sent and may be applied all the same. */
  readonly signal?: AbortSignal | undefined;
}

export interface WriteOptions extends OperationOptions {
  /**
   * The key is absent again after so many milliseconds; default: never, whatever it had before. Each replica judges by
   * its own clock, which agrees with the others' to within milliseconds.
   */
  readonly ttlMs?: number | undefined;
}

export interface EntriesOptions {
  /** Only keys that begin with it; default: all. */
  readonly prefix?: string | undefined;
  /** Deadline in milliseconds, which counts anew for each batch of keys; default 10,000. */
  readonly timeoutMs?: number | undefined;
}

/** Keys with their values, as `putMany` takes them. */
export type Pairs<V> = Iterable<readonly [key: string, value: V]> | Readonly<Record<string, V>>;

export interface Address {
  readonly host: string;
  readonly port: number;
}

const notApplied: { outcome: WriteOutcome } = { outcome: 'not-applied' };

export function invalidArgument(message: string, cause?: unknown): GTStoreError {
  return new GTStoreError('INVALID_ARGUMENT', message, { ...notApplied, cause });
}

/** Key bytes. @throws GTStoreError INVALID_ARGUMENT, KEY_TOO_LARGE */
export function checkedKey(key: string, { keyBytesMax }: ClusterSettings, name = 'key'): string {
  if (typeof key !== 'string') throw invalidArgument(`the ${name} must be a string, not ${describe(key)}`);
  if (key.length === 0) throw invalidArgument('the key must not be empty');
  // As many bytes at least. They are not counted: there may be more than a string of key bytes can have.
  if (key.length > wireKeyBytesMax) throw keyTooLarge(name, key, `${key.length} characters`, keyBytesMax);
  const keyBytes = toKeyBytes(key);
  // The same string: ASCII, with nothing to look for.
  if (keyBytes !== key && utf8Length(key) < 0) {
    throw invalidArgument(`the ${name} has half of a surrogate pair: it is no valid Unicode`);
  }
  if (keyBytes.length > keyBytesMax) throw keyTooLarge(name, key, `${keyBytes.length} bytes`, keyBytesMax);
  return keyBytes;
}

/** Of a key that is too long: enough to find it by. */
const keyCharsShown = 40;

function keyTooLarge(name: string, key: string, length: string, bytesMax: number): GTStoreError {
  const text = `the ${name} '${key.slice(0, keyCharsShown)}...' has ${length}; this cluster takes at most ${bytesMax} bytes (--max-key-bytes)`;
  return new GTStoreError('KEY_TOO_LARGE', text, notApplied);
}

/** Key bytes of the beginning of keys, possibly empty. @throws GTStoreError INVALID_ARGUMENT, KEY_TOO_LARGE */
export function checkedPrefix(prefix: string | undefined, settings: ClusterSettings): string {
  return prefix === undefined || prefix === '' ? '' : checkedKey(prefix, settings, 'prefix');
}

/** @throws GTStoreError INVALID_ARGUMENT */
export function checkOptions(options: object): void {
  if (typeof options === 'object' && (options as object | null) !== null) return;
  throw invalidArgument(`the options must be an object, not ${describe(options)}`);
}

export function isIterable(items: unknown): items is Iterable<unknown> {
  return typeof items === 'object' && items !== null && Symbol.iterator in items;
}

/** @throws GTStoreError INVALID_ARGUMENT */
export function checkedSignal(signal: AbortSignal | undefined): AbortSignal | undefined {
  if (signal === undefined || signal instanceof AbortSignal) return signal;
  throw invalidArgument(`signal must be an AbortSignal, not ${describe(signal)}`);
}

/** The bytes of a value. @param key for messages: a call may have many. @throws GTStoreError INVALID_ARGUMENT, VALUE_TOO_LARGE */
export function checkedValue(value: StoreValue, key: string, { valueBytesMax }: ClusterSettings): Uint8Array {
  try {
    return encodeValue(value, valueBytesMax);
  } catch (cause) {
    if (cause instanceof ValueTooLargeError) {
      const text = `the value of '${key}' needs more than the ${valueBytesMax} bytes this cluster takes (--max-value-bytes)`;
      throw new GTStoreError('VALUE_TOO_LARGE', text, { ...notApplied, cause });
    }
    if (cause instanceof ValueError) throw invalidArgument(`key '${key}', ${cause.message}`, cause);
    // A getter of its own threw, its buffer was transferred, its proxy revoked.
    const reason = cause instanceof Error ? cause.message : describe(cause);
    throw invalidArgument(`the value of '${key}' cannot be read: ${reason}`, cause);
  }
}

/** A copy: a getter of the caller's may say something else the second time. @throws GTStoreError INVALID_ARGUMENT */
export function checkedVersion(version: Version): Version {
  const text = 'expectedVersion must be a version from getEntry or put, or null for an absent key';
  let copy: unknown;
  try {
    copy = typeof version === 'object' && cloneVersion(version);
  } catch (cause) {
    throw invalidArgument(text, cause);
  }
  if (!isVersion(copy)) throw invalidArgument(text);
  return copy;
}

/** undefined is no value, though inside it stands for a delete. @throws GTStoreError INVALID_ARGUMENT */
export function checkGiven(value: StoreValue): void {
  if ((value as unknown) !== undefined) return;
  throw invalidArgument('the value is undefined, which cannot be stored; to delete the key use delete()');
}

/** What `increment` makes of a value. @throws GTStoreError INVALID_ARGUMENT, also where a sum of numbers of 64 bits would not be it */
export function incremented(key: string, value: StoreValue | undefined, by: number): number {
  if (value !== undefined && typeof value !== 'number') throw invalidArgument(`'${key}' holds no number`);
  const before = value ?? 0;
  const sum = before + by;
  if (by === 0 || !Number.isFinite(before)) return sum;
  const isWhole = Number.isInteger(before) && Number.isInteger(by);
  if (isWhole ? Number.isSafeInteger(sum) : Number.isFinite(sum) && sum !== before) return sum;
  const text = `'${key}' holds ${before}, to which ${by} cannot be added: whole numbers are exact up to 2^53`;
  throw invalidArgument(text);
}

/** @throws GTStoreError INVALID_ARGUMENT */
export function checkMutate(mutate: unknown): void {
  if (typeof mutate === 'function') return;
  throw invalidArgument(`update needs a function from a value to the next, not ${describe(mutate)}`);
}

/** Entries of an object, or what is iterated over. @throws GTStoreError INVALID_ARGUMENT */
export function checkedPairs<T>(entries: Pairs<T>): Iterable<readonly [string, T]> {
  if (isIterable(entries)) return entries;
  if (isPlainObject(entries)) return Object.entries<T>(entries);
  throw invalidArgument(
    'putMany needs a plain object, or an array or another iterable of [key, value] pairs; of a promise, what it is fulfilled with',
  );
}

/** The request as it is sent. @throws GTStoreError INVALID_ARGUMENT */
export function checkedRequest(request: AdminRequest): string {
  if (!isPlainObject(request) || typeof request.command !== 'string') {
    throw invalidArgument("admin needs a request such as { command: 'progress' }");
  }
  let json: string;
  try {
    json = JSON.stringify(request);
  } catch (cause) {
    throw invalidArgument(`the request has no JSON: ${String(cause)}`, cause);
  }
  const bytes = Buffer.byteLength(json);
  const bytesMax = wireLimits.jsonBytesMax;
  if (bytes <= bytesMax) return json;
  throw invalidArgument(`the request has ${bytes} bytes of JSON; a manager takes at most ${bytesMax}`);
}

/** @returns milliseconds. @throws GTStoreError INVALID_ARGUMENT */
export function checkedTimeoutMs(timeoutMs: number | undefined, defaultMs = timeoutMsDefault): number {
  if (timeoutMs === undefined) return defaultMs;
  if (typeof timeoutMs === 'number' && timeoutMs > 0 && timeoutMs <= timeoutMsMax) return timeoutMs;
  throw invalidArgument(
    `timeoutMs is ${describe(timeoutMs)}; it must be a number above 0, at most ${timeoutMsMax}`,
  );
}

/** @throws GTStoreError INVALID_ARGUMENT */
export function checkInFlightMax(inFlightMax: number | undefined): void {
  if (inFlightMax === undefined) return;
  if (Number.isInteger(inFlightMax) && inFlightMax >= 1 && inFlightMax <= 16_384) return;
  throw invalidArgument(`inFlightMax is ${describe(inFlightMax)}; it must be an integer from 1 to 16384`);
}

/** @throws GTStoreError INVALID_ARGUMENT */
export function checkLocalAddress(address: string | undefined): void {
  if (address === undefined || (typeof address === 'string' && isIpAddress(address))) return;
  const shown = typeof address === 'string' ? `'${address}'` : describe(address);
  throw invalidArgument(`localAddress is ${shown}; it must be an IP address of this host`);
}

const ttlMsMax = 100 * 365 * 24 * 3600 * 1000;

/** @returns manager-clock milliseconds, 0: never. @throws GTStoreError INVALID_ARGUMENT */
export function checkedExpiry(ttlMs: number | undefined, clockUs: number): number {
  if (ttlMs === undefined) return 0;
  if (typeof ttlMs === 'number' && ttlMs > 0 && ttlMs <= ttlMsMax) return Math.ceil(clockUs / 1000 + ttlMs);
  throw invalidArgument(`ttlMs is ${describe(ttlMs)}; it must be a number above 0, at most ${ttlMsMax}`);
}

/** One address or several. @throws GTStoreError INVALID_ARGUMENT */
export function checkedManagers(manager: string | readonly string[]): Address[] {
  const texts = typeof manager === 'string' ? [manager] : manager;
  if (Array.isArray(texts) && texts.length > 0) return texts.map(parseAddress);
  throw invalidArgument("give the manager's address: { manager: 'gtstore://127.0.0.1:7400' }");
}

/** `host:port` or `gtstore://host:port`. @throws GTStoreError INVALID_ARGUMENT */
function parseAddress(text: string): Address {
  if (typeof text !== 'string')
    throw invalidArgument(`a manager's address must be a string, not ${describe(text)}`);
  const match = /^(?:gtstore:\/\/)?(?:\[([^\]]+)\]|([^:/[\]]+)):(\d{1,5})\/?$/.exec(text);
  const host = match?.[1] ?? match?.[2];
  const port = Number(match?.[3]);
  if (host === undefined || !(port >= 1 && port <= 65535)) {
    throw invalidArgument(`'${text}' is no manager address; give host:port or gtstore://host:port`);
  }
  return { host, port };
}

function describe(value: unknown): string {
  return typeof value === 'number' || value === null || value === undefined
    ? String(value)
    : `${typeof value === 'object' ? 'an' : 'a'} ${typeof value}`;
}
