// What a restore says of itself when it fails after the last key has been stored.
import { expect } from 'chai';
import { SnapshotError } from '../../src/snapshot/errors.js';
import { openSnapshot } from '../../src/snapshot/read-snapshot.js';
import { type RestorePhase, restoreSnapshot } from '../../src/snapshot/restore-snapshot.js';
import { takeSnapshot } from '../../src/snapshot/take-snapshot.js';
import { entry, failureOf, storeOf, useFolder } from '../support/snapshot-files.js';

describe('a restore of a value that no gtstore has stored', () => {
  const newFolder = useFolder();

  const stored: string[] = [];
  const store = {
    ...storeOf([entry('a', 1), entry('z', 1)]),
    put: (key: string) => {
      stored.push(key);
      return Promise.resolve({ version: undefined as never });
    },
  };

  async function snapshotWithBad(): Promise<string> {
    const folder = newFolder();
    const bad = { ...entry('bad', 1), valueBytes: Uint8Array.of(0xc1) };
    await takeSnapshot(storeOf([entry('a', 1), bad, entry('z', 1)]), folder);
    return folder;
  }

  beforeEach(() => stored.splice(0));

  it('ends before the first key is stored, and names the key and how to go on', async () => {
    const folder = await snapshotWithBad();
    const error = await failureOf(restoreSnapshot(store, await openSnapshot(folder), { overwrite: true }));
    expect(error).to.be.instanceOf(SnapshotError);
    expect(error.message).to.match(
      /: the value of 'bad' cannot be read: .*another program.*--skip-unreadable/,
    );
    expect(stored).to.deep.equal([]);
  });

  it('goes on without it when that is wanted, and tells its key once', async () => {
    const folder = await snapshotWithBad();
    const told: string[] = [];
    const onUnreadable = ({ message }: Error): void => void told.push(message);
    const options = { overwrite: true, onUnreadable };
    const { keys } = await restoreSnapshot(store, await openSnapshot(folder), options);
    expect(keys).to.equal(2);
    expect(stored).to.deep.equal(['a', 'z']);
    expect(told).to.have.length(1);
    expect(told[0])
      .to.match(/: the value of 'bad' cannot be read: /)
      .and.not.include('--skip');
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
