/**
 * The replica: what one node does with the keys of its slots (PROTOCOL W3, W4, W9, W10, R1-R4).
 *
 * Every key is VALID (known to be committed) or INVALID (stored, perhaps not committed). A read is answered from a
 * VALID key only; an INVALID one parks its readers until a VALIDATE comes or this replica replays the write itself.
 *
 * Invariants, asserted where they could break:
 * - the version of a key never falls, and VALID never returns to INVALID at the same version;
 * - a learner, or a node without a right to serve the slot, answers no read;
 * - every request is answered exactly once, parked ones included.
 *
 * Conditional writes are in conditions.ts; both share the records, and `wake` hands a key from one to the other.
 */
import { compareApplied } from '../../protocol/applied-list.js';
import type { AppliedList } from '../../protocol/applied-list.js';
import { FencedReason, RefusedReason, WriteKind } from '../../protocol/messages.js';
import type {
  Entry,
  GetMessage,
  Link,
  StaleMessage,
  ValidateMessage,
  WriteMessage,
} from '../../protocol/messages.js';
import { clockAheadMsMax } from '../../protocol/settings.js';
import { compareVersions, copyVersion } from '../../protocol/version.js';
import type { Version } from '../../protocol/version.js';
import { AcceptedWrites } from './accepted-writes.js';
import { Answers } from './answers.js';
import type { Condition, KeyWork, Reader } from './key-work.js';
import { isIdle, newKeyWork } from './key-work.js';
import type { Lease } from './lease.js';
import { Role } from './membership.js';
import type { Membership, RoleChange } from './membership.js';
import { PeerWrites } from './peer-writes.js';
import type { PeerWrite, PeerWriteOwner } from './peer-writes.js';
import type { NodePorts, NodeTimings } from './ports.js';
import { SettleQueue } from './settle-queue.js';
import type { KeyRecord, KeyStore } from './store.js';

/** Readers and conditional writes that may wait in one node; further ones are refused. */
const waitersMax = 65_536;
const replayBackoffMsMax = 500;

/** What the replica needs of the other parts of its node. */
export interface ReplicaOwner {
  /** A request carried an epoch that this node has not adopted. */
  mapWanted(): void;
  /** See-tell: a member left a request unanswered. */
  unanswered(nodeId: number): void;
  /** The key is VALID and free: run its next conditional write. */
  runCondition(condition: Condition, record: KeyRecord | undefined): void;
  /** A conditional write was decided at all members, or could not be. */
  conditionCommitted(condition: Condition, write: PeerWrite): void;
  conditionInterrupted(condition: Condition): void;
}

export class Replica implements PeerWriteOwner {
  readonly store: KeyStore;
  readonly peerWrites: PeerWrites;
  readonly #ports: NodePorts;
  readonly #membership: Membership;
  readonly #lease: Lease;
  readonly #timings: NodeTimings;
  readonly #owner: ReplicaOwner;
  /** Records somebody waits at. */
  readonly #waiting = new Set<KeyRecord>();
  readonly #settleQueue: SettleQueue;
  readonly #answers = new Answers();
  readonly #accepted = new AcceptedWrites();
  #waiters = 0;

  constructor(
    ports: NodePorts,
    membership: Membership,
    lease: Lease,
    store: KeyStore,
    timings: NodeTimings,
    nextRid: () => number,
    owner: ReplicaOwner,
  ) {
    this.#ports = ports;
    this.#membership = membership;
    this.#lease = lease;
    this.store = store;
    this.#timings = timings;
    this.#owner = owner;
    this.#settleQueue = new SettleQueue(timings.settleAfterMs);
    this.peerWrites = new PeerWrites(ports, membership, timings, nextRid, this);
  }

  /** Readers and conditional writes that wait at a key; none once the node is at rest. */
  get waiters(): number {
    return this.#waiters;
  }

  // --- answers -------------------------------------------------------------------------------------------------

  fence(link: Link, rid: number, reason: FencedReason): void {
    this.#answers.fenced(link, rid, this.#membership.epoch, reason);
  }

  refuse(link: Link, rid: number, reason: RefusedReason): void {
    this.#answers.refused(link, rid, reason);
  }

