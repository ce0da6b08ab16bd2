/**
 * A learner fills itself (PROTOCOL M5, M6). For each slot it is a learner of, it asks a full replica for one bounded
 * batch after the other, merges what comes with the WRITEs that arrive meanwhile (higher version wins, VALID and
 * INVALID are kept), and tells the manager when it has everything. Many slots at once, one batch each in flight, but few
 * while others ask for something (copy-pace.ts), no more of them than the cluster's limit allows, and no more than the line
 * from the source takes (copy-line.ts). Any trouble starts that slot's copy again at the next replica.
 *
 * A learner that found some of the slot on its disk copies the difference only (D2): it compares digests of buckets, asks
 * for what it does not have of those that differ, and takes the rest from its attic (hints.ts).
 */
import type { ClusterMap } from '../../protocol/cluster-map.js';
import { MessageType } from '../../protocol/messages.js';
import type {
  CopyMessage,
  DifferenceEndMessage,
  DifferenceMessage,
  DigestAskMessage,
  DigestsMessage,
  EntriesMessage,
  Entry,
} from '../../protocol/messages.js';
import type { Attic } from './attic.js';
import { CopyBudget } from './copy-budget.js';
import { CopyPace } from './copy-pace.js';
import { CopySources } from './copy-sources.js';
import { FillTally } from './fill-tally.js';
import { Hints } from './hints.js';
import type { Journal } from './journal.js';
import type { Membership, RoleChange } from './membership.js';
import { Role } from './membership.js';
import type { NodePorts } from './ports.js';
import type { Replica } from './replica.js';
import { isLooking, newCopy } from './slot-copy.js';
import type { SlotCopy } from './slot-copy.js';

/** A source of which nothing at all has come for this long is given up for another one. */
const batchTimeoutMs = 1000;
const retryMsMin = 5;
const retryMsMax = 200;
const unreachableMs = 20;
/** While much waits for the disk, a batch is asked for this often at most. */
const behindMs = 50;
/** How often a finished copy is told again until the map shows it. */
const tellAgainMs = 200;
const noBytes = new Uint8Array(0);

