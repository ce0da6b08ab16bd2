// Storing many keys: bounds on what is under way, order within a key, what is tried again and what is not.
import { expect } from 'chai';
import { GTStoreError } from '../../src/client/index.js';
import type { StoreValue } from '../../src/client/index.js';
import { PutWindow } from '../../src/snapshot/put-window.js';
import { failureOf } from '../support/snapshot-files.js';
import { until } from '../support/until.js';
import { warningsOf } from '../support/warnings.js';

interface Put {
  readonly key: string;
  readonly value: StoreValue;
  readonly ttlMs: number | undefined;
  readonly resolve: () => void;
  readonly reject: (error: Error) => void;
}

/** Puts that the test answers by hand. */
class Target {
  /** Not answered yet, and not taken by `next`. */
  readonly open: Put[] = [];
  most = 0;
  #underWay = 0;

  put(key: string, value: StoreValue, { ttlMs }: { readonly ttlMs?: number }): Promise<void> {
    this.#underWay++;
    this.most = Math.max(this.most, this.#underWay);
    return new Promise<void>((resolve, reject) => {
      this.open.push({ key, value, ttlMs, resolve, reject });
    }).finally(() => this.#underWay--);
  }

  async next(): Promise<Put> {
    return until(() => this.open.shift(), { what: 'another put' });
  }
}

const item = (key: string, value: StoreValue = 1, bytes = 1) => ({
  key,
  value,
  bytes,
  expiresAtMs: undefined,
});

describe('PutWindow', () => {
  it('keeps no more keys under way than it may', async () => {
    const target = new Target();
    const window = new PutWindow(target, { inFlightMax: 3 });
    const adding = (async () => {
      for (let n = 0; n < 10; n++) await window.add(item(`k${n}`));
      await window.drain();
    })();
    for (let n = 0; n < 10; n++) (await target.next()).resolve();
    await adding;
    expect(target.most).to.equal(3);
    expect(window.stored).to.equal(10);
  });

  it('keeps no more bytes under way than it may, and one value at least', async () => {
    const target = new Target();
    const window = new PutWindow(target, { bytesMax: 100 });
    const adding = (async () => {
      for (let n = 0; n < 4; n++) await window.add(item(`k${n}`, 1, 1000));
    })();
    for (let n = 0; n < 4; n++) (await target.next()).resolve();
    await adding;
    expect(target.most).to.equal(1);
  });

  it('a later value of a key waits for the earlier one', async () => {
    const target = new Target();
    const window = new PutWindow(target);
    await window.add(item('k', 'first'));
    const second = window.add(item('k', 'second'));
    const first = await target.next();
    expect(first.value).to.equal('first');
    expect(target.open).to.deep.equal([]);
    first.resolve();
    await second;
    expect((await target.next()).value).to.equal('second');
  });

  it('what may pass is tried again: time-outs, unknown outcomes', async () => {
    const target = new Target();
    const window = new PutWindow(target, { pauseMs: 1 });
    await window.add(item('k'));
    (await target.next()).reject(new GTStoreError('TIMEOUT', 'late', { outcome: 'not-applied' }));
    (await target.next()).reject(new GTStoreError('OUTCOME_UNKNOWN', 'lost', { outcome: 'unknown' }));
    (await target.next()).resolve();
    await window.drain();
    expect(window.stored).to.equal(1);
  });

  it('gives up after eight attempts', async () => {
    const target = new Target();
    const window = new PutWindow(target, { pauseMs: 1 });
    await window.add(item('k'));
    for (let n = 0; n < 8; n++) (await target.next()).reject(new GTStoreError('UNAVAILABLE', `attempt ${n}`));
    expect((await failureOf(window.drain())).message).to.equal('attempt 7');
    expect(target.open).to.deep.equal([]);
  });

  it('the first failure ends it: nothing more is begun, what is under way is waited for', async () => {
    const target = new Target();
    const describe = (error: unknown): Error => new Error(`described: ${(error as Error).message}`);
    const window = new PutWindow(target, { describe });
    await window.add(item('a'));
    await window.add(item('b'));
    const [a, b] = [await target.next(), await target.next()];
    a.reject(new GTStoreError('VALUE_TOO_LARGE', 'too large'));
    await new Promise((resolve) => setImmediate(resolve));
    expect((await failureOf(window.add(item('c')))).message).to.equal('described: too large');
    let isSettled = false;
    const settling = window.settle().then(() => (isSettled = true));
    expect(isSettled).to.equal(false);
    b.resolve();
    await settling;
    expect(window.stored).to.equal(1);
    expect(target.open).to.deep.equal([]);
  });

  it('the time left is what is left now; a key whose time is over is not stored', async () => {
    const target = new Target();
    const window = new PutWindow(target);
    await window.add({ ...item('gone'), expiresAtMs: Date.now() - 1 });
    await window.add({ ...item('held'), expiresAtMs: Date.now() + 60_000 });
    await window.add(item('ever'));
    const [held, ever] = [await target.next(), await target.next()];
    expect(held.key).to.equal('held');
    expect(held.ttlMs).to.be.within(50_000, 60_000);
    expect(ever.ttlMs).to.equal(undefined);
    held.resolve();
    ever.resolve();
    await window.drain();
    expect(window).to.include({ stored: 2, storedWithExpiry: 1, expired: 1 });
  });

  it('a signal ends the pause before another attempt', async () => {
    const target = new Target();
    const stop = new AbortController();
    const window = new PutWindow(target, { pauseMs: 60_000, signal: stop.signal });
    await window.add(item('k'));
    (await target.next()).reject(new GTStoreError('UNAVAILABLE', 'away'));
    stop.abort();
    expect((await failureOf(window.drain())).name).to.equal('AbortError');
  });

  it('lets more than ten keys pause for one signal without a warning', async () => {
    const target = new Target();
    const { signal } = new AbortController();
    const window = new PutWindow(target, { inFlightMax: 20, pauseMs: 1, signal });
    const warnings = await warningsOf(async () => {
      for (let n = 0; n < 20; n++) await window.add(item(`k${n}`));
      for (let n = 0; n < 20; n++) (await target.next()).reject(new GTStoreError('DISK_FULL', 'full'));
      for (let n = 0; n < 20; n++) (await target.next()).resolve();
      await window.drain();
    });
    expect(warnings).to.deep.equal([]);
    expect(window.stored).to.equal(20);
  });
});
