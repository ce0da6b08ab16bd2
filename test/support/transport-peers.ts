/** Peers for tests of the transport: handlers that remember, and raw sockets that speak frames or worse. */
import { connect, createServer } from 'node:net';
import type { AddressInfo, Server, Socket } from 'node:net';
import { encodeMessage, keepMessage, MessageDecoder } from '../../src/protocol/codec.js';
import { FrameDecoder } from '../../src/protocol/frame-decoder.js';
import { MessageType, PeerRole, protocolVersion } from '../../src/protocol/messages.js';
import type { HelloMessage, Message, WelcomeMessage } from '../../src/protocol/messages.js';
import { MsgpackWriter } from '../../src/protocol/msgpack-writer.js';
import type { CloseReason } from '../../src/transport/close-reason.js';
import type { Connection } from '../../src/transport/connection.js';
import { dial } from '../../src/transport/dialer.js';
import type { DialOptions } from '../../src/transport/dialer.js';
import type { Handlers } from '../../src/transport/handlers.js';
import { newHello } from '../../src/transport/handshake.js';
import { listen } from '../../src/transport/listener.js';
import type { Listener, ListenOptions } from '../../src/transport/listener.js';
import { until } from './until.js';

const frameBytesMax = 1 << 23;

export const hello: HelloMessage = newHello(PeerRole.client, { senderId: 7 });

export const welcome: WelcomeMessage = {
  type: MessageType.welcome,
  protocolVersion,
  role: PeerRole.node,
  clusterId: 'test',
  senderId: 1,
  incarnation: 1,
  clockUs: 0,
  frameBytesMax,
};

export function encode(...messages: Message[]): Buffer {
  const writer = new MsgpackWriter();
  for (const message of messages) encodeMessage(writer, message);
  return Buffer.from(writer.buf.subarray(0, writer.pos));
}

export function valueOf(rid: number, bytes: number): Message {
  const version = { hlc: rid, clientId: 1, seq: 0, epoch: 0 };
  return { type: MessageType.value, rid, present: true, version, value: new Uint8Array(bytes).fill(rid) };
}

export function getOf(rid: number): Message {
  return { type: MessageType.get, rid, versionOnly: false, key: `key-${rid}` };
}

/** Remembers everything; does with messages what it is told. */
export class Recorder implements Handlers {
  readonly opened: Connection[] = [];
  readonly messages: Message[] = [];
  readonly closed: CloseReason[] = [];
  batches = 0;
  rooms = 0;
  readonly #onMessage: ((connection: Connection, message: Message) => void) | undefined;

  constructor(onMessage?: (connection: Connection, message: Message) => void) {
    this.#onMessage = onMessage;
  }

  get rids(): number[] {
    return this.messages.map((message) => ('rid' in message ? message.rid : -1));
  }

  onOpen(connection: Connection): void {
    this.opened.push(connection);
  }

  onBatchStart(): void {
    this.batches++;
  }

  onMessage(connection: Connection, message: Message): void {
    this.messages.push(keepMessage(message));
    this.#onMessage?.(connection, message);
  }

  onClose(_connection: Connection, reason: CloseReason): void {
    this.closed.push(reason);
  }

  onRoom(): void {
    this.rooms++;
  }
}

/** A socket that writes whatever it likes, and remembers the messages it gets. */
export class RawPeer {
  readonly socket: Socket;
  readonly messages: Message[] = [];
  readonly chunks: Buffer[] = [];
  closed = false;
  readonly #frames = new FrameDecoder(frameBytesMax);
  readonly #decoder = new MessageDecoder({ frameBytesMax });

  constructor(socket: Socket) {
    this.socket = socket;
    socket.on('error', () => {});
    socket.on('close', () => {
      this.closed = true;
    });
    socket.on('data', (chunk) => {
      this.chunks.push(chunk);
      this.#frames.push(chunk, (buffer, start, end) => {
        let message: Message | null = this.#decoder.decode(buffer, start, end);
        for (; message !== null; message = this.#decoder.next()) this.messages.push(keepMessage(message));
      });
    });
  }

  /** All that came so far. */
  get bytes(): Buffer {
    return Buffer.concat(this.chunks);
  }

  get rids(): number[] {
    return this.messages.flatMap((message) => ('rid' in message ? [message.rid] : []));
  }

  send(...messages: Message[]): void {
    this.socket.write(encode(...messages));
  }
}

/** Everything a test opens, to be closed after it. */
export class Peers {
  readonly #closers: (() => void | Promise<void>)[] = [];

  async listen(handlers: Handlers, options: Partial<ListenOptions> = {}): Promise<Listener> {
    const onHello = (): WelcomeMessage => welcome;
    const listener = await listen({ host: '127.0.0.1', port: 0, handlers, onHello, ...options });
    this.#closers.push(() => listener.close());
    return listener;
  }

  async dial(port: number, handlers: Handlers, options: Partial<DialOptions> = {}): Promise<Connection> {
    const connection = await dial({ host: '127.0.0.1', port, hello, handlers, ...options });
    this.#closers.push(() => connection.destroy());
    return connection;
  }

  /** A raw client of a listener; with `allowHalfOpen`, one that does not hang up when the listener does. */
  rawClient(port: number, allowHalfOpen = false): RawPeer {
    const peer = new RawPeer(connect({ host: '127.0.0.1', port, allowHalfOpen }));
    this.#closers.push(() => void peer.socket.destroy());
    return peer;
  }

  /** A raw client that has been let in. */
  async greetedRawClient(port: number): Promise<RawPeer> {
    const peer = this.rawClient(port);
    peer.send(hello);
    await until(() => peer.messages.length === 1, { what: 'the WELCOME' });
    peer.messages.length = 0;
    peer.chunks.length = 0;
    return peer;
  }

  /** Welcomes and then does nothing by itself. */
  silentServer(): Promise<{ port: number; peers: RawPeer[] }> {
    return this.rawServer((peer) => {
      peer.send(welcome);
    });
  }

  /** A server of raw peers. `onPeer` may say WELCOME, or nothing, or something else. */
  async rawServer(onPeer: (peer: RawPeer) => void): Promise<{ port: number; peers: RawPeer[] }> {
    const peers: RawPeer[] = [];
    const server: Server = createServer((socket) => {
      const peer = new RawPeer(socket);
      peers.push(peer);
      onPeer(peer);
    });
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
    this.#closers.push(() => {
      server.close();
      for (const { socket } of peers) socket.destroy();
    });
    return { port: (server.address() as AddressInfo).port, peers };
  }

  /** Something of the test's own that is to be closed with the rest. */
  atClose(closer: () => void | Promise<void>): void {
    this.#closers.push(closer);
  }

  /** Call it after each test. */
  async close(): Promise<void> {
    await Promise.all(this.#closers.splice(0).map(async (close) => close()));
  }
}

/** Resolves at the end of this turn of the event loop, after the flush. */
export function endOfTurn(): Promise<void> {
  return new Promise((resolve) => setImmediate(() => setImmediate(resolve)));
}

/** Answers GET with a value of that many bytes. */
export function answering(valueBytes: number): Recorder {
  return new Recorder((connection, message) => {
    if (message.type === MessageType.get) connection.send(valueOf(message.rid, valueBytes));
  });
}