  /** A present value; tombstones and what has expired count as absent. */
  isLive(record: KeyRecord): boolean {
    if (record.value === null) return false;
    return record.expiresAtMs === 0 || record.expiresAtMs * 1000 > this.#lease.clockUs();
  }

  /** Why this node may not serve the slot as a full replica; -1: it may (R1, R4). */
  serviceFault(slot: number): FencedReason | -1 {
    if (this.#membership.role(slot) !== Role.full) return FencedReason.notReplica;
    if (this.#membership.isLeaving(slot)) return FencedReason.leaving;
    return this.#lease.holds(slot) ? -1 : FencedReason.noLease;
  }

  // --- writes --------------------------------------------------------------------------------------------------

  /** W3, W4. */
  onWrite(link: Link, message: WriteMessage): void {
    this.#accepted.note(link, message.rid, this.#write(link, message));
  }

  /** @returns the record that holds it now; null: it was not accepted. */
  #write(link: Link, message: WriteMessage): KeyRecord | null {
    const map = this.#membership.map;
    const slot = map === null ? 0 : map.slotOf(message.key);
    const fault = this.#acceptFault(slot, message);
    if (fault !== -1) {
      this.fence(link, message.rid, fault);
      return null;
    }
    const refusal = this.#refusal(message);
    if (refusal !== -1) {
      this.refuse(link, message.rid, refusal);
      return null;
    }
    const record = this.store.get(slot, message.key) ?? this.store.insert(slot, message.key);
    const order = compareVersions(message.version, record);
    this.#takeApplied(record, message.applied);
    if (order < 0) {
      this.#answers.stale(link, message, record);
      return null;
    }
    if (order > 0) this.#overwrite(record, message.version, message.value, message.expiresAtMs);
    this.#answers.ack(link, message.rid);
    return record;
  }

  #acceptFault(slot: number, message: WriteMessage): FencedReason | -1 {
    const membership = this.#membership;
    if (message.epoch > membership.epoch) {
      this.#owner.mapWanted();
      return FencedReason.behind;
    }
    if (membership.role(slot) === Role.none) return FencedReason.notReplica;
    if (message.epoch < (membership.map?.slots[slot]?.changedAt ?? Infinity)) return FencedReason.oldEpoch;
    if (membership.isLeaving(slot)) return FencedReason.leaving;
    return this.#lease.holds(slot) ? -1 : FencedReason.noLease;
  }

  #refusal(message: WriteMessage): RefusedReason | -1 {
    const settings = this.#membership.map?.settings;
    if (settings === undefined) return -1;
    if (message.key.length > settings.keyBytesMax) return RefusedReason.keyTooLarge;
    if (message.value !== null && message.value.length > settings.valueBytesMax)
      return RefusedReason.valueTooLarge;
    if (message.version.hlc > this.#lease.clockUs() + clockAheadMsMax * 1000) return RefusedReason.fromFuture;
    // A replay may be late without harm: nobody can have committed and forgotten a tombstone without this member.
    if (message.kind === WriteKind.plain && message.version.hlc < this.oldestPlainHlc())
      return RefusedReason.tooOld;
    return -1;
  }

  /** W10: older plain writes are refused. */
  oldestPlainHlc(): number {
    return this.#lease.clockUs() - (this.#membership.map?.settings.writeAgeMsMax ?? 0) * 1000;
  }

