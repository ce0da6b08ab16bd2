// What docs promise of keys, values and the calls on them, with nodes that die where that could matter.
import { subscribe, unsubscribe } from 'node:diagnostics_channel';
import { expect } from 'chai';
import { diagnosticsChannelNames } from '../../src/client/index.js';
import type { MapEvent, OperationEvent, StoreValue } from '../../src/client/index.js';
import { ChildClient } from '../support/cluster-children.js';
import { keysWhere, mapOf, slotOf, useCluster } from '../support/cluster-fixture.js';
import { codeOf } from '../support/cluster-load.js';
import { eventually, repeat } from '../support/cluster-until.js';

const mebibyte = 1024 * 1024;

describe('the contract: keys, values, and the calls on them', function () {
  this.timeout(60_000);
  const fixture = useCluster({ nodes: 5, replicas: 3, leaseMs: 5000 });

  it('what comes back equals what went in: values of all kinds, up to 1 MiB, and the empty ones', async () => {
    const store = await fixture.open();
    const deep = Array.from({ length: 30 }).reduce<StoreValue>((inner) => [inner], 'deep');
    const values: readonly StoreValue[] = [
      ...['', 'text', 'Ünïcödé 漢字 😀 \u0000 \ufeff', '\n\r\t"\\', 'x'.repeat(70_000)],
      ...[0, -0, 1, -1, 0.1, NaN, Infinity, -Infinity, Number.MAX_SAFE_INTEGER, -(2 ** 53), 2 ** 64],
      ...[Number.MIN_VALUE, Number.MAX_VALUE, Number.EPSILON, -128, 255, 65_536, 2 ** 32],
      ...[true, false, null, [], {}, new Uint8Array(0), new Uint8Array([0, 1, 255])],
      ...[[1, [2, [3, null]], { a: [-0, NaN] }], { nested: { deeper: { bytes: new Uint8Array(300) } } }],
      { '': 1, ' ': 2, constructor: 3, toString: 4, ключ: 5, '1': 6, length: 7 },
      deep,
      'l'.repeat(mebibyte - 5),
      new Uint8Array(mebibyte - 5).fill(200),
      Array.from({ length: 50_000 }, (_, n) => n),
    ];
    const keys = values.map((_, n) => `kind-${n}`);
    await store.putMany(keys.map((key, n) => [key, values[n] ?? null] as const));
    const read = await store.getMany(keys);
    values.forEach((value, n) => {
      expect(Object.is(read[n], value) || read[n], keys[n]).to.deep.equal(
        Object.is(read[n], value) ? true : value,
      );
    });
    expect(Object.is(await store.get('kind-6'), -0)).to.equal(true);
    expect(await codeOf(store.put('large', 'l'.repeat(mebibyte - 4)))).to.equal('VALUE_TOO_LARGE');
    expect(await store.get('large')).to.equal(undefined);
  });

  it('keys are any Unicode of 1 to 250 bytes, and none is taken for another', async () => {
    const store = await fixture.open();
    const keys = [
      ...['a', ' ', '\u0000', '\n', '/', '__proto__', 'constructor', 'k'.repeat(250)],
      ...['é'.repeat(125), '😀'.repeat(62), 'ä', 'a\u0308', 'Ã¤', '\u00e4\u0000', 'ÿ', '\u0100', '漢'],
    ];
    await Promise.all(keys.map((key, n) => store.put(key, n)));
    expect(await store.getMany(keys)).to.deep.equal(keys.map((_, n) => n));
    expect(await codeOf(store.put('k'.repeat(251), 1))).to.equal('KEY_TOO_LARGE');
    expect(await codeOf(store.put('😀'.repeat(63), 1))).to.equal('KEY_TOO_LARGE');
    for (const key of keys) {
      const listed: string[] = [];
      for await (const [each] of store.entries({ prefix: key })) listed.push(each);
      expect(listed).to.have.members(keys.filter((each) => each.startsWith(key)));
    }
    // By hand: the sum of the bytes, modulo the slots, modulo the nodes, and its successors.
    const sum = [...new TextEncoder().encode('漢')].reduce((a, b) => a + b);
    const slot = sum % mapOf(store).slots.length;
    const replicas = [slot % 5, (slot + 1) % 5, (slot + 2) % 5];
    expect(await store.locate('漢')).to.deep.equal({ slot, primary: replicas[0], replicas });
  });

  it('a value with a time to live is gone when that is over: for get, entries and conditional writes', async () => {
    const store = await fixture.open();
    const any = await fixture.open({ readFrom: 'any' });
    await store.put('short', 'lived', { ttlMs: 700 });
    await store.put('kept', 'lived', { ttlMs: 700 });
    await store.put('kept', 'for ever');
    const { version } = await store.put('ticket', 1, { ttlMs: 700 });
    await store.update('renewed', () => 1, { ttlMs: 60_000 });
    await store.put('long', 'lived', { ttlMs: 60_000 });
    expect(await store.get('short')).to.equal('lived');
    await eventually('it is gone', async () => (await any.get('short')) === undefined);
    for (let i = 0; i < 6; i++) expect(await any.get('short')).to.equal(undefined);
    await eventually('the other is gone, too', async () => (await store.get('ticket')) === undefined);
    expect((await store.compareAndSet('ticket', version, 2)).applied).to.equal(false);
    expect((await store.compareAndSet('ticket', null, 3)).applied).to.equal(true);
    expect(await store.delete('short')).to.equal(false);
    expect(await store.getMany(['kept', 'long', 'renewed', 'ticket'])).to.deep.equal([
      'for ever',
      'lived',
      1,
      3,
    ]);
    const keys: string[] = [];
    for await (const [key] of store.entries({ prefix: 'short' })) keys.push(key);
    expect(keys).to.deep.equal([]);
  });

  it('storedEntries gives bytes in memory of their own', async () => {
    const store = await fixture.open();
    const values = { 'bytes-small': 1, 'bytes-large': new Uint8Array(10_000) };
    await store.putMany(values);
    let count = 0;
    for await (const { valueBytes } of store.storedEntries({ prefix: 'bytes-' })) {
      expect(Object.getPrototypeOf(valueBytes)).to.equal(Uint8Array.prototype);
      expect(valueBytes.buffer.byteLength).to.equal(valueBytes.length);
      count++;
    }
    expect(count).to.equal(2);
  });

  it('10,000 keys are stored and read by one call each, in order', async () => {
    const store = await fixture.open();
    const keys = Array.from({ length: 10_000 }, (_, n) => `many-${n}`);
    const versions = await store.putMany(keys.map((key, n) => [key, n] as const));
    expect(versions).to.have.length(keys.length);
    const values = await store.getMany([...keys, 'many-none', ...keys.slice(0, 5)]);
    expect(values).to.deep.equal([...keys.map((_, n) => n), undefined, 0, 1, 2, 3, 4]);
    expect((await store.getEntry('many-77'))?.version).to.deep.equal(versions[77]?.version);
    await store.putMany({ 'many-1': 'by', 'many-2': 'record' });
    expect(await store.getMany(new Set(['many-1', 'many-2']))).to.deep.equal(['by', 'record']);
  });

  it('entries gives every key of a prefix once, though two nodes die on the way', async () => {
    const store = await fixture.open();
    // Numbers with one sum of digits share a slot, which so takes several batches.
    const numbers = Array.from({ length: 100_000 }, (_, n) => n);
    const digitSum = (n: number): number => Array.from(String(n), Number).reduce((sum, digit) => sum + digit);
    const crowd = numbers.filter((n) => n >= 10_000 && digitSum(n) === 22).slice(0, 1200);
    const keys = [...crowd, ...numbers.slice(0, 400)].map((n) => `list-é-${n}`);
    await store.putMany(keys.map((key, n) => [key, n] as const));
    await store.putMany(keys.slice(0, 200).map((key) => [`other-${key}`, 0] as const));
    const { primary, replicas } = await store.locate(keys[0] ?? '');
    const listed = new Map<string, StoreValue>();
    let [count, crowdCount] = [0, 0];
    const kills: Promise<void>[] = [];
    for await (const [key, value] of store.entries({ prefix: 'list-é-' })) {
      listed.set(key, value);
      count++;
      if (key.length === keys[0]?.length) crowdCount++;
      if (crowdCount === 10 && kills.length === 0) kills.push(fixture.cluster.kill(primary ?? -1));
      if (crowdCount === 600 && kills.length === 1) kills.push(fixture.cluster.kill(replicas[1] ?? -1));
    }
    await Promise.all(kills);
    expect(kills).to.have.length(2);
    expect(count).to.equal(keys.length);
    expect([...listed.keys()]).to.have.members(keys);
    for (const [n, key] of keys.entries()) expect(listed.get(key)).to.equal(n);
    await fixture.cluster.untilHealthy();
  });

  it('RMW5: increments by 16 clients make an exact sum, though a node dies on the way', async () => {
    const clients = await Promise.all(Array.from({ length: 16 }, () => fixture.open()));
    const [store] = clients;
    if (store === undefined) throw new Error('there are clients');
    const keys = keysWhere(store, 'sum', 4, (slot) => slot.replicas[0] === 2);
    let [done, applied, unknown] = [0, 0, 0];
    const each = 20;
    const working = Promise.all(
      clients.map(async (client, i) => {
        for (let n = 0; n < each; n++) {
          const code = await codeOf(client.increment(keys[(i + n) % keys.length] ?? ''));
          expect(code).to.be.oneOf(['none', 'OUTCOME_UNKNOWN']);
          if (code === 'none') applied++;
          else unknown++;
          done++;
        }
      }),
    );
    await eventually('a third is done', () => done > (clients.length * each) / 3);
    await fixture.cluster.kill(2);
    await working;
    const sums = (await store.getMany(keys)) as number[];
    const sum = sums.reduce((a, b) => a + b, 0);
    expect(applied + unknown).to.equal(clients.length * each);
    expect(sum, `${unknown} outcomes unknown`).to.be.within(applied, applied + unknown);
    // Only what was under way at the dead node can be in doubt.
    expect(unknown).to.be.at.most(clients.length);
    await fixture.cluster.untilHealthy();
  });

  it('RMW5: updates are applied exactly once, each on what the one before left, though nodes die', async () => {
    const clients = await Promise.all(Array.from({ length: 4 }, () => fixture.open()));
    const [store] = clients;
    if (store === undefined) throw new Error('there are clients');
    const [key = ''] = keysWhere(store, 'log', 1, () => true);
    const told = new Map<string, boolean>();
    let isStopping = false;
    const working = Promise.all(
      clients.map((client, i) => {
        let n = 0;
        return repeat(5, async () => {
          const line = `${i}-${n++}`;
          const append = (log: StoreValue | undefined): StoreValue => [...((log ?? []) as string[]), line];
          const code = await codeOf(client.update(key, append));
          told.set(line, code === 'none');
          return !isStopping && code !== 'CLOSED';
        });
      }),
    );
    for (let kill = 0; kill < 2; kill++) {
      const count = told.size;
      await eventually('some updates', () => told.size > count + 20);
      await fixture.cluster.kill(slotOf(store, key).replicas[0] ?? 0);
      await fixture.cluster.untilHealthy();
    }
    isStopping = true;
    await working;
    const log = (await store.get(key)) as string[];
    expect(new Set(log).size, 'no line twice').to.equal(log.length);
    for (const [line, isApplied] of told) if (isApplied) expect(log).to.include(line);
    clients.forEach((_, i) => {
      const own = log.filter((line) => line.startsWith(`${i}-`)).map((line) => Number(line.split('-')[1]));
      expect(own, 'in the order of one client').to.deep.equal(own.toSorted((a, b) => a - b));
    });
    const doubtful = [...told.values()].filter((isApplied) => !isApplied).length;
    // Each kill changes the primary twice, when it is missed and when it is back; either may catch a call of each.
    expect(doubtful, 'unknown outcomes').to.be.at.most(2 * 2 * clients.length);
  });

  it('of concurrent deletes, creations and conditional writes exactly one succeeds', async () => {
    const clients = await Promise.all(Array.from({ length: 8 }, () => fixture.open()));
    for (let round = 0; round < 10; round++) {
      const key = `one-${round}`;
      const created = await Promise.all(clients.map((client, i) => client.compareAndSet(key, null, i)));
      const winner = created.findIndex(({ applied }) => applied);
      expect(created.filter(({ applied }) => applied)).to.have.length(1);
      const [{ version } = { version: null }] = created.filter(({ applied }) => applied);
      for (const outcome of created) expect(outcome.version).to.deep.equal(version);
      expect(await clients[0]?.get(key)).to.equal(winner);
      const deleted = await Promise.all(clients.map((client) => client.delete(key)));
      expect(deleted.filter(Boolean)).to.have.length(1);
      expect(await clients[0]?.get(key)).to.equal(undefined);
    }
  });

  it('events and diagnostics channels tell of operations, maps, and nodes that go and come', async () => {
    const operations: OperationEvent[] = [];
    const maps: MapEvent[] = [];
    const onOperation = (event: unknown): unknown => operations.push(event as OperationEvent);
    const onMap = (event: unknown): unknown => maps.push(event as MapEvent);
    subscribe(diagnosticsChannelNames.operation, onOperation);
    subscribe(diagnosticsChannelNames.map, onMap);
    try {
      const store = await fixture.open();
      const told: string[] = [];
      store.on('node-down', (id) => told.push(`down ${id}`));
      store.on('node-up', (id) => told.push(`up ${id}`));
      store.on('map', ({ epoch }) => told.push(`map ${epoch}`));
      const { epoch } = mapOf(store);
      const [key = ''] = keysWhere(store, 'told-é', 1, (slot) => slot.replicas.includes(4));
      await store.put(key, 1);
      await store.get(key);
      await store.increment(key);
      await codeOf(store.compareAndSet(key, null, 'refused'));
      await fixture.cluster.kill(4);
      await store.put(key, 2);
      await fixture.cluster.untilHealthy();
      await eventually('node 4 is told to be back', () => told.includes('up 4'));
      expect(told).to.include('down 4');
      expect(told.indexOf('down 4')).to.be.below(told.indexOf('up 4'));
      const mine = operations.filter((event) => event.key === key);
      expect(mine.slice(0, 2).map(({ operation }) => operation)).to.deep.equal(['put', 'get']);
      expect(mine.map(({ operation }) => operation)).to.include('condition');
      for (const { attempts, durationMs, error } of mine) {
        expect(attempts).to.be.at.least(1);
        expect(durationMs).to.be.above(0);
        expect(error).to.equal(undefined);
      }
      const mapsTold = told.filter((text) => text.startsWith('map ')).map((text) => Number(text.slice(4)));
      expect(mapsTold.length).to.be.above(0);
      expect(mapsTold).to.deep.equal(mapsTold.toSorted((a, b) => a - b));
      expect(maps[0]?.previousEpoch).to.equal(0);
      expect(maps.map((event) => event.epoch)).to.include.members([epoch, ...mapsTold]);

      await codeOf(store.get(key, { signal: AbortSignal.timeout(0), timeoutMs: 1 }));
      expect(await codeOf(store.put(key, 'x'.repeat(2 * mebibyte)))).to.equal('VALUE_TOO_LARGE');
    } finally {
      unsubscribe(diagnosticsChannelNames.operation, onOperation);
      unsubscribe(diagnosticsChannelNames.map, onMap);
    }
  });

  it('a process whose client is disposed of ends by itself', async () => {
    const child = new ChildClient({ url: fixture.cluster.url, act: 'do and leave', key: 'left' });
    try {
      expect((await child.reported('what it read')).outcomes).to.deep.equal(['2']);
      expect(await child.ended(5000)).to.equal(0);
    } finally {
      await child.kill();
    }
  });
});
