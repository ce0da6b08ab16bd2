// What a restore says of itself when it fails after the last key has been stored.
import { expect } from 'chai';
import { openSnapshot } from '../../src/snapshot/read-snapshot.js';
import { type RestorePhase, restoreSnapshot } from '../../src/snapshot/restore-snapshot.js';
import { takeSnapshot } from '../../src/snapshot/take-snapshot.js';
import { entry, failureOf, storeOf, useFolder } from '../support/snapshot-files.js';

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
