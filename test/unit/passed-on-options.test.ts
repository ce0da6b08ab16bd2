// Whoever wraps the client passes on what he was given, or was not: also where `exactOptionalPropertyTypes` tells the two apart.
import { expect } from 'chai';
import { GTStoreClient } from '../../src/client/index.js';
import type { StoreValue } from '../../src/client/index.js';
import { MessageType } from '../../src/protocol/messages.js';
import { startArguments } from '../../src/testing/options.js';
import { clientOfNode } from '../support/client-of-peers.js';
import { Peers } from '../support/transport-peers.js';

interface Given {
  readonly timeoutMs?: number;
  readonly ttlMs?: number;
  readonly signal?: AbortSignal;
  readonly prefix?: string;
}

describe('options that are passed on and are undefined', () => {
  const peers = new Peers();
  afterEach(() => peers.close());

  it('are as if they were not there, for calls', async () => {
    await using client = await clientOfNode(peers, (connection, message) => {
      if (message.type === MessageType.write) connection.send({ type: MessageType.ack, rid: message.rid });
    });
    const put = (value: StoreValue, { timeoutMs, ttlMs, signal }: Given): Promise<unknown> =>
      client.put('k', value, { timeoutMs, ttlMs, signal });
    expect(await put(1, {})).to.have.property('version');
    const all = ({ prefix, timeoutMs }: Given): unknown => client.entries({ prefix, timeoutMs });
    expect(all({})).to.be.an('AsyncGenerator');
  });

  it('are as if they were not there, for the client and a cluster of tests', () => {
    const { timeoutMs, prefix }: Given = {};
    const readFrom = undefined;
    const options = { timeoutMs, readFrom, localAddress: prefix, inFlightMax: timeoutMs };
    expect(() => new GTStoreClient({ manager: '127.0.0.1:1', ...options })).not.to.throw();
    const none = { nodes: undefined, replicas: undefined, host: undefined, respawn: undefined };
    expect(startArguments({ ...none, leaseMs: timeoutMs }, 'dir', 1)).to.deep.equal(
      startArguments({}, 'dir', 1),
    );
  });
});
