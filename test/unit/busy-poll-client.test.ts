// That the client polls for what it has alone under way: counted are the turns of the event loop that somebody asks for.
import { expect } from 'chai';
import { createHook } from 'node:async_hooks';
import type { GTStoreClient } from '../../src/client/index.js';
import { MessageType } from '../../src/protocol/messages.js';
import { answerGet, clientOfNode } from '../support/client-of-peers.js';
import { Peers } from '../support/transport-peers.js';

const peers = new Peers();
afterEach(() => peers.close());

/** Longer than anybody polls. */
const answerMs = 3;

function connected(): Promise<GTStoreClient> {
  return clientOfNode(peers, (connection, message) => {
    if (message.type !== MessageType.get) return;
    // It is used again.
    const get = { ...message };
    setTimeout(() => {
      answerGet(connection, get, Uint8Array.of(1));
    }, answerMs);
  });
}

/** How many turns of the event loop were asked for meanwhile. */
async function turnsAskedFor(act: () => Promise<void>): Promise<number> {
  let count = 0;
  const hook = createHook({
    init: (_id, type) => {
      if (type === 'Immediate') count++;
    },
  });
  hook.enable();
  try {
    await act();
  } finally {
    hook.disable();
  }
  return count;
}

describe('a client that polls for its only operation', () => {
  /** As many as a trial does without polling, then with it. */
  const block = 8;
  /** Whoever polls asks for one turn an operation at least. */
  const margin = block / 2;

  async function turnsOfBlock(client: GTStoreClient, atOnce: number): Promise<number> {
    return turnsAskedFor(async () => {
      for (let i = 0; i < block; i++)
        await Promise.all(Array.from({ length: atOnce }, () => client.get('k')));
    });
  }

  it('does so in the second block of its first trial, not in the first one', async () => {
    await using client = await connected();
    const without = await turnsOfBlock(client, 1);
    const withPolling = await turnsOfBlock(client, 1);
    expect(withPolling).to.be.above(without + margin);
  });

  it('does not beside a second operation', async () => {
    await using client = await connected();
    const first = await turnsOfBlock(client, 2);
    const second = await turnsOfBlock(client, 2);
    expect(second).to.be.below(first + margin);
  });
});
