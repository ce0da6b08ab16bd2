/** Which WRITEs a replica takes: epoch, membership and lease (PROTOCOL W3), limits, age (W10), room (D4). */
import { ProtocolError } from '../../protocol/errors.js';
import type { KeyView } from '../../protocol/key-view.js';
import { FencedReason, RefusedReason, WriteKind } from '../../protocol/messages.js';
import type { Link, WriteMessage } from '../../protocol/messages.js';
import { areKeyBytes } from '../../protocol/partition.js';
import type { PlainFrame } from '../../protocol/plain-frame.js';
import { clockAheadMsMax } from '../../protocol/settings.js';
import type { FellowRoom } from './fellow-room.js';
import type { Journal } from './journal.js';
import type { Lease } from './lease.js';
import { Role } from './membership.js';
import type { Membership } from './membership.js';
import { roomFault } from './room.js';
import type { KeyStore } from './store.js';

/** No WRITE may have more. Conditional writes count up from what they find (RMW2), and end well before that. */
const seqMax = 2 ** 48;
/** Of what a conditional write makes. */
export const seqMadeMax = 2 ** 47;

/** @throws ProtocolError: nobody could name such a key to read or delete it, and no backup could hold it */
export function checkKeyBytes(key: string | KeyView): void {
  if (!areKeyBytes(key)) throw new ProtocolError('a key that is empty, or no UTF-8');
}

export class Admission {
  readonly #membership: Membership;
  readonly #lease: Lease;
  readonly #journal: Journal;
  readonly #store: KeyStore;
  readonly #fellows: FellowRoom;
  readonly #mapWanted: () => void;

  constructor(
    membership: Membership,
    lease: Lease,
    journal: Journal,
    store: KeyStore,
    fellows: FellowRoom,
    mapWanted: () => void,
  ) {
    this.#membership = membership;
    this.#lease = lease;
    this.#journal = journal;
    this.#store = store;
    this.#fellows = fellows;
    this.#mapWanted = mapWanted;
  }

  /** Why the slot takes no such WRITE here; -1: it does (W3). */
  fault(slot: number, message: WriteMessage): FencedReason | -1 {
    const membership = this.#membership;
    if (message.epoch > membership.epoch) {
      this.#mapWanted();
      return FencedReason.behind;
    }
    if (membership.role(slot) === Role.none) return FencedReason.notReplica;
    if (message.epoch < (membership.map?.slots[slot]?.changedAt ?? Infinity)) return FencedReason.oldEpoch;
    return this.#rightFault(slot);
  }

  /** Why the slot is not served here (R1, R4); -1: it is. */
  serviceFault(slot: number): FencedReason | -1 {
    if (this.#membership.role(slot) !== Role.full) return FencedReason.notReplica;
    return this.#rightFault(slot);
  }

  /** Why a member of the slot has no right to act in it now; -1: it has. */
  #rightFault(slot: number): FencedReason | -1 {
    if (this.#membership.isLeaving(slot)) return this.#lease.isPromised(slot) ? -1 : FencedReason.leaving;
    return this.#lease.holds(slot) ? -1 : FencedReason.noLease;
  }

  /**
   * Why this WRITE is refused although the slot is in order; -1: it is not.
   * @throws ProtocolError for a key that no client lets anybody store; what fellows have already is settled with them
   */
  refusal({ isOfNode }: Link, slot: number, message: WriteMessage): RefusedReason | -1 {
    const key = message.keyView ?? message.key;
    if (!isOfNode || message.kind === WriteKind.plain) checkKeyBytes(key);
    const settings = this.#membership.map?.settings;
    if (settings === undefined) return -1;
    if (key.length > settings.keyBytesMax) return RefusedReason.keyTooLarge;
    if (message.value !== null && message.value.length > settings.valueBytesMax)
      return RefusedReason.valueTooLarge;
    // What is there already is settled with the room that is kept for it.
    const noRoom =
      message.kind === WriteKind.plain
        ? roomFault(slot, message.value, this.#journal, this.#store, this.#fellows)
        : -1;
    if (noRoom !== -1) return noRoom;
    const { hlc, seq } = message.version;
    // W1: a plain write counts nothing.
    if (this.#isFromFuture(hlc) || seq > (message.kind === WriteKind.plain ? 0 : seqMax))
      return RefusedReason.fromFuture;
    // A replay may be late without harm: nobody can have committed and forgotten a tombstone without this member.
    if (message.kind === WriteKind.plain && hlc < this.oldestPlainHlc()) return RefusedReason.tooOld;
    return -1;
  }

  #isFromFuture(hlc: number): boolean {
    return hlc > this.#lease.clock.nowUs() + clockAheadMsMax * 1000;
  }

  /** W10: older plain writes are refused, by the latest that the manager's clock may show. */
  oldestPlainHlc(): number {
    const { clock } = this.#lease;
    return clock.nowUs() + clock.errorUs - (this.#membership.map?.settings.writeAgeMsMax ?? 0) * 1000;
  }

  /** Neither `fault` nor `refusal` has anything against such a plain WRITE made under the own epoch; false: perhaps they have. */
  takesPlain(slot: number, { epoch, hlc, key, valueLength }: PlainFrame): boolean {
    const { map, epoch: ownEpoch } = this.#membership;
    if (map === null || epoch !== ownEpoch || this.#membership.role(slot) === Role.none) return false;
    // What is written in place needs no memory; but which way a write goes must not decide what becomes of it (ADR 22).
    if (this.#rightFault(slot) !== -1 || this.#store.isFull || !this.#fellows.isNone) return false;
    const { keyBytesMax, valueBytesMax } = map.settings;
    if (key.length > keyBytesMax || valueLength > valueBytesMax) return false;
    return !this.#isFromFuture(hlc) && hlc >= this.oldestPlainHlc();
  }
}
