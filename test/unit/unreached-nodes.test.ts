// What a client says when it cannot reach nodes of a key that others reach.
import { expect } from 'chai';
import type { GTStoreClient } from '../../src/client/index.js';
import { clientOf } from '../support/client-of-peers.js';
import { Peers, Recorder, welcome } from '../support/transport-peers.js';

const peers = new Peers();
afterEach(() => peers.close());

/** A client of three nodes, of which it cannot reach these. */
async function without(...away: number[]): Promise<GTStoreClient> {
  const ports = [];
  for (const id of [0, 1, 2]) {
    const node = new Recorder();
    const { port } = await peers.listen(node, { onHello: () => ({ ...welcome, senderId: id }) });
    ports.push(away.includes(id) ? 1 : port);
  }
  return clientOf(peers, ports);
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
