/**
 * The replica: what one node does with the keys of its slots (PROTOCOL W3, W4, W9, W10, R3, R4); reads are in reads.ts.
 *
 * Every key is VALID (known to be committed) or INVALID (stored, perhaps not committed). A read is answered with what is known
 * to be committed only; an INVALID key parks its readers until a VALIDATE comes or this replica replays the write itself.
 * Invariants, asserted where they could break:
 * - the version of a key never falls, and VALID never returns to INVALID at the same version;
 * - a learner, or a node without a right to serve the slot, answers no read;
 * - every request is answered exactly once, parked ones included.
 * Conditional writes are in conditions.ts; both share the records, and `wake` hands a key from one to the other.
 */
import type { AppliedList } from '../../protocol/applied-list.js';
import { FencedReason, RefusedReason, WriteKind } from '../../protocol/messages.js';
import type { Entry, Link, StaleMessage, WriteMessage } from '../../protocol/messages.js';
import type { Version } from '../../protocol/version.js';
import { AcceptedWrites } from './accepted-writes.js';
import { Admission } from './admission.js';
import { Answers } from './answers.js';
import { DiskGate } from './disk-gate.js';
import { FellowRoom } from './fellow-room.js';
import { type Journal, noJournal } from './journal.js';
import { type Condition, type KeyWork, KeyWorks } from './key-work.js';
import type { Lease } from './lease.js';
import { type Membership, Role, type RoleChange } from './membership.js';
import type { PeerReach } from './peer-reach.js';
import { type PeerWrite, type PeerWriteOwner, PeerWrites } from './peer-writes.js';
import { PlainRequests } from './plain-requests.js';
import type { NodePorts, NodeTimings, ReplicaOwner } from './ports.js';
import { Reads } from './reads.js';
import { SettleQueue } from './settle-queue.js';
import { SlotCounts } from './slot-loads.js';
import { Hold, type KeyStore, noRecord, type RecordId } from './store.js';
import { Turns } from './turns.js';
import { WaitRoom } from './wait-room.js';

export class Replica implements PeerWriteOwner {
  readonly store: KeyStore;
  readonly fellows: FellowRoom;
  readonly plain: PlainRequests;
  readonly peerWrites: PeerWrites;
  readonly counts = new SlotCounts();
  readonly reads: Reads;
  readonly turns: Turns;
  readonly #ports: NodePorts;
  readonly #membership: Membership;
  readonly #lease: Lease;
  readonly #owner: ReplicaOwner;
  readonly #works: KeyWorks;
  readonly #settleQueue: SettleQueue;
  readonly #answers: Answers;
  readonly #admission: Admission;
  readonly #gate: DiskGate;
  readonly #accepted: AcceptedWrites;
  readonly #journal: Journal;
  readonly #waitRoom = new WaitRoom();

