/**
 * One connection to a peer: frames out, messages in, and a watch on whether the peer is still there.
 *
 * Its life is greeting -> open -> closing -> gone, with short cuts forwards and no way back. Messages pass in the
 * open state only. `onClose` is called once for each connection that was open, and never from within a call of this
 * class: a core may send in the middle of its work without being told in the same breath that the link is down.
 * Once `close` or `destroy` has returned, no handler but that one is called any more.
 *
 * Closing: what was sent before, an ERROR included, is written out, and the peer's bytes are read and dropped until
 * it hangs up, too: closing a socket with unread bytes would send a reset that can overtake our last words. A peer
 * that does not hang up is cut off after `lingerMs`.
 *
 * Whoever accepted the connection reads no more requests while `congestedBytes` of answers wait for the peer: so a slow
 * reader, however much it asks for, costs that much and one answer more; for all of them together see slow-readers.ts.
 * The dialling side always reads, or two congested peers would wait for each other for ever.
 *
 * Trouble is kept to this connection: bytes that are no messages, and a ProtocolError that a handler throws, get the
 * peer one ERROR and are its end. Any other error of a handler is a mistake of ours: the connection is destroyed
 * and the error thrown again where nobody catches it.
 */
import { Buffer } from 'node:buffer';
import type { Socket } from 'node:net';
import { ProtocolError } from '../protocol/errors.js';
import { isRun } from '../protocol/hot-codec.js';
import { MessageType, PeerRole } from '../protocol/messages.js';
import type {
  ErrorMessage,
  HelloMessage,
  Message,
  PlainValue,
  RequestLink,
  WelcomeMessage,
} from '../protocol/messages.js';
import { requestTypes } from '../protocol/requests.js';
import type { CloseCode, CloseReason } from './close-reason.js';
import { flushLater, flushSoon } from './flusher.js';
import type { ConnectionSetup, FrameTaker, Greeter, Handlers } from './handlers.js';
import { Incoming } from './incoming.js';
import type { Limits, Receiver } from './incoming.js';
import { outgoingFramesMax } from './options.js';
import type { ResolvedOptions } from './options.js';
import { Outgoing } from './outgoing.js';
import type { Sink } from './outgoing.js';
import { queueMicrotask, setImmediate } from './real-time.js';
import { writeTo } from './socket-write.js';
import { unwatch, watch } from './watch.js';
import type { Watched } from './watch.js';

const lingerMs = 1000;
/** Of the PINGs sent here. A PONG with another rid answers one that the owner sent, and is his. */
const heartbeatRid = 0;
/** Characters of an ERROR's text, so that it fits into the first frame of a connection in any script. */
const errorCharsMax = 300;

let lastId = 0;

export class Connection implements RequestLink, Sink, Receiver, Watched {
  readonly id = ++lastId;
  /** Host and port of the other end, for logs. */
  readonly remote: string;
  private readonly socket: Socket;
  private readonly handlers: Handlers;
  private readonly greeter: Greeter;
  private readonly options: ResolvedOptions;
  private readonly accepted: boolean;
  private taker: FrameTaker | undefined;
  private readonly out = new Outgoing(this);
  private readonly incoming = new Incoming(this);
  private state: 'greeting' | 'open' | 'closing' | 'gone' = 'greeting';
  private greeting: HelloMessage | WelcomeMessage | undefined;
  private reason: CloseReason | undefined;
  private closeListeners: ((reason: CloseReason) => void)[] = [];
  /** There was a sign of life since the last scan: a byte came, or the peer made room for one of ours. */
  private alive = false;
  /** Time without a sign of life; while greeting and closing, time in that state. */
  private silentMs = 0;
  private pinged = false;
  private wasCongested = false;
  /** That it is full no longer is about to be told. */
  private roomTold = false;
  /** In the middle of a chunk of requests, at whose end the answers leave. */
  private inChunk = false;
  private answered = false;

