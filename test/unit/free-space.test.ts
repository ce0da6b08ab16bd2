// D4: new writes are refused before the disk is really full.
import { expect } from 'chai';
import { FreeSpace } from '../../src/node/storage/disk/free-space.js';
import type { Left } from '../../src/node/storage/reserve.js';
import { LogLines } from '../support/disk-journal.js';
import { until } from '../support/until.js';

const MB = 2 ** 20;

describe('the room that is kept on a disk', () => {
  let space: FreeSpace | undefined;
  let log = new LogLines();
  let bytes: Left = { free: 0, total: 0 };
  let looks = 0;

  afterEach(() => space?.close());

  async function begin(free: number, total: number): Promise<FreeSpace> {
    log = new LogLines();
    bytes = { free, total };
    looks = 0;
    const begun = new FreeSpace('here', log, () => {
      looks++;
      return Promise.resolve(bytes);
    });
    space = begun;
    await Promise.resolve();
    await until(() => looks > 0);
    return begun;
  }

  it('D4: 64 MB, or 5 % of a small file system', async () => {
    expect((await begin(63 * MB, 2000 * MB)).isLow).to.equal(true);
    expect((await begin(65 * MB, 2000 * MB)).isLow).to.equal(false);
    expect((await begin(4 * MB, 100 * MB)).isLow).to.equal(true);
    expect((await begin(6 * MB, 100 * MB)).isLow).to.equal(false);
  });

  it('D4: half of it is there for deletes, and what they write counts at once', async () => {
    expect((await begin(70 * MB, 2000 * MB)).isSpent).to.equal(false);
    const begun = await begin(34 * MB, 2000 * MB);
    expect([begun.isLow, begun.isSpent]).to.deep.equal([true, false]);
    begun.onTaken(3 * MB);
    expect([begun.isLow, begun.isSpent]).to.deep.equal([true, true]);
  });

  it('D4: what was written since the last look counts at once', async () => {
    const begun = await begin(68 * MB, 2000 * MB);
    begun.onTaken(3 * MB);
    expect(begun.isLow).to.equal(false);
    begun.onTaken(2 * MB);
    expect(begun.isLow).to.equal(true);
    // In truth there was more: others have made room.
    bytes = { free: 90 * MB, total: 2000 * MB };
    await until(() => !begun.isLow);
  });

  it('D4: it is looked at sooner the more is written', async () => {
    const begun = await begin(500 * MB, 2000 * MB);
    begun.onTaken(1);
    expect(looks).to.equal(1);
    begun.onTaken(8 * MB);
    expect(looks).to.equal(2);
  });

  it('D4: it is told once, and once when there is room again, though nothing is written', async () => {
    const begun = await begin(60 * MB, 2000 * MB);
    bytes = { free: 66 * MB, total: 2000 * MB };
    await until(() => looks > 2);
    expect(begun.isLow, 'free by a hair').to.equal(true);
    bytes = { free: 90 * MB, total: 2000 * MB };
    await until(() => !begun.isLow);
    expect(log.lines).to.deep.equal([
      'error here: 60.0 MB left, 64.0 MB are kept for writes under way and deletes: new writes are refused; free some',
      'info here: 90.0 MB free, writes are taken again',
    ]);
  });
});
