/**
 * The requests that nearly all are, worked off where they lie in their frames (ADR 22): a GET of a plain value, a plain WRITE
 * under the own epoch that is later than what is there, a VALIDATE. No message object, no key string, few layers: at a few
 * messages a turn it is the code, cold again each time, that takes the time.
 *
 * Whatever meets anything else - another epoch, no right to serve, a key whose turn somebody has, a disk - is left to `Replica`, which handles all that is handled here, too, and to the same effect: `onFrame` has changed
 * nothing then. The simulator lets requests go either way by turns.
 */
import type { Buffer } from 'node:buffer';
import { MessageType } from '../../protocol/message-type.js';
import type { PlainValue, RequestLink } from '../../protocol/messages.js';
import { firstRidAt, PlainFrame, plainTypeOf, ridAt, ridBytes } from '../../protocol/plain-frame.js';
import type { AcceptedWrites } from './accepted-writes.js';
import type { Admission } from './admission.js';
import type { Membership } from './membership.js';
import type { NodePorts } from './ports.js';
import type { SettleQueue } from './settle-queue.js';
import type { SlotCounts } from './slot-loads.js';
import { Hold, noRecord } from './store.js';
import type { KeyStore, RecordId } from './store.js';

/** What it shares with the replica. */
export interface PlainRequestsParts {
  readonly ports: NodePorts;
  readonly membership: Membership;
  readonly admission: Admission;
  readonly store: KeyStore;
  readonly counts: SlotCounts;
  readonly accepted: AcceptedWrites;
  readonly settleQueue: SettleQueue;
  /** Every change goes to a disk. */
  readonly hasJournal: boolean;
  /** W9. */
  readonly validate: (link: RequestLink, rid: number) => void;
  /** R2: a GET of a key that is INVALID waits. @returns false: the key is VALID, and nothing has happened */
  readonly park: (link: RequestLink, rid: number, record: RecordId) => boolean;
  /** Others wait at the key of a plain WRITE. @returns false: it may have to wait, too */
  readonly makeWay: (record: RecordId) => boolean;
}

export class PlainRequests {
  readonly #ports: NodePorts;
  readonly #membership: Membership;
  readonly #admission: Admission;
  readonly #store: KeyStore;
  readonly #counts: SlotCounts;
  readonly #accepted: AcceptedWrites;
  readonly #settleQueue: SettleQueue;
  readonly #hasJournal: boolean;
  readonly #validate: (link: RequestLink, rid: number) => void;
  readonly #park: PlainRequestsParts['park'];
  readonly #makeWay: PlainRequestsParts['makeWay'];
  readonly #frame = new PlainFrame();
  readonly #value: PlainValue = { hlc: 0, clientId: 0, memory: new ArrayBuffer(0), at: 0, length: 0 };

  constructor(parts: PlainRequestsParts) {
    this.#ports = parts.ports;
    this.#membership = parts.membership;
    this.#admission = parts.admission;
    this.#store = parts.store;
    this.#counts = parts.counts;
    this.#accepted = parts.accepted;
    this.#settleQueue = parts.settleQueue;
    this.#hasJournal = parts.hasJournal;
    this.#validate = parts.validate;
    this.#park = parts.park;
    this.#makeWay = parts.makeWay;
  }

  /** @returns whether the request in [start, end) has been worked off; false: decode it, and go the general way */
  onFrame(link: RequestLink, buffer: Buffer, start: number, end: number): boolean {
    switch (plainTypeOf(buffer, start)) {
      case MessageType.get:
        return this.#frame.readGet(buffer, start, end) && this.#get(link);
      case MessageType.write:
        return !this.#hasJournal && this.#frame.readWrite(buffer, start, end) && this.#write(link);
      case MessageType.validate:
        return this.#frame.readValidate(buffer, start, end) && this.#validateAll(link, buffer, start, end);
      default:
        return false;
    }
  }

  /** R1, R2, R4. */
  #get(link: RequestLink): boolean {
    const { rid, key } = this.#frame;
    const slot = this.#membership.map?.slotOf(key) ?? 0;
    if (this.#admission.serviceFault(slot) !== -1) return false;
    const record = this.#store.get(slot, key);
    if (record === noRecord) return false;
    if (this.#store.plainValueOf(record, this.#value)) link.sendPlainValue(rid, this.#value);
    else if (!this.#park(link, rid, record)) return false;
    this.#counts.read(slot);
    return true;
  }

  /** W3, W4. */
  #write(link: RequestLink): boolean {
    const frame = this.#frame;
    const slot = this.#membership.map?.slotOf(frame.key) ?? 0;
    if (!this.#admission.takesPlain(slot, frame)) return false;
    const store = this.#store;
    const record = store.get(slot, frame.key);
    if (record === noRecord || frame.hlc <= store.hlcOf(record)) return false;
    if (store.holds(record, Hold.work) && !this.#makeWay(record)) return false;
    const nowMs = this.#ports.nowMs();
    const { hlc, clientId, memory, memoryOffset, valueAt, valueLength } = frame;
    if (!store.writePlain(record, hlc, clientId, memory, memoryOffset + valueAt, valueLength, nowMs))
      return false;
    this.#counts.wrote(slot);
    this.#settleQueue.push(record, nowMs);
    this.#accepted.notePlain(link, frame, record);
    link.sendAck(frame.rid);
    return true;
  }

  /** The whole run, even if its end of the connection should close meanwhile: what was committed is committed. */
  #validateAll(link: RequestLink, buffer: Buffer, start: number, end: number): boolean {
    for (let at = start + firstRidAt; at < end; at += ridBytes) {
      const rid = ridAt(buffer, at);
      if (!this.#accepted.validatePlain(link, rid)) this.#validate(link, rid);
    }
    return true;
  }
}