  /** Takes the socket over, its 'data' included where that is how it is read. */
  constructor({ socket, remote, handlers, greeter, options, hello }: ConnectionSetup) {
    this.socket = socket;
    this.remote = remote;
    this.handlers = handlers;
    this.greeter = greeter;
    this.options = options;
    this.accepted = hello === undefined;
    socket.setNoDelay(true);
    socket.on('end', () => {
      this.finish({ code: 'ended', text: `${remote} hung up` });
    });
    socket.on('error', (error) => {
      this.finish({ code: 'lost', text: `${remote}: ${error.message}`, cause: error });
    });
    socket.on('close', () => {
      this.finish({ code: 'lost', text: `${remote}: the connection was lost` });
      this.state = 'gone';
      this.out.discard();
      this.onWaiting();
      unwatch(this);
    });
    watch(this);
    if (hello !== undefined) {
      this.out.append(hello);
      flushSoon(this.out);
    }
  }

  get isOpen(): boolean {
    return this.state === 'open';
  }

  get isOfNode(): boolean {
    return this.greeting?.role === PeerRole.node;
  }

  /** The peer's greeting. @throws Error if it has not come */
  get peer(): HelloMessage | WelcomeMessage {
    if (this.greeting === undefined) throw new Error(`${this.remote} has not greeted yet`);
    return this.greeting;
  }

  /** Bytes sent here that this process still holds. */
  get bufferedBytes(): number {
    return this.out.bufferedBytes;
  }

  /** More than `congestedBytes` wait for the peer. */
  get congested(): boolean {
    return this.out.bufferedBytes > this.options.congestedBytes;
  }

  get isFull(): boolean {
    return this.out.isFull || (this.accepted && this.greeter.isPressed === true && !this.isOfNode);
  }

  get bytesReceived(): number {
    return this.incoming.bytesReceived;
  }

  /** Given to the socket so far. */
  get socketWrites(): number {
    return this.out.writes;
  }

  /** @throws TypeError if a field of the message is out of its bounds */
  send(message: Message, isAlone = false): void {
    if (this.state !== 'open') return;
    this.out.append(message);
    if (isAlone) this.out.flush();
    else this.leaveSoon();
  }

  sendAck(rid: number): void {
    if (this.state !== 'open') return;
    this.out.appendRid(MessageType.ack, rid);
    this.leaveSoon();
  }

  sendPlainValue(rid: number, value: PlainValue): void {
    if (this.state !== 'open') return;
    this.out.appendPlainValue(rid, value);
    this.leaveSoon();
  }

  /** What was appended leaves at the end of the chunk of requests at hand, else of the turn. */
  private leaveSoon(): void {
    if (this.inChunk) {
      this.answered = true;
      return;
    }
    // One of many answers, perhaps, to requests that waited for the same large value: it counts before it leaves.
    if (this.accepted && this.congested) this.onWaiting();
    flushSoon(this.out);
  }

  /** @throws TypeError if a field of the message is out of its bounds */
  sendLazily(message: Message, patienceMs: number): void {
    if (this.state !== 'open') return;
    this.out.append(message);
    flushLater(this.out, patienceMs);
  }

  /**
   * Sends one message to several peers and encodes it once; those that are not open are passed over.
   *
   * @param isAlone - as of `send`
   */
  static broadcast(message: Message, connections: readonly Connection[], isAlone = false): void {
    let first: Outgoing | undefined;
    let bytes = 0;
    for (const { state, out } of connections) {
      if (state !== 'open') continue;
      if (first === undefined || isRun(message)) {
        first = out;
        bytes = out.append(message);
      } else {
        out.appendLastOf(first, bytes);
      }
      if (!isAlone) flushSoon(out);
    }
    if (isAlone) for (const { state, out } of connections) if (state === 'open') out.flush();
  }

  /** Calls `listener` once when the connection has ended, at once if it has, after `onClose`. */
  onceClosed(listener: (reason: CloseReason) => void): void {
    if (this.reason === undefined) this.closeListeners.push(listener);
    else queueMicrotask(listener.bind(undefined, this.reason));
  }

  /** Ends the connection in good order: what was sent goes out first. */
  close(text = 'closed on this side'): void {
    if (this.finish({ code: 'closed', text })) this.hangUp();
  }

