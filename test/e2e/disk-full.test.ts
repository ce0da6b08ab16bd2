// D4: a cluster that has filled its own disk comes back, reads, and deletes.
import { expect } from 'chai';
import { freemem } from 'node:os';
import { join } from 'node:path';
import { GTStoreClient } from '../../src/client/index.js';
import { eventually } from '../support/cluster-until.js';
import { useSmallFileSystems } from '../support/small-file-system.js';
import { failureOf } from '../support/store-error.js';
import { gtstore, launcher } from './command.js';

const MB = 2 ** 20;
const diskMB = 260;
const value = 'x'.repeat(40_000);
const atOnce = 16;
const restarts = 2;

describe('gtstore start on a disk that the cluster itself has filled', function () {
  this.timeout(90_000);
  const launch = launcher();
  // After the launcher's: by then nothing writes there.
  const mountSmall = useSmallFileSystems();

  async function open(url: string): Promise<GTStoreClient> {
    const store = new GTStoreClient({ manager: url });
    await store.init();
    return store;
  }

  /** @returns keys that are stored */
  async function fill(store: GTStoreClient): Promise<string[]> {
    const stored: string[] = [];
    let isFull = false;
    const put = async (key: string): Promise<void> => {
      const error = await failureOf(store.put(key, value));
      if (error === undefined) stored.push(key);
      else if (error.code === 'DISK_FULL') isFull = true;
      else throw error;
    };
    for (let n = 0; !isFull;) await Promise.all(Array.from({ length: atOnce }, () => put(`key-${n++}`)));
    return stored;
  }

  it('D4: again and again: it is ready, gives what is stored, and deletes', async function () {
    const path = freemem() < 2 * diskMB * MB ? undefined : mountSmall(`size=${diskMB}m`);
    if (path === undefined) {
      console.log('      needs memory for a small file system, and the right to mount one: skipped');
      this.skip();
    }
    const start = (...args: string[]): ReturnType<typeof launch> =>
      launch(gtstore, ['start', '--port', '0', '--data-dir', join(path, 'data'), ...args]);
    let cluster = start('-n', '3', '-k', '3', '--durability', 'always');
    let store = await open(await cluster.ready());
    const stored = await fill(store);
    for (let n = 0; n < restarts; n++) {
      await store.finalize();
      cluster.signal('SIGTERM');
      const { code, stderr } = await cluster.ended();
      expect(code, stderr).to.equal(0);
      cluster = start();
      store = await open(await cluster.ready());
      const key = stored.pop() ?? expect.fail('nothing was stored');
      expect(await store.get(key)).to.equal(value);
      // Refused for moments, while LevelDB merges what it had begun to before.
      await eventually(`${key} is deleted`, async () => (await failureOf(store.delete(key))) === undefined);
      expect(await store.get(key)).to.equal(undefined);
    }
    await store.finalize();
  });
});
