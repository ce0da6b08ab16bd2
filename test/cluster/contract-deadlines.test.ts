// What docs promise of deadlines, queues, and clients that are closed or have no cluster, from the public client down to the processes.
import { expect } from 'chai';
import { connect, createServer } from 'node:net';
import type { AddressInfo } from 'node:net';
import { subscribe, unsubscribe } from 'node:diagnostics_channel';
import { diagnosticsChannelNames, GTStoreClient, type GTStoreError } from '../../src/client/index.js';
import type { ErrorCode, OperationEvent } from '../../src/client/index.js';
import { keysWhere, nodeOf, slotOf, useCluster } from '../support/cluster-fixture.js';
import { codeOf } from '../support/cluster-load.js';
import { eventually } from '../support/cluster-until.js';
import { errorOf } from '../support/store-error.js';

const keyBytesMax = 20;

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

describe('the contract: deadlines, queues, ends', function () {
  this.timeout(30_000);
  const fixture = useCluster({ nodes: 3, replicas: 3, keyBytesMax, leaseMs: 5000 });

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

  it('the deadline of a call begins with the call, though the caller has computed for longer since the last event', async () => {
    const store = await fixture.open({ timeoutMs: 500 });
    const compute = (ms: number): void => {
      const untilMs = performance.now() + ms;
      while (performance.now() < untilMs);
    };
    await store.put('computed', 0);
    const underWay = store.get('computed', { timeoutMs: 10_000 });
    compute(600);
    const begunAfter = [store.put('computed', 1), store.get('computed')];
    expect(await Promise.all([underWay, ...begunAfter.map(codeOf)])).to.deep.equal([0, 'none', 'none']);
  });

  it('a call with many keys that fails begins no more, and ends when none is under way', async () => {
    const store = await fixture.open({ inFlightMax: 8 });
    let given = 0;
    let isEnded = false;
    const longKey = 'k'.repeat(keyBytesMax + 1);
    function* entries(): Generator<[string, number]> {
      try {
        for (; ; given++) yield [given === 20 ? longKey : `part-${given}`, given];
      } finally {
        isEnded = true;
      }
    }
    expect(await errorOf(() => store.putMany(entries()))).to.include({ code: 'KEY_TOO_LARGE' });
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

  it('CLOSED: calls whose function is pending, that wait for their turn, or that close the client themselves', async () => {
    const store = await fixture.open();
    const closer = await fixture.open();
    const closing = {
      get now(): number {
        void closer.finalize();
        return 1;
      },
    };
    const own = errorOf(() => closer.put('own', closing));
    let onCall = (): void => undefined;
    const isCalled = new Promise<void>((resolve) => (onCall = resolve));
    const pending = errorOf(() =>
      store.update('pending', () => {
        onCall();
        return new Promise<number>(() => undefined);
      }),
    );
    const waiting = errorOf(() => store.increment('pending'));
    await isCalled;
    // At once: a function that takes longer loses its call the turn.
    await store.finalize();
    const inits = errorOf(() => store.init());
    const admin = errorOf(() => store.admin({ command: 'progress' }));
    for (const error of await Promise.all([pending, waiting, own, inits, admin]))
      expect(error).to.include({ code: 'CLOSED', outcome: 'not-applied' });
  });

  it('INVALID_ARGUMENT: options are looked at before anything is sent or any function is called', async () => {
    const store = await fixture.open();
    let calls = 0;
    const mutate = (): undefined => {
      calls++;
    };
    const signal = {} as AbortSignal;
    for (const call of [
      () => store.update('options', mutate, { ttlMs: -1 }),
      () => store.update('options', mutate, { signal }),
      () => store.increment('options', 1, { ttlMs: NaN }),
      () => store.getMany([], { signal }),
      () => store.putMany([], { signal }),
      () => store.putMany([], { ttlMs: 0 }),
    ])
      expect(await errorOf(call), String(call)).to.include({
        code: 'INVALID_ARGUMENT',
        outcome: 'not-applied',
      });
    expect(calls).to.equal(0);
    let looks = 0;
    const changing = {
      get hlc(): number {
        return looks++ === 0 ? 1 : 1.5;
      },
      clientId: 1,
      seq: 0,
      epoch: 0,
    };
    expect(await store.compareAndSet('options', changing, 1)).to.deep.equal({
      applied: false,
      version: null,
    });
    expect(looks).to.equal(1);
  });

  it('tells subscribers of operations that began while they were subscribed', async () => {
    const store = await fixture.open();
    const events: OperationEvent[] = [];
    const keep = (event: unknown): number => events.push(event as OperationEvent);
    const underWay = store.put('before', 1);
    subscribe(diagnosticsChannelNames.operation, keep);
    try {
      await underWay;
      await store.put('after', 1);
    } finally {
      unsubscribe(diagnosticsChannelNames.operation, keep);
    }
    expect(events.map(({ key }) => key)).to.deep.equal(['after']);
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
