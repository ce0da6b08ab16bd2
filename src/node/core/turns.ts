/**
 * A turn among puts (PROTOCOL RMW7).
 *
 * A call that reads a key and writes it on that condition would be refused for as long as others put the key without a pause,
 * for there is always a put between. So who was refused often asks for a turn: for a moment the plain WRITEs of that key wait at
 * the primary, until a conditional write has been stored there. To those who put, that is a message that took longer.
 *
 * Invariants:
 *  - A turn ends `turnMsMax` after it began, if nothing else ends it before, and what has waited is taken before another begins.
 *  - Each WRITE that waits is taken as if it came then, in the order in which they came; or fenced, or gone with its connection.
 */
import { copyBytes } from '../../protocol/copy-bytes.js';
import { WriteKind } from '../../protocol/messages.js';
import type { FencedReason, Link, WriteMessage } from '../../protocol/messages.js';
import { cloneVersion } from '../../protocol/version.js';
import type { KeyWork, KeyWorks } from './key-work.js';
import type { Membership } from './membership.js';
import type { NodePorts } from './ports.js';
import { noRecord } from './store.js';
import type { KeyStore, RecordId } from './store.js';
import type { WaitRoom } from './wait-room.js';

/** Time for an answer and for what follows it. */
const turnMsMax = 25;

/** A plain WRITE that waits: a copy, for messages are scratch. */
interface WaitingWrite {
  readonly link: Link;
  readonly message: WriteMessage;
}

/** At one key. */
export interface Turn {
  readonly endsAtMs: number;
  writes: WaitingWrite[];
}

export interface TurnsParts {
  readonly ports: NodePorts;
  readonly membership: Membership;
  readonly store: KeyStore;
  readonly works: KeyWorks;
  readonly waitRoom: WaitRoom;
  /** As one that has just come. */
  readonly take: (link: Link, message: WriteMessage) => void;
  readonly fence: (link: Link, rid: number, reason: FencedReason) => void;
}

export class Turns {
  readonly #parts: TurnsParts;
  /** Keys where there is one. */
  #count = 0;

  constructor(parts: TurnsParts) {
    this.#parts = parts;
  }

  /** Somebody wants to write the key on condition of what is there. Only plain writes get in the way of that again and again. */
  begin(record: RecordId): void {
    const { store, works, ports } = this.#parts;
    if (store.versionOf(record).seq !== 0) return;
    const work = works.at(record);
    if (work.turn !== null) return;
    work.turn = { endsAtMs: ports.nowMs() + turnMsMax, writes: [] };
    this.#count++;
  }

  /** Whether the WRITE waits; false: it is to be taken now. */
  delays(link: Link, message: WriteMessage): boolean {
    if (this.#count === 0 || message.kind !== WriteKind.plain) return false;
    const { store, membership, works, waitRoom } = this.#parts;
    const key = message.keyView ?? message.key;
    const record = store.get(membership.map?.slotOf(key) ?? 0, key);
    const turn = record === noRecord ? null : (works.get(record)?.turn ?? null);
    if (turn === null) return false;
    if (this.#isOver(turn) || !waitRoom.enter(message)) {
      this.end(record);
      return false;
    }
    const { version, value } = message;
    const copy = {
      ...message,
      key: store.keyOf(record),
      version: cloneVersion(version),
      value: copyBytes(value),
    };
    turn.writes.push({ link, message: copy });
    return true;
  }

  #isOver({ endsAtMs }: Turn): boolean {
    return this.#parts.ports.nowMs() >= endsAtMs;
  }

  /** A conditional write has been stored there, or it is time: what has waited is taken. */
  end(record: RecordId): void {
    const work = this.#parts.works.get(record);
    if (work === undefined) return;
    for (const { link, message } of this.#takeAll(work)) this.#parts.take(link, message);
    this.#parts.works.dropIfIdle(record, work);
  }

  tick(record: RecordId, { turn }: KeyWork): void {
    if (turn !== null && this.#isOver(turn)) this.end(record);
  }

  /** Whoever waits at the key is sent elsewhere. */
  dismiss(work: KeyWork, reason: FencedReason): void {
    for (const { link, message } of this.#takeAll(work)) this.#parts.fence(link, message.rid, reason);
  }

  #takeAll(work: KeyWork): readonly WaitingWrite[] {
    const { turn } = work;
    if (turn === null) return [];
    work.turn = null;
    this.#count--;
    for (const { message } of turn.writes) this.#parts.waitRoom.leave(message);
    return turn.writes;
  }

  /** As if they had been lost with it. */
  onLinkClosed(link: Link): void {
    if (this.#count === 0) return;
    for (const [, { turn }] of this.#parts.works) {
      if (turn === null) continue;
      for (const write of turn.writes) if (write.link === link) this.#parts.waitRoom.leave(write.message);
      turn.writes = turn.writes.filter((write) => write.link !== link);
    }
  }
}
