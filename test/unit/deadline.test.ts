// One deadline for a call of several steps, and what is left of it behind the call.
import { expect } from 'chai';
import { getEventListeners } from 'node:events';
import { inTime, remainingOf } from '../../src/client/deadline.js';
import { errorOf } from '../support/store-error.js';
import { endOfTurn } from '../support/transport-peers.js';

describe('the deadline of a call of several steps', () => {
  const timers = (): number =>
    process.getActiveResourcesInfo().filter((resource) => resource === 'Timeout').length;

  it('leaves neither timer nor listener behind, however the step ends', async () => {
    const [closing, caller] = [new AbortController().signal, new AbortController().signal];
    const mine = new Error('mine');
    // mocha's own begins when the test does not end at once.
    await endOfTurn();
    const timersBefore = timers();
    const left = { timeoutMs: 100_000, signal: caller };
    const steps = [1, 2].map(() => inTime(Promise.resolve('done'), left, closing, 'it'));
    steps.push(inTime(Promise.reject(mine), left, closing, 'it'));
    expect([closing, caller].map((signal) => getEventListeners(signal, 'abort').length)).to.deep.equal([
      1, 1,
    ]);
    const ends = await Promise.allSettled(steps);
    const done = { status: 'fulfilled', value: 'done' };
    expect(ends).to.deep.equal([done, done, { status: 'rejected', reason: mine }]);
    // One of another test may have gone off meanwhile.
    expect(timers()).to.be.at.most(timersBefore);
    expect([closing, caller].map((signal) => getEventListeners(signal, 'abort').length)).to.deep.equal([
      0, 0,
    ]);
  });

  it('says CLOSED of a client that is closed, also where the caller might have aborted the call', async () => {
    const closing = new AbortController();
    const { signal } = new AbortController();
    const never = new Promise(() => undefined);
    const error = errorOf(() => inTime(never, { timeoutMs: 100_000, signal }, closing.signal, 'it'));
    closing.abort();
    expect(await error).to.include({ code: 'CLOSED', outcome: 'not-applied' });
  });

  it('TIMEOUT once nothing of it is left, with the time that was given', async () => {
    const remaining = remainingOf({ timeoutMs: 0.001 }, 5000, 'not-applied');
    const startedAtMs = performance.now();
    while (performance.now() - startedAtMs < 1);
    const error = await errorOf(async () => remaining());
    expect(error).to.include({ code: 'TIMEOUT', outcome: 'not-applied', message: 'not done within 1 ms' });
  });
});
