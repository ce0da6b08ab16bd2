// What a restore says of itself when it fails after the last key has been stored.
import { expect } from 'chai';
import { SnapshotError } from '../../src/snapshot/errors.js';
import { openSnapshot } from '../../src/snapshot/read-snapshot.js';
import { type RestorePhase, restoreSnapshot } from '../../src/snapshot/restore-snapshot.js';
import { takeSnapshot } from '../../src/snapshot/take-snapshot.js';
import { entry, failureOf, storeOf, useFolder } from '../support/snapshot-files.js';

describe('a restore of a value that no gtstore has stored', () => {
  const newFolder = useFolder();

  it('ends before the first key is stored, and names the key', async () => {
    const folder = newFolder();
    const bad = { ...entry('bad', 1), valueBytes: Uint8Array.of(0xc1) };
    await takeSnapshot(storeOf([entry('a', 1), bad]), folder);
    const stored: string[] = [];
    const store = {
      ...storeOf([]),
      put: (key: string) => {
        stored.push(key);
        return Promise.resolve({ version: undefined as never });
      },
    };
    const error = await failureOf(restoreSnapshot(store, await openSnapshot(folder)));
    expect(error).to.be.instanceOf(SnapshotError);
    expect(error.message).to.match(/: the value of 'bad' cannot be read: .*another program/);
    expect(stored).to.deep.equal([]);
  });
});

describe('a restore that fails while it counts', () => {
  const newFolder = useFolder();

  it('says that all keys are stored', async () => {
    const folder = newFolder();
    const entries = [entry('a', 1), entry('b', 2)];
    await takeSnapshot(storeOf(entries), folder);
    const mute = storeOf(entries, () => {
      throw new Error('no answer in time');
    });
    const store = { ...mute, put: () => Promise.resolve({ version: undefined as never }) };
    const phases = new Set<RestorePhase>();
    const onProgress = (phase: RestorePhase): void => {
      phases.add(phase);
    };
    const restoring = restoreSnapshot(store, await openSnapshot(folder), { overwrite: true, onProgress });
    const all = 'no answer in time; all 2 keys are stored, but were not counted';
    expect((await failureOf(restoring)).message).to.equal(all);
    expect([...phases], 'though not one had been counted').to.deep.equal(['checking', 'storing', 'counting']);
  });
});
