/**
 * Conditional writes at the primary (PROTOCOL RMW1-RMW5): compare-and-set, put-if-absent, conditional delete.
 *
 * The primary makes the key VALID, evaluates the condition, and writes the outcome with a version right above the
 * one it evaluated, so that no plain write can fall between (RMW2). One at a time per key: the next waits.
 *
 * A key without any record has no version to sit above. Its conditional write gets `(f, 0, n, epoch)`, where `f` is
 * older than any plain write that is still accepted (W10) and newer than any tombstone that may have been dropped,
 * and `n` never repeats in this process. So nothing fits between "absent" and it, and no version is ever used twice.
 */
import { extendApplied, findApplied } from '../../protocol/applied-list.js';
import type { AppliedList } from '../../protocol/applied-list.js';
import { copyBytes } from '../../protocol/copy-bytes.js';
import { ConditionStatus, FencedReason, MessageType, RefusedReason, Want } from '../../protocol/messages.js';
import type { ConditionMessage, Link } from '../../protocol/messages.js';
import { cloneVersion, versionZero } from '../../protocol/version.js';
import type { Version } from '../../protocol/version.js';
import { checkKeyBytes, seqMadeMax } from './admission.js';
import type { Journal } from './journal.js';
import type { Condition } from './key-work.js';
import { LateFirsts } from './late-firsts.js';
import type { Lease } from './lease.js';
import type { Membership } from './membership.js';
import type { PeerWrite } from './peer-writes.js';
import type { NodePorts } from './ports.js';
import type { Replica } from './replica.js';
import { roomFault } from './room.js';
import { Hold, noRecord } from './store.js';
import type { RecordId } from './store.js';

export class Conditions {
  readonly #membership: Membership;
  readonly #lease: Lease;
  readonly #replica: Replica;
  readonly #journal: Journal;
  readonly #mapWanted: () => void;
  readonly #lateFirsts: LateFirsts;
  /** Conditional writes on absent keys so far. */
  #absentCount = 0;

  constructor(
    ports: NodePorts,
    membership: Membership,
    lease: Lease,
    replica: Replica,
    journal: Journal,
    mapWanted: () => void,
  ) {
    this.#membership = membership;
    this.#lease = lease;
    this.#replica = replica;
    this.#journal = journal;
    this.#mapWanted = mapWanted;
    this.#lateFirsts = new LateFirsts(ports);
  }

  /** @throws ProtocolError for a key that no client lets anybody store */
  onCondition(link: Link, message: ConditionMessage): void {
    checkKeyBytes(message.key);
    const map = this.#membership.map;
    const slot = map === null ? 0 : map.slotOf(message.key);
    const fault = this.#fault(slot, message.epoch);
    if (fault !== -1) {
      this.#replica.fence(link, message.rid, fault);
      return;
    }
    const refusal = this.#refusal(slot, message);
    if (refusal !== -1) {
      this.#replica.refuse(link, message.rid, refusal);
      return;
    }
    const condition = copyOf(message, link, slot);
    if (this.#lateFirsts.isLate(message)) {
      this.interrupted(condition);
      return;
    }
    this.#replica.counts.wrote(slot);
    const { store } = this.#replica;
    const record = store.get(slot, message.key);
    const isFree = record === noRecord || (store.isValid(record) && !store.holds(record, Hold.work));
    if (isFree) this.run(condition, record);
    else this.#replica.park(condition, record);
  }

