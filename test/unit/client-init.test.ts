import { expect } from 'chai';
import { GTStoreClient, type GTStoreError } from '../../src/client/index.js';
import { newSlot } from '../../src/protocol/cluster-map.js';
import type { HelloMessage } from '../../src/protocol/messages.js';
import { MessageType, PeerRole } from '../../src/protocol/messages.js';
import { defaultSettings } from '../../src/protocol/settings.js';
import { newError } from '../../src/transport/handshake.js';
import { Peers, Recorder, welcome } from '../support/transport-peers.js';
import { until } from '../support/until.js';

const peers = new Peers();
afterEach(() => peers.close());

describe('init of a client', () => {
  it('knocks again at a manager that had no time for it', async () => {
    let knocks = 0;
    const { port } = await peers.listen(new Recorder(), {
      onHello: () => {
        knocks++;
        return newError('UNAVAILABLE', 'no HELLO within 5000 ms');
      },
    });
    const client = new GTStoreClient({ manager: `127.0.0.1:${port}` });
    const opening = client.init({ timeoutMs: 30_000 }).catch((error: unknown) => error);
    await until(() => knocks > 2);
    await client.finalize();
    expect(await opening).to.have.property('code', 'CLOSED');
  });

  it('fails if the client is closed meanwhile, though map and clock are known', async () => {
    const nodes = [{ id: 0, incarnation: 1, host: '127.0.0.1', port: 1 }];
    const settings = { ...defaultSettings, slotCount: 1 };
    const map = { clusterId: 'test', epoch: 1, settings, nodes, slots: [newSlot([0], 1)] };
    const manager = new Recorder((connection, message) => {
      if (message.type === MessageType.getMap)
        connection.send({ type: MessageType.map, rid: message.rid, map });
    });
    const { port } = await peers.listen(manager, {
      onHello: () => ({ ...welcome, role: PeerRole.manager }),
    });
    const client = new GTStoreClient({ manager: `127.0.0.1:${port}` });
    const opening = client.init().catch((error: unknown) => error);
    await until(() => client.clusterMap !== undefined);
    await client.finalize();
    expect(await opening).to.have.property('code', 'CLOSED');
    const late = await client.get('k').catch((error: unknown) => error);
    expect(late).to.have.property('code', 'CLOSED');
  });

  it('of a manager of another cluster in the list takes neither map nor clock, and asks nothing of it', async () => {
    const hourUs = 3600e6;
    const settings = { ...defaultSettings, slotCount: 1 };
    const asked = { a: [] as number[], b: [] as number[] };
    const listenAs = async (clusterId: 'a' | 'b', epoch: number, aheadUs: number): Promise<number> => {
      const map = { clusterId, epoch, settings, nodes: [], slots: [newSlot([], 1)] };
      const manager = new Recorder((connection, message) => {
        asked[clusterId].push(message.type);
        // That of the other cluster comes last.
        if (message.type === MessageType.getMap && clusterId === 'a')
          connection.send({ type: MessageType.map, rid: message.rid, map });
        if (message.type === MessageType.getMap && clusterId === 'b')
          setImmediate(() => {
            connection.send({ type: MessageType.map, rid: message.rid, map });
          });
        if (message.type === MessageType.status)
          connection.send({
            type: MessageType.statusResult,
            rid: message.rid,
            json: JSON.stringify(clusterId),
          });
      });
      const onHello = (hello: HelloMessage): typeof welcome | ReturnType<typeof newError> => {
        if (hello.clusterId !== '' && hello.clusterId !== clusterId)
          return newError('PROTOCOL', 'another cluster');
        const clockUs = Date.now() * 1000 + aheadUs;
        return { ...welcome, role: PeerRole.manager, clusterId, clockUs };
      };
      return (await peers.listen(manager, { onHello })).port;
    };
    const ports = [await listenAs('b', 3, -2 * hourUs), await listenAs('a', 10, 0)];
    await using client = new GTStoreClient({ manager: ports.map((port) => `127.0.0.1:${port}`) });
    const errors: GTStoreError[] = [];
    client.on('error', (error) => errors.push(error));
    await client.init();
    expect(client.clusterMap?.clusterId).to.equal('a');
    await until(() => errors.some(({ code }) => code === 'PROTOCOL'));
    expect(await client.status()).to.equal('a');
    expect(asked.b).to.not.include(MessageType.status);
  });

  it('of a manager of another cluster takes no clock, though it greets last and has no map to tell', async () => {
    const hourUs = 3600e6;
    const node = new Recorder((connection, message) => {
      if (message.type === MessageType.write) connection.send({ type: MessageType.ack, rid: message.rid });
    });
    const { port: nodePort } = await peers.listen(node, { onHello: () => ({ ...welcome, senderId: 0 }) });
    const settings = { ...defaultSettings, slotCount: 1 };
    const nodes = [{ id: 0, incarnation: 1, host: '127.0.0.1', port: nodePort }];
    const map = { clusterId: 'a', epoch: 1, settings, nodes, slots: [newSlot([0], 1)] };
    // Both have greeted when the first map comes.
    let asked = 0;
    const tell = (): void => {
      if (++asked === 2) ours.opened[0]?.send({ type: MessageType.map, rid: 0, map });
    };
    const ours = new Recorder((connection, message) => {
      if (message.type === MessageType.getMap) tell();
      if (message.type === MessageType.status)
        connection.send({ type: MessageType.statusResult, rid: message.rid, json: '"a"' });
    });
    const stranger = new Recorder((_connection, message) => {
      if (message.type === MessageType.getMap) tell();
    });
    const listenAs = async (manager: Recorder, clusterId: string, aheadUs: number): Promise<string> => {
      const onHello = (): typeof welcome => {
        const clockUs = Date.now() * 1000 + aheadUs;
        return { ...welcome, role: PeerRole.manager, clusterId, clockUs };
      };
      return `127.0.0.1:${(await peers.listen(manager, { onHello })).port}`;
    };
    const urls = [await listenAs(ours, 'a', 0), await listenAs(stranger, 'b', 2 * hourUs)];
    await using client = new GTStoreClient({ manager: urls });
    const errors: GTStoreError[] = [];
    client.on('error', (error) => errors.push(error));
    await client.init();
    const { version } = await client.put('k', 1);
    expect(version.hlc).to.be.closeTo(Date.now() * 1000, hourUs);
    await until(() => stranger.closed.length > 0);
    expect(errors[0]).to.have.property('code', 'PROTOCOL');
    expect(errors[0]?.message).to.match(/is the manager of cluster b, not of a/);
    expect(await client.status()).to.equal('a');
  });

  it('does not knock again at one that speaks another protocol', async () => {
    let knocks = 0;
    const { port } = await peers.listen(new Recorder(), {
      onHello: () => {
        knocks++;
        return newError('PROTOCOL', 'install the same version');
      },
    });
    const client = new GTStoreClient({ manager: `127.0.0.1:${port}` });
    const error = await client.init({ timeoutMs: 30_000 }).catch((reason: unknown) => reason);
    expect(error).to.have.property('code', 'PROTOCOL');
    expect(knocks).to.equal(1);
    await client.finalize();
  });

  it('goes on when something else answers at one address, and there is a manager at another', async () => {
    const wrong = await peers.listen(new Recorder(), { onHello: () => newError('PROTOCOL', 'no manager') });
    const atNode = new Recorder();
    const node = await peers.listen(atNode);
    const settings = { ...defaultSettings, slotCount: 1 };
    const map = { clusterId: 'test', epoch: 1, settings, nodes: [], slots: [newSlot([], 1)] };
    let isUp = false;
    const manager = await peers.listen(
      new Recorder((connection, message) => {
        if (message.type === MessageType.getMap)
          connection.send({ type: MessageType.map, rid: message.rid, map });
      }),
      // Slow to come up: the other addresses have answered long before.
      {
        onHello: () => (isUp ? { ...welcome, role: PeerRole.manager } : newError('UNAVAILABLE', 'not yet')),
      },
    );
    const urls = [wrong, node, manager].map(({ port }) => `127.0.0.1:${port}`);
    const client = new GTStoreClient({ manager: urls });
    const opening = client.init({ timeoutMs: 30_000 });
    await until(() => atNode.opened.length > 2);
    isUp = true;
    await opening;
    await client.finalize();
  });

  it('ends at once when no address has a manager, and says what is there', async () => {
    const wrong = await peers.listen(new Recorder(), { onHello: () => newError('PROTOCOL', 'no manager') });
    const node = await peers.listen(new Recorder());
    const client = new GTStoreClient({
      manager: [wrong, node].map(({ port }) => `127.0.0.1:${port}`),
    });
    const error = await client.init({ timeoutMs: 30_000 }).catch((reason: unknown) => reason);
    expect(error).to.have.property('code', 'PROTOCOL');
    await client.finalize();
  });
});
