/**
 * Changes that go to the disk as one. Each is laid out in one stretch of memory as it happens, and handed to LevelDB's
 * own batch at once, so that nothing is left to do but to write when its turn comes. The stretch is kept until the batch is
 * on the disk: what LevelDB could not write is handed to it anew after the database has been opened again.
 */
import { Buffer } from 'node:buffer';
import type { ChainedBatch, ClassicLevel } from 'classic-level';
import { versionZero } from '../../../protocol/version.js';
import type { KeyStore, RecordId } from '../../core/store.js';
import {
  batchKey,
  clockKey,
  metaValue,
  putRecord,
  putRecordKey,
  putSum,
  recordBytesMax,
  recordPrefixBytes,
} from './format.js';

export type Database = ClassicLevel<Buffer, Buffer>;

/** A batch that has grown above this takes no more. */
const bytesWanted = 512 * 1024;
const bytesInitial = 16 * 1024;
/** Where an operation has no value, since it removes the key. */
const none = -1;

export class Batch {
  /** Consecutive, across restarts as well. */
  readonly number: number;
  /** `performance.now()` when it was begun: nothing in it is older. */
  readonly sinceMs = performance.now();
  /** Number of the last change in it. */
  last = 0;
  /** Highest hlc in it, or before it. */
  clockUs: number;
  #buf = Buffer.allocUnsafeSlow(bytesInitial);
  #end = 0;
  /** Of each operation: where its key begins and ends, and where its value, which follows, ends, or `none`. */
  readonly #places: number[] = [];
  #chained: ChainedBatch<Database, Buffer, Buffer> | null = null;
  readonly #version = { ...versionZero };

  /** @param db - undefined: the database is not open */
  constructor(number: number, clockUs: number, db: Database | undefined) {
    this.number = number;
    this.clockUs = clockUs;
    this.#chained = db?.batch() ?? null;
    // First, so that whoever reads the log of LevelDB by himself need not read on.
    this.put(batchKey, metaValue(batchKey, [number]));
  }

  get bytes(): number {
    return this.#end;
  }

  get isFull(): boolean {
    return this.#end >= bytesWanted;
  }

  /** The database is closed, and its half of the batch gone with it: `write` hands all to the next one. */
  withdraw(): void {
    this.#chained = null;
  }

  save(slot: number, generation: number, store: KeyStore, record: RecordId): void {
    const key = store.keyOf(record);
    const value = store.valueOf(record);
    const applied = store.appliedOf(record);
    const version = this.#version;
    store.copyVersion(record, version);
    if (version.hlc > this.clockUs) this.clockUs = version.hlc;
    const keyBytes = recordPrefixBytes + key.length;
    this.#makeRoom(keyBytes + recordBytesMax(value === null ? 0 : value.length, applied));
    const start = this.#end;
    const buf = this.#buf;
    const keyEnd = putRecordKey(buf, start, slot, generation, key);
    const end = putRecord(buf, keyEnd, version, value, store.expiresAtMs(record), applied);
    this.#add(start, keyEnd, putSum(buf, start, end));
  }

  remove(slot: number, generation: number, key: string): void {
    this.#makeRoom(recordPrefixBytes + key.length);
    const start = this.#end;
    this.#add(start, putRecordKey(this.#buf, start, slot, generation, key), none);
  }

  put(key: Buffer, value: Buffer): void {
    this.#makeRoom(key.length + value.length);
    const start = this.#end;
    const keyEnd = start + key.copy(this.#buf, start);
    this.#add(start, keyEnd, keyEnd + value.copy(this.#buf, keyEnd));
  }

  delete(key: Buffer): void {
    this.#makeRoom(key.length);
    const start = this.#end;
    this.#add(start, start + key.copy(this.#buf, start), none);
  }

  /** Nothing more is coming. @param clockBeforeUs - what is on the disk already */
  seal(clockBeforeUs: number): void {
    if (this.clockUs > clockBeforeUs) this.put(clockKey, metaValue(clockKey, [this.clockUs]));
  }

  /** Fulfilled when it is on the disk. If it is not, it can be tried again, with a database opened anew. */
  async write(db: Database): Promise<void> {
    if (this.#chained === null) {
      this.#chained = db.batch();
      const places = this.#places;
      for (let i = 0; i < places.length; i += 3)
        this.#hand(places[i] ?? 0, places[i + 1] ?? 0, places[i + 2] ?? 0);
    }
    const chained = this.#chained;
    this.#chained = null;
    await chained.write({ sync: true });
  }

  #makeRoom(bytes: number): void {
    if (bytes <= this.#buf.length - this.#end) return;
    const grown = Buffer.allocUnsafeSlow(Math.max(2 * this.#buf.length, this.#end + bytes));
    this.#buf.copy(grown, 0, 0, this.#end);
    this.#buf = grown;
  }

  #add(start: number, keyEnd: number, end: number): void {
    this.#places.push(start, keyEnd, end);
    this.#end = Math.max(keyEnd, end);
    this.#hand(start, keyEnd, end);
  }

  /** LevelDB copies what it is given within the call. */
  #hand(start: number, keyEnd: number, end: number): void {
    const chained = this.#chained;
    if (chained === null) return;
    const key = this.#buf.subarray(start, keyEnd);
    if (end === none) chained.del(key);
    else chained.put(key, this.#buf.subarray(keyEnd, end));
  }
}