  #fault(slot: number, epoch: number): FencedReason | -1 {
    const membership = this.#membership;
    if (epoch > membership.epoch) {
      this.#mapWanted();
      return FencedReason.behind;
    }
    const fault = this.#replica.serviceFault(slot);
    if (fault !== -1) return fault;
    if (epoch < (membership.map?.slots[slot]?.changedAt ?? Infinity)) return FencedReason.oldEpoch;
    return membership.isPrimary(slot) ? -1 : FencedReason.notPrimary;
  }

  #refusal(slot: number, message: ConditionMessage): RefusedReason | -1 {
    const settings = this.#membership.map?.settings;
    if (settings === undefined) return -1;
    if (message.key.length > settings.keyBytesMax) return RefusedReason.keyTooLarge;
    const { store, fellows } = this.#replica;
    const noRoom = roomFault(slot, message.value, this.#journal, store, fellows);
    if (noRoom !== -1) return noRoom;
    if (this.#journal.isCrowded) return RefusedReason.queueFull;
    const tooLarge = message.value !== null && message.value.length > settings.valueBytesMax;
    return tooLarge ? RefusedReason.valueTooLarge : -1;
  }

  /**
   * RMW1: the key is VALID (or has no record) and no other conditional write of it is under way. While this one waited
   * another node may have become the primary; two that evaluate in one epoch would give one version to two writes.
   *
   * @param record `noRecord`: the key has none
   */
  run(condition: Condition, record: RecordId): void {
    const serviceFault = this.#replica.serviceFault(condition.slot);
    const isPrimary = this.#membership.isPrimary(condition.slot);
    const fault = serviceFault === -1 && !isPrimary ? FencedReason.notPrimary : serviceFault;
    if (fault !== -1) {
      this.#replica.fence(condition.link, condition.rid, fault);
      return;
    }
    const appliedAs = { ...versionZero };
    const applied = record === noRecord ? null : this.#replica.store.appliedOf(record);
    if (findApplied(applied, condition.opClientId, condition.opNumber, appliedAs)) {
      this.#confirm(condition, record);
      return;
    }
    const matches = this.#matches(condition, record);
    if (condition.retried && !this.#provesNotApplied(condition, record, matches)) {
      this.#answer(condition, ConditionStatus.unknown, versionZero);
    } else if (!matches) {
      this.#answerNotApplied(condition, record);
    } else if (!this.#replica.peerWrites.reachesAll(condition.slot)) {
      this.#replica.fence(condition.link, condition.rid, FencedReason.memberUnreachable);
    } else {
      this.#apply(condition, record, applied);
    }
  }

  /**
   * RMW5: that the list names it proves nothing while another member may have a later list, of a sibling that displaced it:
   * the list goes to all of them first. *[found]*
   */
  #confirm(condition: Condition, record: RecordId): void {
    if (this.#replica.peerWrites.reachesAll(condition.slot)) this.#replica.confirm(condition, record);
    else this.#replica.fence(condition.link, condition.rid, FencedReason.memberUnreachable);
  }

  #matches(condition: Condition, record: RecordId): boolean {
    const isLive = record !== noRecord && this.#replica.isLive(record);
    if (condition.expectAbsent) return !isLive;
    return isLive && this.#replica.store.compareVersion(condition.expected, record) === 0;
  }

  /** RMW5: an earlier attempt would have left a trace that is not there. */
  #provesNotApplied(condition: Condition, record: RecordId, matches: boolean): boolean {
    return condition.expectAbsent ? record === noRecord : matches;
  }

  #apply(condition: Condition, existing: RecordId, appliedBefore: AppliedList | null): void {
    const version = this.#nextVersion(existing);
    if (version.seq > seqMadeMax) {
      this.#replica.refuse(condition.link, condition.rid, RefusedReason.fromFuture);
      return;
    }
    const record =
      existing === noRecord ? this.#replica.store.getOrInsert(condition.slot, condition.key) : existing;
    const applied = extendApplied(appliedBefore, condition.opClientId, condition.opNumber, version);
    this.#replica.drive(condition, record, version, applied);
  }

  /** RMW2. */
  #nextVersion(record: RecordId): Version {
    const epoch = this.#membership.epoch;
    if (record !== noRecord) {
      const current = this.#replica.store.versionOf(record);
      return { hlc: current.hlc, clientId: current.clientId, seq: current.seq + 1, epoch };
    }
    const { tombstoneMs = 0, writeAgeMsMax = 0 } = this.#membership.map?.settings ?? {};
    const hlc = Math.floor(this.#lease.clock.nowUs() - (tombstoneMs + writeAgeMsMax) * 500);
    return { hlc: Math.max(0, hlc), clientId: 0, seq: ++this.#absentCount, epoch };
  }

  /** RMW4: success is told only if nothing changed meanwhile; otherwise the client asks again with the same id. */
  committed(condition: Condition, write: PeerWrite): void {
    const membership = this.#membership;
    const unchanged = membership.map?.slots[condition.slot]?.changedAt === write.changedAt;
    if (!unchanged || this.#replica.serviceFault(condition.slot) !== -1) this.interrupted(condition);
    else if (condition.isConfirming) this.#answerIfListed(condition);
    else this.#answerApplied(condition, write.version);
  }

  /** All members have the list of this one now. */
  #answerIfListed(condition: Condition): void {
    const { store } = this.#replica;
    const record = store.get(condition.slot, condition.key);
    const applied = record === noRecord ? null : store.appliedOf(record);
    const appliedAs = { ...versionZero };
    if (findApplied(applied, condition.opClientId, condition.opNumber, appliedAs))
      this.#answerApplied(condition, appliedAs);
    else this.interrupted(condition);
  }

  interrupted(condition: Condition): void {
    this.#answer(condition, ConditionStatus.interrupted, versionZero);
  }

  #answerApplied(condition: Condition, version: Version): void {
    this.#answer(condition, ConditionStatus.applied, version, condition.value !== null);
  }

  #answerNotApplied(condition: Condition, record: RecordId): void {
    if (condition.wantTurn && record !== noRecord) this.#replica.turns.begin(record);
    // One of many that waited here, perhaps; nothing has been done, so it may as well be asked for again.
    if (condition.wantValue && condition.link.isFull) {
      this.#replica.fence(condition.link, condition.rid, FencedReason.memberUnreachable);
      return;
    }
    const isLive = record !== noRecord && this.#replica.isLive(record);
    const version = isLive ? this.#replica.store.versionOf(record) : versionZero;
    const value = isLive && condition.wantValue ? this.#replica.store.valueOf(record) : null;
    this.#answer(condition, ConditionStatus.notApplied, version, isLive, value);
  }

  #answer(
    { link, rid }: Condition,
    status: ConditionStatus,
    version: Version,
    present = false,
    value: Uint8Array | null = null,
  ): void {
    link.send({ type: MessageType.conditionResult, rid, status, version, present, value });
  }
}

/** The message is scratch and its value a view: what may have to wait is copied. */
function copyOf(message: ConditionMessage, link: Link, slot: number): Condition {
  return {
    link,
    rid: message.rid,
    opClientId: message.opClientId,
    opNumber: message.opNumber,
    retried: message.retried,
    wantValue: (message.wants & Want.value) !== 0,
    wantTurn: (message.wants & Want.turn) !== 0,
    expectAbsent: message.expectAbsent,
    expected: cloneVersion(message.expected),
    slot,
    key: message.key,
    value: copyBytes(message.value),
    expiresAtMs: message.expiresAtMs,
    isConfirming: false,
  };
}
