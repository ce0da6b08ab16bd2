/**
 * What this node held before it joined, slot by slot, and the labels on it (PROTOCOL M6, D2, D3): what its disk held when it
 * started, and what it had whole when it was removed while alive.
 *
 * Nothing of it serves. A slot leaves the attic in one of three ways:
 * - the map names this node a full replica of it, joined at the epoch on its label: the whole slot had gone down, and
 *   this node brings it back. It goes on as if it had never been away, every key VALID: it is the only replica.
 * - the map names it a learner: what the attic has serves to tell the source what need not be sent (hints.ts), and is
 *   dropped when the copy is done. Should it be made full before, because all others are lost, it serves what is there.
 * - others hold the slot whole without this node: dropped.
 *
 * In the store an attic slot is a slot of its own, so that bringing it back costs nothing however large it is.
 */
import type { AppliedList } from '../../protocol/applied-list.js';
import { copyBytes } from '../../protocol/copy-bytes.js';
import { unlabelled } from '../../protocol/messages.js';
import type { DiskContent, Entry } from '../../protocol/messages.js';
import type { Version } from '../../protocol/version.js';
import type { Journal } from './journal.js';
import { Role } from './membership.js';
import type { Membership, RoleChange } from './membership.js';
import type { Replica } from './replica.js';
import { noRecord } from './store.js';
import type { KeyStore, RecordId } from './store.js';

/** Keys that came while a slot was compared: merging so many takes a millisecond or two. */
const mergedAtOnceMax = 1024;
/** No cluster has as many slots. */
const atticOffset = 65_536;

/** Slot of the store under which the attic keeps a slot. */
export function atticSlot(slot: number): number {
  return atticOffset + slot;
}

/**
 * What the attic has of a key. A copy: a view would not outlive the first change to the store. From a disk it is VALID (D3); of a
 * node that was removed while alive as it was, for nobody knows whether the write was committed.
 */
export function atticEntry(store: KeyStore, record: RecordId): Entry {
  return {
    key: store.keyOf(record),
    version: store.versionOf(record),
    valid: store.isValid(record),
    value: copyBytes(store.valueOf(record)),
    expiresAtMs: store.expiresAtMs(record),
    applied: store.appliedOf(record),
  };
}

export class Attic {
  readonly #replica: Replica;
  readonly #store: KeyStore;
  readonly #journal: Journal;
  readonly #membership: Membership;
  #clusterId = '';
  #clockUs = 0;
  /** Slots held whole at their epoch of joining, in the attic or in service. */
  readonly #labels = new Map<number, number>();
  /** Slots of the attic that have any record. */
  readonly #slots = new Set<number>();
  /** Slots of which the disk holds what the attic does: nothing was written to them since it was read. */
  readonly #untouched = new Set<number>();
  /** Slots filled over what the disk holds of them; it may be more than is in service. */
  readonly #overlaid = new Set<number>();

  constructor(replica: Replica, journal: Journal, membership: Membership) {
    this.#replica = replica;
    this.#store = replica.store;
    this.#journal = journal;
    this.#membership = membership;
  }

  /** While the node starts: one record of the disk. */
  add(
    slot: number,
    key: string,
    version: Version,
    value: Uint8Array | null,
    expiresAtMs: number,
    applied: AppliedList | null,
    nowMs: number,
  ): void {
    const store = this.#store;
    const record = store.getOrInsert(atticSlot(slot), key);
    store.write(record, version, value, expiresAtMs, nowMs);
    if (applied !== null) store.setApplied(record, applied);
    store.setValid(record);
    this.#slots.add(slot);
    this.#untouched.add(slot);
  }

