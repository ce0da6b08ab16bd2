import { expect } from 'chai';
import { createHook } from 'node:async_hooks';
import { setImmediate as turn } from 'node:timers/promises';
import { GTStoreError } from '../../src/protocol/errors.js';
import { MessageType } from '../../src/protocol/messages.js';
import type { Message } from '../../src/protocol/messages.js';
import type { Connection } from '../../src/transport/connection.js';
import { RequestTable, tableRidMin } from '../../src/transport/requests.js';
import { Peers, Recorder } from '../support/transport-peers.js';
import { until } from '../support/until.js';

const T = MessageType;
const peers = new Peers();
afterEach(() => peers.close());

const status = (rid: number): Message => ({ type: T.status, rid });

async function codeOf(promise: Promise<unknown>): Promise<string> {
  try {
    await promise;
  } catch (error) {
    expect(error).to.be.instanceOf(GTStoreError);
    return (error as GTStoreError).code;
  }
  throw new Error('it was fulfilled');
}

interface Setup {
  readonly table: RequestTable;
  readonly connection: Connection;
  readonly server: Recorder;
  /** What the table would not have, and what it took. */
  readonly others: Message[];
  readonly taken: Message[];
}

/** A client whose messages go through the table, and a server that answers as told. */
async function setUp(answer: (connection: Connection, message: Message) => void): Promise<Setup> {
  const server = new Recorder(answer);
  const { port } = await peers.listen(server);
  const table = new RequestTable(100);
  const others: Message[] = [];
  const taken: Message[] = [];
  const client = new Recorder((from, message) => {
    (table.settle(from, message) ? taken : others).push(message);
  });
  return { table, connection: await peers.dial(port, client), server, others, taken };
}

function ridOf(message: Message): number {
  return 'rid' in message ? message.rid : -1;
}

