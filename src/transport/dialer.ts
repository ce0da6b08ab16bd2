/**
 * Makes connections. A dial ends with an open connection or with one error that says why there is none.
 *
 * All dialled sockets read into one buffer over and over (`onread`): each chunk is worked off, and nothing of it kept,
 * before anybody reads again. That was measured at an eighth more throughput than a new buffer for each chunk, and
 * dialling a node that is away, again and again, costs no memory; accepted sockets do so by a detour (accepted-socket.ts).
 */
import { Buffer } from 'node:buffer';
import { connect, isIP } from 'node:net';
import type { Socket } from 'node:net';
import { formatAddress } from '../protocol/address.js';
import { GTStoreError } from '../protocol/errors.js';
import type { HelloMessage, Message } from '../protocol/messages.js';
import { errorOf } from './close-reason.js';
import type { CloseReason } from './close-reason.js';
import { Connection } from './connection.js';
import type { Greeter, Handlers, Verdict } from './handlers.js';
import { expectWelcome } from './handshake.js';
import { resolveOptions } from './options.js';
import type { ConnectionOptions } from './options.js';

export interface DialOptions extends Omit<ConnectionOptions, 'handshakeMsMax'> {
  readonly host: string;
  readonly port: number;
  /** Address to dial from; default the system's choice. One machine can so play several hosts, 127.0.0.2 and on. */
  readonly localAddress?: string;
  /** Port to dial from; default any free one. */
  readonly localPort?: number;
  readonly hello: HelloMessage;
  readonly handlers: Handlers;
  /**
   * How long connecting and greeting may take together, in milliseconds; default 2000. Only time in which this process
   * runs counts (watch.ts): one that was held up must not give up peers whose answer it has not yet read.
   */
  readonly timeoutMs?: number;
  readonly signal?: AbortSignal;
}

export const dialTimeoutMsDefault = 2000;
const readBuffer = Buffer.allocUnsafeSlow(64 * 1024);

/**
 * @returns an open connection; `handlers.onOpen` and the first messages may come before the promise is seen to be
 *   fulfilled, and its `peer` is the WELCOME
 * @throws GTStoreError (rejects): UNAVAILABLE if there is no answer in time or nobody listens; PROTOCOL if the peer
 *   is no GTStore of this version, with its words; what the peer's ERROR says if it turned us away; CLOSED if the
 *   signal was aborted
 */
export function dial(options: DialOptions): Promise<Connection> {
  const { host, port, localAddress, localPort, hello, handlers, signal } = options;
  const remote = formatAddress({ host, port });
  if (signal?.aborted === true) return Promise.reject(abortError(remote, signal));
  return new Promise((resolve, reject) => {
    const settled = (): void => {
      signal?.removeEventListener('abort', onAbort);
    };
    const greeter: Greeter = {
      greet: (connection: Connection, message: Message): Verdict => {
        const peer = expectWelcome(message);
        settled();
        resolve(connection);
        return { peer };
      },
      failed: (_connection: Connection, reason: CloseReason): void => {
        settled();
        reject(errorOf({ ...reason, text: `cannot connect to ${reason.text}` }));
      },
    };
    const onread = {
      buffer: readBuffer,
      callback: (bytes: number, buffer: Uint8Array): boolean => {
        connection.receive((buffer as Buffer).subarray(0, bytes));
        return true;
      },
    };
    const from = {
      ...(localAddress === undefined ? {} : { localAddress }),
      ...(localPort === undefined ? {} : { localPort }),
    };
    const socket = connect({ host, port, onread, ...from });
    const resolved = resolveOptions({
      ...options,
      handshakeMsMax: options.timeoutMs ?? dialTimeoutMsDefault,
    });
    const connection = new Connection({ socket, remote, handlers, greeter, options: resolved, hello });
    const onAbort = (): void => {
      reject(abortError(remote, signal));
      connection.destroy();
    };
    signal?.addEventListener('abort', onAbort, { once: true });
    socket.once('connect', () => {
      if (!isItsOwnPeer(socket)) return;
      // A reset, or the system would keep the port from whoever shall listen there.
      socket.resetAndDestroy();
      connection.destroy(`${remote}: nobody listens there`, 'lost');
    });
  });
}

/** Whether it is an address to dial from, other than a name. */
export function isIpAddress(text: string): boolean {
  return isIP(text) !== 0;
}

/**
 * A dial within a host to a port that nobody listens on, out of the range from which the system takes the ports to dial from,
 * is now and then given that very port, and the socket is connected to itself.
 */
function isItsOwnPeer({ localPort, remotePort, localAddress, remoteAddress }: Socket): boolean {
  return localPort === remotePort && localAddress === remoteAddress;
}

function abortError(remote: string, signal: AbortSignal | undefined): GTStoreError {
  return new GTStoreError('CLOSED', `connecting to ${remote} was aborted`, { cause: signal?.reason });
}
