// Requests of an administrator through the client, at a manager that does not answer.
import { expect } from 'chai';
import { GTStoreClient } from '../../src/client/index.js';
import type { ClientOptions } from '../../src/client/index.js';
import type { AdminRequest } from '../../src/protocol/admin.js';
import { newSlot } from '../../src/protocol/cluster-map.js';
import type { Message } from '../../src/protocol/messages.js';
import { MessageType, PeerRole } from '../../src/protocol/messages.js';
import { defaultSettings } from '../../src/protocol/settings.js';
import type { Connection } from '../../src/transport/connection.js';
import { Peers, Recorder, welcome } from '../support/transport-peers.js';

const peers = new Peers();
afterEach(() => peers.close());

/** A client of a manager that hangs up when it is asked for something, or does this. */
async function connected(
  onAsked: (connection: Connection, message: Message) => void = (connection) => {
    connection.destroy();
  },
  options: Pick<ClientOptions, 'timeoutMs'> = {},
): Promise<GTStoreClient> {
  const settings = { ...defaultSettings, slotCount: 1 };
  const map = { clusterId: 'test', epoch: 1, settings, nodes: [], slots: [newSlot([], 1)] };
  const manager = new Recorder((connection, message) => {
    if (message.type === MessageType.getMap)
      connection.send({ type: MessageType.map, rid: message.rid, map });
    else onAsked(connection, message);
  });
  const { port } = await peers.listen(manager, { onHello: () => ({ ...welcome, role: PeerRole.manager }) });
  const client = new GTStoreClient({ manager: `127.0.0.1:${port}`, ...options });
  await client.init();
  return client;
}

const changes: AdminRequest[] = [
  { command: 'add-nodes', count: 1 },
  { command: 'start-node', nodeId: 1 },
  { command: 'drain', nodeId: 1 },
  { command: 'rebalance', by: 'slots' },
  { command: 'set-replicas', replicas: 2 },
  { command: 'restart-rolling' },
  { command: 'accept-loss' },
  { command: 'cancel' },
];
const questions: AdminRequest[] = [
  { command: 'progress' },
  { command: 'hot', count: 1 },
  { command: 'rebalance', by: 'slots', dryRun: true },
];

describe('a question that a manager leaves unanswered', () => {
  it('fails with the whole milliseconds that it was given', async () => {
    await using client = await connected(() => undefined, { timeoutMs: 1000 });
    const error: unknown = await client.status().catch((reason: unknown) => reason);
    expect(error).to.have.property('code', 'TIMEOUT');
    expect(String(error)).to.match(/: no answer within 1000 ms$/);
  });

  it('fails with why, when the client is closed', async () => {
    const client = await connected(() => undefined);
    const answer = client.status().catch((reason: unknown) => reason);
    await client.finalize();
    const error = await answer;
    expect(error).to.have.property('code', 'CLOSED');
    expect(String(error)).to.match(/: closed before an answer came$/);
  });
});

describe('an administrator whose manager is lost before it answers', () => {
  for (const request of changes) {
    it(`does not know whether ${request.command} was begun, and is not told to try again`, async () => {
      await using client = await connected();
      const error: unknown = await client.admin(request).catch((reason: unknown) => reason);
      expect(error).to.include({ code: 'UNAVAILABLE', outcome: 'unknown', retryable: false });
    });
  }

  for (const request of questions) {
    it(`may ask again: ${JSON.stringify(request)}`, async () => {
      await using client = await connected();
      const error: unknown = await client.admin(request).catch((reason: unknown) => reason);
      expect(error).to.include({ code: 'UNAVAILABLE', outcome: undefined, retryable: true });
    });
  }

  describe('since it is dialled anew after a step of the wall clock', () => {
    const { now: wallNow } = Date;
    let asks: number;
    beforeEach(() => (asks = 0));
    afterEach(() => {
      Date.now = wallNow;
    });

    /** A client whose wall clock is set ahead when the manager is asked first; it answers what comes later. */
    async function stepped(): Promise<GTStoreClient> {
      const client: GTStoreClient = await connected((connection, message) => {
        if (asks++ === 0) {
          Date.now = () => wallNow() + 5000;
          void client.get('k', { timeoutMs: 50 }).catch(() => undefined);
        } else if (message.type === MessageType.status) {
          connection.send({ type: MessageType.statusResult, rid: message.rid, json: '"well"' });
        }
      });
      return client;
    }

    it('is asked again where nothing is changed', async () => {
      await using client = await stepped();
      expect(await client.status()).to.equal('well');
    });

    it('has not closed the client: what may have been begun is not known', async () => {
      await using client = await stepped();
      const error: unknown = await client
        .admin({ command: 'drain', nodeId: 1 })
        .catch((reason: unknown) => reason);
      expect(error).to.include({ code: 'UNAVAILABLE', outcome: 'unknown', retryable: false });
      expect(asks).to.equal(1);
    });
  });

  it('is told of a request that is too large for any manager before it is sent', async () => {
    let asked = 0;
    await using client = await connected(() => asked++);
    const host = 'x'.repeat(2 ** 24);
    const request = { command: 'drain', nodeId: 1, host } as AdminRequest;
    const error: unknown = await client.admin(request).catch((reason: unknown) => reason);
    expect(error).to.include({ code: 'INVALID_ARGUMENT', outcome: 'not-applied' });
    expect(String(error)).to.match(/the request has \d+ bytes of JSON; a manager takes at most 16777216/);
    expect(asked).to.equal(0);
  });

  it('may ask again after something that was never sent', async () => {
    await using client = await connected();
    await client.status().catch(() => undefined);
    // The connection is gone, and the next one is not there yet.
    const error: unknown = await client.admin({ command: 'cancel' }).catch((reason: unknown) => reason);
    expect(error).to.include({ code: 'UNAVAILABLE', outcome: 'not-applied', retryable: true });
  });
});