  /** Tells the peer why, then ends the connection in good order. */
  reject(code: string, text: string, closeCode: CloseCode = 'closed'): void {
    if (this.reason !== undefined) return;
    const words = Buffer.from(text.slice(0, errorCharsMax)).toString();
    this.out.append({ type: MessageType.error, code, text: words });
    this.finish({ code: closeCode, text: `${this.remote}: ${text}` });
    this.hangUp();
  }

  /** Ends the connection now; what waits to be sent is lost. */
  destroy(text = 'closed on this side', code: CloseCode = 'closed'): void {
    this.finish({ code, text });
    this.cut();
  }

  // What follows is called by the parts of the transport.

  /** Bytes from the socket, of which nothing is kept. */
  receive(chunk: Buffer): void {
    if (this.reason !== undefined) return;
    this.alive = true;
    this.inChunk = this.accepted;
    if (this.greeter.isPressed === true) this.waitForTurn();
    try {
      if (this.state === 'open') this.handlers.onBatchStart?.(this);
      this.incoming.receive(chunk);
    } catch (error) {
      this.failed(error);
    }
    this.inChunk = false;
    if (!this.answered) return;
    this.answered = false;
    this.out.flush();
  }

  onGreeting(message: Message): Limits | undefined {
    if (message.type === MessageType.error) {
      this.told(message);
      return undefined;
    }
    const verdict = this.greeter.greet(this, message);
    if ('refusal' in verdict) {
      this.reject(verdict.refusal.code, verdict.refusal.text, 'handshake');
      return undefined;
    }
    this.greeting = verdict.peer;
    this.state = 'open';
    this.silentMs = 0;
    const { frameBytesMax } = 'reply' in verdict ? verdict.reply : verdict.peer;
    this.out.bytesMax = this.options.outgoingBytesMax ?? outgoingFramesMax * frameBytesMax;
    if ('reply' in verdict) this.send(verdict.reply);
    this.taker = this.handlers.frameTaker?.();
    this.handlers.onBatchStart?.(this);
    this.handlers.onOpen?.(this);
    if (this.greeter.isPressed === true) this.waitForTurn();
    const types = this.accepted ? requestTypes(verdict.peer.role) : undefined;
    return { frameBytesMax: this.options.frameBytesMax ?? frameBytesMax, types };
  }

  onFrame(buffer: Buffer, start: number, end: number): boolean {
    if (this.taker?.onFrame(this, buffer, start, end) !== true) return false;
    if (this.accepted && this.congested) this.holdRequests();
    return true;
  }

  onMessage(message: Message): void {
    switch (message.type) {
      case MessageType.ping:
        this.send({ type: MessageType.pong, rid: message.rid });
        break;
      case MessageType.pong:
        if (message.rid !== heartbeatRid) this.handlers.onMessage(this, message);
        break;
      case MessageType.error:
        this.told(message);
        return;
      case MessageType.hello:
      case MessageType.welcome:
        throw new ProtocolError('a second greeting');
      default:
        this.handlers.onMessage(this, message);
    }
    if (this.accepted && this.congested) this.holdRequests();
  }

  write(bytes: Buffer, written: (error?: Error | null) => void): boolean {
    return writeTo(this.socket, bytes, written);
  }

  onWritten(bufferedBefore: number, progress: boolean): void {
    if (progress) this.alive = true;
    if (bufferedBefore > this.out.fullBytes && !this.out.isFull) this.hasRoomAgain();
    if (bufferedBefore > this.options.congestedBytes) {
      this.wasCongested = true;
      this.onWaiting();
    }
    if (!this.wasCongested || this.state !== 'open') return;
    if (this.out.bufferedBytes > this.options.congestedBytes / 2) return;
    this.wasCongested = false;
    this.releaseRequests();
  }

  /** With requests that waited for their turn; their answers leave at once. */
  goOn(): void {
    this.releaseRequests();
    this.out.flush();
  }

  onWaiting(): void {
    if (!this.isOfNode) this.greeter.onWaiting?.(this, this.out.heldBytes);
  }

