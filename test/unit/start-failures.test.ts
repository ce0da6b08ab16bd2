// Which nodes count as failing to start: what has registered did start.
import { expect } from 'chai';
import { StartFailures } from '../../src/manager/start-failures.js';

describe('nodes that end as soon as they are started', () => {
  it('are counted each by itself, five times in a row, and told once', () => {
    const failures = new StartFailures(true);
    for (const id of [0, 1, 2, 0, 1, 2, 0, 1, 0]) expect(failures.onEnded(id, 9)).to.equal(false);
    expect(failures.isFailing(0)).to.equal(false);
    expect(failures.onEnded(0, 9)).to.equal(true);
    expect(failures.onEnded(0, 9)).to.equal(false);
    expect([0, 1, 2].map((id) => failures.isFailing(id))).to.deep.equal([true, false, false]);
    expect(failures.hasRegistered).to.equal(false);
  });

  it('are not failing any more once they have registered, and what has registered has not failed when it ends', () => {
    const failures = new StartFailures(true);
    for (let n = 1; n <= 5; n++) failures.onEnded(0, n);
    failures.onRegistered(0, 6);
    expect(failures.isFailing(0)).to.equal(false);
    expect(failures.hasRegistered).to.equal(true);
    expect(failures.onEnded(0, 6)).to.equal(false);
    for (let n = 7; n <= 10; n++) expect(failures.onEnded(0, n)).to.equal(false);
    expect(failures.onEnded(0, 11)).to.equal(true);
  });

  it('one end is enough if they are not started again', () => {
    expect(new StartFailures(false).onEnded(0, 1)).to.equal(true);
  });
});