describe('requests', () => {
  it('each get the answer with their rid, in whatever order answers come', async () => {
    const waiting: number[] = [];
    const { table, connection, others } = await setUp((from, message) => {
      waiting.push(ridOf(message));
      if (waiting.length < 3) return;
      for (const rid of waiting.reverse()) from.send({ type: T.statusResult, rid, json: String(rid) });
      from.send({ type: T.map, rid: 0, map: null });
    });
    const rids: number[] = [];
    const promises = [1, 2, 3].map(() =>
      table.request(connection, (rid) => (rids.push(rid), status(rid)), 5000),
    );
    expect(await Promise.all(promises)).to.deep.equal(
      rids.map((rid) => ({ type: T.statusResult, rid, json: String(rid) })),
    );
    expect(table.size).to.equal(0);
    expect(Math.min(...rids)).to.be.at.least(tableRidMin);
    await until(() => others.length === 1);
    expect(others[0]).to.include({ type: T.map, rid: 0 });
  });

  it('the answer is the caller’s to keep, even one that is decoded into a scratch object', async () => {
    const { table, connection } = await setUp((from, message) => {
      const entry = {
        version: { hlc: 1, clientId: 2, seq: 0, epoch: 0 },
        valid: true,
        expiresAtMs: 0,
        applied: null,
      };
      const entries = [{ key: 'k', value: Uint8Array.of(1, 2), ...entry }];
      from.send({ type: T.scanBatch, rid: ridOf(message), done: true, entries });
      from.send({ type: T.fenced, rid: ridOf(message) + 1, epoch: 3, reason: 2 });
      from.send({ type: T.fenced, rid: 1, epoch: 9, reason: 1 });
      from.send({
        type: T.scanBatch,
        rid: 1,
        done: false,
        entries: [{ key: 'x', value: Uint8Array.of(9, 9), ...entry }],
      });
    });
    const answers = await Promise.all([
      table.request(
        connection,
        (rid) => ({ type: T.scan, rid, slot: 0, scanId: 1, first: true, prefix: '' }),
        5000,
      ),
      table.request(connection, status, 5000),
    ]);
    expect(answers[0]).to.have.property('entries').with.length(1);
    expect(answers[0]).to.have.nested.property('entries[0].value').that.deep.equals(Uint8Array.of(1, 2));
    expect(answers[1]).to.include({ type: T.fenced, epoch: 3, reason: 2 });
  });

  it('time out, and the answer that comes late is dropped', async () => {
    const late: Message[] = [];
    let connectionThere: Connection | undefined;
    const { table, connection, taken, others } = await setUp((from, message) => {
      connectionThere = from;
      late.push({ type: T.statusResult, rid: ridOf(message), json: 'late' });
    });
    const since = performance.now();
    expect(await codeOf(table.request(connection, status, 50))).to.equal('TIMEOUT');
    expect(performance.now() - since).to.be.at.least(49);
    await until(() => late.length === 1);
    connectionThere!.send(late[0]!);
    await until(() => taken.length === 1);
    expect(others).to.deep.equal([]);
    expect(table.size).to.equal(0);
  });

  it('time out time after time, with one timer while any wait and none while nobody does', async () => {
    const { table, connection } = await setUp(() => {});
    const running = new Set<number>();
    const hook = createHook({
      init: (id, type) => type === 'Timeout' && running.add(id),
      destroy: (id) => running.delete(id),
    }).enable();
    try {
      for (let round = 0; round < 3; round++) {
        const waiting = [20, 25].map((timeoutMs) => codeOf(table.request(connection, status, timeoutMs)));
        expect(running.size).to.equal(1);
        expect(await Promise.all(waiting)).to.deep.equal(['TIMEOUT', 'TIMEOUT']);
        // Hooks are told of an end a little later.
        for (let i = 0; i < 10 && running.size > 0; i++) await turn();
        expect(running.size).to.equal(0);
      }
    } finally {
      hook.disable();
    }
  });

  it('fail when their connection ends, and those of other connections do not', async () => {
    const { table, connection, server } = await setUp(() => {});
    const { connection: other } = await setUp(() => {});
    const failing = [table.request(connection, status, 5000), table.request(connection, status, 5000)];
    const waiting = table.request(other, status, 60_000);
    await until(() => server.messages.length === 2);
    server.opened[0]!.destroy();
    expect(await Promise.all(failing.map(codeOf))).to.deep.equal(['UNAVAILABLE', 'UNAVAILABLE']);
    expect(table.size).to.equal(1);
    expect(await codeOf(table.request(connection, status, 5000)), 'on one that has ended').to.equal(
      'UNAVAILABLE',
    );
    table.close();
    expect(await codeOf(waiting)).to.equal('CLOSED');
    expect(await codeOf(table.request(other, status, 5000))).to.equal('CLOSED');
  });

  it('can be aborted', async () => {
    const { table, connection } = await setUp(() => {});
    const controller = new AbortController();
    const promise = table.request(connection, status, 5000, { signal: controller.signal });
    controller.abort();
    expect(await codeOf(promise)).to.equal('CLOSED');
    expect(await codeOf(table.request(connection, status, 5000, { signal: AbortSignal.abort() }))).to.equal(
      'CLOSED',
    );
    expect(table.size).to.equal(0);
  });

  it('that change something have an unknown outcome once they were sent, and are not to be retried', async () => {
    const { table, connection, server } = await setUp(() => {});
    const errorOf = (promise: Promise<unknown>): Promise<unknown> => promise.catch((error: unknown) => error);
    const unknown = { outcome: 'unknown', retryable: false };
    const isWrite = true;
    const late = await errorOf(table.request(connection, status, 50, { isWrite }));
    expect(late).to.include({ code: 'TIMEOUT', ...unknown });
    const signal = AbortSignal.timeout(20);
    const aborted = await errorOf(table.request(connection, status, 60_000, { isWrite, signal }));
    expect(aborted).to.include({ code: 'CLOSED', ...unknown });

    const asked = errorOf(table.request(connection, status, 60_000));
    const lost = errorOf(table.request(connection, status, 60_000, { isWrite }));
    await until(() => server.messages.length === 4);
    server.opened[0]!.destroy();
    expect(await lost).to.include({ code: 'UNAVAILABLE', ...unknown });
    expect(await asked).to.include({ code: 'UNAVAILABLE', outcome: undefined, retryable: true });
    const unsent = await errorOf(table.request(connection, status, 60_000, { isWrite }));
    expect(unsent).to.include({ code: 'UNAVAILABLE', outcome: undefined, retryable: true });
  });

  it('are bounded in number', async () => {
    const { table, connection } = await setUp(() => {});
    const waiting = Array.from({ length: 100 }, () =>
      table.request(connection, status, 60_000).catch(() => {}),
    );
    expect(await codeOf(table.request(connection, status, 5000))).to.equal('QUEUE_FULL');
    table.close();
    await Promise.all(waiting);
  });

  it('reject with the mistake if the message cannot be encoded', async () => {
    const { table, connection } = await setUp(() => {});
    const error: unknown = await table
      .request(connection, (rid) => ({ type: T.copy, rid, slot: -1, joinedAt: 1, first: true }), 5000)
      .catch((reason: unknown) => reason);
    expect(error).to.be.instanceOf(TypeError);
    expect(table.size).to.equal(0);
  });

  it('are not settled by a forged answer from another peer, nor by a request with their rid', async () => {
    const { table, connection } = await setUp(() => {});
    const { connection: other } = await setUp(() => {});
    let rid = 0;
    const promise = table.request(connection, (own) => status((rid = own)), 60_000);
    expect(table.settle(other, { type: T.statusResult, rid, json: 'forged' })).to.be.true;
    expect(table.settle(connection, { type: T.query, rid, key: 'k' })).to.be.false;
    expect(new RequestTable().settle(connection, { type: T.statusResult, rid, json: '' })).to.be.false;
    expect(table.size).to.equal(1);
    expect(table.settle(connection, { type: T.statusResult, rid, json: 'true' })).to.be.true;
    expect(await promise).to.have.property('json', 'true');
  });

  it('have rids that the wire can carry, however many tables the process has had', async () => {
    const { connection, server } = await setUp(() => {});
    for (let i = 0; i < 2 ** 21; i++) new RequestTable();
    const error: unknown = await new RequestTable()
      .request(connection, status, 50)
      .catch((reason: unknown) => reason);
    expect(error).to.have.property('code', 'TIMEOUT');
    await until(() => server.rids.length === 1);
    expect(server.rids[0]).to.be.within(tableRidMin, Number.MAX_SAFE_INTEGER);
  }).timeout(20_000);

  it('are settled by the answer to an administrator, too', async () => {
    const { table, connection } = await setUp(() => {});
    let rid = 0;
    const request = { type: T.admin, json: '{"command":"progress"}' } as const;
    const promise = table.request(connection, (own) => ({ ...request, rid: (rid = own) }), 60_000);
    expect(table.settle(connection, { type: T.adminResult, rid, json: '{"ok":true}' })).to.be.true;
    expect(await promise).to.have.property('json', '{"ok":true}');
  });
});
