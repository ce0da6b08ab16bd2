/**
 * Accepts connections on one address and greets their peers. The owner decides over each HELLO; connections beyond
 * `connectionsMax` are told so and closed. One connection's trouble is never another's.
 */
import { Buffer } from 'node:buffer';
import { createServer } from 'node:net';
import type { AddressInfo, Server, Socket } from 'node:net';
import { formatAddress } from '../protocol/address.js';
import { encodeMessage } from '../protocol/codec.js';
import { MessageType } from '../protocol/messages.js';
import type { ErrorMessage, HelloMessage, Message, WelcomeMessage } from '../protocol/messages.js';
import { MsgpackWriter } from '../protocol/msgpack-writer.js';
import type { CloseReason } from './close-reason.js';
import { withOnread } from './accepted-socket.js';
import { Connection } from './connection.js';
import type { Greeter, Handlers, Verdict } from './handlers.js';
import { expectHello, newError } from './handshake.js';
import { connectionsAllowed } from './open-files.js';
import { resolveOptions } from './options.js';
import type { ConnectionOptions, ResolvedOptions } from './options.js';
import { clearTimeout, setTimeout } from './real-time.js';
import type { RoomForClients } from './slow-clients.js';
import { SlowReaders } from './slow-readers.js';
import { SlowSenders } from './slow-senders.js';

/** For all accepted sockets: each chunk is worked off before anybody reads again. */
const readBuffer = Buffer.allocUnsafeSlow(64 * 1024);

export interface ListenOptions extends ConnectionOptions {
  /** Address to listen on. */
  readonly host: string;
  /** 0: any free port. */
  readonly port: number;
  /** Of all connections accepted here. */
  readonly handlers: Handlers;
  /** The WELCOME with which to let the peer in, or the ERROR with which to turn it away. */
  readonly onHello: (hello: HelloMessage, connection: Connection) => WelcomeMessage | ErrorMessage;
  /** Told of connections that ended before they were open, and of failures to accept: for the log. */
  readonly onRefused?: (remote: string, reason: CloseReason) => void;
  /** Connections at a time; default 4096, or fewer where the system lets this process have few files open. */
  readonly connectionsMax?: number;
  /** How many bytes of answers may wait for all clients together, and as many of requests that are not complete; default 256 MiB. */
  readonly roomForClients?: RoomForClients;
}

/** The address cannot be listened on. `code` is the system's: EADDRINUSE, EADDRNOTAVAIL, EACCES, ... */
export class ListenError extends Error {
  override readonly name = 'ListenError';
  readonly code: string;

  constructor(host: string, port: number, cause: NodeJS.ErrnoException) {
    const code = cause.code ?? 'UNKNOWN';
    super(`cannot listen on ${formatAddress({ host, port })}: ${listenAdvice[code] ?? cause.message}`, {
      cause,
    });
    this.code = code;
  }
}

const listenAdvice: Readonly<Record<string, string>> = {
  EADDRINUSE: 'the port is in use; choose another, or 0 for a free one',
  EADDRNOTAVAIL: 'this machine does not have that address',
  EACCES: 'not permitted; choose a port from 1024 up',
  ENOTFOUND: 'no such host name',
};

const connectionsMaxDefault = 4096;
/**
 * Connections that the system keeps for us until we accept them. One too many is dropped without its client knowing:
 * who dials then believes to be connected, for ever if he has nothing to say.
 */
const backlog = 4096;
/** How long one that was turned away for lack of room may take to hang up. */
const refusedMsMax = 1000;
/** Sockets being turned away at a time; above that they are dropped without a word. */
const refusedMax = 64;

/** @throws ListenError (rejects) if the address cannot be had */
export function listen(options: ListenOptions): Promise<Listener> {
  const { host, port } = options;
  // Nothing is read before it is settled how.
  const server = createServer({ pauseOnConnect: true });
  return new Promise((resolve, reject) => {
    server.once('error', (error) => {
      reject(new ListenError(host, port, error));
    });
    server.listen({ host, port, backlog }, () => {
      server.removeAllListeners('error');
      resolve(new Listener(server, options));
    });
  });
}

