// What a connection does when its peer does not read, or reads slowly.
import { expect } from 'chai';
import { MessageType } from '../../src/protocol/messages.js';
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
import type { RawPeer } from '../support/transport-peers.js';
import { until } from '../support/until.js';

const T = MessageType;
const peers = new Peers();
afterEach(() => peers.close());

describe('back-pressure of a connection', () => {
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
    const roomForClients = (_: number, grown: number): number => {
      grownBytes += grown;
      return roomBytes;
    };
    const { port, connections } = await peers.listen(server, { roomForClients });
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
    const { port } = await peers.listen(server, { roomForClients: () => roomBytes });
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
