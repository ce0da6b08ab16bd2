/**
 * Reads at a replica (PROTOCOL R1, R2): answered with what is known to be committed only. An INVALID key parks its readers,
 * until the version that they found, or a later one, is known to be; see waiting-readers.ts.
 */
import { RefusedReason } from '../../protocol/messages.js';
import type { FencedReason, GetMessage, Link } from '../../protocol/messages.js';
import type { Version } from '../../protocol/version.js';
import type { Answers } from './answers.js';
import type { KeyWork, KeyWorks } from './key-work.js';
import type { Membership } from './membership.js';
import type { NodePorts } from './ports.js';
import type { SlotCounts } from './slot-loads.js';
import { noRecord } from './store.js';
import type { KeyStore, RecordId } from './store.js';
import type { WaitRoom } from './wait-room.js';
import type { FormerEntry, Reader } from './waiting-readers.js';

export interface ReadsParts {
  readonly ports: NodePorts;
  readonly membership: Membership;
  readonly store: KeyStore;
  readonly works: KeyWorks;
  readonly waitRoom: WaitRoom;
  readonly answers: Answers;
  readonly counts: SlotCounts;
  readonly serviceFault: (slot: number) => FencedReason | -1;
  readonly isLive: (record: RecordId) => boolean;
  readonly fence: (link: Link, rid: number, reason: FencedReason) => void;
}

export class Reads {
  readonly #ports: NodePorts;
  readonly #membership: Membership;
  readonly #store: KeyStore;
  readonly #works: KeyWorks;
  readonly #waitRoom: WaitRoom;
  readonly #answers: Answers;
  readonly #counts: SlotCounts;
  readonly #serviceFault: ReadsParts['serviceFault'];
  readonly #isLive: ReadsParts['isLive'];
  readonly #fence: ReadsParts['fence'];

  constructor(parts: ReadsParts) {
    this.#ports = parts.ports;
    this.#membership = parts.membership;
    this.#store = parts.store;
    this.#works = parts.works;
    this.#waitRoom = parts.waitRoom;
    this.#answers = parts.answers;
    this.#counts = parts.counts;
    this.#serviceFault = parts.serviceFault;
    this.#isLive = parts.isLive;
    this.#fence = parts.fence;
  }

  /** R1, R2. */
  onGet(link: Link, message: GetMessage): void {
    const key = message.keyView ?? message.key;
    const slot = this.#membership.map?.slotOf(key) ?? 0;
    const fault = this.#serviceFault(slot);
    if (fault !== -1) {
      this.#fence(link, message.rid, fault);
      return;
    }
    this.#counts.read(slot);
    const record = this.#store.get(slot, key);
    if (record === noRecord || this.#store.isValid(record)) {
      this.#answer(link, message.rid, message.versionOnly, record);
      return;
    }
    this.#wait({ link, rid: message.rid, versionOnly: message.versionOnly }, record);
  }

  /** R2: until the key is VALID. @returns false: it is */
  park(link: Link, rid: number, record: RecordId): boolean {
    if (this.#store.isValid(record)) return false;
    this.#wait({ link, rid, versionOnly: false }, record);
    return true;
  }

  #wait(reader: Reader, record: RecordId): void {
    if (!this.#waitRoom.enter()) {
      this.#answers.refused(reader.link, reader.rid, RefusedReason.queueFull);
      return;
    }
    const work = this.#works.at(record);
    this.#works.beginWait(work);
    work.readers.add(reader);
  }

  #answer(link: Link, rid: number, versionOnly: boolean, record: RecordId): void {
    const live = record !== noRecord && this.#isLive(record) ? record : noRecord;
    this.#answers.value(link, rid, live, versionOnly);
  }

  /** The key is VALID. */
  serveAll(record: RecordId, work: KeyWork): void {
    for (const reader of work.readers.takeAll()) this.#serve(reader, record, work, null);
  }

  /**
   * One of many, perhaps, on a connection that was only given small requests: one that is full is left to the next tick.
   * @param former null: what is there now
   */
  #serve(reader: Reader, record: RecordId, work: KeyWork, former: FormerEntry | null): void {
    const { link, rid, versionOnly } = reader;
    const fault = this.#serviceFault(this.#store.slotOf(record));
    if (fault === -1 && link.isFull) {
      work.readers.add(reader);
      return;
    }
    this.#waitRoom.leave();
    if (fault !== -1) this.#fence(link, rid, fault);
    else if (former === null) this.#answer(link, rid, versionOnly, record);
    else this.#answers.former(link, rid, former, versionOnly);
  }

  /** R2: what is there is about to be overwritten, and may turn out to be committed. */
  keep(record: RecordId): void {
    const work = this.#works.at(record);
    const { readers, active } = work;
    const isUnderWay = active !== null && this.#store.compareVersion(active.version, record) === 0;
    if (!readers.wantsEntry(isUnderWay)) return;
    // Of what one client wrote at once the last is enough: its VALIDATEs come together as well.
    const nowMs = this.#ports.nowMs();
    if (work.keptAtMs === nowMs && !isUnderWay) return;
    work.keptAtMs = nowMs;
    const value = this.#isLive(record) ? this.#store.valueOf(record) : null;
    readers.keep({ version: this.#store.versionOf(record), value });
  }

  /** R2: that version is committed, and another one has taken its place. */
  serveFormer(record: RecordId, version: Version): void {
    const work = this.#works.get(record);
    const due = work?.readers.takeUpTo(version);
    if (work === undefined || !due) return;
    // None of this serves a conditional write that waits, too: it needs the replay that this would put off.
    if (work.conditions.length === 0) {
      this.#works.expectSoon(work);
      this.#works.moved(work);
    }
    for (const reader of due.readers) this.#serve(reader, record, work, due.entry);
    this.#works.dropIfIdle(record, work);
  }

  /** Everybody who waits at the key is sent elsewhere. */
  dismiss(work: KeyWork, reason: FencedReason): void {
    for (const { link, rid } of work.readers.takeAll()) {
      this.#waitRoom.leave();
      this.#fence(link, rid, reason);
    }
  }
}
