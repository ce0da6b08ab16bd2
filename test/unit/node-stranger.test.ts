// A node at whose manager's address somebody else answers.
import { expect } from 'chai';
import { createServer as createWebServer } from 'node:http';
import { createServer } from 'node:net';
import type { Server } from 'node:net';
import { startNode } from '../../src/node/index.js';
import type { NodeServer } from '../../src/node/index.js';
import { newSlot } from '../../src/protocol/cluster-map.js';
import type { ClusterMapData } from '../../src/protocol/cluster-map.js';
import type { Logger } from '../../src/protocol/logger.js';
import { MessageType, PeerRole, WriteKind } from '../../src/protocol/messages.js';
import type { Message, RegisterMessage } from '../../src/protocol/messages.js';
import { defaultSettings } from '../../src/protocol/settings.js';
import type { Connection } from '../../src/transport/connection.js';
import { otherCluster } from '../../src/transport/close-reason.js';
import { newError } from '../../src/transport/handshake.js';
import type { Listener } from '../../src/transport/listener.js';
import { Peers, Recorder, welcome } from '../support/transport-peers.js';
import { until } from '../support/until.js';

const host = '127.0.0.1';
const clockUs = 1.7e15;

describe("a node at whose manager's address somebody else answers", () => {
  const peers = new Peers();
  let errors: string[];
  let node: NodeServer | undefined;
  let ended: string | undefined;
  let manager: Listener;
  let wasAdmitted: boolean;

  beforeEach(() => {
    errors = [];
    ended = undefined;
  });
  afterEach(async () => {
    await node?.stop();
    await peers.close();
  });

  /** It admits the node as the only one. */
  async function listenAsOwn(port = 0): Promise<void> {
    wasAdmitted = false;
    const handlers = new Recorder(answer);
    const onHello = (): typeof welcome => ({ ...welcome, role: PeerRole.manager, clusterId: 'own', clockUs });
    manager = await peers.listen(handlers, { port, onHello });
  }

  async function listenAsOther(port: number): Promise<void> {
    await manager.close();
    const onHello = (): ReturnType<typeof newError> => newError(otherCluster, 'this is another cluster');
    manager = await peers.listen(new Recorder(), { port, onHello });
  }

  function answer(connection: Connection, message: Message): void {
    if (message.type === MessageType.register) {
      connection.send({
        type: MessageType.registered,
        rid: message.rid,
        nodeId: 0,
        incarnation: 1,
        map: mapOf(message),
      });
    } else if (message.type === MessageType.heartbeat) {
      wasAdmitted = true;
      connection.send({ type: MessageType.lease, rid: message.rid, epoch: 1, leaseMs: 60_000, clockUs });
    }
  }

  function mapOf({ port }: RegisterMessage): ClusterMapData {
    const settings = { ...defaultSettings, replicas: 1, slotCount: 1 };
    const member = { id: 0, incarnation: 1, host, port };
    return { clusterId: 'own', epoch: 1, settings, nodes: [member], slots: [newSlot([0], 1)] };
  }

  async function start(options: { nodeId?: number } = {}): Promise<NodeServer> {
    const nothing = (): void => undefined;
    const log: Logger = { error: (text) => errors.push(text), warn: nothing, info: nothing, debug: nothing };
    await listenAsOwn();
    const started = await startNode({
      manager: { host, port: manager.port },
      host,
      port: 0,
      log,
      ...options,
    });
    void started.ended.then((reason) => (ended = reason));
    node = started;
    await until(() => wasAdmitted);
    return started;
  }

  async function put({ address }: NodeServer): Promise<void> {
    const answers = new Recorder();
    const connection = await peers.dial(address.port, answers);
    const version = { hlc: clockUs, clientId: 7, seq: 0, epoch: 0 };
    const value = new Uint8Array([1]);
    const common = { rid: 1, epoch: 1, kind: WriteKind.plain, key: 'a', expiresAtMs: 0, applied: null };
    await until(() => {
      connection.send({ type: MessageType.write, ...common, version, value });
      return answers.messages.some(({ type }) => type === MessageType.ack);
    });
  }

  it('keeps the data that it holds, says so once, and goes on when its own is back', async () => {
    await put(await start());
    const { port } = manager;
    await listenAsOther(port);
    await until(() => errors.length > 0);
    expect(errors[0]).to.match(
      /this is another cluster; this node keeps the data of 1 keys, .* end this node to give it up$/,
    );
    await manager.close();
    await listenAsOwn(port);
    await until(() => wasAdmitted);
    expect(errors.length).to.equal(1);
    expect(ended).to.equal(undefined);
  });

  it('ends if it holds nothing', async () => {
    await start();
    await listenAsOther(manager.port);
    expect(await until(() => ended)).to.include('this is another cluster');
  });

  it('ends if it was forked: it ends with its cluster', async () => {
    await put(await start({ nodeId: 0 }));
    await listenAsOther(manager.port);
    expect(await until(() => ended)).to.include('this is another cluster');
  });

  async function servesOnBeside(dialled: (port: number) => Promise<() => number>): Promise<void> {
    await put(await start({ nodeId: 0 }));
    const { port } = manager;
    await manager.close();
    const dials = await dialled(port);
    await until(() => dials() >= 3 || ended !== undefined);
    await peers.close();
    await listenAsOwn(port);
    await until(() => wasAdmitted);
    expect(ended).to.equal(undefined);
  }

  const servers: Record<string, () => Server> = {
    'an echo server': () => createServer((socket) => socket.on('error', () => undefined).pipe(socket)),
    'a web server': () => createWebServer((_request, response) => response.end()),
  };
  for (const [what, newServer] of Object.entries(servers)) {
    it(`M8: serves on beside ${what} until its own is back, though it was forked`, async () => {
      await servesOnBeside(async (port) => {
        const server = newServer();
        let dials = 0;
        server.on('connection', () => dials++);
        await new Promise<void>((resolve) => server.listen(port, host, resolve));
        peers.atClose(() => new Promise<void>((resolve) => server.close(() => resolve())));
        return () => dials;
      });
      expect(errors.join()).to.match(/^[^,]*; this node keeps the data of 1 keys/);
    });
  }

  for (const text of ['install the same version of gtstore on both', 'this node belongs to cluster other']) {
    it(`M8: serves on beside one that says "${text}", though it was forked`, async () => {
      await servesOnBeside(async (port) => {
        let dials = 0;
        const onHello = (): ReturnType<typeof newError> => {
          dials++;
          return newError('PROTOCOL', text);
        };
        manager = await peers.listen(new Recorder(), { port, onHello });
        return () => dials;
      });
      expect(errors.join()).to.include(text);
    });
  }
});
