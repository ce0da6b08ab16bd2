// What docs promise of limits, bad arguments, deadlines and queues, from the public client down to the processes.
// The cluster has the class project's limits: keys of 20 bytes, values of 1024.
import { expect } from 'chai';
import { connect, createServer, Socket } from 'node:net';
import type { AddressInfo } from 'node:net';
import { inspect } from 'node:util';
import { GTStoreClient, GTStoreError } from '../../src/client/index.js';
import type { ErrorCode } from '../../src/client/index.js';
import { keysWhere, nodeOf, slotOf, useCluster } from '../support/cluster-fixture.js';
import { codeOf } from '../support/cluster-load.js';
import { eventually } from '../support/cluster-until.js';

const keyBytesMax = 20;
const valueBytesMax = 1024;
const longKey = 'k'.repeat(keyBytesMax + 1);
/** A string of n characters below 256 needs two bytes more, up to 65,535 three. */
const largest = 'v'.repeat(valueBytesMax - 3);

/** Arguments that the types forbid: JavaScript callers have no types. */
const wrong = (value: unknown): never => value as never;

async function errorOf(call: () => Promise<unknown>): Promise<GTStoreError> {
  try {
    await call();
  } catch (error) {
    if (error instanceof GTStoreError) return error;
    throw error;
  }
  throw new Error('it was accepted');
}

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

/** A promise that the test settles. */
class Settled {
  resolve: (value: number) => void = () => undefined;
  reject: (error: Error) => void = () => undefined;
  readonly promise = new Promise<number>((resolve, reject) => {
    this.resolve = resolve;
    this.reject = reject;
  });
}

async function readAll(entries: AsyncIterable<unknown>): Promise<void> {
  for await (const _entry of entries);
}

