/** Reading of all records, in bounded pieces. */
import type { Buffer } from 'node:buffer';
import type { Iterator } from 'classic-level';
import type { AppliedList } from '../../../protocol/applied-list.js';
import type { Version } from '../../../protocol/version.js';
import { versionZero } from '../../../protocol/version.js';
import type { Database } from './batch.js';
import { readError } from './database.js';
import type { SlotState } from './database.js';
import { Corruption, firstRecordKey, readRecord, readRecordKey, recordPrefix } from './format.js';
import type { RecordContent, RecordKey } from './format.js';

/** How much is read at once, and how much while LevelDB has to keep what it has merged meanwhile. */
export interface LoadBounds {
  readonly pieceRecords: number;
  readonly pieceBytes: number;
  readonly piecesPinned: number;
}

const usualBounds: LoadBounds = { pieceRecords: 1000, pieceBytes: 256 * 1024, piecesPinned: 16 };

/** One record as it was saved. `version` and `value` are good during the call only. */
export type Visit = (
  slot: number,
  key: string,
  version: Version,
  value: Uint8Array | null,
  expiresAtMs: number,
  applied: AppliedList | null,
) => void;

type Piece = [Buffer, Buffer][];
type RecordIterator = Iterator<Database, Buffer, Buffer>;
type From = { readonly gt: Buffer } | { readonly gte: Buffer };

export interface Loaded {
  /** Highest hlc met. */
  readonly clockUs: number;
  /** Slots that have records of earlier generations. */
  readonly stale: ReadonlySet<number>;
}

/**
 * @param used - slots that have records of their present generation are added
 * @throws Corruption
 */
export async function readRecords(
  db: Database,
  slots: ReadonlyMap<number, SlotState>,
  used: Set<number>,
  visit: Visit,
  bounds = usualBounds,
): Promise<Loaded> {
  const walk = new Walk(slots, used, visit);
  const pieces = new Pieces(db, bounds);
  try {
    for (let piece = await pieces.read(); piece.length > 0;) {
      // LevelDB reads the next piece meanwhile, in a thread of its own. Nobody waits for it if this one is damaged.
      const following = pieces.read();
      following.catch(() => undefined);
      const goOnAt = walk.read(piece);
      piece = await following;
      if (goOnAt === null) continue;
      await pieces.goOnAt(goOnAt);
      piece = await pieces.read();
    }
    return walk;
  } finally {
    await pieces.close();
  }
}

/**
 * All records in the order of their keys. An iterator pins what there was when it was opened: tables that LevelDB merges meanwhile
 * stay beside the new ones, which a disk that is nearly full has no room for. So it is opened anew now and then. Nothing is
 * written before all is loaded: each one sees the same records.
 */
class Pieces {
  readonly #db: Database;
  readonly #bounds: LoadBounds;
  #iterator: RecordIterator;
  #readByIterator = 0;
  #lastKey: Buffer = firstRecordKey;

  constructor(db: Database, bounds: LoadBounds) {
    this.#db = db;
    this.#bounds = bounds;
    this.#iterator = this.#open({ gte: firstRecordKey });
  }

  /** Empty: that was all. To be called when the one before has come. @throws Corruption */
  async read(): Promise<Piece> {
    const { pieceRecords, piecesPinned } = this.#bounds;
    try {
      if (this.#readByIterator === piecesPinned) await this.#openAnew({ gt: this.#lastKey });
      this.#readByIterator++;
      const piece = await this.#iterator.nextv(pieceRecords);
      const last = piece.at(-1);
      if (last !== undefined) [this.#lastKey] = last;
      return piece;
    } catch (error) {
      throw readError(error);
    }
  }

  /** The next piece begins with that key, or the first behind it. */
  async goOnAt(key: Buffer): Promise<void> {
    await this.#openAnew({ gte: key });
  }

  async close(): Promise<void> {
    await this.#iterator.close();
  }

  async #openAnew(from: From): Promise<void> {
    await this.#iterator.close();
    this.#iterator = this.#open(from);
    this.#readByIterator = 0;
  }

  #open(from: From): RecordIterator {
    return this.#db.iterator({ ...from, fillCache: false, highWaterMarkBytes: this.#bounds.pieceBytes });
  }
}

class Walk implements Loaded {
  clockUs = 0;
  readonly stale = new Set<number>();
  readonly #slots: ReadonlyMap<number, SlotState>;
  readonly #used: Set<number>;
  readonly #visit: Visit;
  readonly #place: RecordKey = { slot: 0, generation: 0, key: '' };
  readonly #content: RecordContent = {
    version: { ...versionZero },
    value: null,
    expiresAtMs: 0,
    applied: null,
  };

  constructor(slots: ReadonlyMap<number, SlotState>, used: Set<number>, visit: Visit) {
    this.#slots = slots;
    this.#used = used;
    this.#visit = visit;
  }

  /** @returns where to go on, if that is not right behind: garbage is passed over */
  read(piece: Piece): Buffer | null {
    const place = this.#place;
    const content = this.#content;
    const { version } = content;
    for (const [key, value] of piece) {
      readRecordKey(key, place);
      const { slot } = place;
      const generation = this.#slots.get(slot)?.generation ?? 0;
      if (place.generation !== generation) {
        if (place.generation > generation) throw new Corruption(`slot ${slot} has records of its future`);
        this.stale.add(slot);
        return recordPrefix(slot, generation);
      }
      readSound(key, value, content);
      this.#used.add(slot);
      if (version.hlc > this.clockUs) this.clockUs = version.hlc;
      this.#visit(slot, place.key, version, content.value, content.expiresAtMs, content.applied);
    }
    return null;
  }
}

function readSound(key: Buffer, value: Buffer, content: RecordContent): void {
  try {
    readRecord(key, value, content);
  } catch (error) {
    if (error instanceof Corruption) throw error;
    throw new Corruption(`a record that cannot be read: ${String(error)}`, { cause: error });
  }
}
