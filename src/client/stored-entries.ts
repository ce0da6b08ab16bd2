/** All keys with their values and the time they have left: what `entries`, snapshots and exports are made of. */
import { GTStoreError } from '../protocol/errors.js';
import type { Entry } from '../protocol/messages.js';
import { fromKeyBytes } from '../protocol/partition.js';
import { decodeValue } from '../protocol/value-codec.js';
import type { StoreValue } from '../protocol/value-codec.js';
import { compareVersions } from '../protocol/version.js';
import type { Version } from '../protocol/version.js';
import { pause } from '../transport/real-time.js';
import { unreadable } from './calls.js';
import { conflictPauseMs } from './flow.js';
import { scan, scanSlot } from './scan.js';
import type { ScanSession } from './scan.js';

/** One key as `storedEntries` gives it. */
export interface StoredEntry {
  readonly key: string;
  /** Decoded anew at each access. Where that fails it throws GTStoreError PROTOCOL, which names the key. */
  readonly value: StoreValue;
  /** The value as the cluster holds it: msgpack, in memory of its own. */
  readonly valueBytes: Uint8Array;
  /** When the key will be absent again, in milliseconds as `Date.now()` counts them; undefined: never. */
  readonly expiresAtMs: number | undefined;
}

/** A committed value, and the version that names the write it came from. */
export interface CommittedValue {
  readonly valueBytes: Uint8Array;
  readonly version: Version;
}

/** What is needed to decide an entry that a scan gave without value. */
export interface EntryPorts {
  nowMs(): number;
  /** The committed value, when the key has one; undefined: it is absent. */
  look(key: string): Promise<CommittedValue | undefined>;
  /** What a scan says of this very key now; undefined: it is absent. */
  scanAgain(key: string): Promise<Entry | undefined>;
  pause(ms: number): Promise<void>;
}

/** An entry whose value is known: not a tombstone. */
export interface KnownEntry {
  readonly key: string;
  readonly valueBytes: Uint8Array;
  /** Manager-clock milliseconds; 0: never. */
  readonly expiresAtMs: number;
}

/** What of a session is needed. */
export interface WalkSession extends ScanSession {
  /** The manager's clock, in microseconds. */
  lifeClockUs(): number;
}

export interface WalkOptions {
  /** Key bytes. */
  readonly prefix: string;
  readonly timeoutMs: number;
  /** Otherwise the expiry of a key that is being written may be missing, and the walk is quicker. */
  readonly wantExpiry: boolean;
}

/**
 * Every key that begins with the prefix, once, with a value that was committed at some moment of the walk.
 * @throws GTStoreError as `scan`, and what `look` throws
 */
export async function* walkEntries(
  session: WalkSession,
  options: WalkOptions,
  look: EntryPorts['look'],
): AsyncGenerator<StoredEntry> {
  const { prefix, timeoutMs } = options;
  const ports: EntryPorts = {
    nowMs: () => session.now(),
    look,
    pause,
    scanAgain: (key) => scanForKey(session, key, timeoutMs),
  };
  for await (const entry of scan(session, prefix, timeoutMs)) {
    const known = await decided(entry, ports, options);
    if (known !== undefined) yield new Stored(known, session.lifeClockUs());
  }
}

/**
 * The value of an entry together with its expiry. An INVALID one came without value, and an answer to a get does not
 * carry the expiry; but a version is one write, and has one expiry. So the two belong together when they are of the same
 * version; otherwise the key has been written meanwhile, and is scanned again.
 * @returns undefined if the key was absent at some moment
 * @throws GTStoreError TIMEOUT if it is overwritten so fast that this did not succeed within `timeoutMs`
 */
export async function decided(
  entry: Entry,
  ports: EntryPorts,
  { timeoutMs, wantExpiry }: Pick<WalkOptions, 'timeoutMs' | 'wantExpiry'>,
): Promise<KnownEntry | undefined> {
  const giveUpAtMs = ports.nowMs() + timeoutMs;
  let current: Entry | undefined = entry;
  for (let attempt = 0; ; attempt++) {
    const { key, value, valid, expiresAtMs, version }: Entry = current;
    if (valid) return value === null ? undefined : { key, valueBytes: value, expiresAtMs };
    const committed = await ports.look(key);
    if (committed === undefined) return undefined;
    const { valueBytes } = committed;
    if (compareVersions(committed.version, version) === 0) return { key, valueBytes, expiresAtMs };
    if (!wantExpiry) return { key, valueBytes, expiresAtMs: 0 };
    if (ports.nowMs() >= giveUpAtMs) {
      const text = `'${fromKeyBytes(key)}' is overwritten faster than it can be listed; try again when there is less load on it`;
      throw new GTStoreError('TIMEOUT', text);
    }
    if (attempt > 0) await ports.pause(conflictPauseMs(attempt));
    current = await ports.scanAgain(key);
    if (current === undefined) return undefined;
  }
}

/** Walks to the end, also when the key was met: a walk that is left alone would occupy the node's connection. */
async function scanForKey(session: ScanSession, key: string, timeoutMs: number): Promise<Entry | undefined> {
  const slot = session.core.map?.slotOf(key) ?? 0;
  let found: Entry | undefined;
  for await (const entry of scanSlot(session, slot, key, timeoutMs)) if (entry.key === key) found = entry;
  return found;
}

class Stored implements StoredEntry {
  readonly key: string;
  readonly valueBytes: Uint8Array;
  readonly expiresAtMs: number | undefined;

  /** @param clockUs - the manager's clock now, from which the entry's expiry is brought to this machine's */
  constructor({ key, valueBytes, expiresAtMs }: KnownEntry, clockUs: number) {
    this.key = fromKeyBytes(key);
    this.valueBytes = alone(valueBytes);
    this.expiresAtMs = expiresAtMs === 0 ? undefined : Math.round(Date.now() + expiresAtMs - clockUs / 1000);
  }

  get value(): StoreValue {
    try {
      return decodeValue(this.valueBytes);
    } catch (cause) {
      throw unreadable(this.key, cause);
    }
  }
}

/** The bytes as an array that has its memory for itself: small ones came in a pool of others. */
function alone(bytes: Uint8Array): Uint8Array {
  const { buffer, byteLength } = bytes;
  return byteLength === buffer.byteLength ? new Uint8Array(buffer) : new Uint8Array(bytes);
}