  /**
   * M6: what the node held whole, and has no part in any more, though it goes on: it was removed, or is to be restarted. Nobody works at the
   * slot's keys any more.
   */
  keep(slot: number): void {
    this.drop(slot);
    this.#overlaid.delete(slot);
    if (this.#store.keysIn(slot) === 0) return;
    this.#store.moveSlot(slot, atticSlot(slot));
    this.#slots.add(slot);
    this.#untouched.add(slot);
  }

  /** While the node starts, once all records are there. */
  loaded({ clusterId, slots, clockUs }: DiskContent): void {
    this.#clusterId = clusterId;
    this.#clockUs = clockUs;
    for (const [slot, joinedAt] of slots) this.#labels.set(slot, joinedAt);
    // It was damaged, and has been begun anew: what was read of it before is not there.
    if (clusterId === '') this.#untouched.clear();
  }

  /** What REGISTER tells of it. Without a disk, too: whoever is left of a slot may be all there is (M6). */
  content(): DiskContent {
    const slots = [...this.#labels].filter(([slot]) => this.#membership.role(slot) === Role.none);
    // D3: a learner that is not done has on its disk what may be all that is left; by no label, so it brings nothing back. *[found: to the
    // next manager, or on the next connection, it had nothing; it was taken off for being silent, and cleared the only disk]*
    const hints = [...this.#overlaid].filter(
      (slot) => this.#membership.role(slot) === Role.learner && this.has(slot),
    );
    return {
      clusterId: this.#clusterId,
      slots: [...slots, ...hints.map((slot) => [slot, unlabelled] as const)],
      clockUs: this.#clockUs,
    };
  }

  has(slot: number): boolean {
    return this.#slots.has(slot);
  }

  /** Before the replica hears of it. */
  onRoleChanged({ slot, after, joinedAnew }: RoleChange): void {
    const { map, nodeId } = this.#membership;
    const joinedAt = map?.joinedAt(slot, nodeId) ?? 0;
    if (after !== Role.none && !joinedAnew) {
      if (after === Role.full) this.#servePart(slot, joinedAt);
      return;
    }
    const isUntouched = this.#untouched.delete(slot);
    this.#overlaid.delete(slot);
    if (after === Role.full) this.#serve(slot, joinedAt);
    else if (after === Role.learner && isUntouched) this.#overlay(slot);
    else this.#unlabel(slot);
  }

  /**
   * A learner becomes full. Without a label its copy was cut short: all others are lost, and the slot is its part and what its
   * disk held before it joined (D3).
   */
  #servePart(slot: number, joinedAt: number): void {
    if (this.#labels.get(slot) === joinedAt) return;
    const walk = this.#store.walk(atticSlot(slot));
    const isOverlaid = this.#overlaid.has(slot);
    // D2: on the disk before the label is.
    for (let record = walk.next(); record !== noRecord; record = walk.next())
      this.#replica.merge(slot, atticEntry(this.#store, record), isOverlaid);
    this.drop(slot);
    this.label(slot, joinedAt);
  }

  /**
   * D2: all that the attic has of the slot is confirmed, and goes into service in one go: in time by what came
   * meanwhile, not by what there is.
   * @returns how many entries; -1: too much came, or the disk does not hold them. They are to be merged one by one
   */
  takeOver(slot: number): number {
    const store = this.#store;
    if (!this.#overlaid.has(slot) || store.keysIn(slot) > mergedAtOnceMax) return -1;
    const from = atticSlot(slot);
    const confirmed = store.keysIn(from);
    const walk = store.walk(slot);
    for (let record = walk.next(); record !== noRecord; record = walk.next()) {
      const hint = store.get(from, store.keyOf(record));
      if (hint === noRecord) continue;
      const entry = atticEntry(store, hint);
      store.remove(hint);
      this.#replica.merge(slot, entry, true);
    }
    this.#slots.delete(slot);
    store.moveSlot(from, slot);
    return confirmed;
  }

  /** D2: a key that the disk held before, of a slot that is filled over it. What is in service is on the disk anew. */
  removeUnserved(slot: number, key: string): void {
    if (this.#store.get(slot, key) === noRecord) this.#journal.remove(slot, key);
  }

  /** D2: what the disk holds of the slot stays, without label: most of it will turn out to be right. */
  #overlay(slot: number): void {
    this.#overlaid.add(slot);
    this.#labels.delete(slot);
    this.#journal.unlabel(slot);
  }

  /** The disk holds what the attic does of the slot, but for what was saved or removed since it joined. */
  isOverlaid(slot: number): boolean {
    return this.#overlaid.has(slot);
  }

  #serve(slot: number, joinedAt: number): void {
    if (this.#labels.get(slot) === joinedAt) {
      if (this.#store.keysIn(slot) > 0)
        throw new RangeError(`slot ${slot} has records that came from nowhere`);
      if (this.#slots.delete(slot)) this.#store.moveSlot(atticSlot(slot), slot);
      return;
    }
    // A new cluster's slot, or one that begins empty.
    this.drop(slot);
    this.#unlabel(slot);
    this.label(slot, joinedAt);
  }

  /** The slot is held whole from here on. */
  label(slot: number, joinedAt: number): void {
    this.#labels.set(slot, joinedAt);
    this.#overlaid.delete(slot);
    this.#journal.label(slot, joinedAt);
  }

  #unlabel(slot: number): void {
    this.#labels.delete(slot);
    this.#journal.clear(slot);
  }

  /** What the attic had of the slot has served. */
  drop(slot: number): void {
    this.#untouched.delete(slot);
    if (this.#slots.delete(slot)) this.#store.clearSlot(atticSlot(slot));
  }

  /** Others do not hold the slot whole, or not all of them do. */
  isOpen(slot: number): boolean {
    const map = this.#membership.map;
    const assignment = map?.slots[slot];
    if (map === null || assignment === undefined) return false;
    return assignment.learners.length > 0 || assignment.replicas.length < map.settings.replicas;
  }

  /** Drops what others hold whole without this node. */
  onMapAdopted(): void {
    const { map, nodeId, incarnation } = this.#membership;
    // Before it has its place in the map nobody knows yet what it can bring back.
    if (map === null || incarnation === 0 || map.node(nodeId)?.incarnation !== incarnation) return;
    for (const slot of [...this.#slots]) {
      if (this.isOpen(slot) || this.#membership.role(slot) !== Role.none) continue;
      this.drop(slot);
      this.#unlabel(slot);
    }
  }
}
