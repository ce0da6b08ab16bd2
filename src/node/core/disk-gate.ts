/**
 * Answers to WRITEs that wait for the disk (PROTOCOL D1). An ACK says "it is on my disk", a STALE "something higher
 * is": whoever loses power right after either comes back with no less. To the asker an answer that waited is one that
 * was long on its way.
 *
 * Answers wait in the order of the changes they stand for, so only the front is looked at.
 */
import type { FencedReason, Link, WriteMessage } from '../../protocol/messages.js';
import { WriteKind } from '../../protocol/messages.js';
import type { Answers } from './answers.js';
import type { Journal } from './journal.js';
import { noRecord } from './store.js';
import type { KeyStore, RecordId } from './store.js';

/** Answers that may wait in one node; further writes are refused meanwhile. */
const waitingMax = 65_536;

interface Waiting {
  /** Number of the change that must be on the disk. */
  readonly noted: number;
  readonly link: Link;
  readonly rid: number;
  /** What a STALE is about; -1: an ACK. */
  readonly slot: number;
  readonly key: string;
  readonly kind: WriteKind;
}

export class DiskGate {
  readonly #journal: Journal;
  readonly #store: KeyStore;
  readonly #answers: Answers;
  readonly #fence: (link: Link, rid: number, reason: FencedReason) => void;
  readonly #reasonGone: FencedReason;
  #waiting: Waiting[] = [];
  #sent = 0;

  constructor(
    journal: Journal,
    store: KeyStore,
    answers: Answers,
    fence: (link: Link, rid: number, reason: FencedReason) => void,
    reasonGone: FencedReason,
  ) {
    this.#journal = journal;
    this.#store = store;
    this.#answers = answers;
    this.#fence = fence;
    this.#reasonGone = reasonGone;
  }

  /** Too much waits already: whoever asks is to try again in a while. Replays settle what others have stored, and may go further. */
  isCrowdedFor(kind: WriteKind): boolean {
    if (this.#waiting.length - this.#sent >= waitingMax) return true;
    return kind === WriteKind.plain ? this.#journal.isCrowded : this.#journal.isOverfull;
  }

  /** What the answer to such a write says of the record is on the disk, or nobody asks for that. */
  #isSaved(record: RecordId, kind: WriteKind): boolean {
    const journal = this.#journal;
    if (!journal.isAwaited || journal.saved >= journal.noted) return true;
    // VALID is committed, and committed is on the disk of every member, unless a learner has just become full with a part (D3)
    // *[found]*. Of the list of conditional writes, which the answer to any other write speaks of, too, it says nothing (RMW5).
    return kind === WriteKind.plain && this.#store.isValid(record) && journal.saved >= journal.labelled;
  }

  ack(link: Link, { rid, kind }: WriteMessage, record: RecordId): void {
    if (this.#isSaved(record, kind)) this.#answers.ack(link, rid);
    else this.#wait(link, rid, -1, '', WriteKind.plain);
  }

  stale(link: Link, message: WriteMessage, record: RecordId): void {
    if (this.#isSaved(record, message.kind)) this.#answers.stale(link, message.rid, message.kind, record);
    else this.#wait(link, message.rid, this.#store.slotOf(record), message.key, message.kind);
  }

  #wait(link: Link, rid: number, slot: number, key: string, kind: WriteKind): void {
    this.#waiting.push({ noted: this.#journal.noted, link, rid, slot, key, kind });
  }

  /** More is on the disk now. */
  onSaved(): void {
    const { saved } = this.#journal;
    const waiting = this.#waiting;
    for (
      let next = waiting[this.#sent];
      next !== undefined && next.noted <= saved;
      next = waiting[this.#sent]
    ) {
      this.#sent++;
      this.#answer(next);
    }
    if (this.#sent === waiting.length) {
      this.#waiting = [];
      this.#sent = 0;
    } else if (this.#sent > waitingMax) {
      this.#waiting = waiting.slice(this.#sent);
      this.#sent = 0;
    }
  }

  #answer({ link, rid, slot, key, kind }: Waiting): void {
    if (slot < 0) {
      this.#answers.ack(link, rid);
      return;
    }
    const record = this.#store.get(slot, key);
    // The slot was lost meanwhile. Whatever version is there now is no lower than the one that was saved.
    // Nor is a connection to be filled with values: whoever is fenced asks again.
    if (record === noRecord || link.isFull) this.#fence(link, rid, this.#reasonGone);
    else this.#answers.stale(link, rid, kind, record);
  }
}
