/**
 * What the whole cluster must never do, checked while it runs: one version never has two values, nor a put two versions
 * under which it was stored; no put is done that no full replica had; no two nodes serve a slot under maps one of which
 * has removed the other; published epochs never fall. It also tells when a slot has lost its last full replica: what the
 * slot held is then gone by the book.
 */
import { Role } from '../../src/node/core/membership.js';
import type { AppliedList } from '../../src/protocol/applied-list.js';
import type { ClusterMap, ClusterMapData, SlotAssignment } from '../../src/protocol/cluster-map.js';
import { checkMap } from '../../src/protocol/map-check.js';
import { MessageType, WriteKind } from '../../src/protocol/messages.js';
import type { CopyDoneMessage, Message, WriteMessage } from '../../src/protocol/messages.js';
import { formatVersion } from '../../src/protocol/version.js';
import type { Version } from '../../src/protocol/version.js';
import type { End } from './network.js';
import { Comebacks } from './comebacks.js';
import { Incarnations } from './incarnations.js';
import { NodeProcess } from './node-process.js';
import { Removals } from './removals.js';
import { SavedFirst } from './saved-first.js';
import { decodeWriteId } from './wire.js';
import type { World } from './world.js';

/** Write id of a tombstone. */
export const tombstoneId = 0;

/** A slot is without a full replica, and no disk has it or an administrator has given it up: what it held may be gone by the book. */
export interface Loss {
  /** History step. */
  readonly lostAt: number;
  /** With disks: from when on it is served again. In memory nobody can say: whoever was cut off may serve on (M8). */
  servedAt: number;
  /** One of its last replicas has brought it back. */
  isFromDisk: boolean;
  /** It began without them, by an administrator's word. */
  isGivenUp: boolean;
}

type Holder = readonly [nodeId: number, joinedAt: number];

export class Observer {
  readonly #world: World;
  /** Write id by key and version. */
  readonly #writeIds = new Map<string, number>();
  /** Cluster-clock milliseconds by write id, of those that were to expire. */
  readonly #expiries = new Map<number, number>();
  /** By which the clock of a node that served may have been off, at most. */
  clockSlackMs = 0;
  readonly savedFirst: SavedFirst;
  readonly incarnations: Incarnations;
  readonly #removals: Removals;
  readonly comebacks: Comebacks;
  /** Key and version of what full replicas had. */
  readonly #heldFull = new Set<string>();
  /** The version under which a plain write was last sent, by write id. */
  readonly #sentAs = new Map<number, string>();
  /** Lists of conditional writes, by key and head. */
  readonly #lists = new Map<string, AppliedList>();
  /** By epoch, as JSON. */
  readonly #maps = new Map<number, string>();
  readonly #losses = new Map<number, Loss[]>();
  /** By slot: its latest full replicas with their epochs of joining. */
  readonly #lastHolders = new Map<number, Holder[]>();
  /** The same of the learners that they had. */
  readonly #lastLearners = new Map<number, Holder[]>();
  /** By slot that was served when the power failed and has not been brought back since: who held it then (D3). */
  readonly #holdersAtPowerLoss = new Map<number, readonly Holder[]>();
  /** Slots of those that a map since has as awaited. */
  readonly #awaitedSincePowerLoss = new Set<number>();
  /** Slot, node and epoch of joining of learners that had copied everything. */
  readonly #copied = new Set<string>();
  /** Slots that nobody served when an administrator accepted the loss, and that have begun by no map since. */
  readonly #givenUp = new Set<number>();
  #published: ClusterMap | null = null;

  constructor(world: World) {
    this.#world = world;
    this.savedFirst = new SavedFirst(world);
    this.incarnations = new Incarnations(world);
    this.#removals = new Removals(world, this.incarnations);
    this.comebacks = new Comebacks(world);
  }

  writeIdOf(key: string, version: Version): number | undefined {
    return this.#writeIds.get(`${key} ${formatVersion(version)}`);
  }

  /** A client is about to write it, to live until then. */
  noteExpiry(id: number, expiresAtMs: number): void {
    this.#expiries.set(id, expiresAtMs);
  }

  /** 0: never. */
  expiryOf(id: number): number {
    return this.#expiries.get(id) ?? 0;
  }

