// What docs promise of limits and bad arguments, from the public client down to the processes.
// The cluster has the class project's limits: keys of 20 bytes, values of 1024.
import { expect } from 'chai';
import { Socket } from 'node:net';
import { inspect } from 'node:util';
import { GTStoreClient, GTStoreError } from '../../src/client/index.js';
import { useCluster } from '../support/cluster-fixture.js';
import { eventually } from '../support/cluster-until.js';
import { errorOf } from '../support/store-error.js';

const keyBytesMax = 20;
const valueBytesMax = 1024;
const longKey = 'k'.repeat(keyBytesMax + 1);
/** A string of n characters below 256 needs two bytes more, up to 65,535 three. */
const largest = 'v'.repeat(valueBytesMax - 3);

/** Arguments that the types forbid: JavaScript callers have no types. */
const wrong = (value: unknown): never => value as never;

/** Whether `text` is in any bytes that this process gives to a socket while `act` runs. */
async function isSent(text: string, act: () => Promise<unknown>): Promise<boolean> {
  const { write } = Socket.prototype;
  let found = false;
  Socket.prototype.write = function (this: Socket, ...args: unknown[]): boolean {
    if (Buffer.isBuffer(args[0]) && args[0].includes(text)) found = true;
    return Reflect.apply(write, this, args) as boolean;
  };
  try {
    await act();
  } finally {
    Socket.prototype.write = write;
  }
  return found;
}

