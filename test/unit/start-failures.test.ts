// Which nodes count as failing to start: what has registered did start.
import { expect } from 'chai';
import { StartFailures } from '../../src/manager/start-failures.js';

describe('nodes that end as soon as they are started', () => {
  it('are counted each by itself, five times in a row, and told once', () => {
    const failures = new StartFailures(true);
    for (const id of [0, 1, 2, 0, 1, 2, 0, 1, 0]) expect(failures.onEnded(id, 9, false)).to.equal(false);
    expect(failures.isFailing(0)).to.equal(false);
    expect(failures.onEnded(0, 9, false)).to.equal(true);
    expect(failures.onEnded(0, 9, false)).to.equal(false);
    expect([0, 1, 2].map((id) => failures.isFailing(id))).to.deep.equal([true, false, false]);
    expect(failures.hasRegistered).to.equal(false);
  });

  it('are not failing any more once they have registered, and what has registered in a ready cluster has not failed when it ends', () => {
    const failures = new StartFailures(true);
    for (let n = 1; n <= 5; n++) failures.onEnded(0, n, true);
    failures.onRegistered(0, 6);
    expect(failures.isFailing(0)).to.equal(false);
    expect(failures.hasRegistered).to.equal(true);
    expect(failures.onEnded(0, 6, true)).to.equal(false);
    for (let n = 7; n <= 10; n++) expect(failures.onEnded(0, n, true)).to.equal(false);
    expect(failures.onEnded(0, 11, true)).to.equal(true);
  });

  it('are failing, too, if each of them has registered but none has lived until the cluster was ready', () => {
    const failures = new StartFailures(true);
    for (let n = 1; n <= 5; n++) {
      failures.onRegistered(0, n);
      expect(failures.isFailing(0)).to.equal(false);
      expect(failures.onEnded(0, n, false)).to.equal(n === 5);
    }
    expect(failures.isFailing(0)).to.equal(true);
    failures.onRegistered(0, 6);
    expect(failures.isFailing(0)).to.equal(false);
    failures.onEnded(0, 6, false);
    expect(failures.isFailing(0)).to.equal(true);
  });

  it('one end is enough if they are not started again', () => {
    expect(new StartFailures(false).onEnded(0, 1, false)).to.equal(true);
  });
});
