import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect } from 'chai';
import { InterruptedError, UsageError, codeOf } from '../../src/shop/errors.js';
import { readCart } from '../../src/shop/invoice-cart.js';
import { type InvoiceLine } from '../../src/shop/invoice-csv.js';
import { persist } from '../../src/shop/persist.js';
import { type ReplayCommandOptions, type ReplaySummary, runReplay } from '../../src/shop/replay-command.js';
import { addToCart, replay } from '../../src/shop/replay.js';
import { FakeCluster, type FakeFault, seededRandom } from '../support/fake-store.js';
import { warningsOf } from '../support/warnings.js';

const persistence = { forMs: 5_000, pauseMs: 1 };

/** So many lines, `perInvoice` of them to an invoice. */
function someLines(count: number, perInvoice: number): InvoiceLine[] {
  return Array.from({ length: count }, (_, index) => ({
    row: index + 1,
    invoice: String(536_365 + Math.floor(index / perInvoice)),
    stockCode: `code${index % 7}`,
    quantity: (index % 5) - 1,
    unitPrice: `${index % 11}.${index % 10}${index % 3}`,
  }));
}

function rowsIn(cluster: FakeCluster, invoice: string): number[] {
  return (readCart(cluster.value(`cart:${invoice}`)) ?? []).map((line) => line.row).sort((a, b) => a - b);
}

describe('shop: replaying invoices', () => {
  let cluster: FakeCluster;
  beforeEach(() => {
    cluster = new FakeCluster();
  });

  it('keeps every line when many clients change one cart', async () => {
    const lines = someLines(200, 200);
    const outcome = await replay(lines, { clients: 16, connect: cluster.connect, persistence });
    expect(outcome.differences).to.deep.equal([]);
    expect(outcome.found).to.deep.equal(outcome.expected);
    expect(outcome.found).to.include({ lines: 200, carts: 1 });
    expect(rowsIn(cluster, '536365')).to.deep.equal(lines.map((line) => line.row));
    expect(outcome.conflicts).to.be.above(0);
    // Every attempt either put a line in or lost.
    expect(cluster.updateAttempts).to.equal(200 + outcome.conflicts);
    expect(outcome.operations).to.equal(2 * cluster.updateAttempts);
    expect(outcome.unknown).to.equal(0);
  });

  it('deals the lines round-robin, and each client does its own in order', async () => {
    const done: { readonly client: string; readonly invoice: number }[] = [];
    const lines = someLines(12, 1);
    const connect = async (): ReturnType<FakeCluster['connect']> => {
      const store = await cluster.connect();
      const { update } = store;
      const client = String(cluster.opened);
      store.update = async (key, mutate) => {
        await update.call(store, key, mutate);
        done.push({ client, invoice: Number(key.slice('cart:'.length)) - 536_365 });
      };
      return store;
    };
    await replay(lines, { clients: 3, connect, persistence });
    const byClient = new Map<string, number[]>();
    for (const { client, invoice } of done) byClient.set(client, [...(byClient.get(client) ?? []), invoice]);
    expect([...byClient.values()]).to.have.deep.members([
      [0, 3, 6, 9],
      [1, 4, 7, 10],
      [2, 5, 8, 11],
    ]);
  });

  it('gives each client a session of its own, and ends them all', async () => {
    await replay(someLines(10, 2), { clients: 4, connect: cluster.connect, persistence });
    // One more for clearing, a new one for reading back.
    expect(cluster.opened).to.equal(6);
    expect(cluster.finalized).to.equal(6);
  });

  it('clears carts of an earlier run, and leaves others alone', async () => {
    cluster.set('cart:1', '[1,"A",1,"1"]\n');
    const options = { clients: 4, connect: cluster.connect, persistence };
    const lines = someLines(20, 5);
    await replay(lines, options);
    const again = await replay(lines.slice(0, 9), options);
    expect(again.differences).to.deep.equal([]);
    expect(cluster.value('cart:1')).to.equal('[1,"A",1,"1"]\n');
  });

  const unknowns: readonly FakeFault[] = ['unknown-applied', 'unknown-not-applied', 'unknown-late'];
  for (const fault of unknowns) {
    it(`adds a line once after an unknown outcome (${fault})`, async () => {
      const [line] = someLines(1, 1);
      for (const lateness of [1, 2, 3, 4, 5]) {
        cluster = new FakeCluster();
        cluster.lateness = lateness;
        const effort = { conflicts: 0, unknown: 0, operations: 0 };
        const store = await cluster.connect();
        cluster.failNext('update', fault);
        await addToCart(store, line!, persistence, effort);
        // What was abandoned may still arrive.
        for (let count = 0; count < lateness; count += 1) await store.get('elsewhere');
        expect(rowsIn(cluster, '536365')).to.deep.equal([1]);
        expect(effort.unknown).to.equal(1);
        if (fault === 'unknown-applied') expect(cluster.updateAttempts).to.equal(1);
        if (fault === 'unknown-not-applied') expect(cluster.updateAttempts).to.equal(2);
        // Arrives between the read and the write of the second attempt, which loses to it.
        if (fault === 'unknown-late' && lateness === 3) expect(effort.conflicts).to.equal(1);
      }
    });
  }

  it('still looks when the first look fails', async () => {
    const [line] = someLines(1, 1);
    cluster.failNext('update', 'unknown-applied');
    cluster.failNext('get', 'TIMEOUT', 2);
    await addToCart(await cluster.connect(), line!, persistence, { conflicts: 0, unknown: 0, operations: 0 });
    expect(cluster.updateAttempts).to.equal(1);
  });

  it('loses and doubles nothing while any operation fails in any way', async () => {
    for (const seed of [1, 2, 3]) {
      const random = seededRandom(seed);
      const faults: readonly FakeFault[] = [...unknowns, 'UNAVAILABLE', 'TIMEOUT'];
      cluster = new FakeCluster();
      cluster.chooseFault = () =>
        random() < 0.15 ? faults[Math.floor(random() * faults.length)] : undefined;
      const lines = someLines(300, 60);
      const outcome = await replay(lines, { clients: 8, connect: cluster.connect, persistence });
      expect(outcome.differences, `seed ${seed}`).to.deep.equal([]);
      expect(outcome.unknown, `seed ${seed}`).to.be.above(10);
    }
  });

  it('ends at once, for all clients, on a failure that trying again cannot mend', async () => {
    cluster.failNext('update', 'VALUE_TOO_LARGE');
    const problem = await replay(someLines(500, 5), {
      clients: 4,
      connect: cluster.connect,
      persistence,
    }).catch((error: unknown) => error);
    expect(codeOf(problem)).to.equal('VALUE_TOO_LARGE');
    expect(cluster.updateAttempts).to.be.below(20);
    expect(cluster.finalized).to.equal(cluster.opened);
  });

  it('gives up when the store stays away', async () => {
    cluster.chooseFault = (operation) => (operation === 'update' ? 'UNAVAILABLE' : undefined);
    const options = { clients: 2, connect: cluster.connect, persistence: { forMs: 20, pauseMs: 1 } };
    const problem = await replay(someLines(10, 5), options).catch((error: unknown) => error);
    expect(codeOf(problem)).to.equal('UNAVAILABLE');
  });

  it('says how far it got when it is stopped, and ends its sessions', async () => {
    const stop = new AbortController();
    const problem = await replay(someLines(100, 5), {
      clients: 4,
      connect: cluster.connect,
      persistence,
      signal: stop.signal,
      onProgress: (done) => {
        if (done === 30) stop.abort();
      },
    }).catch((error: unknown) => error);
    expect(problem).to.be.instanceOf(InterruptedError);
    const done = Number(/stopped: (\d+) of 100 rows/.exec((problem as Error).message)?.[1]);
    expect(done).to.be.within(30, 34);
    expect(cluster.finalized).to.equal(cluster.opened);
  });
});

