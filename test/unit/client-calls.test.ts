// What callers are told, at a cluster of one node that answers as a test wants.
import { expect } from 'chai';
import { subscribe, unsubscribe } from 'node:diagnostics_channel';
import { diagnosticsChannelNames } from '../../src/client/index.js';
import type { GTStoreClient } from '../../src/client/index.js';
import type { GetMessage } from '../../src/protocol/messages.js';
import { MessageType } from '../../src/protocol/messages.js';
import type { Connection } from '../../src/transport/connection.js';
import { answerGet, clientOfNode } from '../support/client-of-peers.js';
import { errorOf } from '../support/store-error.js';
import { Peers } from '../support/transport-peers.js';

const peers = new Peers();
afterEach(() => peers.close());

function connected(onGet: (connection: Connection, message: GetMessage) => void): Promise<GTStoreClient> {
  return clientOfNode(peers, (connection, message) => {
    if (message.type === MessageType.get) onGet(connection, message);
  });
}

describe('a value that another program has stored and that cannot be decoded', () => {
  it('is left as it is by calls that were to change it, and they say so', async () => {
    await using client = await connected((connection, message) => {
      answerGet(connection, message, Uint8Array.of(0xc1));
    });
    for (const call of [() => client.update('k', () => 1), () => client.increment('k')]) {
      const error = await errorOf(call);
      expect(error).to.include({ code: 'PROTOCOL', outcome: 'not-applied', retryable: false });
      expect(error.message).to.match(/^the value of 'k' cannot be read: /);
    }
    expect(await errorOf(() => client.get('k'))).to.include({ code: 'PROTOCOL', outcome: undefined });
  });
});

describe('a client that is being closed', () => {
  it('begins nothing more for whoever hears of its last operations', async () => {
    const client = await connected((connection, message) => {
      if (message.key === 'answered') answerGet(connection, message, Uint8Array.of(1));
    });
    const late: Promise<unknown>[] = [];
    const onOperation = (): void => {
      late.push(errorOf(() => client.get('late', { timeoutMs: 1000 })));
    };
    const [first, second] = [client.get('answered'), errorOf(() => client.get('k'))];
    await first;
    // Only operations that began while somebody was subscribed are told of.
    subscribe(diagnosticsChannelNames.operation, onOperation);
    try {
      const third = errorOf(() => client.get('k'));
      await client.finalize();
      for (const error of await Promise.all([second, third, ...late]))
        expect(error).to.have.property('code', 'CLOSED');
      expect(late).to.have.length(1);
    } finally {
      unsubscribe(diagnosticsChannelNames.operation, onOperation);
    }
  });
});

describe('a prefix of keys that is none', () => {
  it('is called so', async () => {
    await using client = await connected(() => undefined);
    const wrong: [unknown, RegExp][] = [
      [5, /^the prefix must be a string, not 5$/],
      ['a\ud800', /^the prefix has half of a surrogate pair/],
      ['x'.repeat(300), /^the prefix 'x{40}\.\.\.' has 300 bytes; this cluster takes at most 250 bytes/],
      ['x'.repeat(70_000), /^the prefix 'x{40}\.\.\.' has 70000 characters; /],
    ];
    for (const [prefix, text] of wrong)
      expect((await errorOf(() => client.entries({ prefix: prefix as string }).next())).message).to.match(
        text,
      );
  });
});
