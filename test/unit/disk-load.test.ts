// Loading reads all there is once, and pins nothing for long: on a disk that is nearly full there is no room for what is pinned.
import { expect } from 'chai';
import { Batch } from '../../src/node/storage/disk/batch.js';
import type { Database } from '../../src/node/storage/disk/batch.js';
import { openDatabase } from '../../src/node/storage/disk/database.js';
import { readRecords } from '../../src/node/storage/disk/load.js';
import { ArenaStore } from '../../src/node/storage/arena-store.js';
import { useDisks } from '../support/disk-journal.js';

const pieceRecords = 3;
const piecesPinned = 2;

describe('loading of all records', () => {
  const disks = useDisks();
  let db: Database;
  let iterators = 0;

  beforeEach(async () => {
    db = await openDatabase(disks.directory());
    const open = db.iterator.bind(db);
    iterators = 0;
    db.iterator = ((options: object) => {
      iterators++;
      return open(options);
    }) as typeof db.iterator;
  });
  afterEach(() => db.close());

  async function save(slot: number, generation: number, keys: readonly string[]): Promise<void> {
    const store = new ArenaStore();
    const batch = new Batch(1, 0, db);
    for (const key of keys) {
      const record = store.getOrInsert(slot, key);
      store.write(record, { hlc: 1, clientId: 2, seq: 3, epoch: 4 }, Buffer.from(key), 0, 0);
      batch.save(slot, generation, store, record);
    }
    await batch.write(db);
  }

  async function load(generations: Record<number, number> = {}): Promise<string[]> {
    const found: string[] = [];
    const slots = Object.entries(generations).map(
      ([slot, generation]) => [Number(slot), { generation, joinedAt: -1 }] as const,
    );
    await readRecords(db, new Map(slots), new Set(), (slot, key) => found.push(`${slot} ${key}`), {
      pieceRecords,
      pieceBytes: 256 * 1024,
      piecesPinned,
    });
    return found;
  }

  const names = (count: number): string[] => Array.from({ length: count }, (_, n) => `k${10 + n}`);

  it('gives each record once, wherever one iterator ends and the next begins', async () => {
    const byIterator = pieceRecords * piecesPinned;
    const keys: string[] = [];
    for (const key of names(3 * byIterator + 2)) {
      expect(await load(), `${keys.length} records`).to.deep.equal(keys.map((each) => `0 ${each}`));
      await save(0, 0, [key]);
      keys.push(key);
    }
  });

  it('keeps an iterator for so many pieces, and no longer', async () => {
    await save(0, 0, names(5 * pieceRecords * piecesPinned - 1));
    expect(await load()).to.have.length(5 * pieceRecords * piecesPinned - 1);
    // The last piece is known to be the last only when nothing follows.
    expect(iterators).to.be.within(5, 6);
  });

  it('passes over garbage wherever it begins and ends', async () => {
    for (let garbage = 0; garbage < 2 * pieceRecords * piecesPinned; garbage++) {
      await db.clear();
      const stale = names(garbage);
      await save(1, 0, names(garbage % 5));
      await save(2, 0, stale);
      await save(2, 1, ['a', 'b']);
      await save(3, 0, stale);
      await save(4, 0, names(7));
      const expected = [
        ...names(garbage % 5).map((key) => `1 ${key}`),
        '2 a',
        '2 b',
        ...names(7).map((key) => `4 ${key}`),
      ];
      expect(await load({ 2: 1, 3: 1 }), `${garbage} of garbage`).to.deep.equal(expected);
    }
  });
});