  constructor(
    ports: NodePorts,
    membership: Membership,
    lease: Lease,
    store: KeyStore,
    journal: Journal,
    timings: NodeTimings,
    nextRid: () => number,
    reach: PeerReach,
    owner: ReplicaOwner,
  ) {
    this.#ports = ports;
    this.#membership = membership;
    this.#lease = lease;
    this.store = store;
    this.#works = new KeyWorks(store, ports, timings);
    this.#owner = owner;
    this.#journal = journal;
    this.#answers = new Answers(store);
    this.fellows = new FellowRoom(ports, membership, journal, store);
    const mapWanted = owner.mapWanted.bind(owner);
    this.#admission = new Admission(membership, lease, journal, store, this.fellows, mapWanted);
    this.#gate = new DiskGate(journal, store, this.#answers, this.fence.bind(this), FencedReason.notReplica);
    this.#accepted = new AcceptedWrites(store);
    this.#settleQueue = new SettleQueue(store, timings.settleAfterMs);
    this.plain = new PlainRequests({
      ports,
      membership,
      admission: this.#admission,
      store,
      counts: this.counts,
      accepted: this.#accepted,
      settleQueue: this.#settleQueue,
      hasJournal: journal !== noJournal,
      validate: this.onValidate.bind(this),
      park: (link, rid, record) => this.reads.park(link, rid, record),
      makeWay: this.#makeWay.bind(this),
    });
    const parts = {
      ports,
      membership,
      store,
      works: this.#works,
      waitRoom: this.#waitRoom,
      fence: this.fence.bind(this),
    };
    this.reads = new Reads({
      ...parts,
      answers: this.#answers,
      counts: this.counts,
      serviceFault: this.serviceFault.bind(this),
      isLive: this.isLive.bind(this),
    });
    this.turns = new Turns({ ...parts, take: this.#take.bind(this) });
    this.peerWrites = new PeerWrites(ports, membership, store, journal, nextRid, reach, this);
  }

  /** Readers and writes that wait at a key; none once the node is at rest. */
  get waiters(): number {
    return this.#waitRoom.waiters;
  }

  // --- answers -------------------------------------------------------------------------------------------------

  fence(link: Link, rid: number, reason: FencedReason): void {
    this.#answers.fenced(link, rid, this.#membership.epoch, reason);
  }

  refuse(link: Link, rid: number, reason: RefusedReason): void {
    this.#answers.refused(link, rid, reason);
  }

  /** A present value; tombstones and what has expired count as absent (W11). */
  isLive(record: RecordId): boolean {
    if (!this.store.hasValue(record)) return false;
    const expiresAtMs = this.store.expiresAtMs(record);
    return expiresAtMs === 0 || expiresAtMs * 1000 > this.#lease.clock.nowUs();
  }

  /** Why this node may not serve the slot as a full replica; -1: it may (R1, R4). */
  serviceFault(slot: number): FencedReason | -1 {
    return this.#admission.serviceFault(slot);
  }

  // --- writes --------------------------------------------------------------------------------------------------

  /** W3, W4. */
  onWrite(link: Link, message: WriteMessage): void {
    if (!this.turns.delays(link, message)) this.#take(link, message);
  }

  #take(link: Link, message: WriteMessage): void {
    this.#accepted.note(link, message, this.#write(link, message));
  }

  /** @returns the record that holds it now; `noRecord`: it was not accepted. */
  #write(link: Link, message: WriteMessage): RecordId {
    const key = message.keyView ?? message.key;
    const slot = this.#membership.map?.slotOf(key) ?? 0;
    const fault = this.#admission.fault(slot, message);
    if (fault !== -1) {
      this.fence(link, message.rid, fault);
      return noRecord;
    }
    const refusal = this.#admission.refusal(link, slot, message);
    if (refusal !== -1 || this.#gate.isCrowdedFor(message.kind)) {
      this.refuse(link, message.rid, refusal === -1 ? RefusedReason.queueFull : refusal);
      return noRecord;
    }
    this.counts.wrote(slot);
    const record = this.store.getOrInsert(slot, key);
    const order = this.store.compareVersion(message.version, record);
    const isAppliedNew = this.#takeApplied(record, message.applied);
    if (order > 0) this.#overwrite(record, message.version, message.value, message.expiresAtMs);
    if (order > 0 || isAppliedNew) this.#journal.save(slot, record);
    if (order < 0 || (order === 0 && this.#hasLaterList(record, message))) {
      this.#gate.stale(link, message, record);
      return noRecord;
    }
    this.#gate.ack(link, message, record);
    return record;
  }

  /** W10: older plain writes are refused. */
  oldestPlainHlc(): number {
    return this.#admission.oldestPlainHlc();
  }

  /** RMW5: the later list replaces the earlier one whole, whatever happens to the value. */
  #takeApplied(record: RecordId, applied: AppliedList | null): boolean {
    if (applied === null || this.store.compareApplied(applied, record) <= 0) return false;
    this.store.setApplied(record, applied);
    return true;
  }

