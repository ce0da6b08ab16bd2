import { expect } from 'chai';
import { ProtocolError } from '../../src/protocol/errors.js';
import { MessageType } from '../../src/protocol/messages.js';
import { Connection } from '../../src/transport/connection.js';
import { encode, endOfTurn, getOf, Peers, Recorder, valueOf, welcome } from '../support/transport-peers.js';
import type { RawPeer } from '../support/transport-peers.js';
import { keepingUncaught } from '../support/uncaught.js';
import { until } from '../support/until.js';

const T = MessageType;
const peers = new Peers();
afterEach(() => peers.close());

/** Answers GET with a value of that many bytes. */
function answering(valueBytes: number): Recorder {
  return new Recorder((connection, message) => {
    if (message.type === T.get) connection.send(valueOf(message.rid, valueBytes));
  });
}

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

  describe('back-pressure', () => {
    it('a peer that does not read is cut off at the bound', async () => {
      const server = await peers.rawServer((peer) => {
        peer.send(welcome);
        peer.socket.pause();
      });
      const client = new Recorder();
      const outgoingBytesMax = 4_000_000;
      const connection = await peers.dial(server.port, client, { outgoingBytesMax });
      let buffered = 0;
      const message = valueOf(1, 100_000);
      const bytes = encode(message).length;
      while (connection.isOpen) {
        for (let i = 0; i < 10 && connection.isOpen; i++) {
          connection.send(message);
          buffered = Math.max(buffered, connection.bufferedBytes);
        }
        await endOfTurn();
      }
      await until(() => client.closed.length === 1);
      expect(client.closed[0]).to.include({ code: 'overflow' });
      expect(buffered)
        .to.be.greaterThan(outgoingBytesMax / 2)
        .and.at.most(outgoingBytesMax + bytes);
      expect(connection.bufferedBytes).to.equal(0);
    });

    it('small messages to a peer that does not read cost their bytes, not a chunk each', async () => {
      const server = await peers.rawServer((peer) => {
        peer.send(welcome);
        peer.socket.pause();
      });
      const connection = await peers.dial(server.port, new Recorder());
      connection.send(valueOf(1, 7_000_000));
      await endOfTurn();
      const before = process.memoryUsage().arrayBuffers;
      for (let rid = 0; rid < 2000; rid++) {
        connection.send(getOf(rid));
        await endOfTurn();
      }
      expect(connection.isOpen).to.be.true;
      expect(process.memoryUsage().arrayBuffers - before).to.be.lessThan(2_000_000);
    });

    it('is congested until the peer has read on', async () => {
      const server = await peers.rawServer((peer) => {
        peer.send(welcome);
        peer.socket.pause();
      });
      const connection = await peers.dial(server.port, new Recorder(), { congestedBytes: 100_000 });
      for (let rid = 0; rid < 100; rid++) connection.send(valueOf(rid, 80_000));
      expect(connection.congested).to.be.true;
      await endOfTurn();
      connection.send(valueOf(100, 80_000));
      server.peers[0]!.socket.resume();
      await until(() => !connection.congested);
      await until(() => server.peers[0]!.messages.length === 102);
      expect(server.peers[0]!.rids).to.deep.equal(Array.from({ length: 101 }, (_, rid) => rid));
    });

    it('is full long before it would be cut off', async () => {
      const server = await peers.rawServer((peer) => {
        peer.send(welcome);
        peer.socket.pause();
      });
      const client = new Recorder();
      const options = { congestedBytes: 100_000, outgoingBytesMax: 16_000_000 };
      const connection = await peers.dial(server.port, client, options);
      const message = valueOf(1, 100_000);
      let sent = 0;
      for (; !connection.isFull; sent++) connection.send(message);
      expect(sent).to.be.within(10, 11);
      server.peers[0]!.socket.resume();
      expect(client.rooms).to.equal(0);
      await until(() => client.rooms === 1);
      expect(connection.isFull).to.be.false;
      await until(() => server.peers[0]!.messages.length === sent + 1);
    });

    it('requests wait while their peer does not read the answers, and then go on in order', async () => {
      const server = answering(50_000);
      const congestedBytes = 250_000;
      const { port } = await peers.listen(server, { congestedBytes });
      const raw = await peers.greetedRawClient(port);
      raw.socket.pause();
      const rids = Array.from({ length: 600 }, (_, rid) => rid);
      raw.send(...rids.map(getOf));
      await until(async () => {
        const before = server.messages.length;
        for (let turn = 0; turn < 50; turn++) await endOfTurn();
        return before > 0 && server.messages.length === before && server.opened[0]!.bufferedBytes > 0;
      });
      expect(server.messages.length).to.be.lessThan(rids.length);
      expect(server.opened[0]!.bufferedBytes).to.be.lessThan(2 * congestedBytes);
      raw.socket.resume();
      // Beside them there may be PINGs: it has been silent for long.
      const answered = (): number[] => raw.messages.flatMap((m) => (m.type === T.value ? [m.rid] : []));
      await until(() => answered().length === rids.length, { timeoutMs: 15_000 });
      expect(answered()).to.deep.equal(rids);
    });

    it('a flood of PINGs whose answers nobody reads costs no more', async () => {
      const server = new Recorder();
      const congestedBytes = 10_000;
      const { port } = await peers.listen(server, { congestedBytes, outgoingBytesMax: 20_000_000 });
      const raw = await peers.greetedRawClient(port);
      raw.socket.pause();
      const flood = encode(...Array.from({ length: 100_000 }, (_, rid) => ({ type: T.ping, rid: rid + 1 })));
      for (let i = 0; i < 4; i++) raw.socket.write(flood);
      await until(async () => {
        const before = server.opened[0]!.bytesReceived;
        for (let turn = 0; turn < 50; turn++) await endOfTurn();
        return before > 100_000 && server.opened[0]!.bytesReceived === before;
      });
      expect(server.opened[0]!.isOpen).to.be.true;
      expect(server.opened[0]!.bufferedBytes).to.be.lessThan(congestedBytes + 100_000);
    });

    it('of clients that together make more wait than there is room for, those that have long been behind are cut off', async () => {
      const answerBytes = 6_000_000;
      const server = answering(answerBytes);
      const roomBytes = 20_000_000;
      let grownBytes = 0;
      const roomForReaders = (_: number, grown: number): number => {
        grownBytes += grown;
        return roomBytes;
      };
      const { port, connections } = await peers.listen(server, { roomForReaders });
      const deaf: RawPeer[] = [];
      const waiting = (): number => [...connections].reduce((sum, c) => sum + c.bufferedBytes, 0);
      for (let n = 0; n < 12; n++) {
        const raw = await peers.greetedRawClient(port);
        raw.socket.pause();
        raw.send(getOf(n));
        await until(() => server.messages.length > n);
        deaf.push(raw);
        expect(waiting()).to.be.at.most(roomBytes);
      }
      expect(grownBytes).to.be.above(roomBytes);
      await until(() => server.closed.length > 0);
      for (const reason of server.closed) expect(reason).to.include({ code: 'overflow' });
      expect(server.opened.map(({ isOpen }) => isOpen)).to.deep.equal(
        deaf.map((_, i) => i >= server.closed.length),
      );
      // As many as there is room for, and no fewer: the system takes some of each answer.
      expect(server.closed.length).to.equal(deaf.length - Math.floor(roomBytes / answerBytes));
      // Who reads is served meanwhile, however much it asks for.
      const reader = await peers.greetedRawClient(port);
      for (let n = 0; n < 5; n++) {
        reader.send(getOf(n));
        await until(() => reader.messages.length > n);
      }
      expect(reader.rids).to.deep.equal([0, 1, 2, 3, 4]);
    });

    it('answers that many have waited for count before they leave: nobody has room any more when there is none', async () => {
      const answerBytes = 6_000_000;
      const roomBytes = 20_000_000;
      const server = new Recorder();
      const { port } = await peers.listen(server, { roomForReaders: () => roomBytes });
      for (let n = 0; n < 12; n++) await peers.greetedRawClient(port);
      // Within one turn, as for the VALIDATE of a value that all of them wait for.
      let answered = 0;
      for (const connection of server.opened) {
        if (connection.isFull) continue;
        connection.send(valueOf(1, answerBytes));
        answered++;
      }
      expect(answered).to.equal(Math.floor(roomBytes / answerBytes) + 1);
      expect(server.opened.map(({ isFull }) => isFull)).to.deep.equal(server.opened.map(() => true));
      // One of them is cut off, the others read, and there is room again.
      const areServed = (): boolean => server.opened.every((c) => c.bufferedBytes === 0 && !c.isFull);
      await until(areServed);
      expect(server.closed.map(({ code }) => code)).to.deep.equal(['overflow']);
      // Nothing is counted any more.
      for (const connection of server.opened.slice(-3)) connection.send(valueOf(1, answerBytes));
      await until(areServed);
      expect(server.closed).to.have.length(1);
    });

    it('a peer that asks and never reads the answers is given up', async () => {
      const server = answering(50_000);
      const { port } = await peers.listen(server, {
        congestedBytes: 500_000,
        heartbeatMs: 100,
        silenceMsMax: 400,
      });
      const raw = await peers.greetedRawClient(port);
      raw.socket.pause();
      raw.send(...Array.from({ length: 2000 }, (_, rid) => getOf(rid)));
      await until(() => server.closed.length === 1);
      expect(server.closed[0]).to.include({ code: 'silent' });
    });
  });
});
