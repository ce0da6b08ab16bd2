// D4: new values are refused before the system has no memory left, and no longer than that.
import { expect } from 'chai';
import { FreeMemory } from '../../src/node/storage/memory/free-memory.js';
import type { Left } from '../../src/node/storage/reserve.js';
import { LogLines } from '../support/disk-journal.js';
import { until } from '../support/until.js';

const MB = 2 ** 20;

describe('the memory that is kept', () => {
  let memory: FreeMemory | undefined;
  let log = new LogLines();
  let left: Left | Error = { free: 0, total: 0 };
  let looks = 0;

  afterEach(() => memory?.close());

  function begin(free: number, total: number): FreeMemory {
    memory?.close();
    log = new LogLines();
    left = { free, total, of: ' of this machine' };
    looks = 0;
    memory = new FreeMemory(log, () => {
      looks++;
      return left instanceof Error ? Promise.reject(left) : Promise.resolve(left);
    });
    return memory;
  }

  /** After a look. */
  async function seen(free: number, total: number): Promise<FreeMemory> {
    const begun = begin(free, total);
    begun.onTaken(MB);
    await until(() => looks > 0);
    await Promise.resolve();
    return begun;
  }

  it('D4: 512 MB, or a quarter of a small machine or container', async () => {
    expect((await seen(500 * MB, 16_000 * MB)).isLow).to.equal(true);
    expect((await seen(520 * MB, 16_000 * MB)).isLow).to.equal(false);
    expect((await seen(249 * MB, 1000 * MB)).isLow).to.equal(true);
    expect((await seen(251 * MB, 1000 * MB)).isLow).to.equal(false);
  });

  it('D4: nobody looks before something is taken, nor for a page that comes and goes', async () => {
    const begun = begin(10 * MB, 16_000 * MB);
    begun.onTaken(60 * 1024);
    expect([looks, begun.isLow]).to.deep.equal([0, false]);
    begun.onTaken(4 * 1024);
    expect(looks).to.equal(1);
    await until(() => begun.isLow);
  });

  it('D4: what was taken since the last look counts at once, and many nodes that fill up together look often', async () => {
    const begun = await seen(530 * MB, 16_000 * MB);
    begun.onTaken(15 * MB);
    expect([looks, begun.isLow], 'soon after').to.deep.equal([1, false]);
    begun.onTaken(4 * MB);
    expect([looks, begun.isLow]).to.deep.equal([2, true]);
  });

  it('D4: half of it is there for deletes', async () => {
    const begun = await seen(258 * MB, 16_000 * MB);
    await until(() => begun.isLow);
    expect(begun.isSpent).to.equal(false);
    begun.onTaken(3 * MB);
    expect(begun.isSpent).to.equal(true);
  });

  it('D4: it is told once, and once when there is enough again, though nobody asks', async () => {
    const begun = await seen(500 * MB, 16_000 * MB);
    left = { free: 520 * MB, total: 16_000 * MB, of: ' of this machine' };
    await until(() => looks > 2);
    expect(begun.isLow, 'enough by a hair').to.equal(true);
    left = { free: 700 * MB, total: 16_000 * MB, of: ' of this machine' };
    await until(() => !begun.isLow);
    expect(log.lines).to.deep.equal([
      'error memory of this machine: 500.0 MB left, 512.0 MB are kept for deletes, replays and copies: new values are refused; end other programs, delete keys, or add nodes elsewhere',
      'info memory of this machine: 700.0 MB free, values are taken again',
    ]);
  });

  it('D4: where the system does not tell, nothing is refused', async () => {
    const begun = begin(0, 0);
    left = new Error('no such file');
    for (let n = 1; n < 4; n++) {
      await until(() => {
        begun.onTaken(1000 * MB);
        return looks >= n;
      });
      expect(begun.isLow).to.equal(false);
    }
    expect(log.lines).to.deep.equal([]);
  });

  it('D4: a look that fails, as for lack of files, makes nothing of too little', async () => {
    const begun = await seen(500 * MB, 16_000 * MB);
    await until(() => begun.isLow);
    left = new Error('EMFILE');
    const before = looks;
    await until(() => looks > before + 1);
    expect(begun.isLow).to.equal(true);
    left = { free: 700 * MB, total: 16_000 * MB, of: ' of this machine' };
    await until(() => !begun.isLow);
    expect(log.lines).to.have.length(2);
  });
});
