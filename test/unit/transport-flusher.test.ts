/** When lazy bytes leave, on a clock of our own: a copy of the module that has seen no other test, and made-up timers. */
import { expect } from 'chai';
import type * as flusherModule from '../../src/transport/flusher.js';
import type { Flushable } from '../../src/transport/flusher.js';

type Flusher = typeof flusherModule;

class Fake implements Flushable {
  flushDue = false;
  lazyDue = false;
  lazySince = 0;
  flushes = 0;

  flush(): void {
    this.flushes++;
  }
}

describe('flusher', () => {
  const { setTimeout: realTimeout, setImmediate: realImmediate } = globalThis;
  let timers: { readonly run: () => void; readonly ms: number }[] = [];
  let immediates: (() => void)[] = [];
  let flusher: Flusher;
  let copies = 0;

  before(() => {
    const fakeTimeout = (run: () => void, ms: number): { unref: () => void } => {
      timers.push({ run, ms });
      return { unref: () => undefined };
    };
    globalThis.setTimeout = fakeTimeout as unknown as typeof setTimeout;
    globalThis.setImmediate = ((run: () => void) => immediates.push(run)) as unknown as typeof setImmediate;
  });

  after(() => {
    globalThis.setTimeout = realTimeout;
    globalThis.setImmediate = realImmediate;
  });

  beforeEach(async () => {
    timers = [];
    immediates = [];
    const url = new URL('../../src/transport/flusher.js', import.meta.url);
    flusher = (await import(`${url.href}?copy=${++copies}`)) as Flusher;
  });

  function endTurn(): void {
    for (const run of immediates.splice(0)) run();
  }

  /** The timer fires. @returns after how long, in milliseconds; -1: none runs */
  function tick(): number {
    const timer = timers.shift();
    timer?.run();
    endTurn();
    return timer?.ms ?? -1;
  }

  it('lazy bytes of a process that is quiet leave after a millisecond, and then no timer runs', () => {
    const one = new Fake();
    flusher.flushLater(one);
    endTurn();
    expect(one.flushes).to.equal(0);
    expect(tick()).to.equal(1);
    expect(one.flushes).to.equal(1);
    expect(tick()).to.equal(-1);
  });

  it('while others are taken along they wait on, four milliseconds at most', () => {
    const [busy, alone] = [new Fake(), new Fake()];
    const work = (): void => {
      flusher.flushLater(busy);
      flusher.flushSoon(busy);
      endTurn();
    };
    work();
    tick();
    flusher.flushLater(alone);
    work();
    expect(tick()).to.equal(2);
    expect(alone.flushes).to.equal(0);
    work();
    expect(tick()).to.equal(2);
    expect(alone.flushes).to.equal(1);
  });

  it('bytes that were taken along are flushed no second time, and younger ones have a wait of their own', () => {
    const [busy, other] = [new Fake(), new Fake()];
    const work = (flushable: Fake): void => {
      flusher.flushLater(flushable);
      flusher.flushSoon(flushable);
      endTurn();
    };
    flusher.flushLater(other);
    work(busy);
    work(other);
    expect(other.flushes).to.equal(1);
    flusher.flushLater(other);
    tick();
    expect(other.flushes).to.equal(1);
    work(busy);
    tick();
    expect(other.flushes).to.equal(2);
  });

  it('when the process has gone quiet, what waits leaves at the next tick', () => {
    const [busy, alone] = [new Fake(), new Fake()];
    flusher.flushLater(busy);
    flusher.flushSoon(busy);
    endTurn();
    tick();
    flusher.flushLater(alone);
    expect(tick()).to.equal(2);
    expect(alone.flushes).to.equal(1);
    expect(tick()).to.equal(-1);
  });
});
