/**
 * Writes that this replica drives at the other members of a slot: replays (R3) and its own conditional writes
 * (RMW3). One such write is sent to all other members at once; it is decided when every one of them answered.
 *
 * - all ACK (or, for a conditional write, STALE because of a concurrent later plain write): committed.
 * - a STALE that means our write was displaced: superseded, with the higher entry that came along. *[found]* For a
 *   replay that is any STALE. For a conditional write it is one by a sibling evaluated on the same version, or by
 *   something too old to be concurrent.
 * - fenced, link down, out of reach (`peer-reach.ts`), or the slot changed: failed; nothing is known. A member that is
 *   heard may take its time: its disk is slow *[found: with syncs that took 400 ms hardly a conditional write succeeded]*.
 */
import type { AppliedList } from '../../protocol/applied-list.js';
import { MessageType, WriteKind } from '../../protocol/messages.js';
import type { Link, StaleMessage } from '../../protocol/messages.js';
import { validateMsMax } from '../../protocol/settings.js';
import type { MutableVersion, Version } from '../../protocol/version.js';
import type { Journal } from './journal.js';
import type { Condition } from './key-work.js';
import type { Membership } from './membership.js';
import type { PeerReach } from './peer-reach.js';
import type { NodePorts } from './ports.js';
import { Hold, noRecord } from './store.js';
import type { KeyStore, RecordId } from './store.js';

export interface PeerWrite {
  readonly rid: number;
  /** `noRecord` once it has been removed: then there is nothing left to be decided. */
  record: RecordId;
  readonly slot: number;
  readonly key: string;
  readonly version: Version;
  /** `changedAt` of the slot under which it was sent. */
  readonly changedAt: number;
  /** The conditional write it serves; null: a replay. */
  readonly condition: Condition | null;
  /** Members whose answer is awaited. */
  readonly awaited: number[];
  readonly members: readonly number[];
  /** In the time for which this node has been running (peer-reach.ts). */
  readonly sentMs: number;
  /** D1: the own copy counts once the journal has saved this change. */
  readonly noted: number;
}

/** What the replica does with the outcome. `write` is no longer active when these are called. */
export interface PeerWriteOwner {
  committed(write: PeerWrite): void;
  superseded(write: PeerWrite, by: StaleMessage): void;
  failed(write: PeerWrite): void;
  /** Oldest hlc a plain write may carry and still be accepted (W10). */
  oldestPlainHlc(): number;
}

interface ScratchWrite {
  type: typeof MessageType.write;
  rid: number;
  epoch: number;
  kind: WriteKind;
  version: MutableVersion;
  key: string;
  value: Uint8Array | null;
  expiresAtMs: number;
  applied: AppliedList | null;
}

export class PeerWrites {
  readonly #ports: NodePorts;
  readonly #membership: Membership;
  readonly #store: KeyStore;
  readonly #journal: Journal;
  readonly #nextRid: () => number;
  readonly #reach: PeerReach;
  readonly #owner: PeerWriteOwner;
  readonly #inFlight = new Map<number, PeerWrite>();

  constructor(
    ports: NodePorts,
    membership: Membership,
    store: KeyStore,
    journal: Journal,
    nextRid: () => number,
    reach: PeerReach,
    owner: PeerWriteOwner,
  ) {
    this.#ports = ports;
    this.#membership = membership;
    this.#store = store;
    this.#journal = journal;
    this.#nextRid = nextRid;
    this.#reach = reach;
    this.#owner = owner;
  }

  /** Writes under way; none once the node is at rest. */
  get inFlight(): number {
    return this.#inFlight.size;
  }

  /**
   * Whether every other member of the slot can be reached, as far as is known, and there is room for more on the way to it. What is
   * begun without one comes to nothing, and leaves its key INVALID meanwhile *[found]*. Its PROBE is out: it is let in again by its answer.
   */
  reachesAll(slot: number): boolean {
    const { map, nodeId } = this.#membership;
    const isReached = (id: number): boolean =>
      this.#ports.peer(id)?.isFull === false && !this.#reach.isOut(id);
    return map?.members(slot).every((id) => id === nodeId || isReached(id)) ?? false;
  }

