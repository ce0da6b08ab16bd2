/** What a connection is made of and calls: the handlers of its owner, and whoever decides over its peer's first message. */
import type { Buffer } from 'node:buffer';
import type { Socket } from 'node:net';
import type {
  ErrorMessage,
  HelloMessage,
  Message,
  RequestLink,
  WelcomeMessage,
} from '../protocol/messages.js';
import type { CloseReason } from './close-reason.js';
import type { Connection } from './connection.js';
import type { ResolvedOptions } from './options.js';

/** What the owner of a connection gives to be told. Called as methods: an instance of a class will do. */
export interface Handlers {
  /** Hot messages and the values in them are good until this returns; see `keepMessage`. */
  onMessage(connection: Connection, message: Message): void;
  /** Called once for each connection that was open. */
  onClose(connection: Connection, reason: CloseReason): void;
  /** Who takes frames before they are decoded; asked when the connection opens. */
  frameTaker?(): FrameTaker | undefined;
  /** The greetings are exchanged; before the first message. */
  onOpen?(connection: Connection): void;
  /** Before the messages of each chunk that arrives: the moment to look at the clock. */
  onBatchStart?(connection: Connection): void;
  /** No longer full. */
  onRoom?(connection: Connection): void;
}

/** Whoever can do without a message takes the frame where it lies. */
export interface FrameTaker {
  /**
   * @param buffer - good until this returns; the frame's payload is in [start, end)
   * @returns false: nothing has happened, it is to be decoded
   */
  onFrame(link: RequestLink, buffer: Buffer, start: number, end: number): boolean;
}

/** What becomes of a connection after the peer's first message. */
export type Verdict =
  | { readonly peer: HelloMessage; readonly reply: WelcomeMessage }
  | { readonly peer: WelcomeMessage }
  | { readonly refusal: ErrorMessage };

/** Decides over the peer's first message; see handshake.ts. */
export interface Greeter {
  /** @throws ProtocolError if it is no greeting */
  greet(connection: Connection, message: Message): Verdict;
  /** The connection ended without having been open. */
  failed(connection: Connection, reason: CloseReason): void;
  // What follows is about peers that are no nodes; see `SlowSenders` and `SlowReaders`.
  /** So many bytes are held of a request of its that is not complete yet. */
  onUnfinished?(connection: Connection, bytes: number): void;
  /** So many bytes are held for it. */
  onWaiting?(connection: Connection, bytes: number): void;
  /** Requests are to be held back. */
  readonly isPressed?: boolean;
  /** They are, until `goOn`. */
  onHeldBack?(connection: Connection): void;
}

export interface ConnectionSetup {
  readonly socket: Socket;
  /** Host and port of the other end. */
  readonly remote: string;
  readonly handlers: Handlers;
  readonly greeter: Greeter;
  readonly options: ResolvedOptions;
  /** What the dialling side says first; undefined on the accepting side. */
  readonly hello?: HelloMessage;
}