export class Listener implements Greeter {
  readonly host: string;
  readonly port: number;
  private readonly server: Server;
  private readonly options: ListenOptions;
  private readonly resolved: ResolvedOptions;
  private readonly connectionsMax: number;
  private readonly accepted = new Set<Connection>();
  private readonly refused = new Set<Socket>();
  private readonly slowReaders: SlowReaders;
  private readonly slowSenders: SlowSenders;
  private closing: Promise<void> | undefined;
  private onGone: (() => void) | undefined;

  /** @param server - listening already, without listeners of its own */
  constructor(server: Server, options: ListenOptions) {
    this.server = server;
    this.options = options;
    this.resolved = resolveOptions(options, true);
    this.connectionsMax = options.connectionsMax ?? Math.min(connectionsMaxDefault, connectionsAllowed());
    this.slowReaders = new SlowReaders(options.roomForClients);
    this.slowSenders = new SlowSenders(options.roomForClients);
    const { address, port } = server.address() as AddressInfo;
    this.host = address;
    this.port = port;
    server.on('connection', (socket: Socket) => {
      this.accept(socket);
    });
    server.on('error', (error) => {
      this.options.onRefused?.('?', { code: 'lost', text: `cannot accept: ${error.message}`, cause: error });
    });
  }

  /** The accepted connections, those that have not greeted yet and those that are closing included. */
  get connections(): ReadonlySet<Connection> {
    return this.accepted;
  }

  /** Accepts no more, ends all connections in good order, and resolves when the last has gone. */
  close(text = 'closed on this side'): Promise<void> {
    this.closing ??= new Promise((resolve) => {
      // The server may be done a moment before its last socket has said so.
      const settle = (): void => {
        if (this.accepted.size === 0 && !this.server.listening) resolve();
      };
      this.onGone = settle;
      this.server.close(settle);
      for (const connection of this.accepted) connection.close(text);
      for (const socket of this.refused) socket.destroy();
    });
    return this.closing;
  }

  // What follows is called by the connections.

  greet(connection: Connection, message: Message): Verdict {
    const hello = expectHello(message);
    const answer = this.options.onHello(hello, connection);
    return answer.type === MessageType.welcome ? { peer: hello, reply: answer } : { refusal: answer };
  }

  failed(connection: Connection, reason: CloseReason): void {
    this.options.onRefused?.(connection.remote, reason);
  }

  onWaiting(connection: Connection, bytes: number): void {
    this.slowReaders.note(connection, bytes);
  }

  onUnfinished(connection: Connection, bytes: number): void {
    this.slowSenders.note(connection, bytes);
  }

  get isPressed(): boolean {
    return this.slowReaders.isPressed;
  }

  onHeldBack(connection: Connection): void {
    this.slowReaders.holdsBack(connection);
  }

  private accept(accepted: Socket): void {
    const remote = `${accepted.remoteAddress ?? '?'}:${accepted.remotePort ?? 0}`;
    if (this.accepted.size >= this.connectionsMax) {
      this.refuse(accepted, remote);
      return;
    }
    const { handlers } = this.options;
    const onread = {
      buffer: readBuffer,
      callback: (bytes: number, buffer: Uint8Array): boolean => {
        connection.receive((buffer as Buffer).subarray(0, bytes));
        return true;
      },
    };
    const reading = withOnread(accepted, onread);
    const socket = reading ?? accepted;
    const options = this.resolved;
    const connection = new Connection({ socket, remote, handlers, greeter: this, options });
    this.accepted.add(connection);
    if (reading === undefined) {
      socket.on('data', (chunk: Buffer) => {
        connection.receive(chunk);
      });
    }
    socket.on('close', () => {
      this.accepted.delete(connection);
      this.onGone?.();
    });
    socket.resume();
  }

  private refuse(socket: Socket, remote: string): void {
    socket.on('error', () => {});
    if (this.refused.size >= refusedMax) {
      socket.destroy();
      return;
    }
    const text = `${this.connectionsMax} connections are open, as many as are allowed here; try again later`;
    this.options.onRefused?.(remote, { code: 'handshake', text });
    this.refused.add(socket);
    // A deadline, whatever it does meanwhile: one that dribbles would keep its place among the few, and a descriptor, for ever.
    const deadline = setTimeout(() => socket.destroy(), refusedMsMax);
    socket.on('close', () => {
      clearTimeout(deadline);
      this.refused.delete(socket);
    });
    const writer = new MsgpackWriter();
    encodeMessage(writer, newError('UNAVAILABLE', text));
    socket.end(writer.buf.subarray(0, writer.pos));
    socket.resume();
  }
}