  /**
   * Sends the record as it stands to all other members. Call `reachesAll` before.
   * @returns the write, or null if it was committed at once, there being no other member.
   */
  start(record: RecordId, condition: Condition | null): PeerWrite | null {
    const { map, nodeId } = this.#membership;
    const store = this.#store;
    if (map === null) throw new Error('a write before the first map');
    const slot = store.slotOf(record);
    const members = map.members(slot);
    const version = store.versionOf(record);
    const write: PeerWrite = {
      rid: this.#nextRid(),
      record,
      slot,
      key: store.keyOf(record),
      version,
      changedAt: map.slot(slot).changedAt,
      condition,
      awaited: members.filter((id) => id !== nodeId),
      members,
      sentMs: this.#reach.runningMs,
      noted: this.#journal.isAwaited ? this.#journal.noted : 0,
    };
    if (this.#isDecided(write)) {
      this.#owner.committed(write);
      return null;
    }
    this.#inFlight.set(write.rid, write);
    store.hold(record, Hold.write);
    const message: ScratchWrite = {
      type: MessageType.write,
      rid: write.rid,
      epoch: map.epoch,
      kind: condition === null || condition.isConfirming ? WriteKind.replay : WriteKind.conditional,
      version: { ...version },
      key: write.key,
      value: store.valueOf(record),
      expiresAtMs: store.expiresAtMs(record),
      applied: store.appliedOf(record),
    };
    for (const id of write.awaited) this.#ports.peer(id)?.send(message);
    return write;
  }

  /** VALIDATE to the other members (W9). */
  validate(write: PeerWrite): void {
    const [primary] = write.members;
    for (const id of write.members) {
      if (id === this.#membership.nodeId) continue;
      const link: Link | undefined = this.#ports.peer(id);
      const patienceMs = id === primary ? validateMsMax.primary : validateMsMax.others;
      link?.sendLazily({ type: MessageType.validate, rid: write.rid }, patienceMs);
    }
  }

  onAck(nodeId: number, rid: number): void {
    const write = this.#inFlight.get(rid);
    if (write !== undefined) this.#answered(write, nodeId);
  }

  onStale(nodeId: number, message: StaleMessage): void {
    const write = this.#inFlight.get(message.rid);
    if (write === undefined) return;
    if (this.#isOverwritten(write, message)) {
      this.#answered(write, nodeId);
      return;
    }
    this.#take(write);
    this.#owner.superseded(write, message);
  }

  /**
   * A conditional write that was applied, and overwritten at once. Not if the member knows of a later conditional write:
   * then that one may have displaced ours before the plain one came *[found]*.
   */
  #isOverwritten(
    { condition, version, record }: PeerWrite,
    { version: theirs, applied }: StaleMessage,
  ): boolean {
    if (condition === null || condition.isConfirming || record === noRecord) return false;
    const isListLater = applied !== null && this.#store.compareApplied(applied, record) > 0;
    return !isListLater && this.#isConcurrentPlain(version, theirs);
  }

  /** A later plain write that may have come while ours was under way, or something stacked upon one. */
  #isConcurrentPlain(ours: Version, theirs: Version): boolean {
    const sameBase = theirs.hlc === ours.hlc && theirs.clientId === ours.clientId;
    return !sameBase && theirs.hlc > this.#owner.oldestPlainHlc();
  }

  #answered(write: PeerWrite, nodeId: number): void {
    const index = write.awaited.indexOf(nodeId);
    if (index < 0) return;
    write.awaited.splice(index, 1);
    if (this.#isDecided(write)) this.#commit(write);
  }

  #isDecided({ awaited, noted }: PeerWrite): boolean {
    return awaited.length === 0 && noted <= this.#journal.saved;
  }

  #commit(write: PeerWrite): void {
    this.#take(write);
    this.#owner.committed(write);
  }

  /** More is on the own disk. */
  onSaved(): void {
    for (const write of this.#inFlight.values()) if (this.#isDecided(write)) this.#commit(write);
  }

  /** It is decided, and its record is held no more: the owner may begin the next one within its call. */
  #take(write: PeerWrite): void {
    this.#inFlight.delete(write.rid);
    const { record } = write;
    if (!this.#store.exists(record)) write.record = noRecord;
    this.#store.release(record, Hold.write);
  }

  onFenced(rid: number): void {
    const write = this.#inFlight.get(rid);
    if (write !== undefined) this.#fail(write);
  }

  #fail(write: PeerWrite): void {
    this.#take(write);
    this.#owner.failed(write);
  }

  onPeerDown(nodeId: number): void {
    for (const write of this.#inFlight.values()) if (write.awaited.includes(nodeId)) this.#fail(write);
  }

  /** RMW4: what was sent under another membership of its slot is not decided by these answers. */
  onSlotChanged(slot: number): void {
    for (const write of this.#inFlight.values()) if (write.slot === slot) this.#fail(write);
  }

  tick(): void {
    const { runningMs } = this.#reach;
    for (const write of this.#inFlight.values()) {
      const ageMs = runningMs - write.sentMs;
      // Insertion order is send order: the rest is younger.
      if (!this.#reach.isLate(ageMs)) return;
      for (const id of write.awaited) this.#reach.late(id);
      // Whoever is awaited then, or this node's own disk: the readers of the key shall hear that nothing comes of it.
      if (this.#reach.isTooLate(ageMs) || write.awaited.some((id) => this.#reach.isOut(id)))
        this.#fail(write);
    }
  }
}
