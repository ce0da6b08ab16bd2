import { expect } from 'chai';
import { ProtocolError } from '../../src/protocol/errors.js';
import { MessageType } from '../../src/protocol/messages.js';
import { Connection } from '../../src/transport/connection.js';
import {
  answering,
  encode,
  endOfTurn,
  getOf,
  Peers,
  Recorder,
  valueOf,
  welcome,
} from '../support/transport-peers.js';
import { keepingUncaught } from '../support/uncaught.js';
import { until } from '../support/until.js';

const T = MessageType;
const peers = new Peers();
afterEach(() => peers.close());

describe('connection', () => {
  it('carries messages both ways, in order, hot ones and cold ones', async () => {
    const server = new Recorder((connection, message) => {
      if (message.type === T.get) connection.send({ type: T.ack, rid: message.rid });
      if (message.type === T.query)
        connection.send({ type: T.queryResult, rid: message.rid, epoch: 1, slot: 2, replicas: [3] });
    });
    const { port } = await peers.listen(server);
    const client = new Recorder();
    const connection = await peers.dial(port, client);
    connection.send(getOf(1));
    connection.send({ type: T.query, rid: 2, key: 'k' });
    connection.send(getOf(3));
    await until(() => client.messages.length === 3);
    expect(client.messages).to.deep.equal([
      { type: T.ack, rid: 1 },
      { type: T.queryResult, rid: 2, epoch: 1, slot: 2, replicas: [3] },
      { type: T.ack, rid: 3 },
    ]);
    expect(connection.peer).to.deep.equal(welcome);
    expect(server.opened[0]?.peer).to.have.property('senderId', 7);
  });

  it('n sends in a turn are one write, received as one batch', async () => {
    const server = new Recorder();
    const { port } = await peers.listen(server);
    const connection = await peers.dial(port, new Recorder());
    const before = connection.socketWrites;
    const batchesBefore = server.batches;
    for (let rid = 1; rid <= 100; rid++) connection.send(getOf(rid));
    expect(connection.socketWrites).to.equal(before);
    await until(() => server.messages.length === 100);
    expect(connection.socketWrites).to.equal(before + 1);
    expect(server.rids).to.deep.equal(Array.from({ length: 100 }, (_, i) => i + 1));
    expect(server.batches).to.equal(batchesBefore + 1);
  });

  it('answers to the requests of one chunk are one write, at the end of the chunk', async () => {
    const writes: number[] = [];
    const server = new Recorder((connection, message) => {
      const rid = 'rid' in message ? message.rid : -1;
      if (rid === 1) {
        const before = connection.socketWrites;
        setImmediate(() => writes.push(connection.socketWrites - before));
      }
      connection.send(valueOf(rid, 10));
    });
    const { port } = await peers.listen(server);
    const client = new Recorder();
    const connection = await peers.dial(port, client);
    const batchesBefore = client.batches;
    for (let rid = 1; rid <= 100; rid++) connection.send(getOf(rid));
    await until(() => client.messages.length === 100);
    expect(writes).to.deep.equal([1]);
    expect(client.batches).to.equal(batchesBefore + 1);
  });

  it('a message object may be reused after send', async () => {
    const server = new Recorder();
    const { port } = await peers.listen(server);
    const connection = await peers.dial(port, new Recorder());
    const message = { type: T.ack, rid: 0 };
    for (message.rid = 1; message.rid <= 3; message.rid++) connection.send(message);
    await until(() => server.messages.length === 3);
    expect(server.rids).to.deep.equal([1, 2, 3]);
  });

  it('carries messages of all sizes, many chunks of them in one turn', async () => {
    const { port } = await peers.listen(answering(0));
    const sizes = [0, 1, 255, 256, 20_000, 32_768, 65_536, 70_000, 1_000_000, 3, 3_000_000, 10];
    const client = new Recorder();
    const server = new Recorder((connection) => {
      sizes.forEach((bytes, rid) => connection.send(valueOf(rid, bytes)));
    });
    const big = await peers.listen(server);
    const connection = await peers.dial(big.port, client);
    connection.send(getOf(1));
    await until(() => client.messages.length === sizes.length);
    expect(client.messages).to.deep.equal(sizes.map((bytes, rid) => valueOf(rid, bytes)));
    expect(port).to.not.equal(big.port);
  });

  it('broadcasts the same bytes to all, small and large, and passes over who is not open', async () => {
    const servers = await Promise.all([
      peers.silentServer(),
      peers.silentServer(),
      peers.silentServer(),
      peers.silentServer(),
    ]);
    const connections = await Promise.all(servers.map(({ port }) => peers.dial(port, new Recorder())));
    const raw = servers.map((server) => server.peers[0]!);
    await until(() => raw.every((peer) => peer.messages.length === 1));
    for (const peer of raw) peer.chunks.length = 0;
    connections[1]!.destroy();
    connections[2]!.send(getOf(9));
    const sent = [valueOf(1, 100), valueOf(2, 50_000), valueOf(3, 1_000_000), getOf(4), valueOf(5, 40_000)];
    for (const message of sent) Connection.broadcast(message, connections);
    Connection.broadcast(getOf(6), connections);
    const expected = encode(...sent, getOf(6));
    await until(() => raw[0]!.bytes.length === expected.length && raw[3]!.bytes.length === expected.length);
    await until(() => raw[2]!.bytes.length === expected.length + encode(getOf(9)).length);
    expect(raw[0]!.bytes.equals(expected)).to.be.true;
    expect(raw[3]!.bytes.equals(expected)).to.be.true;
    expect(raw[2]!.bytes.equals(Buffer.concat([encode(getOf(9)), expected]))).to.be.true;
    expect(raw[1]!.bytes.length).to.equal(0);
  });

  it('answers PING itself, and passes on the PONG to a PING of its owner', async () => {
    const server = new Recorder();
    const { port } = await peers.listen(server);
    const client = new Recorder();
    const connection = await peers.dial(port, client);
    connection.send({ type: T.ping, rid: 5 });
    await until(() => client.messages.length === 1);
    expect(client.messages).to.deep.equal([{ type: T.pong, rid: 5 }]);
    expect(server.messages).to.deep.equal([]);
  });

  describe('closing', () => {
    it('sends what was sent before, then tells both sides once', async () => {
      const server = new Recorder();
      const { port } = await peers.listen(server);
      const client = new Recorder();
      const connection = await peers.dial(port, client);
      connection.sendLazily(getOf(1), 1);
      connection.send(valueOf(2, 2_000_000));
      connection.close('enough');
      expect(client.closed, 'not from within close').to.deep.equal([]);
      expect(connection.isOpen).to.be.false;
      connection.send(getOf(3));
      connection.sendLazily(getOf(4), 1);
      connection.close();
      connection.destroy();
      const { port: other } = await peers.listen(server);
      expect(other).to.be.a('number');
      await until(() => client.closed.length === 1);
      expect(client.closed).to.deep.equal([{ code: 'closed', text: 'enough' }]);
    });

    it('in good order delivers everything; the peer sees an orderly end', async () => {
      const server = new Recorder();
      const { port } = await peers.listen(server);
      const connection = await peers.dial(port, new Recorder());
      connection.send(valueOf(2, 2_000_000));
      connection.sendLazily(getOf(3), 1);
      connection.close();
      await until(() => server.closed.length === 1);
      expect(server.rids).to.deep.equal([2, 3]);
      expect(server.closed[0]).to.include({ code: 'ended' });
    });

    it('from within onMessage: the rest of the batch is not handed on', async () => {
      const server = new Recorder((connection) => {
        connection.close();
      });
      const { port } = await peers.listen(server);
      const client = new Recorder();
      const connection = await peers.dial(port, client);
      for (let rid = 1; rid <= 10; rid++) connection.send(getOf(rid));
      await until(() => client.closed.length === 1);
      expect(server.rids).to.deep.equal([1]);
      expect(server.closed, JSON.stringify(server.closed)).to.have.length(1);
    });

    it('tells listeners of onceClosed, those that come late as well', async () => {
      const { port } = await peers.listen(new Recorder());
      const connection = await peers.dial(port, new Recorder());
      const told: string[] = [];
      connection.onceClosed(({ code }) => told.push(`early ${code}`));
      connection.destroy();
      connection.onceClosed(({ code }) => told.push(`late ${code}`));
      await until(() => told.length === 2);
      expect(told).to.have.members(['early closed', 'late closed']);
    });

    it('a peer whose process is gone is "lost" or "ended"', async () => {
      const server = await peers.silentServer();
      const client = new Recorder();
      await peers.dial(server.port, client);
      server.peers[0]!.socket.resetAndDestroy();
      await until(() => client.closed.length === 1);
      expect(client.closed[0]!.code).to.be.oneOf(['lost', 'ended']);
    });
  });

  describe('trouble stays on its connection', () => {
    const hostile: [what: string, bytes: Buffer, text: RegExp][] = [
      ['an HTTP request', Buffer.from('GET / HTTP/1.1\r\n\r\n'), /a frame of 1195725856 bytes/],
      ['a frame above the limit', Buffer.from([0x00, 0x90, 0x00, 0x00, 0x91]), /the limit is/],
      ['an empty frame', Buffer.alloc(4), /a frame of 0 bytes/],
      ['a frame that is no msgpack', Buffer.from([0, 0, 0, 2, 0xc1, 0xc1]), /expected an array/],
      ['an unknown type', Buffer.from([0, 0, 0, 2, 0x91, 0x7f]), /message type 127, unknown/],
      ['bytes after a message', Buffer.from([0, 0, 0, 4, 0x92, 2, 1, 1]), /1 bytes too many/],
      ['a second HELLO', encode({ ...welcome, type: T.hello }), /a second greeting/],
    ];
    for (const [what, bytes, text] of hostile) {
      it(`${what}: one ERROR, then closed; others go on`, async () => {
        const server = answering(10);
        const { port } = await peers.listen(server, { frameBytesMax: 1 << 20 });
        const other = new Recorder();
        const good = await peers.dial(port, other);
        const raw = await peers.greetedRawClient(port);
        raw.send(getOf(1));
        raw.socket.write(bytes);
        await until(() => raw.closed);
        expect(raw.messages.map(({ type }) => type)).to.deep.equal([T.value, T.error]);
        expect(raw.messages[1]).to.have.property('code', 'PROTOCOL');
        expect(raw.messages[1]).to.have.property('text').that.matches(text);
        await until(() => server.closed.length === 1);
        expect(server.closed[0]).to.include({ code: 'violation' });
        good.send(getOf(2));
        await until(() => other.messages.length === 1);
      });
    }

    it('the listener knows the text of an ERROR that its peer sent', async () => {
      const server = new Recorder();
      const { port } = await peers.listen(server);
      const raw = await peers.greetedRawClient(port);
      raw.send({ type: T.error, code: 'PROTOCOL', text: 'you are odd' });
      await until(() => server.closed.length === 1);
      expect(server.closed[0]).to.include({ code: 'peer-error', peerCode: 'PROTOCOL' });
      expect(server.closed[0]!.text).to.match(/you are odd/);
      await until(() => raw.closed);
    });

    it('a ProtocolError of a handler is told to the peer', async () => {
      const server = new Recorder(() => {
        throw new ProtocolError('no such slot');
      });
      const { port } = await peers.listen(server);
      const client = new Recorder();
      const connection = await peers.dial(port, client);
      connection.send(getOf(1));
      await until(() => client.closed.length === 1);
      expect(client.closed[0]).to.include({ code: 'peer-error', peerCode: 'PROTOCOL' });
      expect(client.closed[0]!.text).to.match(/no such slot/);
    });

    it('any other error of a handler ends the connection and is not swallowed', async () => {
      await keepingUncaught(async (uncaught) => {
        const bug = new RangeError('versions fell');
        const server = new Recorder(() => {
          throw bug;
        });
        const { port } = await peers.listen(server);
        const connection = await peers.dial(port, new Recorder());
        connection.send(getOf(1));
        connection.send(getOf(2));
        await until(() => uncaught.length > 0 && server.closed.length > 0);
        expect(uncaught).to.deep.equal([bug]);
        expect(server.rids).to.deep.equal([1]);
        expect(server.closed[0]).to.include({ code: 'bug', cause: bug });
      });
    });

    it('whoever waits for the end of a connection is told, whatever its owner or another throws', async () => {
      await keepingUncaught(async (uncaught) => {
        const mistakes = [new Error('of the owner'), new Error('of the first')];
        const client = new Recorder();
        client.onClose = (): never => {
          throw mistakes[0]!;
        };
        const { port } = await peers.listen(new Recorder());
        const connection = await peers.dial(port, client);
        const told: string[] = [];
        connection.onceClosed(() => {
          throw mistakes[1]!;
        });
        connection.onceClosed(({ code }) => told.push(code));
        connection.destroy();
        await until(() => uncaught.length === 2);
        expect(uncaught).to.deep.equal(mistakes);
        expect(told).to.deep.equal(['closed']);
      });
    });

    it('bytes that come one by one are messages all the same', async () => {
      const server = new Recorder();
      const { port } = await peers.listen(server);
      const raw = await peers.greetedRawClient(port);
      raw.socket.setNoDelay(true);
      for (const byte of encode(getOf(1), valueOf(2, 100), getOf(3))) {
        raw.socket.write(Uint8Array.of(byte));
        await endOfTurn();
      }
      await until(() => server.messages.length === 3);
      expect(server.messages[1]).to.deep.equal(valueOf(2, 100));
    });
  });
});
