/**
 * A learner fills itself (PROTOCOL M5, M6). For each slot it is a learner of, it asks a full replica for one bounded
 * batch after the other, merges what comes with the WRITEs that arrive meanwhile (higher version wins, VALID and
 * INVALID are kept), and tells the manager when it has everything. A few slots at once, one batch each in flight, so
 * that copying never crowds out reads and writes, and no more of them than the cluster's limit allows. Any trouble
 * starts that slot's copy again at the next replica.
 */
import { MessageType } from '../../protocol/messages.js';
import type { EntriesMessage } from '../../protocol/messages.js';
import { CopyBudget } from './copy-budget.js';
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
  /** Batches of the source's walk have come: the next one goes on from there. */
  begun: boolean;
  done: boolean;
}

export class Learner {
  readonly #ports: NodePorts;
  readonly #membership: Membership;
  readonly #replica: Replica;
  readonly #nextRid: () => number;
  readonly #copies = new Map<number, SlotCopy>();
  readonly #byRid = new Map<number, SlotCopy>();
  readonly #budget = new CopyBudget();
  #toldAtMs = -Infinity;
  #untold = false;

  constructor(ports: NodePorts, membership: Membership, replica: Replica, nextRid: () => number) {
    this.#ports = ports;
    this.#membership = membership;
    this.#replica = replica;
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
      begun: false,
      done: false,
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
    for (const copy of this.#copies.values()) {
      if (copy.done || copy.rid !== 0 || copy.retryAtMs > nowMs) continue;
      if (!this.#mayAsk(nowMs)) return;
      if (copy.begun) this.#ask(copy, false);
      else this.#start(copy);
    }
  }

  #mayAsk(nowMs: number): boolean {
    const underWay = this.#byRid.size;
    const limit = this.#membership.map?.settings.copyBytesPerSecondMax ?? 0;
    return underWay < parallelSlots && this.#budget.allows(underWay, limit, nowMs);
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
    copy.begun = false;
    copy.failures++;
    const pauseMs = Math.min(retryMsMax, retryMsMin * 2 ** Math.min(copy.failures, 10));
    copy.retryAtMs = this.#ports.nowMs() + pauseMs * (0.5 + this.#ports.random());
  }

  onBatch(message: EntriesMessage): void {
    const copy = this.#byRid.get(message.rid);
    if (copy === undefined) return;
    this.#byRid.delete(copy.rid);
    copy.rid = 0;
    copy.begun = true;
    for (const entry of message.entries) this.#replica.merge(copy.slot, entry);
    this.#budget.spend(bytesOf(message));
    if (message.done) {
      copy.done = true;
      this.#untold = true;
    }
    this.#startCopies(this.#ports.nowMs());
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
    for (const copy of this.#copies.values()) if (copy.done) slots.push([copy.slot, copy.joinedAt]);
    const manager = this.#ports.manager();
    if (slots.length === 0 || manager === undefined) return;
    this.#toldAtMs = nowMs;
    this.#untold = false;
    const { nodeId, incarnation } = this.#membership;
    manager.send({ type: MessageType.copyDone, nodeId, incarnation, slots });
  }
}

function bytesOf({ entries }: EntriesMessage): number {
  let bytes = 0;
  for (const { key, value } of entries) bytes += key.length + (value?.length ?? 0);
  return bytes;
}
