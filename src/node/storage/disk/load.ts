/** Reading of all records, in bounded pieces. */
import type { Buffer } from 'node:buffer';
import type { AppliedList } from '../../../protocol/applied-list.js';
import type { Version } from '../../../protocol/version.js';
import { versionZero } from '../../../protocol/version.js';
import type { Database } from './batch.js';
import { readError } from './database.js';
import type { SlotState } from './database.js';
import { Corruption, firstRecordKey, readRecord, readRecordKey, recordPrefix } from './format.js';
import type { RecordContent, RecordKey } from './format.js';

const pieceRecords = 1000;
const pieceBytes = 256 * 1024;

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
): Promise<Loaded> {
  const walk = new Walk(slots, used, visit);
  const iterator = db.iterator({
    gte: firstRecordKey,
    fillCache: false,
    highWaterMarkBytes: pieceBytes,
  });
  const read = async (): Promise<Piece> => {
    try {
      return await iterator.nextv(pieceRecords);
    } catch (error) {
      throw readError(error);
    }
  };
  try {
    for (let piece = await read(); piece.length > 0;) {
      // LevelDB reads the next piece meanwhile, in a thread of its own. Nobody waits for it if this one is damaged.
      const following = read();
      following.catch(() => undefined);
      const goOnAt = walk.read(piece);
      piece = await following;
      if (goOnAt === null) continue;
      iterator.seek(goOnAt);
      piece = await read();
    }
    return walk;
  } finally {
    await iterator.close();
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