  /** RMW5: the later list replaces the earlier one whole, whatever happens to the value. */
  #takeApplied(record: KeyRecord, applied: AppliedList | null): void {
    if (applied !== null && compareApplied(applied, record.applied) > 0) record.applied = [...applied];
  }

  #overwrite(record: KeyRecord, version: Version, value: Uint8Array | null, expiresAtMs: number): void {
    copyVersion(version, record);
    this.store.assign(record, value);
    record.valid = false;
    record.expiresAtMs = expiresAtMs;
    record.storedAtMs = this.#ports.nowMs();
    this.#settleQueue.push(record, record.storedAtMs);
  }

  /** W9. */
  onValidate(link: Link, message: ValidateMessage): void {
    const record = this.#accepted.take(link, message.rid);
    if (record !== undefined && !record.valid) this.#makeValid(record);
  }

  onLinkClosed(link: Link): void {
    this.#accepted.onLinkClosed(link);
  }

  #makeValid(record: KeyRecord): void {
    record.valid = true;
    if (record.work !== null) this.wake(record);
  }

  // --- reads ---------------------------------------------------------------------------------------------------

  /** R1, R2. */
  onGet(link: Link, message: GetMessage): void {
    const map = this.#membership.map;
    const slot = map === null ? 0 : map.slotOf(message.key);
    const fault = this.serviceFault(slot);
    if (fault !== -1) {
      this.fence(link, message.rid, fault);
      return;
    }
    const record = this.store.get(slot, message.key);
    if (record === undefined || record.valid) {
      this.#answerGet(link, message.rid, message.versionOnly, record);
      return;
    }
    if (!this.#admitWaiter(link, message.rid)) return;
    this.#workOf(record).readers.push({ link, rid: message.rid, versionOnly: message.versionOnly });
  }

  #answerGet(link: Link, rid: number, versionOnly: boolean, record: KeyRecord | undefined): void {
    const live = record !== undefined && this.isLive(record) ? record : undefined;
    this.#answers.value(link, rid, live, versionOnly);
  }

  // --- waiting at a key ----------------------------------------------------------------------------------------

  #admitWaiter(link: Link, rid: number): boolean {
    if (this.#waiters < waitersMax) {
      this.#waiters++;
      return true;
    }
    this.refuse(link, rid, RefusedReason.queueFull);
    return false;
  }

  #workOf(record: KeyRecord): KeyWork {
    if (record.work === null) {
      record.work = newKeyWork(
        this.#ports.nowMs() + this.#timings.replayAfterMs * (1 + this.#ports.random()),
      );
      this.#waiting.add(record);
    }
    return record.work;
  }

  /** Parks a conditional write until the key is VALID and the ones before it are done. */
  park(condition: Condition, record: KeyRecord): void {
    if (this.#admitWaiter(condition.link, condition.rid)) this.#workOf(record).conditions.push(condition);
  }

  /** The key is VALID, or free again: serve whoever waits, in order. */
  wake(record: KeyRecord): void {
    const work = record.work;
    if (work === null) return;
    if (record.valid) {
      for (const reader of work.readers.splice(0)) this.#serveReader(reader, record);
    }
    if (work.waking) return;
    work.waking = true;
    while (record.valid && work.active === null) {
      const next = work.conditions.shift();
      if (next === undefined) break;
      this.#waiters--;
      this.#owner.runCondition(next, record);
    }
    work.waking = false;
    this.#dropIfIdle(record, work);
  }

  #serveReader(reader: Reader, record: KeyRecord): void {
    this.#waiters--;
    const fault = this.serviceFault(record.slot);
    if (fault === -1) this.#answerGet(reader.link, reader.rid, reader.versionOnly, record);
    else this.fence(reader.link, reader.rid, fault);
  }

  #dropIfIdle(record: KeyRecord, work: KeyWork): void {
    // An INVALID key stays under watch: a replay that failed is tried again although nobody waits.
    if (record.work !== work || !isIdle(work) || !record.valid) return;
    record.work = null;
    this.#waiting.delete(record);
  }

  /** Everybody waiting at the key is sent elsewhere. */
  #dismiss(record: KeyRecord, reason: FencedReason): void {
    const work = record.work;
    if (work === null) return;
    for (const reader of work.readers.splice(0)) {
      this.#waiters--;
      this.fence(reader.link, reader.rid, reason);
    }
    for (const condition of work.conditions.splice(0)) {
      this.#waiters--;
      this.fence(condition.link, condition.rid, reason);
    }
    this.#dropIfIdle(record, work);
  }

  // --- own writes: replays and conditional writes -----------------------------------------------------------------

  /** RMW3: stores a conditional write INVALID here and sends it to the others. `reachesAll` was checked. */
  drive(condition: Condition, record: KeyRecord, version: Version, applied: AppliedList): void {
    record.applied = applied;
    this.#overwrite(record, version, condition.value, condition.expiresAtMs);
    this.#begin(record, condition);
  }

  #begin(record: KeyRecord, condition: Condition | null): void {
    const work = this.#workOf(record);
    const write = this.peerWrites.start(record, condition);
    // null: committed within the call.
    if (write !== null) work.active = write;
  }

  /** R3; a full replica only. */
  #replay(record: KeyRecord): void {
    const work = this.#workOf(record);
    if (work.active !== null || record.valid) return;
    if (this.peerWrites.reachesAll(record.slot)) this.#begin(record, null);
    else this.#replayLater(work);
  }

  #replayLater(work: KeyWork): void {
    work.failures++;
    const pauseMs = Math.min(
      replayBackoffMsMax,
      this.#timings.replayAfterMs * 2 ** Math.min(work.failures, 10),
    );
    work.replayAtMs = this.#ports.nowMs() + pauseMs * (0.5 + this.#ports.random());
  }

  committed(write: PeerWrite): void {
    const { record, condition } = write;
    const work = record.work;
    if (work !== null && work.active === write) work.active = null;
    this.peerWrites.validate(write);
    if (work !== null) work.failures = 0;
    const stillOurs = compareVersions(record, write.version) === 0;
    if (condition !== null) this.#owner.conditionCommitted(condition, write);
    if (stillOurs && !record.valid) record.valid = true;
    this.wake(record);
  }

  superseded(write: PeerWrite, by: StaleMessage): void {
    const { record, condition } = write;
    const work = this.#workOf(record);
    work.active = null;
    this.#takeApplied(record, by.applied);
    if (by.hasEntry && compareVersions(by.version, record) > 0) {
      this.#overwrite(record, by.version, by.value, by.expiresAtMs);
    }
    if (condition !== null) this.#owner.conditionInterrupted(condition);
    if (record.valid) this.wake(record);
    else this.#replay(record);
  }

  failed(write: PeerWrite): void {
    const { record, condition } = write;
    const work = this.#workOf(record);
    work.active = null;
    if (condition !== null) this.#owner.conditionInterrupted(condition);
    this.#replayLater(work);
    this.wake(record);
  }

  unanswered(nodeId: number): void {
    this.#owner.unanswered(nodeId);
  }

  // --- maps, learners, time --------------------------------------------------------------------------------------

  /** A slot's members changed somewhere: what this node drives there is undecided (RMW4). */
  onSlotChanged(slot: number): void {
    this.peerWrites.onSlotChanged(slot);
  }

  /** This node's own role in a slot changed. M6: what it held before it joined anew is dropped. */
  onRoleChanged(change: RoleChange): void {
    if (change.after !== Role.full) {
      for (const record of this.#waiting) {
        if (record.slot === change.slot) this.#dismiss(record, FencedReason.notReplica);
      }
    }
    if (change.after === Role.none || (change.after === Role.learner && change.joinedAnew))
      this.#clear(change.slot);
    if (change.after === Role.full) {
      const nowMs = this.#ports.nowMs();
      for (const record of this.store.records(change.slot))
        if (!record.valid) this.#settleQueue.push(record, nowMs);
    }
  }

  #clear(slot: number): void {
    for (const record of this.#waiting) {
      if (record.slot !== slot) continue;
      record.work = null;
      this.#waiting.delete(record);
    }
    this.store.clearSlot(slot);
  }

  /** M5: one key of a copy. Keeps the higher version, and its state. */
  merge(slot: number, entry: Entry): void {
    const record = this.store.get(slot, entry.key) ?? this.store.insert(slot, entry.key);
    this.#takeApplied(record, entry.applied);
    const order = compareVersions(entry.version, record);
    if (order > 0) this.#overwrite(record, entry.version, entry.value, entry.expiresAtMs);
    if (order >= 0 && entry.valid) record.valid = true;
  }

  tick(): void {
    this.peerWrites.tick();
    const nowMs = this.#ports.nowMs();
    for (const record of this.#waiting) {
      const fault = this.serviceFault(record.slot);
      if (fault !== -1) this.#dismiss(record, fault);
      const work = record.work;
      if (work?.active !== null) continue;
      if (record.valid) this.wake(record);
      else if (nowMs >= work.replayAtMs && this.#membership.role(record.slot) === Role.full)
        this.#replay(record);
    }
    this.#settleQueue.takeDue(nowMs, this.#settle);
  }

  readonly #settle = (record: KeyRecord): void => {
    if (record.valid || this.#membership.role(record.slot) !== Role.full) return;
    if (this.store.get(record.slot, record.key) === record) this.#replay(record);
  };
}
