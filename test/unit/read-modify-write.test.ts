// Calls that read, change and conditionally write one key, upon steps without a cluster.
import { expect } from 'chai';
import { remainingOf } from '../../src/client/deadline.js';
import { ReadModifyWrite } from '../../src/client/read-modify-write.js';
import type { KeyCall, KeySteps } from '../../src/client/read-modify-write.js';
import type { StoreValue } from '../../src/protocol/value-codec.js';
import type { Version } from '../../src/protocol/version.js';
import { errorOf } from '../support/store-error.js';

/** One register; every step takes a turn of the loop. */
class FakeKey implements KeySteps {
  value: StoreValue | undefined = 0;
  number = 1;
  reads = 0;
  conditions = 0;
  /** Of each condition, whether it asked for a turn. */
  turns: boolean[] = [];
  /** Before a condition is evaluated, so many times. */
  putsBetween = 0;

  get current(): Version {
    return { hlc: this.number, clientId: 1, seq: 0, epoch: 0 };
  }

  readonly entry: KeySteps['entry'] = async () => {
    await this.#turn();
    this.reads++;
    return this.value === undefined ? undefined : { value: this.value, version: this.current };
  };

  readonly version: KeySteps['version'] = async () => (await this.entry('k', {}))?.version;

  readonly putIf: KeySteps['putIf'] = async (_key, expected, value, wants) => {
    await this.#turn();
    this.conditions++;
    this.turns.push(wants.turn);
    if (this.putsBetween-- > 0) this.put(this.number);
    const isMet = expected === null ? this.value === undefined : expected.hlc === this.number;
    if (isMet) this.put(value);
    const version = this.value === undefined ? null : this.current;
    return { applied: isMet, version, value: isMet || !wants.value ? undefined : this.value };
  };

  put(value: StoreValue | undefined): void {
    this.number++;
    this.value = value;
  }

  #turn(): Promise<void> {
    return new Promise((resolve) => setImmediate(resolve));
  }
}

describe('calls that read and conditionally write one key', () => {
  let key: FakeKey;
  let calls: ReadModifyWrite;
  let closing: AbortController;
  beforeEach(() => {
    key = new FakeKey();
    calls = new ReadModifyWrite(key);
    closing = new AbortController();
  });
  const call = (timeoutMs = 5000, signal?: AbortSignal): KeyCall => ({
    key: 'k',
    remaining: remainingOf(signal === undefined ? {} : { signal }, timeoutMs, 'not-applied'),
    closing: closing.signal,
  });
  const increment = (of = call()): Promise<unknown> =>
    calls.update(of, (value) => (value as number) + 1, undefined);
  const never = new Promise<StoreValue>(() => undefined);

  it('try again with what was in the way, without reading it', async () => {
    key.putsBetween = 20;
    await increment();
    expect(key).to.include({ value: 21, reads: 1, conditions: 21 });
    key.putsBetween = 20;
    expect(await calls.delete(call())).to.equal(true);
    expect(key).to.include({ value: undefined, reads: 2, conditions: 42 });
  });

  it('RMW7: ask for a turn from the third attempt on', async () => {
    const asked = [false, false, true, true];
    key.putsBetween = 3;
    await increment();
    expect(key.turns).to.deep.equal(asked);
    key.turns = [];
    key.putsBetween = 3;
    await calls.delete(call());
    expect(key.turns).to.deep.equal(asked);
  });

  it('a delete ends when somebody else has deleted the key', async () => {
    const deleted = calls.delete(call());
    const { putIf } = key;
    Object.assign(key, {
      putIf: (...args: Parameters<typeof putIf>) => {
        key.put(undefined);
        return putIf(...args);
      },
    });
    expect(await deleted).to.equal(false);
    expect(key.conditions).to.equal(1);
  });

  it('wait for each other: none is in vain, however many there are', async () => {
    await Promise.all(Array.from({ length: 500 }, () => increment()));
    expect(key).to.include({ value: 500, conditions: 500 });
  });

  it('end while they wait: at their deadline, when aborted, when the client is closed', async () => {
    const holder = errorOf(() => calls.update(call(), () => never, undefined));
    const aborting = new AbortController();
    const late = errorOf(() => increment(call(10)));
    const aborted = errorOf(() => increment(call(5000, aborting.signal)));
    aborting.abort();
    expect(await aborted).to.include({ code: 'TIMEOUT', outcome: 'not-applied', retryable: false });
    expect(await late).to.include({ code: 'TIMEOUT', outcome: 'not-applied', retryable: true });
    const waiting = errorOf(() => increment());
    closing.abort();
    expect(await waiting).to.include({ code: 'CLOSED', outcome: 'not-applied' });
    expect(await holder).to.include({ code: 'CLOSED', outcome: 'not-applied' });
    expect(key.conditions).to.equal(0);
  });

  it('say at their deadline what they waited for', async () => {
    // Each holds the others up for 50 ms only.
    const holders = Array.from({ length: 10 }, () =>
      errorOf(() => calls.update(call(800), () => never, undefined)),
    );
    const waiting = errorOf(() => increment(call(250)));
    expect((await waiting).message).to.match(/^waited for this client's earlier updates of 'k' for all of/);
    const text = /^waited for the function given to update 'k' for all of the \d{1,3} ms that were left$/;
    for (const { message } of await Promise.all(holders)) expect(message).to.match(text);
  });

  it('go on when those before them have failed or ended while they waited', async () => {
    const mutate = (): never => {
      throw new Error('of the caller');
    };
    const failing = calls.update(call(), mutate, undefined).catch((error: unknown) => error);
    const ended = errorOf(() => increment(call(5000, AbortSignal.abort())));
    await Promise.all([increment(), increment()]);
    expect(key.value).to.equal(2);
    expect(await failing).to.have.property('message', 'of the caller');
    expect(await ended).to.have.property('code', 'TIMEOUT');
  });

  it('may be made by the function of another one, which waits for it', async () => {
    let attempts = 0;
    const outer = calls.update(
      call(),
      async (value) => {
        if (attempts++ === 0) await increment();
        return (value as number) + 10;
      },
      undefined,
    );
    expect(await outer).to.have.property('value', 11);
    expect(attempts).to.equal(2);
  });

  it('what their function is rejected with after their deadline is nobody’s', async () => {
    let fail: (error: Error) => void = () => undefined;
    const failing = new Promise<StoreValue>((_resolve, reject) => (fail = reject));
    expect(await errorOf(() => calls.update(call(20), () => failing, undefined))).to.include({
      code: 'TIMEOUT',
    });
    fail(new Error('too late'));
    await increment();
  });
});