describe('shop: a replay that is stopped while the store is away', () => {
  for (const [operation, text] of [
    ['delete', 'stopped before the first row'],
    ['get', 'stopped while the carts were compared'],
  ] as const) {
    it(`says that it was stopped, not what the store failed with: ${text}`, async () => {
      const cluster = new FakeCluster();
      const stop = new AbortController();
      cluster.chooseFault = (asked) => {
        if (asked !== operation) return undefined;
        setImmediate(() => stop.abort());
        return 'UNAVAILABLE';
      };
      const options = { clients: 2, connect: cluster.connect, persistence, signal: stop.signal };
      const problem = await replay(someLines(20, 5), options).catch((error: unknown) => error);
      expect(problem).to.be.instanceOf(InterruptedError).with.property('message', text);
      expect(cluster.finalized).to.equal(cluster.opened);
    });
  }
});

describe('shop: what is done again until it succeeds', () => {
  const away = Object.assign(new Error('away'), { code: 'UNAVAILABLE' });

  it('is not begun again once it has been stopped, nor is the pause waited for', async () => {
    for (const stopAt of [1, 3]) {
      const stop = new AbortController();
      let attempts = 0;
      const startedAtMs = performance.now();
      const failure = await persist({ forMs: 60_000, pauseMs: 40, signal: stop.signal }, () => {
        // In the middle of the pause that follows.
        if (++attempts === stopAt) setImmediate(() => stop.abort());
        return Promise.reject(away);
      }).catch((error: unknown) => error);
      expect(failure).to.equal(away);
      expect(attempts).to.equal(stopAt);
      expect(performance.now() - startedAtMs).to.be.below(1000);
    }
  });

  it('pauses for many clients at once without a warning', async () => {
    const { signal } = new AbortController();
    const warnings = await warningsOf(async () => {
      await Promise.all(
        Array.from({ length: 16 }, async () => {
          let attempts = 0;
          await persist({ forMs: 60_000, pauseMs: 5, signal }, () =>
            ++attempts === 1 ? Promise.reject(away) : Promise.resolve(),
          );
        }),
      );
    });
    expect(warnings).to.deep.equal([]);
  });
});

