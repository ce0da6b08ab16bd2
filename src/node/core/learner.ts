/**
 * A learner fills itself (PROTOCOL M5, M6). For each slot it is a learner of, it asks a full replica for one bounded
 * batch after the other, merges what comes with the WRITEs that arrive meanwhile (higher version wins, VALID and
 * INVALID are kept), and tells the manager when it has everything. A few slots at once, one batch each in flight, so
 * that copying never crowds out reads and writes. Any trouble starts that slot's copy again at the next replica.
 */
import { MessageType } from '../../protocol/messages.js';
import type { EntriesMessage } from '../../protocol/messages.js';
import type { Attic } from './attic.js';
import type { Journal } from './journal.js';
import type { Membership, RoleChange } from './membership.js';
import { Role } from './membership.js';
import type { NodePorts } from './ports.js';
import type { Replica } from './replica.js';

const parallelSlots = 8;
const batchTimeoutMs = 1000;
const retryMsMin = 5;
const retryMsMax = 200;
/** How often a finished copy is told again until the map shows it. */
const tellAgainMs = 200;

interface SlotCopy {
  readonly slot: number;
  readonly joinedAt: number;
  /** Node asked at present; -1: none yet. */
  source: number;
  /** Request in flight; 0: none. */
  rid: number;
  sentMs: number;
  retryAtMs: number;
  failures: number;
  done: boolean;
  /** D2: told of once the journal has saved this change. */
  noted: number;
}

export class Learner {
  readonly #ports: NodePorts;
  readonly #membership: Membership;
  readonly #replica: Replica;
  readonly #attic: Attic;
  readonly #journal: Journal;
  readonly #nextRid: () => number;
  readonly #copies = new Map<number, SlotCopy>();
  readonly #byRid = new Map<number, SlotCopy>();
  #toldAtMs = -Infinity;
  #untold = false;

  constructor(
    ports: NodePorts,
    membership: Membership,
    replica: Replica,
    attic: Attic,
    journal: Journal,
    nextRid: () => number,
  ) {
    this.#ports = ports;
    this.#membership = membership;
    this.#replica = replica;
    this.#attic = attic;
    this.#journal = journal;
    this.#nextRid = nextRid;
  }

  /** Slots are being filled. */
  get isCopying(): boolean {
    return this.#copies.size > 0;
  }

  onRoleChanged({ slot, after }: RoleChange): void {
    this.#drop(slot);
    const joinedAt = this.#membership.map?.joinedAt(slot, this.#membership.nodeId);
    if (after !== Role.learner || joinedAt === undefined) return;
    this.#copies.set(slot, {
      slot,
      joinedAt,
      source: -1,
      rid: 0,
      sentMs: 0,
      retryAtMs: -Infinity,
      failures: 0,
      done: false,
      noted: 0,
    });
  }

  #drop(slot: number): void {
    const copy = this.#copies.get(slot);
    if (copy === undefined) return;
    this.#byRid.delete(copy.rid);
    this.#copies.delete(slot);
  }

  tick(): void {
    const nowMs = this.#ports.nowMs();
    for (const copy of this.#byRid.values()) if (nowMs - copy.sentMs > batchTimeoutMs) this.#failed(copy);
    this.#startCopies(nowMs);
    if (this.#untold || nowMs - this.#toldAtMs >= tellAgainMs) this.#tell(nowMs);
  }

  #startCopies(nowMs: number): void {
    if (this.#byRid.size >= parallelSlots) return;
    for (const copy of this.#copies.values()) {
      if (copy.done || copy.rid !== 0 || copy.retryAtMs > nowMs) continue;
      this.#start(copy);
      if (this.#byRid.size >= parallelSlots) return;
    }
  }

  #start(copy: SlotCopy): void {
    const replicas = this.#membership.map?.slots[copy.slot]?.replicas ?? [];
    const reachable = replicas.filter((id) => this.#ports.peer(id) !== undefined);
    const source = reachable[(copy.slot + copy.failures) % Math.max(1, reachable.length)];
    if (source === undefined) {
      this.#failed(copy);
      return;
    }
    copy.source = source;
    this.#ask(copy, true);
  }

  #ask(copy: SlotCopy, first: boolean): void {
    const link = this.#ports.peer(copy.source);
    if (link === undefined) {
      this.#failed(copy);
      return;
    }
    copy.rid = this.#nextRid();
    copy.sentMs = this.#ports.nowMs();
    this.#byRid.set(copy.rid, copy);
    link.send({ type: MessageType.copy, rid: copy.rid, slot: copy.slot, joinedAt: copy.joinedAt, first });
  }

  #failed(copy: SlotCopy): void {
    this.#byRid.delete(copy.rid);
    copy.rid = 0;
    copy.failures++;
    const pauseMs = Math.min(retryMsMax, retryMsMin * 2 ** Math.min(copy.failures, 10));
    copy.retryAtMs = this.#ports.nowMs() + pauseMs * (0.5 + this.#ports.random());
  }

  onBatch(message: EntriesMessage): void {
    const copy = this.#byRid.get(message.rid);
    if (copy === undefined) return;
    this.#byRid.delete(copy.rid);
    copy.rid = 0;
    for (const entry of message.entries) this.#replica.merge(copy.slot, entry);
    if (!message.done) {
      this.#ask(copy, false);
      return;
    }
    copy.done = true;
    this.#attic.drop(copy.slot);
    this.#attic.label(copy.slot, copy.joinedAt);
    copy.noted = this.#journal.noted;
    this.#untold = true;
    this.#startCopies(this.#ports.nowMs());
  }

  /** More is on the disk. */
  onSaved(): void {
    if (this.#copies.size > 0) this.#untold = true;
  }

  onRefused(rid: number): void {
    const copy = this.#byRid.get(rid);
    if (copy !== undefined) this.#failed(copy);
  }

  onPeerDown(nodeId: number): void {
    for (const copy of this.#byRid.values()) if (copy.source === nodeId) this.#failed(copy);
  }

  /** One message for all slots that are done and not yet full in the map. */
  #tell(nowMs: number): void {
    const slots: [number, number][] = [];
    for (const { slot, joinedAt, done, noted } of this.#copies.values())
      if (done && noted <= this.#journal.saved) slots.push([slot, joinedAt]);
    const manager = this.#ports.manager();
    if (slots.length === 0 || manager === undefined) return;
    this.#toldAtMs = nowMs;
    this.#untold = false;
    const { nodeId, incarnation } = this.#membership;
    manager.send({ type: MessageType.copyDone, nodeId, incarnation, slots });
  }
}
