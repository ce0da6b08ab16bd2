import { decode as decodeOther, encode as encodeOther } from '@msgpack/msgpack';
import { expect } from 'chai';
import { FrameDecoder } from '../../src/protocol/frame-decoder.js';
import { MessageType } from '../../src/protocol/messages.js';
import type { Message } from '../../src/protocol/messages.js';
import { getOf, Peers, Recorder } from '../support/transport-peers.js';
import { until } from '../support/until.js';

const T = MessageType;
const peers = new Peers();
afterEach(() => peers.close());

/** A frame as another encoder makes it. */
function frameOf(elements: unknown[]): Buffer {
  const payload = encodeOther(elements);
  const header = Buffer.alloc(4);
  header.writeUInt32BE(payload.length);
  return Buffer.concat([header, payload]);
}

describe('runs of request ids', () => {
  const ack = (rid: number): Message => ({ type: T.ack, rid });
  const validate = (rid: number): Message => ({ type: T.validate, rid });
  const arrays = (bytes: Buffer): unknown[] => {
    const found: unknown[] = [];
    new FrameDecoder(1 << 20).push(bytes, (buffer, start, end) => {
      found.push(decodeOther(buffer.subarray(start, end)));
    });
    return found;
  };

  it('messages of one type that are a request id each share a frame, and come out one by one, in order', async () => {
    const server = await peers.silentServer();
    const connection = await peers.dial(server.port, new Recorder());
    const raw = server.peers[0]!;
    await until(() => raw.messages.length === 1);
    raw.chunks.length = 0;
    const sent = [
      ...[1, 2, 2 ** 32 - 1].map(ack),
      ...[2 ** 32, 5].map(ack),
      ...[6, 70_000].map(validate),
      getOf(7),
      ...[8, 9].map(validate),
    ];
    for (const message of sent) connection.sendLazily(message, 1);
    connection.send(ack(10));
    await until(() => raw.messages.length === 1 + sent.length + 1);
    expect(raw.messages.slice(1)).to.deep.equal([...sent, ack(10)]);
    const ridsOf = arrays(raw.bytes).map((array) => (array as number[]).slice(0, 4));
    expect(ridsOf).to.deep.equal([
      ...[
        [T.ack, 1, 2, 2 ** 32 - 1],
        [T.ack, 2 ** 32, 5],
      ],
      [T.validate, 6, 70_000],
      [T.get, 7, false, 'key-7'],
      [T.validate, 8, 9],
      [T.ack, 10],
    ]);
  });

  it('a long run is several frames, and fills chunk after chunk', async () => {
    const server = await peers.silentServer();
    const connection = await peers.dial(server.port, new Recorder());
    const raw = server.peers[0]!;
    const rids = Array.from({ length: 50_000 }, (_, i) => 3 * i);
    for (const rid of rids) connection.send(ack(rid));
    await until(() => raw.rids.length === rids.length);
    expect(raw.rids).to.deep.equal(rids);
    expect(raw.messages.length).to.equal(1 + rids.length);
  });

  it('a bad request id is a TypeError, and leaves what was there', async () => {
    const server = await peers.silentServer();
    const connection = await peers.dial(server.port, new Recorder());
    const raw = server.peers[0]!;
    connection.send(ack(1));
    for (const rid of [-1, 0.5, NaN, 2 ** 53]) {
      expect(() => {
        connection.send(ack(rid));
      }).to.throw(TypeError);
      expect(() => {
        connection.send(validate(rid));
      }).to.throw(TypeError);
    }
    connection.send(ack(2));
    await until(() => raw.rids.length === 2);
    expect(raw.rids).to.deep.equal([1, 2]);
  });

  it('from within onMessage: the rest of a run is not handed on', async () => {
    const server = new Recorder((connection, message) => {
      if (message.type === T.ack && message.rid === 2) connection.close();
    });
    const { port } = await peers.listen(server);
    const raw = await peers.greetedRawClient(port);
    raw.socket.write(frameOf([T.ack, 1, 2, 3, 4]));
    await until(() => server.closed.length === 1);
    expect(server.rids).to.deep.equal([1, 2]);
  });

  it('garbage in a run ends its connection', async () => {
    const server = new Recorder();
    const { port } = await peers.listen(server);
    const raw = await peers.greetedRawClient(port);
    raw.socket.write(frameOf([T.validate, 1, -2, 3]));
    await until(() => server.closed.length === 1);
    expect(server.closed[0]?.code).to.equal('violation');
    expect(server.rids).to.deep.equal([1]);
  });
});