export class Learner {
  readonly #ports: NodePorts;
  readonly #membership: Membership;
  readonly #replica: Replica;
  readonly #attic: Attic;
  readonly #journal: Journal;
  readonly #nextRid: () => number;
  readonly #copies = new Map<number, SlotCopy>();
  readonly #sources: CopySources;
  readonly #budget = new CopyBudget();
  readonly #pace = new CopyPace();
  #toldAtMs = -Infinity;
  #askedAtMs = -Infinity;
  #untold = false;
  /** Copies that are not done. */
  #unfilled = 0;
  #tally = new FillTally(0);
  /** The map for which the host was shared last. */
  #sharedIn: ClusterMap | null = null;

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
    this.#sources = new CopySources(ports, membership);
  }

  /** Slots are being filled. */
  get isCopying(): boolean {
    return this.#copies.size > 0;
  }

  onRoleChanged({ slot, after }: RoleChange): void {
    this.#drop(slot);
    const joinedAt = this.#membership.map?.joinedAt(slot, this.#membership.nodeId);
    if (after !== Role.learner || joinedAt === undefined) return;
    if (this.#unfilled++ === 0) this.#tally = new FillTally(this.#ports.nowMs());
    this.#copies.set(slot, newCopy(slot, joinedAt));
  }

  #drop(slot: number): void {
    const copy = this.#copies.get(slot);
    if (copy === undefined) return;
    this.#sources.forget(copy);
    this.#copies.delete(slot);
    if (!copy.done) this.#unfilled--;
  }

  tick(): void {
    const nowMs = this.#ports.nowMs();
    this.#sources.watch(nowMs, this.#failed, batchTimeoutMs);
    this.#shareHost();
    this.#pace.tick(nowMs, this.#replica.counts.total, this.#isInNeed(), this.isCopying);
    for (const copy of this.#copies.values()) this.#look(copy);
    this.#startCopies(nowMs);
    if (this.#untold || nowMs - this.#toldAtMs >= tellAgainMs) this.#tell(nowMs);
  }

  /** A slot that is not filled yet lacks a replica; when slots move, none does. */
  #isInNeed(): boolean {
    const { map } = this.#membership;
    if (map === null || this.#unfilled === 0) return false;
    for (const { slot, done } of this.#copies.values())
      if (!done && (map.slots[slot]?.replicas.length ?? 0) < map.settings.replicas) return true;
    return false;
  }

  /** The processor of this host is shared by all its nodes that fill slots. */
  #shareHost(): void {
    const { map, nodeId } = this.#membership;
    if (map === null || map === this.#sharedIn || this.#unfilled === 0) return;
    this.#sharedIn = map;
    const host = map.node(nodeId)?.host;
    const learners = new Set(map.slots.flatMap((slot) => slot.learners));
    const here = map.nodes.filter((node) => node.host === host && learners.has(node.id));
    this.#pace.shareWith(Math.max(1, here.length));
  }

  #startCopies(nowMs: number): void {
    for (const copy of this.#copies.values()) {
      if (copy.done || isLooking(copy) || copy.rid !== 0 || copy.retryAtMs > nowMs) continue;
      if (!this.#mayAsk(nowMs)) return;
      if (copy.next === 'start') copy.source = this.#sources.choose(copy);
      // Being dialled: nobody is asked in vain.
      if (copy.source === -1) copy.retryAtMs = nowMs + unreachableMs;
      else if (this.#sources.hasRoom(copy)) this.#goOn(copy, nowMs);
    }
  }

  #goOn(copy: SlotCopy, nowMs: number): void {
    this.#pace.asked();
    this.#askedAtMs = nowMs;
    if (copy.next === 'start') this.#start(copy);
    else this.#ask(copy, copy.next === 'first');
  }

  /**
   * Not more than the disk can take, or it would be full for the writes of those who wait (D4); but one batch now and then,
   * however much those bring: the slot is short of a replica. Nor into the last of the room, which is for what others hold already.
   */
  #mayAsk(nowMs: number): boolean {
    const { underWay } = this.#sources;
    // D4 *[found: copies took a disk to its last byte, after which nothing could be deleted; and the memory of a container, which ended nodes]*
    if (this.#journal.isSpent || this.#replica.store.isSystemSpent) return false;
    if (this.#journal.isBehind && (underWay > 0 || nowMs - this.#askedAtMs < behindMs)) return false;
    const limit = this.#membership.map?.settings.copyBytesPerSecondMax ?? 0;
    return this.#pace.allows(underWay) && this.#budget.allows(underWay, limit, nowMs);
  }

  #start(copy: SlotCopy): void {
    copy.hints = this.#attic.has(copy.slot) ? new Hints(this.#replica.store, copy.slot) : null;
    copy.stage = copy.hints === null ? 'whole' : 'digests';
    this.#ask(copy, true);
  }

  #ask(copy: SlotCopy, first: boolean): void {
    const link = this.#ports.peer(copy.source);
    if (link === undefined) {
      this.#failed(copy);
      return;
    }
    const request = this.#request(copy, this.#nextRid(), first);
    const isLong = request.type === MessageType.difference;
    this.#sources.asked(copy, request.rid, link, isLong ? request.known.length : 0);
    link.send(request);
  }

  #request(
    { slot, joinedAt, stage, hints }: SlotCopy,
    rid: number,
    first: boolean,
  ): CopyMessage | DigestAskMessage | DifferenceMessage {
    if (stage === 'digests') return { type: MessageType.digestAsk, rid, slot, joinedAt, first };
    if (stage !== 'difference' || hints === null)
      return { type: MessageType.copy, rid, slot, joinedAt, first };
    const { buckets } = hints;
    const wanted = first ? hints.wanted : noBytes;
    const known = first ? hints.known() : noBytes;
    return { type: MessageType.difference, rid, slot, joinedAt, first, buckets, wanted, known };
  }

  /** D2. */
  onDigests({ rid, done, buckets, digests }: DigestsMessage): void {
    const copy = this.#sources.find(rid);
    if (copy === undefined) return;
    this.#sources.answered(copy, digests.length);
    if (!done) {
      this.#ask(copy, false);
      return;
    }
    copy.hints?.compareWith(buckets, digests);
    copy.stage = 'compare';
    this.#look(copy);
  }

  /** D2: what the attic has beyond `missing` is what the source has. */
  onDifferenceEnd({ rid, missing }: DifferenceEndMessage): void {
    const copy = this.#sources.find(rid);
    if (copy === undefined) return;
    this.#sources.answered(copy, missing.length);
    this.#confirmBut(copy, missing);
  }

  /** All that the attic has beyond `missing` is right; null: nothing is. */
  #confirmBut(copy: SlotCopy, missing: Uint8Array | null): void {
    copy.hints?.beginSift(missing);
    copy.stage = 'sift';
    this.#look(copy);
  }

  /** Goes on with what is to be read of the attic, or taken from it: as much as this tick leaves room for. */
  #look(copy: SlotCopy): void {
    const room = this.#pace.looks;
    if (!isLooking(copy) || copy.done || room <= 0) return;
    this.#pace.looked(this.#workAt(copy, room));
  }

  #workAt(copy: SlotCopy, room: number): number {
    if (copy.stage === 'compare') return this.#compare(copy, room);
    return copy.stage === 'sift' ? this.#sift(copy, room) : this.#merge(copy, room);
  }

  #compare(copy: SlotCopy, room: number): number {
    const looked = copy.hints?.read(room) ?? 0;
    if (looked === room) return looked;
    if (copy.hints?.isSame === true) {
      this.#takeOver(copy);
    } else {
      copy.stage = copy.hints?.isWorthIt === true ? 'difference' : 'whole';
      if (this.#sources.hasRoom(copy)) this.#ask(copy, true);
      else copy.next = 'first';
    }
    return looked;
  }

  #sift(copy: SlotCopy, room: number): number {
    const { slot } = copy;
    const isOverlaid = this.#attic.isOverlaid(slot);
    const drop = (key: string): void => {
      if (isOverlaid) this.#attic.removeUnserved(slot, key);
    };
    const looked = copy.hints?.sift(room, drop) ?? 0;
    if (looked < room) this.#takeOver(copy);
    return looked;
  }

  /** All that is left in the attic is right: it serves at once, or, beside much that came meanwhile, entry by entry. */
  #takeOver(copy: SlotCopy): void {
    const met = this.#replica.store.keysIn(copy.slot);
    const confirmed = this.#attic.takeOver(copy.slot);
    if (confirmed >= 0) {
      this.#pace.looked(met);
      this.#tally.confirmed(confirmed);
      this.#finish(copy);
      return;
    }
    copy.hints?.beginMerge();
    copy.stage = 'merge';
  }

  #merge(copy: SlotCopy, room: number): number {
    const { slot } = copy;
    const isOverlaid = this.#attic.isOverlaid(slot);
    const take = (entry: Entry): void => {
      this.#replica.merge(slot, entry, isOverlaid);
      this.#tally.confirmed(1);
    };
    const merged = copy.hints?.merge(room, take) ?? 0;
    if (merged < room) this.#finish(copy);
    return merged;
  }

  readonly #failed = (copy: SlotCopy): void => {
    this.#sources.forget(copy);
    copy.next = 'start';
    copy.failures++;
    const pauseMs = Math.min(retryMsMax, retryMsMin * 2 ** Math.min(copy.failures, 10));
    copy.retryAtMs = this.#ports.nowMs() + pauseMs * (0.5 + this.#ports.random());
  };

  onBatch(message: EntriesMessage): void {
    const copy = this.#sources.find(message.rid);
    if (copy === undefined) return;
    const bytes = this.#tally.copied(message.entries);
    this.#sources.answered(copy, bytes);
    this.#budget.spend(bytes);
    copy.next = 'more';
    for (const entry of message.entries) this.#replica.merge(copy.slot, entry);
    if (message.done) this.#copied(copy);
    else this.#startCopies(this.#ports.nowMs());
  }

  /** The whole slot has come. What the disk has beyond it goes first (D2). */
  #copied(copy: SlotCopy): void {
    if (copy.hints !== null && this.#attic.isOverlaid(copy.slot)) this.#confirmBut(copy, null);
    else this.#finish(copy);
  }

  #finish(copy: SlotCopy): void {
    copy.done = true;
    copy.hints = null;
    this.#attic.drop(copy.slot);
    this.#attic.label(copy.slot, copy.joinedAt);
    copy.noted = this.#journal.noted;
    this.#untold = true;
    this.#tally.slotFilled();
    const nowMs = this.#ports.nowMs();
    if (--this.#unfilled === 0) this.#ports.log('info', this.#tally.text(nowMs));
    this.#startCopies(nowMs);
  }

  /** More is on the disk. */
  onSaved(): void {
    if (this.#copies.size > 0) this.#untold = true;
  }

  onRefused(rid: number): void {
    const copy = this.#sources.find(rid);
    if (copy !== undefined) this.#failed(copy);
  }

  onPeerDown(nodeId: number): void {
    this.#sources.lost(nodeId, this.#failed);
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
