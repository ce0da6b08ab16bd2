/** Work that waits at one key until it is VALID: parked readers, conditional writes in turn, the write in flight; and a turn. */
import type { Link } from '../../protocol/messages.js';
import type { Version } from '../../protocol/version.js';
import type { PeerWrite } from './peer-writes.js';
import type { NodePorts, NodeTimings } from './ports.js';
import { Hold } from './store.js';
import type { KeyStore, RecordId } from './store.js';
import type { Turn } from './turns.js';
import { KeptBytes, WaitingReaders } from './waiting-readers.js';

const replayBackoffMsMax = 500;

/** A conditional write at the primary (RMW1); a copy of its message, for it may have to wait. */
export interface Condition {
  readonly link: Link;
  readonly rid: number;
  readonly opClientId: number;
  readonly opNumber: number;
  readonly retried: boolean;
  readonly wantValue: boolean;
  readonly wantTurn: boolean;
  readonly expectAbsent: boolean;
  readonly expected: Version;
  readonly slot: number;
  readonly key: string;
  readonly value: Uint8Array | null;
  readonly expiresAtMs: number;
  /** RMW5: found in the key's list; whether all members agree on that list is being found out. */
  isConfirming: boolean;
}

export interface KeyWork {
  readonly readers: WaitingReaders;
  readonly conditions: Condition[];
  /** The replay or conditional write of this key that is under way at the other members. */
  active: PeerWrite | null;
  /** Of those who write it on a condition (RMW7). */
  turn: Turn | null;
  /** Own-clock time when somebody began to wait where nobody did, or was last served. */
  movedAtMs: number;
  /** Own-clock time at which an entry that was overwritten was last kept for readers. */
  keptAtMs: number;
  /** Own-clock time of the next replay, if the key is still INVALID then. */
  replayAtMs: number;
  /** Replays that failed in a row, for the back-off. */
  failures: number;
  /** Its conditional writes are being run: one that commits at once must not start that again below itself. */
  waking: boolean;
}

/** What waits at records, by record; they are held as long. */
export class KeyWorks {
  readonly #store: KeyStore;
  readonly #ports: NodePorts;
  readonly #timings: NodeTimings;
  readonly #works = new Map<RecordId, KeyWork>();
  readonly #keptBytes = new KeptBytes();

  constructor(store: KeyStore, ports: NodePorts, timings: NodeTimings) {
    this.#store = store;
    this.#ports = ports;
    this.#timings = timings;
  }

  [Symbol.iterator](): IterableIterator<[RecordId, KeyWork]> {
    return this.#works.entries();
  }

  get(record: RecordId): KeyWork | undefined {
    return this.#works.get(record);
  }

  /** The work at the record, from now on if there was none. */
  at(record: RecordId): KeyWork {
    const known = this.#works.get(record);
    if (known !== undefined) return known;
    const readers = new WaitingReaders(this.#keptBytes);
    const movedAtMs = this.#ports.nowMs();
    const work = {
      readers,
      conditions: [],
      active: null,
      turn: null,
      movedAtMs,
      keptAtMs: -1,
      replayAtMs: 0,
      failures: 0,
      waking: false,
    };
    this.expectSoon(work);
    this.#works.set(record, work);
    this.#store.hold(record, Hold.work);
    return work;
  }

  /** Somebody is about to wait there. */
  beginWait(work: KeyWork): void {
    if (!hasWaiters(work)) work.movedAtMs = this.#ports.nowMs();
  }

  /** Whoever waits there has seen nobody served for so long that it is better off elsewhere. */
  isStuck(work: KeyWork): boolean {
    return hasWaiters(work) && this.#ports.nowMs() - work.movedAtMs > this.#timings.waitMsMax;
  }

  /** Somebody is served there. */
  moved(work: KeyWork): void {
    work.movedAtMs = this.#ports.nowMs();
  }

  /** A VALIDATE will come soon, or the key is replayed. */
  expectSoon(work: KeyWork): void {
    work.replayAtMs = this.#ports.nowMs() + this.#timings.replayAfterMs * (1 + this.#ports.random());
  }

  /** Nobody waits there any more. */
  drop(record: RecordId): void {
    this.#works.delete(record);
    this.#store.release(record, Hold.work);
  }

  dropIfIdle(record: RecordId, work: KeyWork): void {
    // A replay that failed is tried again although nobody waits.
    const isDone = work.failures === 0 || this.#store.isValid(record);
    if (this.#works.get(record) === work && isIdle(work) && isDone) this.drop(record);
  }

  /** A replay came to nothing: the next one waits longer. */
  postponeReplay(work: KeyWork): void {
    work.failures++;
    const firstMs = this.#timings.replayAfterMs;
    const pauseMs = Math.min(replayBackoffMsMax, firstMs * 2 ** Math.min(work.failures, 10));
    work.replayAtMs = this.#ports.nowMs() + pauseMs * (0.5 + this.#ports.random());
  }
}

function isIdle(work: KeyWork): boolean {
  return work.active === null && work.turn === null && !hasWaiters(work);
}

function hasWaiters({ readers, conditions }: KeyWork): boolean {
  return !readers.isEmpty || conditions.length > 0;
}
