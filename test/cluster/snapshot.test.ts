// Snapshots of a cluster that serves, and their way back into another one.
import { expect } from 'chai';
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { GTStoreClient } from '../../src/client/index.js';
import type { StoreValue, StoredEntry } from '../../src/client/index.js';
import { decodeValue } from '../../src/protocol/value-codec.js';
import { IncompleteError, SnapshotError } from '../../src/snapshot/errors.js';
import { openSnapshot, readRecords } from '../../src/snapshot/read-snapshot.js';
import { restoreSnapshot } from '../../src/snapshot/restore-snapshot.js';
import { type SnapshotStore, takeSnapshot } from '../../src/snapshot/take-snapshot.js';
import { startCluster } from '../../src/testing/index.js';
import { type Listed, entry, failureOf, storeOf, useFolder } from '../support/snapshot-files.js';
import { fill, keysWhere, useCluster } from '../support/cluster-fixture.js';
import { Load } from '../support/cluster-load.js';
import { repeat } from '../support/cluster-until.js';

/** Between the clocks of client and manager, and what passes between a put and the look at its expiry. */
const expiryMsOff = 5_000;
const hourMs = 3_600_000;

/** As the store, but at one point of the walk something happens. */
function interrupted(store: GTStoreClient, at: number, act: () => Promise<void>): SnapshotStore {
  return {
    clusterMap: store.clusterMap,
    async *storedEntries(options) {
      let met = 0;
      for await (const each of store.storedEntries(options)) {
        yield each;
        if (++met === at) await act();
      }
    },
  };
}

async function contentOf(directory: string): Promise<Map<string, Listed>> {
  const content = new Map<string, Listed>();
  for await (const block of readRecords(await openSnapshot(directory))) {
    for (const { key, valueBytes, expiresAtMs } of block) {
      expect(content.has(key), `${key} twice`).to.equal(false);
      content.set(key, { key, value: decodeValue(Buffer.from(valueBytes)), expiresAtMs });
    }
  }
  return content;
}

async function listed(store: GTStoreClient, prefix = ''): Promise<Map<string, StoredEntry>> {
  const entries = new Map<string, StoredEntry>();
  for await (const each of store.storedEntries({ prefix })) {
    expect(entries.has(each.key), `${each.key} twice`).to.equal(false);
    entries.set(each.key, each);
  }
  return entries;
}

describe('snapshots', function () {
  this.timeout(120_000);
  const fixture = useCluster({ nodes: 5, replicas: 3 });
  const newFolder = useFolder();

  it('under writes, with a node killed meanwhile: every key once; and back into N=3, K=2, time to live kept', async () => {
    const { cluster } = fixture;
    const store = await fixture.open();
    const still = await fill(store, 'still', 3000);
    const startMs = Date.now();
    await store.putMany(new Map(Array.from({ length: 300 }, (_, n) => [`held-${n}`, n])), { ttlMs: hourMs });
    await store.put('bytes', new Uint8Array([0, 255]));
    await store.put('brief', 'soon gone', { ttlMs: 1 });
    const busy = keysWhere(store, 'busy', 40, () => true);
    const load = new Load(store, busy, { everyMs: 2 });
    await load.untilWrites(400);
    const before = await store.getMany(busy);

    const directory = join(newFolder(), 'a');
    const walker = await fixture.open();
    const meanwhile = async (): Promise<void> => {
      await cluster.kill(2);
      await load.untilWrites(200);
    };
    const manifest = await takeSnapshot(interrupted(walker, 500, meanwhile), directory);
    const after = (await store.getMany(busy)) as number[];
    await load.stop();
    await cluster.untilHealthy();

    const content = await contentOf(directory);
    expect(manifest.keys).to.equal(content.size);
    expect(content.size).to.equal(still.size + 300 + 1 + busy.length);
    for (const [key, value] of still) expect(content.get(key)?.value, key).to.equal(value);
    for (let n = 0; n < 300; n++) {
      expect(content.get(`held-${n}`)?.value).to.equal(n);
      expect(content.get(`held-${n}`)?.expiresAtMs).to.be.closeTo(startMs + hourMs, expiryMsOff);
    }
    for (const [n, key] of busy.entries()) {
      expect(content.get(key)?.value, key).to.be.within(before[n] as number, after[n]!);
    }

    await using small = await startCluster({ nodes: 3, replicas: 2 });
    await using other = new GTStoreClient({ manager: small.url });
    await other.init();
    const result = await restoreSnapshot(other, await openSnapshot(directory));
    expect(result).to.deep.equal({ keys: content.size, expired: 0 });
    const restored = await listed(other);
    expect([...restored.keys()].sort()).to.deep.equal([...content.keys()].sort());
    for (const { key, value, expiresAtMs } of content.values()) {
      expect(restored.get(key)?.value, key).to.deep.equal(value);
      if (expiresAtMs === undefined) expect(restored.get(key)?.expiresAtMs, key).to.equal(undefined);
      else expect(restored.get(key)?.expiresAtMs, key).to.be.closeTo(expiresAtMs, expiryMsOff);
    }
  });

  it('a key that is overwritten all the time is listed each time, with the expiry of the value that is listed', async () => {
    const store = await fixture.open();
    const writers = await Promise.all([fixture.open(), fixture.open(), fixture.open()]);
    let isOver = false;
    let writes = 0;
    const write = async (writer: GTStoreClient): Promise<boolean> => {
      const ttlMs = (1 + (writes++ % 50)) * hourMs;
      await writer.put('hot', Date.now() + ttlMs, { ttlMs });
      return !isOver;
    };
    await write(store);
    const writing = Promise.all(
      writers.flatMap((writer) => [0, 1].map(() => repeat(0, () => write(writer)))),
    );
    for (let look = 0; look < 6; look++) {
      const hot = (await listed(store, 'hot')).get('hot');
      expect(hot?.expiresAtMs).to.be.closeTo(hot?.value as number, expiryMsOff);
    }
    isOver = true;
    await writing;
    expect(writes).to.be.above(100);
  });
});

