/**
 * Requests that are made now and then, each waiting in a promise for the answer that carries its rid. (Reads and
 * writes do not pass here: their coordinators count answers themselves.)
 *
 * Invariants:
 *  - Every request is settled exactly once: by its answer, its deadline, its signal, the end of its connection, or
 *    the end of the table.
 *  - An answer counts only if it comes over the connection that was asked. One that comes late is recognised and
 *    dropped.
 *  - Rids of tables lie above all others and each table has a range of its own, so that `settle` can be shown every
 *    answer, and other parts of the process may number their requests as they like below `tableRidMin`.
 */
import { keepMessage } from '../protocol/codec.js';
import { GTStoreError } from '../protocol/errors.js';
import { MessageType } from '../protocol/messages.js';
import type { Message } from '../protocol/messages.js';
import { errorOf } from './close-reason.js';
import type { Connection } from './connection.js';
import { clearInterval, monotonicMs, setInterval } from './real-time.js';

/** Rids from here on belong to request tables. */
export const tableRidMin = 2 ** 40;
const ridsPerTable = 2 ** 32;
/**
 * Their rids end at half of what the wire can carry. Of more tables two have one range, which does no harm: an answer counts
 * on the connection that was asked only, and no two tables share one.
 */
const rangesMax = 2 ** 20;
let tables = 0;

/** Deadlines are looked at this often: a time-out comes late by up to that. */
const tickMs = 10;
const pendingMaxDefault = 10_000;

/** Messages that are answers. A request that the peer makes of us carries a rid of the peer's. */
const answerTypes: ReadonlySet<number> = new Set([
  ...[MessageType.ack, MessageType.stale, MessageType.fenced, MessageType.value, MessageType.conditionResult],
  ...[MessageType.refused, MessageType.pong, MessageType.copyBatch, MessageType.scanBatch, MessageType.map],
  ...[MessageType.lease, MessageType.registered, MessageType.fenceAck, MessageType.reportAck],
  ...[MessageType.promise, MessageType.queryResult, MessageType.statusResult, MessageType.probeAck],
  MessageType.adminResult,
]);

export interface RequestOptions {
  readonly signal?: AbortSignal;
  /**
   * What is asked for changes something: once it has been sent and no answer came, nobody here knows whether it was
   * done. The error then says so (`outcome`), and that doing it again is not known to be safe.
   */
  readonly isWrite?: boolean;
}

interface Pending {
  readonly connection: Connection;
  readonly deadlineMs: number;
  readonly timeoutMs: number;
  readonly resolve: (answer: Message) => void;
  readonly reject: (error: Error) => void;
  readonly signal: AbortSignal | undefined;
  readonly onAbort: (() => void) | undefined;
  /** It may be carried out without anybody here hearing of it. */
  readonly isWriteUnderWay: boolean;
}

export class RequestTable {
  private readonly ridMin = tableRidMin + ridsPerTable * (tables++ % rangesMax);
  private readonly pendingMax: number;
  private readonly pending = new Map<number, Pending>();
  private readonly watched = new WeakSet<Connection>();
  private made = 0;
  private timer: NodeJS.Timeout | undefined;
  private closed = false;

  /** @param pendingMax - requests that may wait at a time; default 10000 */
  constructor(pendingMax = pendingMaxDefault) {
    this.pendingMax = pendingMax;
  }

  /** Requests waiting. */
  get size(): number {
    return this.pending.size;
  }

  /**
   * Sends what `build` makes of a new rid, and waits for the answer with that rid, of whatever type. The answer is
   * the caller's to keep.
   *
   * @param timeoutMs - milliseconds
   * @throws GTStoreError (rejects): TIMEOUT; UNAVAILABLE, PROTOCOL or CLOSED as the connection ended; QUEUE_FULL;
   *   CLOSED if the signal was aborted or the table closed; with `outcome` 'unknown' if it `isWrite` and was sent
   */
  request(
    connection: Connection,
    build: (rid: number) => Message,
    timeoutMs: number,
    { signal, isWrite = false }: RequestOptions = {},
  ): Promise<Message> {
    if (this.closed) return Promise.reject(new GTStoreError('CLOSED', 'closed'));
    if (signal?.aborted === true) return Promise.reject(abortError(signal));
    if (this.pending.size >= this.pendingMax) {
      return Promise.reject(new GTStoreError('QUEUE_FULL', `${this.pendingMax} requests wait already`));
    }
    const rid = this.ridMin + (this.made++ % ridsPerTable);
    return new Promise((resolve, reject) => {
      const onAbort = signal && ((): void => this.fail(rid, abortError(signal)));
      const deadlineMs = monotonicMs() + timeoutMs;
      const isWriteUnderWay = isWrite && connection.isOpen;
      const entry = { connection, deadlineMs, timeoutMs, resolve, reject, signal, onAbort, isWriteUnderWay };
      connection.send(build(rid));
      this.pending.set(rid, entry);
      if (onAbort) signal.addEventListener('abort', onAbort, { once: true });
      this.timer ??= setInterval(() => {
        this.expire();
      }, tickMs).unref();
      this.watchConnection(connection);
    });
  }

  /**
   * Shows the table a message that came.
   *
   * @returns whether it is the table's affair: the answer to one of its requests, or to one that waits no longer
   */
  settle(connection: Connection, message: Message): boolean {
    // Every answer passes here, and nearly all are somebody else's: no more is looked at than must be.
    const { rid } = message as { readonly rid?: number };
    if (rid === undefined || rid < this.ridMin || rid >= this.ridMin + ridsPerTable) return false;
    if (!answerTypes.has(message.type)) return false;
    if (this.pending.get(rid)?.connection === connection) this.take(rid)?.resolve(keepMessage(message));
    return true;
  }

  /** Fails what waits, and every request from now on. */
  close(): void {
    this.closed = true;
    for (const rid of this.pending.keys())
      this.fail(rid, new GTStoreError('CLOSED', 'closed before an answer came'));
  }

  /** Once for each connection: all its requests fail when it ends. */
  private watchConnection(connection: Connection): void {
    if (this.watched.has(connection)) return;
    this.watched.add(connection);
    connection.onceClosed((reason) => {
      this.watched.delete(connection);
      for (const [rid, entry] of this.pending) {
        if (entry.connection === connection) this.fail(rid, errorOf(reason));
      }
    });
  }

  private expire(): void {
    const nowMs = monotonicMs();
    for (const [rid, { connection, deadlineMs, timeoutMs }] of this.pending) {
      if (deadlineMs > nowMs) continue;
      const text = `${connection.remote}: no answer within ${Math.ceil(timeoutMs)} ms`;
      this.fail(rid, new GTStoreError('TIMEOUT', text));
    }
  }

  private fail(rid: number, error: GTStoreError): void {
    const entry = this.take(rid);
    entry?.reject(entry.isWriteUnderWay ? unknownOutcome(error) : error);
  }

  private take(rid: number): Pending | undefined {
    const entry = this.pending.get(rid);
    if (entry === undefined) return undefined;
    this.pending.delete(rid);
    if (entry.onAbort) entry.signal?.removeEventListener('abort', entry.onAbort);
    if (this.pending.size === 0) {
      clearInterval(this.timer);
      this.timer = undefined;
    }
    return entry;
  }
}

function unknownOutcome({ code, message, cause }: GTStoreError): GTStoreError {
  const text = `${message}; what was asked for may have been done all the same`;
  return new GTStoreError(code, text, { cause, outcome: 'unknown' });
}

function abortError(signal: AbortSignal): GTStoreError {
  return new GTStoreError('CLOSED', 'the request was aborted', { cause: signal.reason });
}