  /** RMW5: whoever drives the write at hand has an older list of conditional writes, and shall take over this one. */
  #hasLaterList(record: RecordId, { kind, applied }: WriteMessage): boolean {
    return kind !== WriteKind.plain && this.store.compareApplied(applied, record) < 0;
  }

  #overwrite(record: RecordId, version: Version, value: Uint8Array | null, expiresAtMs: number): void {
    const nowMs = this.#ports.nowMs();
    if (this.store.holds(record, Hold.work)) this.reads.keep(record);
    this.store.write(record, version, value, expiresAtMs, nowMs);
    this.#settleQueue.push(record, nowMs);
  }

  /** For a plain WRITE. */
  #makeWay(record: RecordId): boolean {
    if (this.#works.at(record).turn !== null) return false;
    this.reads.keep(record);
    return true;
  }

  /** W9: of the WRITE with that request id. */
  onValidate(link: Link, rid: number): void {
    const record = this.#accepted.take(link, rid);
    if (record === noRecord) return;
    const version = this.#accepted.takenVersion;
    if (this.store.compareVersion(version, record) !== 0) {
      this.reads.serveFormer(record, version);
    } else if (!this.store.isValid(record)) {
      this.store.setValid(record);
      if (this.store.holds(record, Hold.work)) this.wake(record);
    }
  }

  /** D1: more is on the disk. */
  onSaved(): void {
    this.#gate.onSaved();
    this.peerWrites.onSaved();
  }

  /** W10: nothing needs the record any more. */
  remove(record: RecordId): void {
    this.#journal.remove(this.store.slotOf(record), this.store.keyOf(record));
    this.store.remove(record);
  }

  onLinkClosed(link: Link): void {
    this.#accepted.onLinkClosed(link);
    this.turns.onLinkClosed(link);
  }

  // --- waiting at a key ----------------------------------------------------------------------------------------

  /** Parks a conditional write until the key is VALID and the ones before it are done. */
  park(condition: Condition, record: RecordId): void {
    if (!this.#waitRoom.enter(condition)) {
      this.refuse(condition.link, condition.rid, RefusedReason.queueFull);
      return;
    }
    const work = this.#works.at(record);
    this.#works.beginWait(work);
    work.conditions.push(condition);
    if (condition.wantTurn) this.turns.begin(record);
    // It may be a turn only that is under way at the key.
    this.wake(record);
  }

  /** The key is VALID, or free again: serve whoever waits, in order. */
  wake(record: RecordId): void {
    const work = this.#works.get(record);
    if (work === undefined) return;
    if (this.store.isValid(record)) {
      this.#works.moved(work);
      this.reads.serveAll(record, work);
    }
    if (work.waking) return;
    work.waking = true;
    while (this.store.isValid(record) && work.active === null) {
      const next = work.conditions.shift();
      if (next === undefined) break;
      this.#waitRoom.leave(next);
      this.#works.moved(work);
      this.#owner.runCondition(next, record);
    }
    work.waking = false;
    this.#works.dropIfIdle(record, work);
  }

  /** Everybody waiting at the key is sent elsewhere. */
  #dismiss(record: RecordId, work: KeyWork, reason: FencedReason): void {
    this.reads.dismiss(work, reason);
    for (const condition of work.conditions.splice(0)) {
      this.#waitRoom.leave(condition);
      this.fence(condition.link, condition.rid, reason);
    }
    this.turns.dismiss(work, reason);
    this.#works.dropIfIdle(record, work);
  }

  // --- own writes: replays and conditional writes -----------------------------------------------------------------

  /** RMW3: stores a conditional write INVALID here and sends it to the others. `reachesAll` was checked. */
  drive(condition: Condition, record: RecordId, version: Version, applied: AppliedList): void {
    this.store.setApplied(record, applied);
    this.#overwrite(record, version, condition.value, condition.expiresAtMs);
    this.#journal.save(condition.slot, record);
    this.#begin(record, condition);
    this.turns.end(record);
  }

  /** RMW5: sends what is there, with its list of conditional writes, to the others. `reachesAll` was checked. */
  confirm(condition: Condition, record: RecordId): void {
    condition.isConfirming = true;
    this.#begin(record, condition);
  }

  #begin(record: RecordId, condition: Condition | null): void {
    const work = this.#works.at(record);
    const write = this.peerWrites.start(record, condition);
    // null: committed within the call.
    if (write !== null) work.active = write;
  }

  /** R3; a full replica only. */
  #replay(record: RecordId): void {
    const work = this.#works.at(record);
    if (this.store.isValid(record)) return;
    // What is under way may be an earlier version.
    if (work.active !== null) this.#settleQueue.push(record, this.#ports.nowMs());
    else if (this.peerWrites.reachesAll(this.store.slotOf(record))) this.#begin(record, null);
    else this.#works.postponeReplay(work);
  }

  committed(write: PeerWrite): void {
    const { record, condition } = write;
    const work = this.#works.get(record);
    if (work?.active === write) work.active = null;
    this.peerWrites.validate(write);
    if (work !== undefined) work.failures = 0;
    if (condition !== null) this.#owner.conditionCommitted(condition, write);
    if (record === noRecord) return;
    if (this.store.compareVersion(write.version, record) === 0) this.store.setValid(record);
    else this.reads.serveFormer(record, write.version);
    this.wake(record);
  }

  superseded(write: PeerWrite, by: StaleMessage): void {
    const { record, condition } = write;
    if (record !== noRecord) {
      this.#works.at(record).active = null;
      this.#takeApplied(record, by.applied);
      if (by.hasEntry && this.store.compareVersion(by.version, record) > 0)
        this.#overwrite(record, by.version, by.value, by.expiresAtMs);
      this.#journal.save(write.slot, record);
    }
    if (condition !== null) this.#owner.conditionInterrupted(condition);
    if (record === noRecord) return;
    if (this.store.isValid(record)) this.wake(record);
    else this.#replay(record);
  }

  failed(write: PeerWrite): void {
    const { record, condition } = write;
    const work = record === noRecord ? null : this.#works.at(record);
    if (work !== null) work.active = null;
    if (condition !== null) this.#owner.conditionInterrupted(condition);
    if (work === null) return;
    this.#works.postponeReplay(work);
    this.wake(record);
  }

  // --- maps, learners, time --------------------------------------------------------------------------------------

  /** A slot's members changed somewhere: what this node drives there is undecided (RMW4). */
  onSlotChanged(slot: number): void {
    this.peerWrites.onSlotChanged(slot);
  }

  /** This node's own role in a slot changed. M6: what it held before it joined anew is dropped. */
  onRoleChanged({ slot, after, joinedAnew }: RoleChange): void {
    if (after === Role.none || (after === Role.learner && joinedAnew)) {
      this.#leave(slot);
      this.store.clearSlot(slot);
    } else if (after === Role.learner) {
      this.#dismissAll(slot);
    }
  }

  #dismissAll(slot: number): void {
    for (const [record, work] of this.#works)
      if (this.store.slotOf(record) === slot) this.#dismiss(record, work, FencedReason.notReplica);
  }

  /** Nothing is under way any more at the keys of the slot. */
  #leave(slot: number): void {
    this.#dismissAll(slot);
    for (const [record] of this.#works) if (this.store.slotOf(record) === slot) this.#works.drop(record);
  }

  /** This node has no part in the slot any more, and keeps its keys all the same. Should they serve again, what is INVALID is settled. */
  retire(slot: number): void {
    for (const [record] of this.#works) {
      if (this.store.slotOf(record) === slot && !this.store.isValid(record))
        this.#settleQueue.push(record, this.#ports.nowMs());
    }
    this.#leave(slot);
  }

  /** M5: one key of a copy. Keeps the higher version, and its state. @param isSaved it came from the own disk */
  merge(slot: number, entry: Entry, isSaved = false): void {
    const keysBefore = this.store.keysIn(slot);
    const record = this.store.getOrInsert(slot, entry.key);
    this.#takeApplied(record, entry.applied);
    const order = this.store.compareVersion(entry.version, record);
    const { version, value, expiresAtMs, valid } = entry;
    if (order > 0) this.store.write(record, version, value, expiresAtMs, this.#ports.nowMs());
    if (order >= 0 && valid) this.store.setValid(record);
    else if (order > 0) this.#settleQueue.push(record, this.#ports.nowMs());
    if (!isSaved || this.store.keysIn(slot) === keysBefore) this.#journal.save(slot, record);
  }

  tick(): void {
    this.peerWrites.tick();
    const nowMs = this.#ports.nowMs();
    for (const [record, work] of this.#works) {
      const slot = this.store.slotOf(record);
      this.turns.tick(record, work);
      const fault = this.serviceFault(slot);
      if (fault !== -1) this.#dismiss(record, work, fault);
      // While a member cannot be reached nothing is decided here. Those who asked have long asked elsewhere.
      else if (this.#works.isStuck(work)) this.#dismiss(record, work, FencedReason.memberUnreachable);
      if (work.active !== null || this.#works.get(record) !== work) continue;
      if (this.store.isValid(record)) this.wake(record);
      else if (nowMs >= work.replayAtMs && this.#membership.role(slot) === Role.full) this.#replay(record);
    }
    this.#settleQueue.takeDue(nowMs, this.#settle);
    this.store.reclaim();
  }

  readonly #settle = (record: RecordId): void => {
    if (this.#membership.role(this.store.slotOf(record)) === Role.full) this.#replay(record);
    else this.#settleQueue.push(record, this.#ports.nowMs());
  };
}
