// A node whose own disk hangs tells the manager (PROTOCOL M2).
import { expect } from 'chai';
import { DiskWatch } from '../../src/node/core/disk-watch.js';
import { noJournal } from '../../src/node/core/journal.js';
import { ArenaStore } from '../../src/node/storage/arena-store.js';
import { MessageType } from '../../src/protocol/messages.js';
import { NodeOnTable, self } from '../support/node-core.js';

const hungMs = 5000;
const slackMs = 100;

describe('M2: a node some of whose changes wait for its disk', () => {
  let stage: NodeOnTable;
  let journal: { -readonly [name in keyof typeof noJournal]: (typeof noJournal)[name] };

  beforeEach(() => {
    journal = { ...noJournal, isAwaited: true };
    stage = new NodeOnTable({ store: new ArenaStore({ hashSeed: 1 }), journal });
    stage.map([{ replicas: [self, 2] }]);
    stage.pass(1000);
    journal.noted = journal.saved + 2;
    takeReports();
  });

  function takeReports(): { own: number; others: number } {
    const reports = stage.manager?.take(MessageType.report) ?? [];
    const own = reports.filter(({ nodeId, incarnation }) => nodeId === self && incarnation === 7).length;
    return { own, others: reports.length - own };
  }

  it('says nothing for seconds, then that its disk hangs, again and again until the disk takes something', () => {
    stage.pass(hungMs - slackMs);
    expect(takeReports().own).to.equal(0);
    stage.pass(2000);
    expect(takeReports().own).to.be.within(15, 20);
    journal.saved++;
    stage.pass(hungMs - slackMs);
    expect(takeReports().own).to.equal(0);
    stage.pass(2 * slackMs);
    expect(takeReports().own).to.be.greaterThan(0);
  });

  it('says nothing of a disk that takes one batch every few seconds', () => {
    for (let n = 0; n < 5; n++) {
      stage.pass(hungMs - slackMs);
      journal.saved++;
      journal.noted++;
    }
    expect(takeReports().own).to.equal(0);
  });

  it('says nothing while all there is is saved, or waits for room', () => {
    journal.hasNoRoom = true;
    stage.pass(2 * hungMs);
    journal.hasNoRoom = false;
    journal.saved = journal.noted;
    stage.pass(2 * hungMs);
    journal.noted++;
    stage.pass(hungMs - slackMs);
    expect(takeReports().own).to.equal(0);
  });

  it('says so, too, if nobody waits for the disk: what it does not take is lost with the power', () => {
    journal.isAwaited = false;
    stage.pass(hungMs + slackMs);
    expect(takeReports().own).to.be.greaterThan(0);
  });

  it('does not count the time for which it stood still itself', () => {
    stage.nowMs += 2 * hungMs;
    stage.core.tick();
    stage.lease();
    stage.pass(hungMs - 2 * slackMs);
    expect(takeReports().own).to.equal(0);
  });

  it('tells its own log when the disk begins to hang, and when it takes something again; each once', () => {
    const lines: string[] = [];
    const watch = new DiskWatch(journal, hungMs, (level, text) => lines.push(`${level} ${text}`));
    let runningMs = 0;
    const pass = (ms: number): void => {
      for (const untilMs = runningMs + ms; runningMs < untilMs; runningMs += 100) watch.isHung(runningMs);
    };
    for (let n = 0; n < 2; n++) {
      pass(2 * hungMs);
      expect(lines.splice(0)).to.deep.equal([
        'error the disk has taken nothing for 5 s; telling the manager',
      ]);
      journal.saved++;
      journal.noted++;
      pass(slackMs);
      expect(lines.splice(0)).to.deep.equal(['info the disk takes what waits for it again']);
    }
  });
});
