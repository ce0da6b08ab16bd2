/**
 * Watches one node life while it runs and compares it with what PROTOCOL.md says can never happen:
 *
 * - the version of a key never falls within one membership of its slot, VALID never returns to INVALID at the same
 *   version, and only an old tombstone ever disappears (M6, W10);
 * - a learner, or a node without a right to serve, answers no read, and no INVALID value is read (R1, R2, R4);
 * - a request is answered at most once; the end of a schedule checks that it was answered;
 * - the adopted epoch never falls (M7), and nobody may serve together with one whom the map has taken off (M3, M4);
 * - an ACK, or word of a finished copy, comes from a node that has the label of the slot on its disk (D1, D2), and while
 *   nothing is under way to the disk, it has what the node holds;
 * - nobody says ACK to a list of conditional writes older than its own, and a list has one content (RMW5);
 * - only a primary evaluates a conditional write (RMW1), and a key is copied with its state (M5).
 */
import {
  ConditionStatus,
  FencedReason,
  MessageType,
  RefusedReason,
  WriteKind,
} from '../../src/protocol/messages.js';
import type { Entry, Message, ValueMessage, WriteMessage } from '../../src/protocol/messages.js';
import { compareApplied } from '../../src/protocol/applied-list.js';
import type { AppliedList } from '../../src/protocol/applied-list.js';
import { copyVersion, formatVersion, versionZero } from '../../src/protocol/version.js';
import type { MutableVersion } from '../../src/protocol/version.js';
import { Hold, noRecord } from '../../src/node/core/store.js';
import type { RecordId } from '../../src/node/core/store.js';
import { Role } from '../../src/node/core/membership.js';
import { AnswerWatch, joinedAt } from './answer-watch.js';
import { ExpiryWatch } from './expiry-watch.js';
import type { Asked } from './answer-watch.js';
import type { Situation } from './coverage.js';
import type { End } from './network.js';
import type { NodeProcess } from './node-process.js';

interface Shadow extends MutableVersion {
  readonly key: string;
  readonly slot: number;
  joinedAt: number;
  held: boolean;
  valid: boolean;
  full: boolean;
  tombstone: boolean;
  /** Cluster-clock milliseconds; 0: never. */
  expiresAtMs: number;
  applied: AppliedList | null;
}

const fencedSituations: Record<FencedReason, Situation> = {
  [FencedReason.oldEpoch]: 'fencedOldEpoch',
  [FencedReason.behind]: 'fencedBehind',
  [FencedReason.noLease]: 'fencedNoLease',
  [FencedReason.notReplica]: 'fencedNotReplica',
  [FencedReason.leaving]: 'fencedLeaving',
  [FencedReason.notPrimary]: 'fencedNotPrimary',
  [FencedReason.memberUnreachable]: 'fencedUnreachable',
};