  noteVersion(key: string, version: Version, value: Uint8Array | null, expiresAtMs: number): void {
    const id = value === null ? tombstoneId : decodeWriteId(value);
    if (id < 0) this.#world.fail(`a replica kept bytes of ${key} that were not its own`);
    const name = `${key} ${formatVersion(version)}`;
    const known = this.#writeIds.get(name);
    if (known === undefined) this.#writeIds.set(name, id);
    else if (known !== id) this.#world.fail(`version ${name} has two values, ${known} and ${id}`);
    if (expiresAtMs !== this.expiryOf(id))
      this.#world.fail(
        `W11: ${name} is kept until ${expiresAtMs}, and was written until ${this.expiryOf(id)}`,
      );
  }

  /** RMW5: lists are replaced whole, so those of one conditional write are one list. */
  noteList(key: string, list: AppliedList): void {
    const name = `${key} ${list.slice(0, 4).join('.')}`;
    const known = this.#lists.get(name);
    if (known === undefined) this.#lists.set(name, list);
    else if (known.length !== list.length || known.some((word, i) => word !== list[i]))
      this.#world.fail(`RMW5: there are two lists of conditional writes of ${name}`);
  }

  noteHeldFull(key: string, version: Version): void {
    this.#heldFull.add(`${key} ${formatVersion(version)}`);
  }

  /** W5. */
  checkDone(key: string, version: Version): void {
    const name = `${key} ${formatVersion(version)}`;
    if (!this.#heldFull.has(name))
      this.#world.fail(`W5: a put is done, and no full replica ever had ${name}`);
  }

  /** W6: a put gets a new version only if nobody has stored it under the former one. */
  #noteSent({ key, version, value }: WriteMessage): void {
    if (value === null) return;
    const id = decodeWriteId(value);
    const name = `${key} ${formatVersion(version)}`;
    const before = this.#sentAs.get(id);
    this.#sentAs.set(id, name);
    if (before !== undefined && before !== name && this.#writeIds.get(before) === id)
      this.#world.fail(`W6: the put of ${id} is sent as ${name}, and was stored as ${before}`);
  }

  sent(end: End, message: Message): void {
    const { owner } = end;
    const { coverage } = this.#world;
    if (message.type === MessageType.write && message.kind === WriteKind.replay) coverage.note('replay');
    if (message.type === MessageType.write && message.kind === WriteKind.plain) this.#noteSent(message);
    if (owner === this.#world.manager) this.savedFirst.told(message);
    if (!(owner instanceof NodeProcess)) return;
    if (end === end.conn.acceptor) owner.watch.answering(end, message);
    else owner.watch.asking(message);
    if (message.type === MessageType.copyDone) this.#noteCopied(message);
    if (message.type === MessageType.stale && message.hasEntry) coverage.note('takeOver');
    if (message.type === MessageType.fenceAck) coverage.note('fenceAcked');
  }

  /** M7: by a node or a client. There is one map of each epoch. */
  mapAdopted(who: string, map: ClusterMap): void {
    const text = JSON.stringify(map.toData());
    const known = this.#maps.get(map.epoch);
    if (known !== undefined && known !== text)
      this.#world.fail(`M7: ${who} adopts ${text}, others ${known} of the same epoch`);
    this.#maps.set(map.epoch, text);
    this.mapPublished(map);
  }

  /** The newest map that anybody may have seen. */
  mapPublished(map: ClusterMap): void {
    const previous = this.#published;
    if (previous !== null && map.epoch <= previous.epoch) return;
    // As whoever is sent it does: a wrong one ends the connection.
    checkMap(map.toData());
    this.#published = map;
    this.incarnations.note(map);
    if (previous !== null) this.#noteChanges(previous, map);
    this.identitiesChanged();
    this.comebacks.published(map, (slot) => this.#awaitedOnDisk(slot));
  }

  #noteChanges(previous: ClusterMapData, map: ClusterMap): void {
    const { coverage, plan, tasks } = this.#world;
    const hasRestart = tasks.isEnabled && tasks.takeRestart();
    map.slots.forEach((slot, index) => {
      const before = previous.slots[index];
      if (before === undefined) return;
      if (slot.replicas.some((id) => before.learners.includes(id))) coverage.note('promotion');
      if (slot.replicas.length > 0 && before.replicas.length === 0) {
        coverage.note('slotRevived');
        this.#checkReviver(slot, index, map);
        this.#checkRevival(before, slot, index);
      }
      this.#removals.check(previous, map, index, hasRestart);
      const isHome = (id: number): boolean => {
        const place = (id - (index % plan.nodeCount) + plan.nodeCount) % plan.nodeCount;
        return id < plan.nodeCount && place < plan.settings.replicas;
      };
      if (slot.learners.some((id) => !isHome(id))) coverage.note('substitute');
      for (const id of before.replicas) {
        const member = previous.nodes.find((node) => node.id === id);
        if (!slot.replicas.includes(id) && this.incarnations.lives(member)) coverage.note('removedAlive');
      }
    });
  }

  /** He says that whatever nobody serves is gone for good. The manager may know less of that, not more. */
  lossAccepted(): void {
    const map = this.#published;
    map?.slots.forEach(({ replicas }, index) => {
      if (!replicas.some((id) => this.incarnations.lives(map.node(id)))) this.#givenUp.add(index);
    });
  }

  /**
   * D3: without one of its last replicas a slot begins by an administrator's word only, each slot by a word of its own. What it held is
   * lost until it is served again, though a disk may have it still.
   */
  #checkRevival(before: SlotAssignment, slot: SlotAssignment, index: number): void {
    const { plan, disk } = this.#world;
    const isGivenUp = this.#givenUp.delete(index);
    if (!plan.hasDisks) return;
    const former = [...(this.#lastHolders.get(index) ?? []), ...(this.#holdersAtPowerLoss.get(index) ?? [])];
    const isFormer = slot.replicas.some((id, i) => isAmong(former, id, slot.joinedAt[i]));
    const loss = this.isLost(index) ? this.lossesOf(index).at(-1) : undefined;
    if (isFormer && loss?.isGivenUp === false) loss.isFromDisk = true;
    if (isFormer || disk?.isNew === true) return;
    const isWhole = slot.replicas.some((id) => this.#isWholeLearner(id, before, slot, index));
    const isComplete = isWhole || this.#isOfWholeLearner(slot, index);
    if (!isComplete && !isGivenUp)
      this.#world.fail(`D3: slot ${index} begins without what it held, and no administrator has said so`);
    if (!isComplete) this.comebacks.check(index);
    if (!isComplete) (loss ?? this.#noteLoss(index)).isGivenUp = true;
    if (loss === undefined || !isComplete || (!isWhole && plan.settings.durability === 'interval')) return;
    // Every write that was acknowledged had this one's answer: nothing may be missing.
    this.#losses.set(index, this.lossesOf(index).slice(0, -1));
  }

  /** D3: nobody has seen a map by which those bring it back that have died meanwhile; whoever else has it on its disk is waited for still. */
  #checkReviver({ replicas }: SlotAssignment, index: number, map: ClusterMap): void {
    const { manager, plan } = this.#world;
    if (!plan.hasDisks) return;
    const known = manager.core.status().nodes;
    const isKnown = (id: number): boolean =>
      known.some((node) => node.id === id && node.incarnation === map.node(id)?.incarnation);
    if (replicas.some(isKnown)) return;
    const [other] = this.#holdersOnDisk(index).filter(([id]) => !replicas.includes(id));
    if (other === undefined) return;
    const givenTo = `slot ${index} is given to ${replicas.join(' ')}, dead before anybody knew`;
    this.#world.fail(`D3: ${givenTo}, and node ${other[0]} has it on its disk`);
  }

  #noteLoss(slot: number): Loss {
    const loss: Loss = {
      lostAt: this.#world.nextStep(),
      servedAt: Infinity,
      isFromDisk: false,
      isGivenUp: false,
    };
    this.#losses.set(slot, [...this.lossesOf(slot), loss]);
    this.#world.coverage.note('slotLost');
    return loss;
  }

  /** M5: it had copied everything, and became full by that very joining: its label was on its disk before. */
  #isWholeLearner(id: number, before: SlotAssignment, slot: SlotAssignment, index: number): boolean {
    const joinedAt = slot.joinedAt[slot.replicas.indexOf(id)];
    const wasLearner = before.joinedAt[before.replicas.length + before.learners.indexOf(id)] === joinedAt;
    return before.learners.includes(id) && wasLearner && this.#copied.has(`${index} ${id} ${joinedAt}`);
  }

  /** The same, and it died, too, before the map was out that made it full. */
  #isOfWholeLearner({ replicas, joinedAt }: SlotAssignment, index: number): boolean {
    const former = this.#lastLearners.get(index) ?? [];
    return replicas.some(
      (id, i) => isAmong(former, id, joinedAt[i]) && this.#copied.has(`${index} ${id} ${joinedAt[i]}`),
    );
  }

  /** A learner says that it has copied everything: its label is on its disk, which may be lost later. */
  #noteCopied({ nodeId, slots }: CopyDoneMessage): void {
    for (const [slot, joinedAt] of slots) this.#copied.add(`${slot} ${nodeId} ${joinedAt}`);
  }

  /** A process died, or has given up its identity: does every slot still have somebody with all its data? */
  identitiesChanged(): void {
    const map = this.#published;
    map?.slots.forEach((slot, index) => {
      this.#noteHolders(index, slot);
      if (slot.replicas.some((id) => this.incarnations.lives(map.node(id)))) {
        this.#isServed(index);
        return;
      }
      if (this.isLost(index) || this.#isOnDisk(index)) return;
      this.#noteLoss(index);
      if (this.#world.isTracing) this.#world.trace(`slot ${index} has lost its last full replica`);
    });
  }

  #noteHolders(slot: number, { replicas, learners, joinedAt }: SlotAssignment): void {
    if (replicas.length === 0) {
      if (this.#holdersAtPowerLoss.has(slot)) this.#awaitedSincePowerLoss.add(slot);
      return;
    }
    const all = [...replicas, ...learners].map((id, i): Holder => [id, joinedAt[i] ?? 0]);
    this.#lastHolders.set(slot, all.slice(0, replicas.length));
    this.#lastLearners.set(slot, all.slice(replicas.length));
    // The manager has decided who brings it back, though they may have died before they heard of it.
    if (this.#awaitedSincePowerLoss.has(slot)) this.#forgetPowerLoss(slot);
  }

  #forgetPowerLoss(slot: number): void {
    this.#holdersAtPowerLoss.delete(slot);
    this.#awaitedSincePowerLoss.delete(slot);
  }

  #isServed(slot: number): void {
    this.#forgetPowerLoss(slot);
    const loss = this.lossesOf(slot).at(-1);
    if (loss?.servedAt === Infinity && this.#world.plan.hasDisks) loss.servedAt = this.#world.nextStep();
  }

  /** In order. */
  lossesOf(slot: number): readonly Loss[] {
    return this.#losses.get(slot) ?? [];
  }

  get hasLostSlots(): boolean {
    return [...this.#losses.values()].some((losses) => losses.length > 0);
  }

  isLost(slot: number): boolean {
    return this.lossesOf(slot).at(-1)?.servedAt === Infinity;
  }

  /** Of the newest map, by id. */
  livingMembers(): ReadonlySet<number> {
    const nodes = this.#published?.nodes ?? [];
    return new Set(nodes.filter((member) => this.incarnations.lives(member)).map(({ id }) => id));
  }

  /**
   * All members died together: each of them that was a full replica may bring the slot back, in whatever order the
   * manager hears of their ends. What it had decided by then holds, though nobody has seen it.
   */
  powerLost(lived: ReadonlySet<number>): void {
    this.#world.disk?.map?.slots.forEach(({ replicas, joinedAt }, slot) => {
      const holders = replicas.map((id, i): Holder => [id, joinedAt[i] ?? 0]);
      const living = holders.filter(([id]) => lived.has(id));
      if (living.length === 0) return;
      this.#holdersAtPowerLoss.set(slot, living);
      this.#awaitedSincePowerLoss.delete(slot);
    });
  }

  /** A full replica of its last membership has the slot on its disk; with `interval` it may lack what was acknowledged last. */
  #isOnDisk(slot: number): boolean {
    if (this.#world.plan.settings.durability === 'interval') return false;
    return this.#holdersOnDisk(slot).length > 0;
  }

  /** Full replicas of its last membership that have the slot on their disks, which may be mounted late. */
  #holdersOnDisk(slot: number): Holder[] {
    const holders = this.#holdersAtPowerLoss.get(slot) ?? this.#lastHolders.get(slot) ?? [];
    return holders.filter(([id, joinedAt]) => this.#world.diskOf(id)?.holds(slot, joinedAt) === true);
  }

  /**
   * Whom the manager waits for, of those whose disks are there with the slot: its last full replicas, and all of those that a power failure
   * ended together. Of nodes elsewhere it may believe some to be alive, and leave the slot to these.
   */
  #awaitedOnDisk(slot: number): number[] {
    const isMounted = ([id, joinedAt]: Holder): boolean =>
      this.#world.diskOf(id)?.image.labels.get(slot) === joinedAt;
    const together = this.#world.isElsewhere ? undefined : this.#holdersAtPowerLoss.get(slot);
    return (together ?? this.#lastHolders.get(slot) ?? []).filter(isMounted).map(([id]) => id);
  }

  /** D3: what nobody else has is cleared by an administrator's word only; a learner that comes back leaves it there. */
  clears(nodeId: number, slot: number): void {
    if (this.#givenUp.has(slot) || this.#world.disk?.isNew === true) return;
    const map = this.#published;
    if (map?.slot(slot).replicas.some((id) => this.incarnations.lives(map.node(id))) !== false) return;
    const [holder, ...others] = this.#holdersOnDisk(slot);
    const image = this.#world.diskOf(nodeId)?.image;
    const isThere = holder?.[0] === nodeId && image?.labels.get(slot) === holder[1];
    if (!isThere || others.length > 0 || (image.slots.get(slot)?.size ?? 0) === 0) return;
    this.#world.fail(`D3: node ${nodeId} clears slot ${slot}, which no other disk holds, and nobody serves`);
  }

  /** By the newest map. */
  isFullReplica(node: NodeProcess): boolean {
    const map = this.#published;
    const { nodeId, incarnation } = node.core.membership;
    if (map?.node(nodeId)?.incarnation !== incarnation) return false;
    return map.slots.some((slot) => slot.replicas.includes(nodeId));
  }

  /** Would the death of this process take the last full replica of a slot? */
  isLastOfSomeSlot(node: NodeProcess): boolean {
    const map = this.#published;
    const { nodeId, incarnation } = node.core.membership;
    if (map?.node(nodeId)?.incarnation !== incarnation) return false;
    return map.slots.some(
      (slot) =>
        slot.replicas.includes(nodeId) &&
        !slot.replicas.some((id) => id !== nodeId && this.incarnations.lives(map.node(id))),
    );
  }

  /** No two nodes serve a slot while the map of one has removed the other. */
  checkRights(node: NodeProcess, slot: number): void {
    const { epoch } = node.core.membership;
    // Its last full replica may have died with a promise (M8) to one that was removed before.
    if (this.isLost(slot)) return;
    for (const other of this.#world.nodes) {
      if (other === node || !other.alive || other.core.membership.epoch === epoch) continue;
      const { membership, lease } = other.core;
      const mayServe = membership.isLeaving(slot) ? lease.isPromised(slot) : lease.holds(slot);
      if (membership.role(slot) !== Role.full || !mayServe) continue;
      const [older, newer] = membership.epoch < epoch ? [other, node] : [node, other];
      this.#checkPair(older, newer, slot);
    }
  }

  #checkPair(older: NodeProcess, newer: NodeProcess, slot: number): void {
    const { nodeId, incarnation, map } = older.core.membership;
    const later = newer.core.membership.map;
    if (map === null || later === null) return;
    const isKept =
      later.node(nodeId)?.incarnation === incarnation &&
      later.slot(slot).replicas.includes(nodeId) &&
      later.joinedAt(slot, nodeId) === map.joinedAt(slot, nodeId);
    if (isKept) return;
    this.#world.fail(
      `${older.name} still serves slot ${slot} at epoch ${map.epoch}, and ${newer.name} serves it at epoch ` +
        `${later.epoch}, where the other is no full replica`,
    );
  }
}

function isAmong(holders: readonly Holder[], id: number, joinedAt: number | undefined): boolean {
  return holders.some((each) => each[0] === id && each[1] === joinedAt);
}