describe('the contract: limits and arguments', function () {
  this.timeout(30_000);
  const fixture = useCluster({ nodes: 3, replicas: 3, keyBytesMax, valueBytesMax, leaseMs: 5000 });

  it('KEY_TOO_LARGE: keys are measured in UTF-8 bytes, and nothing is sent of one that is too long', async () => {
    const store = await fixture.open();
    const fitting = ['k'.repeat(20), 'é'.repeat(10), '😀'.repeat(5), '漢'.repeat(6)];
    for (const key of fitting) {
      await store.put(key, key);
      expect(await store.get(key)).to.equal(key);
    }
    const before = await fixture.cluster.status();
    const calls: Record<string, (key: string) => Promise<unknown>> = {
      put: (key) => store.put(key, 1),
      get: (key) => store.get(key),
      getEntry: (key) => store.getEntry(key),
      delete: (key) => store.delete(key),
      compareAndSet: (key) => store.compareAndSet(key, null, 1),
      update: (key) => store.update(key, () => 1),
      increment: (key) => store.increment(key),
      getMany: (key) => store.getMany([key]),
      putMany: (key) => store.putMany([[key, 1]]),
      locate: (key) => store.locate(key),
      entries: (prefix) => store.entries({ prefix }).next(),
    };
    for (const key of [longKey, 'é'.repeat(11), '😀'.repeat(6), '漢'.repeat(7)]) {
      const sent = await isSent(key, async () => {
        for (const [name, call] of Object.entries(calls)) {
          const { code, outcome, retryable } = await errorOf(() => call(key));
          expect({ code, outcome, retryable }, name).to.deep.equal({
            code: 'KEY_TOO_LARGE',
            outcome: 'not-applied',
            retryable: false,
          });
        }
      });
      expect(sent, 'sent').to.equal(false);
    }
    const after = await fixture.cluster.status();
    expect(after.epoch).to.equal(before.epoch);
    await eventually('the nodes have no other keys than before', async () => {
      const { nodes } = await fixture.cluster.status();
      return nodes.every(({ keys }) => keys === fitting.length);
    });
  });

  it('VALUE_TOO_LARGE: values are measured as stored, and nothing is sent of one that is too large', async () => {
    const store = await fixture.open();
    await store.put('value', largest);
    expect(await store.get('value')).to.equal(largest);
    const bytes = new Uint8Array(valueBytesMax - 3).fill(7);
    await store.put('bytes', bytes);
    expect(await store.get('bytes')).to.deep.equal(bytes);
    const marker = 'this shall not be sent ';
    const tooLarge = [
      marker + 'v'.repeat(valueBytesMax),
      `${marker}${largest}`.slice(0, largest.length + 1),
      new TextEncoder().encode(marker + largest),
      [marker, largest],
      { marker, largest: [largest] },
    ];
    for (const value of tooLarge) {
      const calls = [
        () => store.put('value', value),
        () => store.compareAndSet('value', null, value),
        () => store.update('other', () => value),
        () => store.putMany({ value }),
      ];
      const sent = await isSent(marker, async () => {
        for (const call of calls) {
          const { code, outcome, retryable } = await errorOf(call);
          expect({ code, outcome, retryable }).to.deep.equal({
            code: 'VALUE_TOO_LARGE',
            outcome: 'not-applied',
            retryable: false,
          });
        }
      });
      expect(sent, 'sent').to.equal(false);
    }
    expect(await store.get('value')).to.equal(largest);
    expect(await store.get('other')).to.equal(undefined);
  });

  it('KEY_TOO_LARGE: however long the key is', async () => {
    const store = await fixture.open();
    for (const key of ['k'.repeat(2 ** 28), '漢'.repeat(2 ** 28)])
      expect(await errorOf(() => store.get(key))).to.include({ code: 'KEY_TOO_LARGE' });
  });

  it('INVALID_ARGUMENT: whatever cannot be meant is refused with a word on how to do it', async () => {
    const store = await fixture.open();
    const { version } = await store.put('text', 'no number');
    const cycle: unknown[] = [];
    cycle.push(cycle);
    const detached = new Uint8Array(10);
    structuredClone(detached, { transfer: [detached.buffer] });
    const { proxy: revoked, revoke } = Proxy.revocable({}, {});
    revoke();
    const failing = {
      get a(): never {
        throw new Error('mine');
      },
    };
    const calls: readonly (() => Promise<unknown>)[] = [
      ...['', wrong(7), wrong(undefined), wrong(null), '\ud800', 'x\udc00'].flatMap((key) => [
        () => store.put(key, 1),
        () => store.get(key),
        () => store.increment(key),
        () => store.getMany([key]),
      ]),
      ...[undefined, () => 1, Symbol('s'), 1n, new Date(), new Map(), Object.create({ own: 1 }), cycle].map(
        (value) => () => store.put('text', wrong(value)),
      ),
      ...['\ud800', { a: undefined }, [undefined], new Array<number>(2), { '\ud800': 1 }].map(
        (value) => () => store.put('text', wrong(value)),
      ),
      ...[detached, [detached], revoked, { a: revoked }, failing].map(
        (value) => () => store.put('text', wrong(value)),
      ),
      // Left out by mistake: it is not what deletes a key.
      () => store.compareAndSet('text', version, wrong(undefined)),
      () => store.compareAndSet('new', null, wrong(undefined)),
      ...[undefined, null, 5, { value: 1 }].map((mutate) => () => store.update('text', wrong(mutate))),
      ...[0, -1, NaN, Infinity, 120_001, wrong('5')].flatMap((timeoutMs) => [
        () => store.get('text', { timeoutMs }),
        () => store.put('text', 1, { timeoutMs }),
        () => store.update('text', () => 1, { timeoutMs }),
      ]),
      ...[0, -1, NaN, Infinity, wrong('5')].map((ttlMs) => () => store.put('text', 1, { ttlMs })),
      ...[undefined, 7, {}, { ...version, hlc: -1 }, { ...version, seq: 0.5 }].map(
        (expected) => () => store.compareAndSet('text', wrong(expected), 1),
      ),
      () => store.increment('text'),
      () => store.increment('new', NaN),
      () => store.increment('new', wrong('1')),
      ...[wrong({}), wrong('signal')].map((signal) => () => store.get('text', { signal })),
      ...['\ud800', wrong(7), wrong(null)].map((prefix) => () => store.entries({ prefix }).next()),
      ...[wrong(null), wrong(5)].flatMap((options: never) => [
        () => store.put('text', 1, options),
        () => store.get('text', options),
        () => store.delete('text', options),
        () => store.getMany(['text'], options),
        () => store.entries(options).next(),
      ]),
      ...[wrong(null), wrong(5), wrong('text')].flatMap((many: never) => [
        () => store.getMany(many),
        () => store.putMany(many),
      ]),
      () => store.getMany(wrong({})),
      () => store.putMany([wrong('ab')]),
      // Not awaited, and others in which nothing would be found to store.
      ...[
        Promise.resolve([['new', 1]]),
        new Date(),
        new WeakMap(),
        new (class Many {
          entry = 1;
        })(),
        (async function* () {})(),
      ].map((many) => () => store.putMany(wrong(many))),
      ...[undefined, null, 'progress', [], {}, { command: 5 }, { command: 'drain', nodeId: 1n }].map(
        (request) => () => store.admin(wrong(request)),
      ),
      () => store.reportNodeFailure(99),
      () => store.reportNodeFailure(-1),
      () => store.reportNodeFailure(Symbol('1') as never),
    ];
    for (const call of calls) {
      const { code, message } = await errorOf(call);
      expect(code, `${String(call)}: ${message}`).to.equal('INVALID_ARGUMENT');
      expect(message).not.to.equal('');
    }
    expect(await store.get('text')).to.equal('no number');
    expect(await store.get('new')).to.equal(undefined);
  });

  it('whose key it is about says every refusal of a value: a call may have many', async () => {
    const store = await fixture.open();
    const long = 'k'.repeat(keyBytesMax + 1);
    const messageOf = async (key: string, value: unknown): Promise<string> =>
      (await errorOf(() => store.putMany([['good', 1], wrong([key, value])]))).message;
    expect(await messageOf('bad', () => 1)).to.equal("key 'bad', value: a function cannot be stored");
    expect(await messageOf('bad', { x: [1, undefined] })).to.match(
      /^key 'bad', value\.x\[1\]: undefined cannot/,
    );
    expect(await messageOf('bad', `${largest}x`)).to.match(
      /^the value of 'bad' needs more than the \d+ bytes/,
    );
    expect(await messageOf(long, 1)).to.include(`the key '${long.slice(0, 40)}...' has ${long.length} bytes`);
  });

  it('INVALID_ARGUMENT: increment refuses what a number cannot hold exactly, and leaves what is there', async () => {
    const store = await fixture.open();
    const most = Number.MAX_SAFE_INTEGER;
    const refused: readonly (readonly [number, number])[] = [
      [most, 1],
      [-most, -1],
      [most + 1, 1],
      [1, 2 ** 60],
      [1e20, 0.5],
      [1e308, 1e308],
    ];
    for (const [value, by] of refused) {
      await store.put('count', value);
      const { code, outcome, message } = await errorOf(() => store.increment('count', by));
      expect({ code, outcome }, message).to.deep.equal({ code: 'INVALID_ARGUMENT', outcome: 'not-applied' });
      expect(await store.get('count')).to.equal(value);
    }
    const taken: readonly (readonly [number, number, number])[] = [
      [most - 1, 1, most],
      [most + 1, -1, most],
      [2 ** 60, 0, 2 ** 60],
      [1e20, -1e20, 0],
      [0.5, 0.25, 0.75],
    ];
    for (const [value, by, sum] of taken) {
      await store.put('count', value);
      expect(await store.increment('count', by), `${value} + ${by}`).to.equal(sum);
    }
  });

  it('INVALID_ARGUMENT: a client that cannot work is not made', () => {
    const options = [
      {},
      { manager: '' },
      { manager: [] },
      { manager: 'localhost' },
      { manager: 'localhost:0' },
      { manager: 'localhost:65536' },
      { manager: 'http://localhost:7400' },
      { manager: 'localhost:7400', readFrom: 'none' },
      { manager: 'localhost:7400', timeoutMs: 0 },
      { manager: 'localhost:7400', timeoutMs: 120_001 },
      { manager: 'localhost:7400', inFlightMax: 0 },
      { manager: 'localhost:7400', inFlightMax: 16_385 },
      { manager: 'localhost:7400', inFlightMax: Symbol('many') },
      { manager: [Symbol('localhost:7400')] },
      ...['nonsense', 'localhost', '', 5, null].map((localAddress) => ({
        manager: 'localhost:7400',
        localAddress,
      })),
      ...[undefined, null, 'localhost:7400'],
    ];
    for (const each of options) {
      expect(() => new GTStoreClient(wrong(each)), inspect(each))
        .to.throw(GTStoreError)
        .with.property('code', 'INVALID_ARGUMENT');
    }
    for (const localAddress of ['127.0.0.1', '::1', undefined])
      expect(new GTStoreClient(wrong({ manager: 'localhost:7400', localAddress }))).to.be.an('object');
  });

  it('a function given to update may throw: its error comes out, and nothing is stored', async () => {
    const store = await fixture.open();
    const mine = new Error('mine');
    const caught = await store
      .update('thrown', () => {
        throw mine;
      })
      .catch((error: unknown) => error);
    expect(caught).to.equal(mine);
    expect(await store.get('thrown')).to.equal(undefined);
  });
});
