// An operation that is the only one of its client leaves within the call; others share writes to the socket.
import { expect } from 'chai';
import { noWants } from '../../src/client/core/operation.js';
import { MessageType } from '../../src/protocol/messages.js';
import { Connection } from '../../src/transport/connection.js';
import { ClientOnTable } from '../support/client-core.js';
import { getOf, Peers, Recorder, valueOf } from '../support/transport-peers.js';
import { until } from '../support/until.js';

describe('an operation that is alone', () => {
  const replicas = [4, 2, 5];
  const value = Buffer.from([1]);

  /** Begins an operation of each kind, each when the one before is done. @returns of each message sent, whether it was alone */
  function sentOf(table: ClientOnTable): boolean[][] {
    const { core, links } = table;
    const begin = [
      () => core.get('k', false, 5000, null),
      () => core.put('k', value, 0, 5000, null),
      () => core.putIf('k', null, value, 0, noWants, 5000, null),
    ];
    for (const each of begin) {
      const operation = each();
      if (operation !== undefined) core.giveUp(operation);
    }
    return replicas.map((id) => links.get(id)?.alone ?? []);
  }

  it('is told so to its connections: get, put and conditional write', () => {
    // Of the get and the conditional write, too, at the primary.
    expect(sentOf(new ClientOnTable(replicas))).to.deep.equal([[true, true, true], [true], [true]]);
  });

  it('is not alone beside another one', () => {
    const table = new ClientOnTable(replicas);
    table.core.get('other', false, 5000, null);
    expect(sentOf(table)).to.deep.equal([[true, false, false, false], [false], [false]]);
  });

  it('is alone again when the other one is done', () => {
    const table = new ClientOnTable(replicas);
    const rid = table.core.put('other', value, 0, 5000, null)?.rid ?? 0;
    for (const id of replicas) table.core.onNodeMessage(id, { type: MessageType.ack, rid });
    // The first of each is the other one.
    expect(sentOf(table)).to.deep.equal([
      [true, true, true, true],
      [true, true],
      [true, true],
    ]);
  });
});

describe('a message that is alone', () => {
  const peers = new Peers();
  afterEach(() => peers.close());

  it('is written within the call, and lazy ones before it in the same write', async () => {
    const server = new Recorder();
    const { port } = await peers.listen(server);
    const connection = await peers.dial(port, new Recorder());
    const { socketWrites } = connection;
    connection.sendLazily(getOf(1), 100);
    connection.send(getOf(2));
    expect(connection.socketWrites).to.equal(socketWrites);
    connection.send(getOf(3), true);
    expect(connection.socketWrites).to.equal(socketWrites + 1);
    await until(() => server.messages.length === 3);
    expect(server.rids).to.deep.equal([1, 2, 3]);
    expect(connection.socketWrites, 'nothing is left for the end of the turn').to.equal(socketWrites + 1);
  });

  for (const bytes of [100, 1_000_000]) {
    it(`of ${bytes} bytes for several is written to each within the call`, async () => {
      const servers = [new Recorder(), new Recorder(), new Recorder()];
      const connections = await Promise.all(
        servers.map(async (server) => peers.dial((await peers.listen(server)).port, new Recorder())),
      );
      connections[1]?.destroy();
      const before = connections.map((connection) => connection.socketWrites);
      Connection.broadcast(valueOf(1, bytes), connections, true);
      connections.forEach((connection, i) => {
        const written = connection.socketWrites - (before[i] ?? 0);
        if (i === 1) expect(written).to.equal(0);
        else expect(written).to.be.at.least(1);
      });
      await until(() => servers[0]?.messages.length === 1 && servers[2]?.messages.length === 1);
      for (const i of [0, 2]) expect(servers[i]?.messages).to.deep.equal([valueOf(1, bytes)]);
    });
  }
});
