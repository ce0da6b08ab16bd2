import { expect } from 'chai';
import { existsSync, readdirSync, readFileSync, statSync, symlinkSync, writeFileSync } from 'node:fs';
import { mkdir, mkdtemp, open, rm } from 'node:fs/promises';
import type { FileHandle } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { FileMetadataStore } from '../../src/manager/file-metadata-store.js';
import { MemoryMetadataStore } from '../../src/manager/metadata-store.js';
import type { Logger } from '../../src/protocol/logger.js';
import { itKeepsTheContract, stateOf } from '../support/metadata-store-contract.js';

/** Of files and directories, by whatever opens them. @returns call it to have all as it was */
async function countSyncs(count: () => void): Promise<() => void> {
  const handle = await open(tmpdir(), 'r');
  await handle.close();
  const { prototype } = handle.constructor as unknown as { prototype: FileHandle };
  const { sync } = prototype;
  prototype.sync = function (this: FileHandle) {
    count();
    return sync.call(this);
  };
  return () => {
    prototype.sync = sync;
  };
}

describe('the memory store of the manager', () => {
  itKeepsTheContract(
    () => new MemoryMetadataStore(),
    () => undefined,
  );
});

describe('the file store of the manager', () => {
  let directory = '';
  const errors: string[] = [];
  const log: Logger = {
    error: (text) => errors.push(text),
    warn: (text) => errors.push(text),
    info: () => undefined,
    debug: () => undefined,
  };

  function openStore(): FileMetadataStore {
    return new FileMetadataStore(join(directory, 'some', 'where'), log);
  }

  async function reset(): Promise<void> {
    await rm(directory, { recursive: true, force: true });
    await mkdir(directory);
    errors.length = 0;
  }

  before(async () => {
    directory = join(await mkdtemp(join(tmpdir(), 'gtstore-state-')), 'd');
  });
  after(async () => {
    await rm(join(directory, '..'), { recursive: true });
  });

  itKeepsTheContract(openStore, reset);

  const damages: readonly (readonly [what: string, damage: (path: string) => void, line: RegExp])[] = [
    [
      'is empty',
      (path) => {
        writeFileSync(path, '');
      },
      /not valid JSON \(0 characters\)/,
    ],
    [
      'is torn',
      (path) => {
        writeFileSync(path, readFileSync(path).subarray(0, 200));
      },
      /not valid JSON/,
    ],
    [
      'is garbage',
      (path) => {
        writeFileSync(path, Buffer.alloc(300, 0xfe));
      },
      /not valid JSON/,
    ],
    [
      'is other JSON',
      (path) => {
        writeFileSync(path, '[1, 2]');
      },
      /no state of a manager/,
    ],
    [
      'has one digit changed',
      (path) => {
        const text = readFileSync(path, 'utf8');
        writeFileSync(path, text.replace('"nextIncarnation":4', '"nextIncarnation":3'));
      },
      /does not fit its checksum/,
    ],
    [
      'has lost its checksum',
      (path) => {
        const text = readFileSync(path, 'utf8').replace('"sha256":', '"sha257":');
        writeFileSync(path, text.replace('"nextIncarnation":4', '"nextIncarnation":3'));
      },
      /does not fit its checksum/,
    ],
  ];
  for (const [what, damage, line] of damages) {
    it(`a file that ${what} is set aside and told, and its twin gives the very same state`, async () => {
      const store = openStore();
      await store.save(stateOf(1));
      await store.save(stateOf(2));
      damage(store.path);
      const damaged = readFileSync(store.path);
      expect(await openStore().load()).to.deep.equal(stateOf(2));
      expect(errors).to.have.length(1);
      expect(errors[0]).to.match(line).and.include(store.path).and.include(store.previousPath);
      const aside = readdirSync(join(directory, 'some', 'where')).filter((name) => name.includes('damaged'));
      expect(aside).to.have.length(1);
      expect(readFileSync(join(directory, 'some', 'where', aside[0] ?? ''))).to.deep.equal(damaged);
      // A manager that is killed before it has saved anything leaves that to the next one.
      expect(await openStore().load()).to.deep.equal(stateOf(2));
      await openStore().save(stateOf(3));
      expect(await openStore().load()).to.deep.equal(stateOf(3));
    });
  }

  it('M7: the twin is never behind what was saved, so that no epoch is published twice', async () => {
    const store = openStore();
    for (const serial of [1, 2, 3]) {
      await store.save(stateOf(serial));
      await rm(store.path);
      expect(await openStore().load(), 'from the twin alone').to.deep.equal(stateOf(serial));
      expect(errors.pop()).to.match(/is missing; using/);
    }
  });

  it('a twin that is damaged is set aside, too', async () => {
    const store = openStore();
    await store.save(stateOf(1));
    writeFileSync(store.previousPath, 'torn');
    expect(await openStore().load()).to.deep.equal(stateOf(1));
    expect(errors[0]).to.include(store.previousPath);
    expect(existsSync(store.previousPath)).to.equal(false);
  });

  it('with neither readable nothing is touched, and one line says what to do', async () => {
    const store = openStore();
    await store.save(stateOf(1));
    writeFileSync(store.path, 'torn');
    writeFileSync(store.previousPath, '');
    let message = '';
    await openStore()
      .load()
      .catch((error: unknown) => (message = String(error)));
    expect(message).to.include(store.path).and.include(store.previousPath);
    expect(message).to.match(/put back a good copy.*or end the nodes.*move both away/);
    expect(message).not.to.include('\n');
    expect(readFileSync(store.path, 'utf8')).to.equal('torn');
    expect(readFileSync(store.previousPath, 'utf8')).to.equal('');
  });

  it('a file of another version is left alone, and one line says what to do', async () => {
    const store = openStore();
    await store.save(stateOf(1));
    writeFileSync(store.path, JSON.stringify({ formatVersion: 1, state: stateOf(1) }));
    let message = '';
    await openStore()
      .load()
      .catch((error: unknown) => (message = String(error)));
    expect(message).to.match(/another version of gtstore; run that version, or move/);
    expect(existsSync(store.path)).to.equal(true);
  });

  it('what a save that was cut off left behind does not matter', async () => {
    const store = openStore();
    await store.save(stateOf(1));
    writeFileSync(`${store.path}.next`, '{"formatVersion":2,"sha');
    expect(await openStore().load()).to.deep.equal(stateOf(1));
    await openStore().save(stateOf(2));
    expect(await openStore().load()).to.deep.equal(stateOf(2));
  });

  for (const durability of ['none', 'always'] as const) {
    it(`M7: on a disk that is full a save fails, and the state before it stays whole: ${durability}`, async function () {
      // A file that there is never room for.
      if (!existsSync('/dev/full')) this.skip();
      const store = openStore();
      await store.save(stateOf(1, 3, durability));
      for (const path of [store.path, store.previousPath]) symlinkSync('/dev/full', `${path}.next`);
      const failure = await store.save(stateOf(2, 3, durability)).catch((error: unknown) => error);
      expect(String(failure)).to.match(/ENOSPC/);
      expect(await openStore().load()).to.deep.equal(stateOf(1, 3, durability));
      expect(errors).to.deep.equal([]);
    });
  }

  it('what has been synced is closed again, time after time', async function () {
    if (process.platform !== 'linux') this.skip();
    const store = openStore();
    await store.save(stateOf(1, 3, 'always'));
    const open = readdirSync('/proc/self/fd').length;
    for (let serial = 2; serial < 10; serial++) await store.save(stateOf(serial, 3, 'always'));
    expect(readdirSync('/proc/self/fd').length).to.be.below(open + 4);
  });

  describe('and the disk', () => {
    let syncs = 0;
    let giveBack: () => void;
    beforeEach(async () => {
      await reset();
      giveBack = await countSyncs(() => {
        syncs++;
      });
      syncs = 0;
    });
    afterEach(() => {
      giveBack();
    });

    it('is not waited for while the data is in memory only', async () => {
      await openStore().save(stateOf(1));
      expect(syncs).to.equal(0);
    });

    it('is waited for if nodes of other hosts may have the data, which outlive this one', async () => {
      const state = stateOf(1);
      const other = { id: 3, spawned: false, pid: 9 };
      await openStore().save({ ...state, knownNodes: [...state.knownNodes, { ...other, drained: true }] });
      expect(syncs).to.equal(0);
      await openStore().save({ ...state, knownNodes: [...state.knownNodes, other] });
      expect(syncs).to.equal(2 + 1);
    });

    for (const durability of ['interval', 'always'] as const) {
      it(`is waited for, both files and all new directories, if the data is there, too: ${durability}`, async () => {
        await openStore().save(stateOf(1, 3, durability));
        expect(syncs).to.equal(2 + 2 + 1);
        await openStore().save(stateOf(2, 3, durability));
        expect(syncs).to.equal(2 + 2 + 1 + 2 + 1);
      });

      it(`does not stop the manager while it is waited for: ${durability}`, async () => {
        const saved = openStore().save(stateOf(1, 3, durability));
        let hasTurned = false;
        setImmediate(() => {
          hasTurned = true;
        });
        await saved;
        expect(hasTurned).to.equal(true);
      });
    }
  });

  it('is for its owner only', async function () {
    if (process.platform === 'win32') this.skip();
    const store = openStore();
    await store.save(stateOf(1));
    expect(statSync(store.path).mode & 0o777).to.equal(0o600);
    expect(statSync(join(directory, 'some', 'where')).mode & 0o777).to.equal(0o700);
  });
});