describe('restoring a snapshot', function () {
  this.timeout(60_000);
  const fixture = useCluster({ nodes: 3, replicas: 2, keyBytesMax: 20, valueBytesMax: 1000 });
  const newFolder = useFolder();
  afterEach(async () => {
    const store = await fixture.open();
    for await (const [key] of store.entries()) await store.delete(key);
  });

  async function snapshotOf(entries: readonly StoredEntry[]): Promise<string> {
    const directory = join(newFolder(), 'a');
    await takeSnapshot(storeOf(entries), directory);
    return directory;
  }

  async function restore(directory: string, overwrite = false): Promise<unknown> {
    return restoreSnapshot(await fixture.open(), await openSnapshot(directory), { overwrite });
  }

  async function content(): Promise<Record<string, StoreValue>> {
    const store = await fixture.open();
    const found: Record<string, StoreValue> = {};
    for await (const [key, value] of store.entries()) found[key] = value;
    return found;
  }

  it('what has expired is left out', async () => {
    const directory = await snapshotOf([
      entry('gone', 1, Date.now() - 1000),
      entry('held', 2, Date.now() + hourMs),
      entry('ever', 3),
    ]);
    expect(await restore(directory)).to.deep.equal({ keys: 2, expired: 1 });
    expect(await content()).to.deep.equal({ held: 2, ever: 3 });
  });

  it('a cluster that has keys is left alone, unless they may be overwritten', async () => {
    const store = await fixture.open();
    await store.putMany({ mine: 1, both: 1 });
    const directory = await snapshotOf([entry('both', 2), entry('theirs', 2)]);
    const error = await failureOf(restore(directory));
    expect(error).to.be.instanceOf(SnapshotError);
    expect(error.message).to.match(/the cluster is not empty: it has the key '(mine|both)'.*--overwrite/);
    expect(await content()).to.deep.equal({ mine: 1, both: 1 });
    expect(await restore(directory, true)).to.deep.equal({ keys: 2, expired: 0 });
    expect(await content()).to.deep.equal({ mine: 1, both: 2, theirs: 2 });
  });

  it('a damaged snapshot leaves nothing behind, wherever the damage is', async () => {
    const many = Array.from({ length: 2000 }, (_, n) => entry(`key-${n}`, 'x'.repeat(900)));
    const directory = await snapshotOf(many);
    const file = join(directory, 'part-0001.gts');
    const bytes = readFileSync(file);
    bytes[bytes.length - 10]! ^= 1;
    writeFileSync(file, bytes);
    expect((await failureOf(restore(directory))).message).to.match(/part-0001\.gts is damaged/);
    expect(await content()).to.deep.equal({});
  });

  it('limits of the cluster that are too low are named before anything is stored', async () => {
    const long = await snapshotOf([entry('ok', 1), entry('k'.repeat(21), 1)]);
    expect((await failureOf(restore(long))).message).to.match(
      /a key of 21 bytes.*at most 20.*--max-key-bytes 21/,
    );
    const large = await snapshotOf([entry('ok', 1), entry('k', 'v'.repeat(1000))]);
    expect((await failureOf(restore(large))).message).to.match(
      /a value of 1003 bytes.*--max-value-bytes 1003/,
    );
    expect(await content()).to.deep.equal({});
  });

  it('a failure in the middle says how much is there', async () => {
    const store = await fixture.open();
    const directory = await snapshotOf(Array.from({ length: 1000 }, (_, n) => entry(`key-${n}`, n)));
    const stop = new AbortController();
    const { signal } = stop;
    let puts = 0;
    const failing = {
      clusterMap: store.clusterMap,
      storedEntries: store.storedEntries.bind(store),
      put: async (...args: Parameters<GTStoreClient['put']>) => {
        if (++puts > 600) throw new Error('enough');
        return store.put(...args);
      },
    };
    const error = await failureOf(restoreSnapshot(failing, await openSnapshot(directory), { signal }));
    expect(error).to.be.instanceOf(IncompleteError);
    expect(error.message).to.equal('enough; 600 keys had been stored before, and are there');
    expect(Object.keys(await content())).to.have.length(600);
  });

  it('keys that something deletes meanwhile are missed at the end', async () => {
    const store = await fixture.open();
    const directory = await snapshotOf([entry('a', 1), entry('b', 1)]);
    const losing = {
      clusterMap: store.clusterMap,
      storedEntries: store.storedEntries.bind(store),
      put: async (key: string) =>
        key === 'a' ? store.put(key, 1) : { version: (await store.put('a', 1)).version },
    };
    const error = await failureOf(restoreSnapshot(losing, await openSnapshot(directory)));
    expect(error.message).to.match(/^2 keys were restored, but the cluster has 1 now, not 2 at least/);
  });
});
