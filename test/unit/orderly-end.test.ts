// How long everybody waits at an orderly end: whoever waits for another waits longer than that one may take.
import { expect } from 'chai';
import { stopMsMax as snapshotMsMax } from '../../src/cli/periodic-snapshots.js';
import { stopMsMax } from '../../src/cli/supervisor.js';
import { endMsMax, killedMsMax, nodesEnd } from '../../src/manager/nodes-end.js';
import { closeMsDefault } from '../../src/node/storage/disk-journal.js';

/** A node's connections may linger for that long before it closes its disk. */
const lingerMs = 1000;

describe('an orderly end', () => {
  for (const durability of ['interval', 'always'] as const) {
    it(`with ${durability}: nodes are killed only after they have given up saving`, () => {
      expect(endMsMax(durability)).to.be.above(lingerMs + closeMsDefault);
    });
  }

  it('the manager is killed only after it has given up waiting for its snapshot and its nodes', () => {
    expect(stopMsMax).to.be.above(snapshotMsMax + endMsMax('interval') + killedMsMax);
  });

  it('in memory there is nothing to be saved, and nobody waits long', () => {
    expect(endMsMax('none')).to.be.at.most(3000);
  });

  it('whoever waits for more than a second is told for whom, and why', async () => {
    const lines: string[] = [];
    const nothing = (): void => undefined;
    let left = [0, 2];
    const info = (text: string): void => {
      lines.push(text);
      left = [];
    };
    const log = { debug: nothing, info, warn: nothing, error: nothing };
    const ending = nodesEnd({ nodesLeft: () => left, withinMs: 30_000, isSaving: true, log });
    expect(await ending).to.equal(true);
    expect(lines).to.deep.equal([
      'waiting for nodes 0, 2 to save what they have, and end: 1 s of 30 at most; a second Ctrl-C loses what is not saved',
    ]);
  });

  it('who does not end within the time is not waited for any longer, and it is said that somebody is left', async () => {
    const nothing = (): void => undefined;
    const log = { debug: nothing, info: nothing, warn: nothing, error: nothing };
    const startedAtMs = performance.now();
    expect(await nodesEnd({ nodesLeft: () => [1], withinMs: 40, isSaving: false, log })).to.equal(false);
    expect(performance.now() - startedAtMs).to.be.within(40, 1000);
  });
});
