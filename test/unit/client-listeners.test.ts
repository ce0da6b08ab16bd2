// What a listener of the client throws is its process's affair: the client itself goes on.
import { expect } from 'chai';
import { GTStoreClient } from '../../src/client/index.js';
import type { ClientEvents } from '../../src/client/index.js';
import { newSlot } from '../../src/protocol/cluster-map.js';
import type { ClusterMapData } from '../../src/protocol/cluster-map.js';
import { MessageType, PeerRole } from '../../src/protocol/messages.js';
import { defaultSettings } from '../../src/protocol/settings.js';
import type { Listener } from '../../src/transport/listener.js';
import { Peers, Recorder, welcome } from '../support/transport-peers.js';
import { keepingUncaught } from '../support/uncaught.js';
import { until } from '../support/until.js';

/** A manager of one node, which says ACK to everything. */
class Cluster {
  readonly peers = new Peers();
  readonly node = new Recorder((connection, message) => {
    if (message.type === MessageType.write) connection.send({ type: MessageType.ack, rid: message.rid });
  });
  readonly manager = new Recorder((connection, message) => {
    if (message.type === MessageType.getMap)
      connection.send({ type: MessageType.map, rid: message.rid, map: this.map(1) });
  });
  listener: Listener | undefined;
  #nodePort = 0;

  async start(): Promise<GTStoreClient> {
    const node = await this.peers.listen(this.node, { onHello: () => ({ ...welcome, senderId: 0 }) });
    this.#nodePort = node.port;
    await this.startManager();
    return new GTStoreClient({ manager: `127.0.0.1:${this.listener?.port ?? 0}` });
  }

  async startManager(): Promise<void> {
    const onHello = () => ({ ...welcome, role: PeerRole.manager, clockUs: Date.now() * 1000 });
    this.listener = await this.peers.listen(this.manager, { onHello, port: this.listener?.port ?? 0 });
  }

  map(epoch: number): ClusterMapData {
    return {
      clusterId: 'test',
      epoch,
      settings: { ...defaultSettings, slotCount: 1 },
      nodes: [{ id: 0, incarnation: 1, host: '127.0.0.1', port: this.#nodePort }],
      slots: [newSlot([0], 1)],
    };
  }
}

describe('a listener of the client that throws', () => {
  let cluster: Cluster;
  let store: GTStoreClient;
  const mistake = new Error('a mistake of the listener');

  beforeEach(async () => {
    cluster = new Cluster();
    store = await cluster.start();
  });
  afterEach(async () => {
    await store.finalize();
    await cluster.peers.close();
  });

  function throwAt(event: keyof ClientEvents): void {
    store.on(event, () => {
      throw mistake;
    });
  }

  it("'node-down', 'node-up': the node is dialled again, and serves", async () => {
    throwAt('node-down');
    throwAt('node-up');
    await store.init();
    await keepingUncaught(async (uncaught) => {
      cluster.node.opened[0]?.destroy();
      await until(() => cluster.node.opened.length === 2, { what: 'the node was dialled again' });
      await until(() => uncaught.length === 2, { what: 'the process was told' });
      expect(uncaught).to.deep.equal([mistake, mistake]);
    });
    expect(await store.put('k', 1, { timeoutMs: 2000 })).to.have.property('version');
  });

  it("'error': the manager is dialled until it is back", async () => {
    throwAt('error');
    await store.init();
    await keepingUncaught(async (uncaught) => {
      await cluster.listener?.close();
      await until(() => uncaught.length > 0, { what: 'the process was told' });
      await cluster.startManager();
      await until(() => cluster.manager.opened.length === 2, { what: 'the manager was dialled again' });
      expect(new Set(uncaught)).to.deep.equal(new Set([mistake]));
    });
  });

  it("'error' at an attempt to dial: that is not the last one", async () => {
    await store.init();
    throwAt('error');
    await keepingUncaught(async (uncaught) => {
      // Another cluster's manager: trouble that each attempt to dial ends in.
      await cluster.listener?.close();
      const { port = 0 } = cluster.listener ?? {};
      let attempts = 0;
      const stranger = await cluster.peers.listen(new Recorder(), {
        port,
        onHello: () => ({ type: MessageType.error, code: 'PROTOCOL', text: `${++attempts}` }),
      });
      await until(() => attempts > 1, { what: 'it was dialled twice' });
      await stranger.close();
      await cluster.startManager();
      await until(() => cluster.manager.opened.length === 2, { what: 'the manager was dialled again' });
      expect(new Set(uncaught)).to.deep.equal(new Set([mistake]));
    });
  });

  it("'map': the map is in force, and the connection it came by stays", async () => {
    throwAt('map');
    await keepingUncaught(async (uncaught) => {
      await store.init({ timeoutMs: 2000 });
      expect(uncaught).to.deep.equal([mistake]);
      cluster.manager.opened[0]?.send({ type: MessageType.map, rid: 0, map: cluster.map(2) });
      await until(() => uncaught.length === 2, { what: 'the process was told' });
    });
    expect(store.clusterMap).to.have.property('epoch', 2);
    expect(cluster.manager.opened).to.have.length(1);
    expect(cluster.manager.closed).to.deep.equal([]);
    expect(await store.put('k', 1)).to.have.property('version');
  });
});
