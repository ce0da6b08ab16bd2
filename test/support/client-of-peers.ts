/** A client of a cluster of which every node, and the manager, is a test's own. */
import { GTStoreClient } from '../../src/client/index.js';
import { newSlot } from '../../src/protocol/cluster-map.js';
import { MessageType, PeerRole } from '../../src/protocol/messages.js';
import type { GetMessage, Message } from '../../src/protocol/messages.js';
import { defaultSettings } from '../../src/protocol/settings.js';
import type { Connection } from '../../src/transport/connection.js';
import type { Peers } from './transport-peers.js';
import { Recorder, welcome } from './transport-peers.js';

/** @param ports - of the nodes, by id: all of them hold the only slot */
export async function clientOf(peers: Peers, ports: readonly number[]): Promise<GTStoreClient> {
  const nodes = ports.map((port, id) => ({ id, incarnation: 1, host: '127.0.0.1', port }));
  const ids = nodes.map(({ id }) => id);
  const settings = { ...defaultSettings, slotCount: 1 };
  const map = { clusterId: 'test', epoch: 1, settings, nodes, slots: [newSlot(ids, 1)] };
  const manager = new Recorder((connection, message: Message) => {
    if (message.type === MessageType.getMap)
      connection.send({ type: MessageType.map, rid: message.rid, map });
  });
  const { port } = await peers.listen(manager, { onHello: () => ({ ...welcome, role: PeerRole.manager }) });
  const client = new GTStoreClient({ manager: `127.0.0.1:${port}` });
  await client.init();
  return client;
}

/** A client of a cluster of one node, which does with messages what a test wants. */
export async function clientOfNode(
  peers: Peers,
  onMessage: (connection: Connection, message: Message) => void,
): Promise<GTStoreClient> {
  const { port } = await peers.listen(new Recorder(onMessage), {
    onHello: () => ({ ...welcome, senderId: 0 }),
  });
  return clientOf(peers, [port]);
}

/** @param value - as it is stored */
export function answerGet(connection: Connection, { rid }: GetMessage, value: Uint8Array): void {
  const version = { hlc: 1, clientId: 2, seq: 0, epoch: 0 };
  connection.send({ type: MessageType.value, rid, present: true, version, value });
}
