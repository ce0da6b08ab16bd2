/** Frames that a receiver takes before they are decoded, and the answers that need no message. */
import { expect } from 'chai';
import type { Buffer } from 'node:buffer';
import { MessageType } from '../../src/protocol/messages.js';
import type { Message, RequestLink } from '../../src/protocol/messages.js';
import { PlainFrame, plainTypeOf } from '../../src/protocol/plain-frame.js';
import type { FrameTaker } from '../../src/transport/handlers.js';
import { plain } from '../support/codec-messages.js';
import { getOf, hello, Peers, Recorder, valueOf } from '../support/transport-peers.js';
import { until } from '../support/until.js';

const peers = new Peers();
afterEach(() => peers.close());

/** Takes GETs with an even request id and answers them. */
class EvenTaker implements FrameTaker {
  readonly taken: number[] = [];
  readonly #frame = new PlainFrame();
  readonly #valueBytes: number;

  constructor(valueBytes: number) {
    this.#valueBytes = valueBytes;
  }

  onFrame(link: RequestLink, buffer: Buffer, start: number, end: number): boolean {
    const frame = this.#frame;
    const isGet = plainTypeOf(buffer, start) === MessageType.get && frame.readGet(buffer, start, end);
    if (!isGet || frame.rid % 2 === 1) return false;
    this.taken.push(frame.rid);
    const length = this.#valueBytes;
    const memory = new Uint8Array(length).fill(frame.rid).buffer;
    link.sendPlainValue(frame.rid, { hlc: frame.rid, clientId: 1, memory, at: 0, length });
    return true;
  }
}

class TakingRecorder extends Recorder {
  readonly taker: EvenTaker;

  constructor(valueBytes: number, onMessage: ConstructorParameters<typeof Recorder>[0]) {
    super(onMessage);
    this.taker = new EvenTaker(valueBytes);
  }

  frameTaker(): FrameTaker {
    return this.taker;
  }
}

describe('frames that are taken as they are', () => {
  it('are no messages; all others are; and the answers are those of messages, in order', async () => {
    const server = new TakingRecorder(100, (connection, message) => {
      if ('rid' in message) connection.send(valueOf(message.rid, 100));
    });
    const { port } = await peers.listen(server);
    const client = await peers.greetedRawClient(port);
    const rids = Array.from({ length: 200 }, (_, i) => 100_000 + i);
    client.send(...rids.map(getOf));
    await until(() => client.messages.length === rids.length);
    expect(client.rids).to.deep.equal(rids);
    expect(server.taker.taken).to.deep.equal(rids.filter((rid) => rid % 2 === 0));
    expect(server.rids).to.deep.equal(rids.filter((rid) => rid % 2 === 1));
    expect(client.messages.map(plain)).to.deep.equal(rids.map((rid) => plain(valueOf(rid, 100))));
  });

  it('are taken on connections that were dialled, too', async () => {
    const server = await peers.silentServer();
    const client = new TakingRecorder(1, undefined);
    await peers.dial(server.port, client);
    await until(() => server.peers[0]?.messages.length === 1);
    server.peers[0]?.send(getOf(100_000), getOf(100_001));
    await until(() => client.messages.length === 1);
    expect(client.taker.taken).to.deep.equal([100_000]);
    expect(client.rids).to.deep.equal([100_001]);
  });

  it('wait while their peer does not read the answers, and then go on in order', async () => {
    const congestedBytes = 250_000;
    const server = new TakingRecorder(60_000, () => undefined);
    const { port } = await peers.listen(server, { congestedBytes });
    const client = peers.rawClient(port);
    client.send(hello);
    await until(() => client.messages.length === 1);
    client.messages.length = 0;
    client.socket.pause();
    const rids = Array.from({ length: 400 }, (_, i) => 100_000 + 2 * i);
    client.send(...rids.map(getOf));
    await until(() => (server.opened[0]?.bufferedBytes ?? 0) > congestedBytes);
    expect(server.opened[0]?.bufferedBytes).to.be.lessThan(2 * congestedBytes);
    expect(server.taker.taken.length).to.be.lessThan(rids.length);
    client.socket.resume();
    await until(() => client.messages.length === rids.length);
    expect(client.rids).to.deep.equal(rids);
  });

  it('ACKs without a message share frames with those that are messages', async () => {
    const server = new Recorder((connection, message) => {
      if (!('rid' in message)) return;
      if (message.rid % 3 === 0)
        connection.send({ type: MessageType.ack, rid: message.rid } satisfies Message);
      else connection.sendAck(message.rid);
    });
    const { port } = await peers.listen(server);
    const client = await peers.greetedRawClient(port);
    const rids = Array.from({ length: 9000 }, (_, i) => i + 1);
    client.send(...rids.map(getOf));
    await until(() => client.messages.length === rids.length);
    expect(client.messages).to.deep.equal(rids.map((rid) => ({ type: MessageType.ack, rid })));
    expect(client.bytes.length).to.be.lessThan(rids.length * 6);
  });
});