  onUnfinished(bytes: number): void {
    if (!this.isOfNode) this.greeter.onUnfinished?.(this, bytes);
  }

  /** Told in a turn of its own: this may be in the middle of somebody's sending. */
  private hasRoomAgain(): void {
    if (this.roomTold) return;
    this.roomTold = true;
    setImmediate(() => {
      this.roomTold = false;
      if (this.state === 'open') this.handlers.onRoom?.(this);
    });
  }

  onOverflow(): void {
    const text = `${this.remote} does not read: more than ${this.out.bytesMax} bytes wait for it`;
    this.destroy(text, 'overflow');
  }

  onScan(elapsedMs: number): void {
    if (this.state === 'open' && this.alive) {
      this.alive = false;
      this.pinged = false;
      this.silentMs = 0;
      return;
    }
    this.silentMs += elapsedMs;
    const { heartbeatMs, silenceMsMax, handshakeMsMax } = this.options;
    if (this.state === 'greeting') {
      if (this.silentMs >= handshakeMsMax) this.greetingIsLate();
    } else if (this.state === 'closing') {
      if (this.silentMs >= lingerMs) this.cut();
    } else if (this.silentMs >= silenceMsMax) {
      this.destroy(`${this.remote}: nothing heard for ${silenceMsMax} ms`, 'silent');
    } else if (this.silentMs >= heartbeatMs && !this.pinged) {
      this.pinged = true;
      this.send({ type: MessageType.ping, rid: heartbeatRid });
    }
  }

  private greetingIsLate(): void {
    const { handshakeMsMax } = this.options;
    // Not PROTOCOL: a peer that is slow or starved may try again.
    if (this.accepted) this.reject('UNAVAILABLE', `no HELLO within ${handshakeMsMax} ms`, 'handshake');
    else this.destroy(`${this.remote}: no answer within ${handshakeMsMax} ms`, 'handshake');
  }

  private waitForTurn(): void {
    if (this.state !== 'open' || this.isOfNode || this.incoming.isHeld) return;
    this.holdRequests();
    this.greeter.onHeldBack?.(this);
  }

  private holdRequests(): void {
    if (this.incoming.isHeld) return;
    this.incoming.hold();
    this.socket.pause();
  }

  private releaseRequests(): void {
    if (!this.incoming.isHeld) return;
    try {
      this.handlers.onBatchStart?.(this);
      if (this.incoming.release()) this.socket.resume();
    } catch (error) {
      this.failed(error);
    }
  }

  private told({ code, text }: ErrorMessage): void {
    const line = text.replace(/\p{Cc}+/gu, ' ');
    this.finish({ code: 'peer-error', text: `${this.remote}: ${line}`, peerCode: code });
    this.hangUp();
  }

  private failed(error: unknown): void {
    if (error instanceof ProtocolError) {
      this.reject('PROTOCOL', error.message, 'violation');
      return;
    }
    this.finish({ code: 'bug', text: `${this.remote}: a handler threw`, cause: error });
    this.cut();
    queueMicrotask(() => {
      throw error as Error;
    });
  }

  /** From here on the connection is not open. @returns false if it had ended before */
  private finish(reason: CloseReason): boolean {
    if (this.reason !== undefined) return false;
    const wasOpen = this.state === 'open';
    this.reason = reason;
    this.state = 'closing';
    this.silentMs = 0;
    this.incoming.stop();
    queueMicrotask(() => {
      if (wasOpen) this.handlers.onClose(this, reason);
      else this.greeter.failed(this, reason);
    });
    // Each by itself: what one of them throws is for the process to see, and keeps nobody else from being told.
    for (const listener of this.closeListeners) queueMicrotask(listener.bind(undefined, reason));
    this.closeListeners = [];
    return true;
  }

  private cut(): void {
    this.out.discard();
    this.onWaiting();
    this.socket.destroy();
  }

  private hangUp(): void {
    this.out.flushFinally();
    this.socket.end();
    // Reads on, if requests were held, to drop what comes.
    this.socket.resume();
  }
}