describe('shop: the replay command', () => {
  const folder = mkdtempSync(join(tmpdir(), 'shop-replay-'));
  const file = join(folder, 'orders.csv');
  after(() => rmSync(folder, { recursive: true }));

  let cluster: FakeCluster;
  let output: string;
  let errors: string;
  let options: ReplayCommandOptions;
  beforeEach(() => {
    cluster = new FakeCluster();
    output = '';
    errors = '';
    options = {
      file,
      clients: 4,
      json: true,
      connect: cluster.connect,
      persistence,
      output: { write: (text) => (output += text) },
      errors: { write: (text) => (errors += text) },
    };
    writeFileSync(
      file,
      'InvoiceNo,StockCode,Description,Quantity,InvoiceDate,UnitPrice,CustomerID,Country\n' +
        '1,A,"a, b",3,2010-12-01,0.1,,UK\n' +
        '1,B,,-1,2010-12-01,0.2,17850.0,UK\n' +
        'C2,A,,-2,2010-12-01,2.55,,UK\n',
    );
  });

  it('prints one JSON object with exact sums, and exits 0', async () => {
    expect(await runReplay(options)).to.equal(0);
    const { seconds, opsPerSecond, conflicts, ...rest } = JSON.parse(output) as ReplaySummary;
    expect(rest).to.deep.equal({
      rows: 3,
      carts: 2,
      quantity: 0,
      revenue: -5,
      unknown: 0,
      killed: 0,
      mismatches: 0,
    });
    for (const count of [seconds, opsPerSecond, conflicts]) expect(count).to.be.at.least(0);
    expect(output.trimEnd().split('\n')).to.have.lengthOf(1);
    expect(errors).to.equal('');
  });

  it('prints a table with the store beside the file', async () => {
    expect(await runReplay({ ...options, json: false })).to.equal(0);
    expect(output).to.match(/^revenue +-5\.00 +-5\.00$/m);
    expect(output).to.match(/^mismatches +0$/m);
  });

  it('finds a cart that was spoilt behind its back: exit 1, and says which', async () => {
    let sessions = 0;
    const connect = async (): ReturnType<FakeCluster['connect']> => {
      sessions += 1;
      // The last session is the one that reads back.
      if (sessions === options.clients + 2) cluster.set('cart:C2', '[3,"A",-2,"2.56"]\n');
      return cluster.connect();
    };
    expect(await runReplay({ ...options, connect })).to.equal(1);
    expect(JSON.parse(output)).to.include({ mismatches: 1, rows: 3, revenue: -5.02 });
    expect(errors).to.equal('cart:C2 revenue -5.12 instead of -5.10\n');
  });

  it('finds lost carts, and shows the first ten', async () => {
    const rows = Array.from({ length: 15 }, (_, index) => `${index},A,1,1`);
    writeFileSync(file, ['InvoiceNo,StockCode,Quantity,UnitPrice', ...rows].join('\n'));
    let sessions = 0;
    const connect = async (): ReturnType<FakeCluster['connect']> => {
      sessions += 1;
      if (sessions === options.clients + 2) cluster.entries.clear();
      return cluster.connect();
    };
    expect(await runReplay({ ...options, connect })).to.equal(1);
    expect(JSON.parse(output)).to.include({ mismatches: 15, carts: 0, rows: 0 });
    expect(errors.trimEnd().split('\n')).to.have.lengthOf(11);
    expect(errors)
      .to.match(/^cart:0 is not in the store$/m)
      .and.to.match(/and 5 more carts/);
  });

  it('writes nothing when a row is bad, be it the last', async () => {
    writeFileSync(file, 'InvoiceNo,StockCode,Quantity,UnitPrice\n1,A,1,1\n1,A,x,1\n');
    const problem = await runReplay(options).catch((error: unknown) => error);
    expect(problem)
      .to.be.instanceOf(UsageError)
      .with.property('message')
      .that.includes(':3: column Quantity');
    expect(cluster.opened).to.equal(0);
  });

  it('draws its progress on a terminal only', async () => {
    await runReplay({ ...options, errors: { isTTY: true, columns: 80, write: (text) => (errors += text) } });
    expect(errors).to.match(/replaying \[#+\] 100 % 3\/3/);
    expect(errors.endsWith('\r\u001b[K')).to.be.true;
  });
});