describe('the contract: limits, arguments, deadlines', function () {
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
    ];
    for (const call of calls) {
      const { code, message } = await errorOf(call);
      expect(code, `${String(call)}: ${message}`).to.equal('INVALID_ARGUMENT');
      expect(message).not.to.equal('');
    }
    expect(await store.get('text')).to.equal('no number');
    expect(await store.get('new')).to.equal(undefined);
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

  it('TIMEOUT, OUTCOME_UNKNOWN: a call ends at its deadline or when it is aborted, and says what is known', async () => {
    const { cluster } = fixture;
    const store = await fixture.open();
    const [key = ''] = keysWhere(store, 'slow', 1, () => true);
    await store.put(key, 'before');
    for (const id of slotOf(store, key).replicas) await cluster.pause(id);
    try {
      const late = async (call: Promise<unknown>, code: ErrorCode, outcome?: string): Promise<void> => {
        const startMs = performance.now();
        const error = await errorOf(() => call);
        expect({ code: error.code, outcome: error.outcome }).to.deep.equal({ code, outcome });
        expect(performance.now() - startMs).to.be.within(50, 1500);
      };
      await late(store.get(key, { timeoutMs: 150 }), 'TIMEOUT');
      await late(store.put(key, 'after', { timeoutMs: 150 }), 'OUTCOME_UNKNOWN', 'unknown');
      await late(store.increment(key, 1, { timeoutMs: 150 }), 'TIMEOUT', 'not-applied');

      const reason = new Error('enough');
      const abort = async (call: (signal: AbortSignal) => Promise<unknown>): Promise<GTStoreError> => {
        const controller = new AbortController();
        const failed = errorOf(() => call(controller.signal));
        // Sent by now: what is aborted is a call under way.
        await new Promise((done) => setImmediate(done));
        controller.abort(reason);
        return failed;
      };
      const aborted = await abort((signal) => store.get(key, { signal }));
      expect(aborted).to.include({ code: 'TIMEOUT', cause: reason });
      const abortedPut = await abort((signal) => store.put(key, 'after', { signal }));
      expect(abortedPut).to.include({ code: 'OUTCOME_UNKNOWN', outcome: 'unknown', cause: reason });
      const never = await errorOf(() => store.put(key, 'never', { signal: AbortSignal.abort(reason) }));
      expect(never).to.include({ code: 'TIMEOUT', outcome: 'not-applied', cause: reason });
    } finally {
      for (const id of slotOf(store, key).replicas) await cluster.resume(id);
    }
    expect(await store.get(key)).to.be.oneOf(['before', 'after']);
    await cluster.untilHealthy();
  });

  it('TIMEOUT: the deadline is one of the whole call, the steps of an update and their function included', async () => {
    const store = await fixture.open();
    const other = await fixture.open();
    await store.put('raced', 0);
    // It loses every race.
    const racing = (): Promise<number> => other.put('raced', 0).then(() => 1);
    const [late, failing, never] = [new Settled(), new Settled(), new Settled()];
    const outOfTime = [
      () => store.update('raced', racing, { timeoutMs: 300 }),
      () => store.update('late', () => late.promise, { timeoutMs: 300 }),
      () => store.update('failing', () => failing.promise, { timeoutMs: 300 }),
      () => store.update('never', () => never.promise, { timeoutMs: 300 }),
    ];
    for (const call of outOfTime) {
      const startMs = performance.now();
      const error = await errorOf(call);
      expect(error, String(call)).to.include({ code: 'TIMEOUT', outcome: 'not-applied', retryable: true });
      expect(performance.now() - startMs).to.be.within(250, 3000);
    }
    const controller = new AbortController();
    const { signal } = controller;
    const reason = new Error('enough');
    const startMs = performance.now();
    const abortedSoon = (): Promise<number> => {
      setImmediate(() => {
        controller.abort(reason);
      });
      return late.promise;
    };
    const aborted = await errorOf(() => store.update('late', abortedSoon, { signal }));
    expect(aborted).to.include({ code: 'TIMEOUT', outcome: 'not-applied', retryable: false, cause: reason });
    expect(performance.now() - startMs).to.be.below(3000);
    // What the caller's functions come to now is nobody's any more.
    late.resolve(1);
    failing.reject(new Error('too late'));
    expect(await store.getMany(['raced', 'late', 'never'])).to.deep.equal([0, undefined, undefined]);
  });

  it('a call with many keys that fails begins no more, and ends when none is under way', async () => {
    const store = await fixture.open({ inFlightMax: 8 });
    let given = 0;
    let isEnded = false;
    function* entries(): Generator<[string, unknown]> {
      try {
        for (; ; given++) yield [given === 20 ? longKey : `part-${given}`, given];
      } finally {
        isEnded = true;
      }
    }
    expect(await errorOf(() => store.putMany(wrong(entries())))).to.include({ code: 'KEY_TOO_LARGE' });
    expect(isEnded).to.equal(true);
    expect(given).to.be.within(20, 28);
    // Nothing is under way any more, or the last of these would be refused.
    const begun = Array.from({ length: 8 }, (_, n) => store.get(`part-${n}`));
    expect(await Promise.all(begun)).to.deep.equal([0, 1, 2, 3, 4, 5, 6, 7]);
  });

  it('one AbortSignal may serve any number of calls', async () => {
    const store = await fixture.open();
    const warnings: Error[] = [];
    const keep = (warning: Error): number => warnings.push(warning);
    process.on('warning', keep);
    const controller = new AbortController();
    const { signal } = controller;
    const keys = Array.from({ length: 100 }, (_, n) => `signal-${n}`);
    expect(await store.getMany(keys, { signal })).to.have.length(100);
    const aborted = keys.map((key) => errorOf(() => store.get(key, { signal })));
    controller.abort();
    for (const error of await Promise.all(aborted))
      expect(error).to.include({ code: 'TIMEOUT', retryable: false });
    await new Promise((done) => setImmediate(done));
    process.off('warning', keep);
    expect(warnings).to.deep.equal([]);
  });

  it('QUEUE_FULL: no more calls are under way than allowed, and the refused ones were not applied', async () => {
    const store = await fixture.open({ inFlightMax: 4 });
    const calls = Array.from({ length: 10 }, (_, n) => codeOf(store.put(`full-${n}`, n)));
    const error = await errorOf(() => store.put('full-10', 10));
    expect(error).to.include({ code: 'QUEUE_FULL', outcome: 'not-applied', retryable: true });
    const codes = await Promise.all(calls);
    expect(codes).to.deep.equal([...Array<string>(4).fill('none'), ...Array<string>(6).fill('QUEUE_FULL')]);
    const other = await fixture.open();
    const values = await other.getMany(codes.map((_, n) => `full-${n}`));
    expect(values).to.deep.equal(codes.map((code, n) => (code === 'none' ? n : undefined)));
    await store.put('full-10', 10);
    // Many keys at once queue up by themselves.
    const keys = Array.from({ length: 100 }, (_, n) => `many-${n}`);
    await store.putMany(keys.map((key, n) => [key, n] as const));
    expect(await store.getMany(keys)).to.deep.equal(keys.map((_, n) => n));
  });

  it('CLOSED: before init, after finalize, and for calls under way when the client is closed', async () => {
    const { url } = fixture.cluster;
    const store = new GTStoreClient({ manager: url });
    expect(await codeOf(store.get('x'))).to.equal('CLOSED');
    await store.init();
    await store.init();
    await store.putMany(['e-0', 'e-1', 'e-2'].map((key) => [key, 1] as const));
    const entries = store.entries();
    await entries.next();
    const [put, get, condition] = [store.put('closed', 1), store.get('closed'), store.increment('closed')];
    const codes = Promise.all([put, get, condition].map(codeOf));
    await store.finalize();
    await store.finalize();
    const [putCode, getCode] = await codes;
    expect(putCode).to.be.oneOf(['CLOSED', 'OUTCOME_UNKNOWN']);
    expect(getCode).to.equal('CLOSED');
    for (const call of [store.get('x'), store.put('x', 1), store.delete('x'), store.init(), store.status()])
      expect(await codeOf(call)).to.equal('CLOSED');
    expect(await codeOf(readAll(entries))).to.equal('CLOSED');
    expect(await codeOf(store.getMany(['x']))).to.equal('CLOSED');
    expect(await codeOf(store.entries().next())).to.equal('CLOSED');
  });

  it('UNAVAILABLE, PROTOCOL: what is no manager is told from one that is not there', async () => {
    const init = async (manager: string | readonly string[]): Promise<ErrorCode | 'none'> => {
      await using store = new GTStoreClient({ manager });
      return await codeOf(store.init({ timeoutMs: 700 }));
    };
    const status = await fixture.cluster.status();
    const { host, port } = nodeOf(status, 0);
    expect(await init(`${host}:${port}`), "a node's address").to.equal('PROTOCOL');
    const silent = createServer((socket) => socket.resume()).listen(0, '127.0.0.1');
    const web = createServer((socket) => {
      // It reads to the end: a socket that nobody reads never notices that its peer has gone, and keeps this process.
      socket.resume().end('HTTP/1.1 400 Bad Request\r\n\r\n');
    }).listen(0, '127.0.0.1');
    const portOf = ({ address }: typeof web): number => (address.call(web) as AddressInfo).port;
    await eventually('they listen', () => silent.listening && web.listening);
    const silentPort = (silent.address() as AddressInfo).port;
    expect(await init(`127.0.0.1:${silentPort}`), 'a silent server').to.equal('UNAVAILABLE');
    expect(await init(`127.0.0.1:${portOf(web)}`), 'a web server').to.equal('PROTOCOL');
    expect(await init([`127.0.0.1:${silentPort}`, fixture.cluster.url]), 'one of two').to.equal('none');
    silent.close();
    web.close();
    await eventually('the port is free', () => !silent.listening);
    expect(await init(`127.0.0.1:${silentPort}`), 'nobody').to.equal('UNAVAILABLE');
  });

  it('init that found no cluster may be called again', async () => {
    const nobody = createServer().listen(0, '127.0.0.1');
    await eventually('it listens', () => nobody.listening);
    const { port } = nobody.address() as AddressInfo;
    await new Promise((done) => nobody.close(done));
    await using store = new GTStoreClient({ manager: `127.0.0.1:${port}` });
    expect(await codeOf(store.init({ timeoutMs: -1 }))).to.equal('INVALID_ARGUMENT');
    expect(await codeOf(store.init({ timeoutMs: 200 }))).to.equal('UNAVAILABLE');
    const { host, port: managerPort } = (await fixture.cluster.status()).manager;
    const relay = createServer((socket) => {
      const far = connect(managerPort, host);
      far.pipe(socket).pipe(far);
      for (const [one, another] of [
        [socket, far],
        [far, socket],
      ] as const)
        one.on('error', () => another.destroy());
    }).listen(port, '127.0.0.1');
    await store.init();
    await store.put('init', 'again');
    expect(await store.get('init')).to.equal('again');
    await store.finalize();
    relay.close();
  });
});