export class NodeWatch {
  readonly #node: NodeProcess;
  readonly #shadows: Shadow[];
  readonly #answers: AnswerWatch;
  readonly #expiry: ExpiryWatch;
  /** The request being handled. */
  #current: {
    readonly end: End;
    readonly rid: number;
    readonly retried: boolean;
    readonly conditional: boolean;
    /** Of a WRITE by a node of the version that is here: it must know the latest list. */
    readonly applied: AppliedList | null | undefined;
  } | null = null;
  #drove = false;
  #epoch = 0;

  #listsChanged = false;

  constructor(node: NodeProcess) {
    this.#node = node;
    this.#answers = new AnswerWatch(node);
    this.#expiry = new ExpiryWatch(node);
    const { world } = node;
    this.#shadows = world.plan.keys.map((key) => ({
      key,
      slot: world.slotOf(key),
      joinedAt: 0,
      held: false,
      valid: false,
      full: false,
      tombstone: false,
      expiresAtMs: 0,
      applied: null,
      hlc: 0,
      clientId: 0,
      seq: 0,
      epoch: 0,
    }));
    this.#noticeLists();
    this.#noticeTurns();
  }

  /** RMW7: of several WRITEs that waited each is there for a moment only. */
  #noticeTurns(): void {
    const { core, world, store } = this.#node;
    const { turns } = core.replica;
    const [write, delays, end] = [store.write.bind(store), turns.delays.bind(turns), turns.end.bind(turns)];
    let isEnding = false;
    turns.delays = (link, message) => {
      const waits = delays(link, message);
      if (waits) world.coverage.note('turnWaited');
      return waits;
    };
    turns.end = (record) => {
      isEnding = true;
      end(record);
      isEnding = false;
    };
    store.write = (record, version, value, expiresAtMs, storedAtMs) => {
      write(record, version, value, expiresAtMs, storedAtMs);
      if (!isEnding || core.membership.role(store.slotOf(record)) !== Role.full) return;
      const key = store.keyOf(record);
      world.observer.noteHeldFull(key, version);
      world.observer.noteVersion(key, version, value, expiresAtMs);
    };
  }

  /** Looking at all lists after every event took a quarter of the simulator's time. */
  #noticeLists(): void {
    const { store } = this.#node;
    const setApplied = store.setApplied.bind(store);
    store.setApplied = (record, applied) => {
      setApplied(record, applied);
      this.#listsChanged = true;
    };
  }

  fromManager(message: Message): void {
    const { coverage } = this.#node.world;
    if (message.type === MessageType.lease) this.#node.leasedAtMs = this.#node.nowMs();
    if (message.type === MessageType.fence) coverage.note('fence');
  }

  requested(end: End, message: Message): void {
    const { coverage } = this.#node.world;
    switch (message.type) {
      case MessageType.copy:
        coverage.note('learnerCopy');
        break;
      case MessageType.digestAsk:
        break;
      case MessageType.difference:
        coverage.note('differenceCopy');
        break;
      case MessageType.get:
      case MessageType.condition:
      case MessageType.write:
        this.#answers.requested(end, message);
        break;
      case MessageType.scan:
      case MessageType.promiseAsk:
      case MessageType.getMap:
      case MessageType.probe:
        break;
      default:
        return;
    }
    if (end.unanswered.has(message.rid))
      this.#node.world.fail(`${this.#node.name}: request id ${message.rid} twice`);
    end.unanswered.set(message.rid, message.type);
    const retried = message.type === MessageType.condition && message.retried;
    if (retried) coverage.note('conditionalRetried');
    const conditional = message.type === MessageType.write && message.kind === WriteKind.conditional;
    const applied = message.type === MessageType.write ? this.#listToKnow(message) : undefined;
    this.#current = { end, rid: message.rid, retried, conditional, applied };
    this.#drove = false;
  }

  /** What a node that drives a write has, where this node holds that very version. */
  #listToKnow({ kind, key, version, applied }: WriteMessage): AppliedList | null | undefined {
    const { world, store } = this.#node;
    const record = store.get(world.slotOf(key), key);
    const isSame = record !== noRecord && store.compareVersion(version, record) === 0;
    return kind !== WriteKind.plain && isSame ? applied : undefined;
  }

  handled(): void {
    this.#current = null;
  }

  /** The node sends something on a connection that was dialled to it. */
  answering(end: End, message: Message): void {
    const { world, name } = this.#node;
    if (!('rid' in message)) return;
    const asked = end.unanswered.get(message.rid);
    if (asked === undefined) {
      world.fail(`${name}: answers request ${message.rid} twice, or unasked, with type ${message.type}`);
      return;
    }
    end.unanswered.delete(message.rid);
    const request = this.#answers.take(end, message.rid);
    const isDirect = this.#current?.end === end && this.#current.rid === message.rid;
    switch (message.type) {
      case MessageType.value:
        if (!isDirect) world.coverage.note('parkedRead');
        if (request !== undefined) this.#reads(request, message, isDirect);
        break;
      case MessageType.stale:
        if (this.#current?.conditional === true) world.coverage.note('conditionalStale');
        if (request !== undefined) this.#answers.checkSaved(request);
        break;
      case MessageType.ack:
        this.#noteService();
        if (request !== undefined) this.#acks(request, isDirect ? this.#current?.applied : undefined);
        break;
      case MessageType.conditionResult:
        this.#noteConditionResult(message.status, isDirect);
        if (request !== undefined) this.#concludes(request, message.status);
        break;
      case MessageType.fenced:
        world.coverage.note(fencedSituations[message.reason]);
        break;
      case MessageType.refused:
        if (message.reason === RefusedReason.tooOld) world.coverage.note('refusedOld');
        break;
      case MessageType.copyBatch:
        for (const entry of message.entries) if (entry.valid) this.#checkCopied(entry);
        break;
      case MessageType.promise:
        world.coverage.note(message.granted ? 'promiseGranted' : 'promiseDeclined');
        break;
      default:
        break;
    }
  }

  /** M5. */
  #checkCopied({ key, version }: Entry): void {
    const { world, store, name } = this.#node;
    const record = store.get(world.slotOf(key), key);
    const isHeld = record !== noRecord && store.compareVersion(version, record) === 0;
    if (isHeld && !store.isValid(record)) world.fail(`M5: ${name} gives ${key} as VALID, which is INVALID`);
  }

  #concludes(request: Asked, status: ConditionStatus): void {
    this.#expiry.evaluates();
    const isApplied = status === ConditionStatus.applied;
    if (!isApplied && status !== ConditionStatus.notApplied) return;
    this.#serves(this.#node.world.slotOf(request.key), `a conditional write of ${request.key}`);
    if (isApplied) this.#answers.checkApplied(request);
  }

  #noteConditionResult(status: ConditionStatus, isDirect: boolean): void {
    const { coverage } = this.#node.world;
    if (status === ConditionStatus.interrupted) coverage.note('conditionalInterrupted');
    if (status === ConditionStatus.unknown) coverage.note('conditionalUnknown');
    const isFound = status === ConditionStatus.applied && isDirect && this.#current?.retried === true;
    if (isFound && !this.#drove) coverage.note('conditionalFoundApplied');
  }

  /** The node sends something on a connection that it dialled. */
  asking(message: Message): void {
    if (message.type === MessageType.write) this.#drives(message);
    if (message.type === MessageType.copyDone)
      for (const [slot, joinedAt] of message.slots)
        this.#checkLabel(slot, joinedAt, 'tells that its copy is done');
  }

  /** RMW1: a conditional write is sent as soon as it is evaluated, and not again. */
  #drives({ key, kind }: WriteMessage): void {
    this.#drove = true;
    this.#expiry.evaluates();
    const { world, core, name } = this.#node;
    if (kind === WriteKind.conditional && !core.membership.isPrimary(world.slotOf(key)))
      world.fail(`RMW1: ${name} is not the primary and has evaluated a conditional write of ${key}`);
  }

  /** D1, D2, RMW5. */
  #acks(request: Asked, applied: AppliedList | null | undefined): void {
    this.#answers.checkAge(request);
    this.#answers.checkSaved(request);
    const { key } = request;
    const { world, core, store, name } = this.#node;
    const slot = world.slotOf(key);
    if (core.membership.role(slot) === Role.full && world.plan.settings.durability === 'always')
      this.#checkLabel(slot, joinedAt(this.#node, slot), `says ACK to a write of ${key}`);
    const record = store.get(slot, key);
    if (applied === undefined || record === noRecord) return;
    if (compareApplied(store.appliedOf(record), applied) > 0)
      world.fail(`RMW5: ${name} says ACK to an older list of conditional writes of ${key} than its own`);
  }

  #checkLabel(slot: number, joinedAt: number, what: string): void {
    const { world, journal, name } = this.#node;
    if (journal === null || journal.labelOf(slot) === joinedAt) return;
    world.fail(`D2: ${name} ${what}, and the label of slot ${slot} is not on its disk`);
  }

  #reads(request: Asked, { present, version }: ValueMessage, isDirect: boolean): void {
    const { world, store, name } = this.#node;
    const { key } = request;
    const slot = world.slotOf(key);
    this.#serves(slot, `a read of ${key}`);
    const record = store.get(slot, key);
    if (record === noRecord) return;
    if (store.isValid(record)) {
      this.#expiry.checkRead(record, present);
      return;
    }
    if (isDirect || (present && store.compareVersion(version, record) === 0))
      world.fail(`R1: ${name} answers a read of ${key}, which is INVALID`);
    world.coverage.note('readOfFormer');
    if (present) this.#answers.checkFormer(request, version);
  }

  /** R1, R4. */
  #serves(slot: number, what: string): void {
    const { world, core, name } = this.#node;
    const { membership, lease } = core;
    if (membership.role(slot) !== Role.full) world.fail(`R1: ${name} is no full replica and answers ${what}`);
    else if (membership.isLeaving(slot) && !lease.isPromised(slot))
      world.fail(`M4: ${name} is fenced and answers ${what}`);
    else if (!lease.holds(slot)) world.fail(`R4: ${name} has no right to serve and answers ${what}`);
    this.#noteService();
    world.observer.checkRights(this.#node, slot);
  }

  #noteService(): void {
    const { world, leasedAtMs } = this.#node;
    if (this.#node.nowMs() <= leasedAtMs + world.plan.settings.leaseMs) return;
    const { map, nodeId } = this.#node.core.membership;
    const isAlone = map?.slots.some(
      (s) => s.replicas[0] === nodeId && s.replicas.length + s.learners.length === 1,
    );
    world.coverage.note(isAlone === true ? 'servedAlone' : 'servedByPromise');
  }

  /** Call after every event of the node. */
  check(): void {
    const { world, core, name } = this.#node;
    const { membership } = core;
    if (membership.epoch < this.#epoch) world.fail(`M7: ${name} falls back from epoch ${this.#epoch}`);
    if (membership.epoch > this.#epoch) {
      this.#checkRights();
      // A slot may have been brought back from the attic.
      this.#listsChanged = true;
    }
    this.#epoch = membership.epoch;
    for (const shadow of this.#shadows) {
      this.#checkKey(shadow);
      this.#checkDisk(shadow);
    }
    this.#listsChanged = false;
  }

  /** M3, M4, M8: wherever it may serve from now on. */
  #checkRights(): void {
    const { world, core } = this.#node;
    for (const slot of core.membership.slotsOf(Role.full)) {
      const { membership, lease } = core;
      const mayServe = membership.isLeaving(slot) ? lease.isPromised(slot) : lease.holds(slot);
      if (mayServe) world.observer.checkRights(this.#node, slot);
    }
  }

  /** D1, D2. */
  #checkDisk({ slot, key }: Shadow): void {
    const { world, core, store, journal, name } = this.#node;
    if (journal === null || journal.saved !== journal.noted || core.membership.role(slot) === Role.none)
      return;
    // What it held before lies there until the copy is done.
    if (core.attic.isOverlaid(slot)) return;
    const saved = journal.savedRecord(slot, key);
    const record = store.get(slot, key);
    if (saved === undefined && record === noRecord) return;
    const isSame =
      saved !== undefined &&
      record !== noRecord &&
      store.compareVersion(saved.version, record) === 0 &&
      saved.expiresAtMs === store.expiresAtMs(record) &&
      compareApplied(saved.applied, store.appliedOf(record)) === 0;
    if (isSame) return;
    const what = saved === undefined ? 'nothing' : formatVersion(saved.version);
    world.fail(`D2: ${name} has ${what} of ${key} on its disk, and holds something else`);
  }

  #checkKey(shadow: Shadow): void {
    const { world, core, store, name } = this.#node;
    const { membership } = core;
    const { slot, key } = shadow;
    const role = membership.role(slot);
    const joined = joinedAt(this.#node, slot);
    if (joined !== shadow.joinedAt) {
      shadow.joinedAt = joined;
      shadow.held = false;
    }
    const record = store.get(slot, key);
    if (record === noRecord) {
      if (shadow.held) this.#checkDropped(shadow);
      shadow.held = false;
      return;
    }
    if (this.#listsChanged) this.#checkList(shadow, record);
    const valid = store.isValid(record);
    if (!valid && !store.holds(record, Hold.settle) && !store.holds(record, Hold.work))
      world.fail(`R3: ${name} has ${key} INVALID, and will not settle it`);
    const order = shadow.held ? -store.compareVersion(shadow, record) : 1;
    const full = role === Role.full;
    if (order === 0 && valid === shadow.valid && full === shadow.full) return;
    const version = { ...versionZero };
    store.copyVersion(record, version);
    if (full) world.observer.noteHeldFull(key, version);
    shadow.full = full;
    if (order < 0) {
      world.fail(
        `${name}: version of ${key} falls from ${formatVersion(shadow)} to ${formatVersion(version)}`,
      );
    } else if (order === 0 && shadow.valid && !valid) {
      world.fail(`${name}: ${key} returns from VALID to INVALID at ${formatVersion(version)}`);
    }
    const isOver = shadow.held && !shadow.tombstone && world.hasExpired(shadow.expiresAtMs);
    if (isOver && version.hlc === shadow.hlc && order > 0) world.coverage.note('expiredReplaced');
    shadow.held = true;
    shadow.valid = valid;
    shadow.tombstone = !store.hasValue(record);
    shadow.expiresAtMs = store.expiresAtMs(record);
    copyVersion(version, shadow);
    if (order > 0) world.observer.noteVersion(key, version, store.valueOf(record), shadow.expiresAtMs);
  }

  #checkList(shadow: Shadow, record: RecordId): void {
    const { world, store } = this.#node;
    const applied = store.appliedOf(record);
    if (applied !== null && compareApplied(applied, shadow.applied) !== 0)
      world.observer.noteList(shadow.key, applied);
    shadow.applied = applied;
  }

  /** W10. */
  #checkDropped(shadow: Shadow): void {
    const { world, name } = this.#node;
    const ageMs = (world.managerClockUs() - shadow.hlc) / 1000;
    // It may have become VALID in this very event.
    const { writeAgeMsMax } = world.plan.settings;
    const isOver = shadow.expiresAtMs > 0 && world.hasExpired(shadow.expiresAtMs + writeAgeMsMax);
    const isSpent = (shadow.tombstone || isOver) && ageMs > writeAgeMsMax;
    if (!isSpent) world.fail(`W10: ${name} drops ${shadow.key} at ${formatVersion(shadow)}`);
    if (!shadow.tombstone) world.coverage.note('expiredDropped');
    world.coverage.note('tombstoneDropped');
  }
}
