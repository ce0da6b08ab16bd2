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

  it('D4: 512 MB, or a quarter of a small file system', async () => {
    expect((await begin(511 * MB, 4000 * MB)).isLow).to.equal(true);
    expect((await begin(513 * MB, 4000 * MB)).isLow).to.equal(false);
    expect((await begin(24 * MB, 100 * MB)).isLow).to.equal(true);
    expect((await begin(26 * MB, 100 * MB)).isLow).to.equal(false);
  });

  it('D4: half of it is there for deletes, and what they write counts at once', async () => {
    expect((await begin(516 * MB, 4000 * MB)).isSpent).to.equal(false);
    const begun = await begin(258 * MB, 4000 * MB);
    expect([begun.isLow, begun.isSpent]).to.deep.equal([true, false]);
    begun.onTaken(3 * MB);
    expect([begun.isLow, begun.isSpent]).to.deep.equal([true, true]);
  });

  it('D4: what was written since the last look counts at once', async () => {
    const begun = await begin(516 * MB, 4000 * MB);
    begun.onTaken(3 * MB);
    expect(begun.isLow).to.equal(false);
    begun.onTaken(2 * MB);
    expect(begun.isLow).to.equal(true);
    // In truth there was more: others have made room.
    bytes = { free: 660 * MB, total: 4000 * MB };
    await until(() => !begun.isLow);
  });

  it('D4: it is looked at sooner the more is written', async () => {
    const begun = await begin(900 * MB, 4000 * MB);
    begun.onTaken(1);
    expect(looks).to.equal(1);
    begun.onTaken(64 * MB);
    expect(looks).to.equal(2);
  });

  it('D4: it is told once, and once when there is room again, though nothing is written', async () => {
    const begun = await begin(480 * MB, 4000 * MB);
    bytes = { free: 520 * MB, total: 4000 * MB };
    await until(() => looks > 2);
    expect(begun.isLow, 'free by a hair').to.equal(true);
    bytes = { free: 660 * MB, total: 4000 * MB };
    await until(() => !begun.isLow);
    expect(log.lines).to.deep.equal([
      'error here: 480.0 MB left, 512.0 MB are kept for writes under way and deletes: new writes are refused; free some',
      'info here: 660.0 MB free, writes are taken again',
    ]);
  });
});
