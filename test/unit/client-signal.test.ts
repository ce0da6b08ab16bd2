// An AbortSignal that a caller hands to every call, for as long as his program runs.
import { expect } from 'chai';
import { getEventListeners } from 'node:events';
import { GTStoreClient } from '../../src/client/index.js';
import { newSlot } from '../../src/protocol/cluster-map.js';
import { MessageType, PeerRole } from '../../src/protocol/messages.js';
import { defaultSettings } from '../../src/protocol/settings.js';
import { errorOf } from '../support/store-error.js';
import { Peers, Recorder, welcome } from '../support/transport-peers.js';

describe('a signal that outlives the calls it was given to', () => {
  const peers = new Peers();
  afterEach(() => peers.close());

  it('has one listener while they are under way, and none when they have ended', async () => {
    const settings = { ...defaultSettings, slotCount: 1 };
    // Nobody has the slot: calls wait until their deadline.
    const map = { clusterId: 'test', epoch: 1, settings, nodes: [], slots: [newSlot([], 1)] };
    const manager = new Recorder((connection, message) => {
      if (message.type === MessageType.getMap)
        connection.send({ type: MessageType.map, rid: message.rid, map });
    });
    const { port } = await peers.listen(manager, { onHello: () => ({ ...welcome, role: PeerRole.manager }) });
    await using store = new GTStoreClient({ manager: `127.0.0.1:${port}` });
    await store.init();
    const { signal } = new AbortController();
    const options = { signal, timeoutMs: 30 };
    const calls = [
      errorOf(() => store.get('k', options)),
      errorOf(() => store.put('k', 1, options)),
      errorOf(() => store.compareAndSet('k', null, 1, options)),
      errorOf(() => store.delete('deleted', options)),
      errorOf(() => store.update('updated', () => 1, options)),
      errorOf(() => store.update('updated', () => 2, options)),
    ];
    expect(getEventListeners(signal, 'abort')).to.have.length(1);
    for (const error of await Promise.all(calls))
      expect(error.code, error.message).to.be.oneOf(['UNAVAILABLE', 'TIMEOUT']);
    expect(getEventListeners(signal, 'abort')).to.have.length(0);
  });
});
