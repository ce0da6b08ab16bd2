// What a client says when it cannot reach nodes of a key that others reach.
import { expect } from 'chai';
import { GTStoreClient } from '../../src/client/index.js';
import { newSlot } from '../../src/protocol/cluster-map.js';
import { MessageType, PeerRole } from '../../src/protocol/messages.js';
import type { Message } from '../../src/protocol/messages.js';
import { defaultSettings } from '../../src/protocol/settings.js';
import { Peers, Recorder, welcome } from '../support/transport-peers.js';

const peers = new Peers();
afterEach(() => peers.close());

/** A client of three nodes, of which it cannot reach these. */
async function without(...away: number[]): Promise<GTStoreClient> {
  const nodes = [];
  for (const id of [0, 1, 2]) {
    const node = new Recorder();
    const { port } = await peers.listen(node, { onHello: () => ({ ...welcome, senderId: id }) });
    nodes.push({ id, incarnation: 1, host: '127.0.0.1', port: away.includes(id) ? 1 : port });
  }
  const settings = { ...defaultSettings, slotCount: 1 };
  const map = { clusterId: 'test', epoch: 1, settings, nodes, slots: [newSlot([0, 1, 2], 1)] };
  const manager = new Recorder((connection, message: Message) => {
    if (message.type === MessageType.getMap)
      connection.send({ type: MessageType.map, rid: message.rid, map });
  });
  const { port } = await peers.listen(manager, { onHello: () => ({ ...welcome, role: PeerRole.manager }) });
  const client = new GTStoreClient({ manager: `127.0.0.1:${port}` });
  await client.init();
  return client;
}

async function failureOf(promise: Promise<unknown>): Promise<unknown> {
  return promise.catch((reason: unknown) => reason);
}

describe('a client that cannot reach a node', () => {
  it('W2: says which one a put waits for', async () => {
    await using client = await without(2);
    const error = await failureOf(client.put('k', 1, { timeoutMs: 50 }));
    expect(error).to.include({ code: 'UNAVAILABLE', outcome: 'not-applied', retryable: true });
    expect(String(error)).to.match(/node 2 could not be reached in time, and a put of 'k' goes to all/);
  });

  it('RMW1: says which one a conditional write waits for', async () => {
    await using client = await without(0);
    const error = await failureOf(client.compareAndSet('k', null, 1, { timeoutMs: 50 }));
    expect(error).to.include({ code: 'UNAVAILABLE', outcome: 'not-applied' });
    expect(String(error)).to.match(/node 0 could not be reached in time, and the primary of 'k' must be/);
  });

  it('says that it is all of them', async () => {
    await using client = await without(0, 1, 2);
    for (const call of [client.put('k', 1, { timeoutMs: 50 }), client.get('k', { timeoutMs: 50 })])
      expect(String(await failureOf(call))).to.match(/no replica of 'k' could be reached in time/);
  });
});
