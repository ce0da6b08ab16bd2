/**
 * What a node's answers stand for, looked up where others cannot look:
 *
 * - with `always`, whoever says ACK or STALE to a write has that version, or a higher one, on its disk (D1);
 * - a plain write is not stored once its tombstone may have been dropped (W10);
 * - a read of an INVALID key is answered with a version that is committed, and no earlier than what it found (R2);
 * - a retried conditional write that is told "applied" is in the list of every member (RMW5).
 */
import { appliedLengthMax, compareApplied, findApplied } from '../../src/protocol/applied-list.js';
import type { AppliedList } from '../../src/protocol/applied-list.js';
import { Role } from '../../src/node/core/membership.js';
import { noRecord } from '../../src/node/core/store.js';
import { MessageType, WriteKind } from '../../src/protocol/messages.js';
import type { ConditionMessage, GetMessage, WriteMessage } from '../../src/protocol/messages.js';
import { cloneVersion, compareVersions, formatVersion, versionZero } from '../../src/protocol/version.js';
import type { Version } from '../../src/protocol/version.js';
import type { End } from './network.js';
import type { NodeProcess } from './node-process.js';

/** By which a node's clock may have drifted from the manager's in the time that a schedule takes. */
const driftMsMax = 50;

/** A request that has no answer yet. */
export interface Asked {
  readonly key: string;
  /** Epoch at which the node had joined the slot; 0: it had not. */
  readonly joinedAt: number;
  /** Of a WRITE; of a GET, that of the key when it came; zero: none. */
  readonly version: Version;
  /** Of a WRITE by a node. */
  readonly applied: AppliedList | null;
  /** A plain WRITE from before the age at which tombstones are dropped. */
  readonly isOutdated: boolean;
  /** Of a conditional write that was sent again. */
  readonly retryOf: { readonly clientId: number; readonly number: number } | null;
}

export class AnswerWatch {
  readonly #node: NodeProcess;
  readonly #asked = new Map<string, Asked>();

  constructor(node: NodeProcess) {
    this.#node = node;
  }

  requested(end: End, message: GetMessage | ConditionMessage | WriteMessage): void {
    const { world } = this.#node;
    const { key, type } = message;
    const isWrite = type === MessageType.write;
    const retryOf =
      type === MessageType.condition && message.retried
        ? { clientId: message.opClientId, number: message.opNumber }
        : null;
    const oldestUs = world.managerClockUs() - (world.plan.settings.tombstoneMs + driftMsMax) * 1000;
    this.#asked.set(`${end.id} ${message.rid}`, {
      key,
      joinedAt: joinedAt(this.#node, world.slotOf(key)),
      version: isWrite ? cloneVersion(message.version) : versionHeld(this.#node, key),
      applied: isWrite && message.applied !== null ? [...message.applied] : null,
      isOutdated: isWrite && message.kind === WriteKind.plain && message.version.hlc < oldestUs,
      retryOf,
    });
  }

  take(end: End, rid: number): Asked | undefined {
    const at = `${end.id} ${rid}`;
    const asked = this.#asked.get(at);
    this.#asked.delete(at);
    return asked;
  }

  /** W10. */
  checkAge({ key, version, isOutdated }: Asked): void {
    const { world, name } = this.#node;
    if (isOutdated) world.fail(`W10: ${name} accepts ${formatVersion(version)} of ${key}, which is too old`);
  }

  /** D1: of a full replica that has been one since it was asked. With `interval` nothing was answered before that is not there. */
  checkSaved({ key, version, applied, joinedAt: joinedAtThen }: Asked): void {
    const { world, core, journal, name } = this.#node;
    const slot = world.slotOf(key);
    const isSame = core.membership.role(slot) === Role.full && joinedAt(this.#node, slot) === joinedAtThen;
    if (journal?.isAwaited !== true || !isSame || this.#isOfInterval(slot, key)) return;
    const saved = journal.savedRecord(slot, key);
    const isThere = saved !== undefined && compareVersions(saved.version, version) >= 0;
    if (isThere && compareApplied(saved.applied, applied) >= 0) return;
    const what = isThere ? 'an older list' : saved === undefined ? 'nothing' : formatVersion(saved.version);
    world.fail(`D1: ${name} answers a write of ${key} at ${formatVersion(version)} with ${what} on its disk`);
  }

  /** VALID, and the disk need not have it. */
  #isOfInterval(slot: number, key: string): boolean {
    const { world, store } = this.#node;
    const record = store.get(slot, key);
    return world.plan.settings.durability === 'interval' && record !== noRecord && store.isValid(record);
  }

  /** R2: of a version that has been overwritten, and was committed before: no full replica has an earlier one. */
  checkFormer({ key, version: found }: Asked, answered: Version): void {
    const { world, core, name } = this.#node;
    const slot = world.slotOf(key);
    const { map } = core.membership;
    if (compareVersions(answered, found) < 0)
      world.fail(`R2: ${name} answers a read of ${key} with an earlier version than it found`);
    for (const other of this.#otherMembers(slot)) {
      const isFull = map?.slots[slot]?.replicas.includes(other.core.membership.nodeId) === true;
      if (isFull && compareVersions(versionHeld(other, key), answered) < 0)
        world.fail(`R2: ${name} answers a read of ${key} with a version that ${other.name} does not have`);
    }
  }

  /** RMW5. */
  checkApplied({ key, retryOf }: Asked): void {
    if (retryOf === null) return;
    const { world, name } = this.#node;
    const slot = world.slotOf(key);
    for (const other of this.#otherMembers(slot)) {
      if (!knows(other, slot, key, retryOf))
        world.fail(`RMW5: ${name} says "applied" of a retry on ${key} of which ${other.name} does not know`);
    }
  }

  /** All other members of the slot that are what this node's map says they are. */
  #otherMembers(slot: number): NodeProcess[] {
    const { world, core } = this.#node;
    const { map, nodeId } = core.membership;
    return world.nodes.filter((other) => {
      const id = other.core.membership.nodeId;
      return other.alive && id !== nodeId && map?.joinedAt(slot, id) === joinedAt(other, slot);
    });
  }
}

function versionHeld({ store, world }: NodeProcess, key: string): Version {
  const record = store.get(world.slotOf(key), key);
  return record === noRecord ? versionZero : store.versionOf(record);
}

/** Epoch at which the node joined the slot; 0: it is in none of its lists. */
export function joinedAt({ core: { membership } }: NodeProcess, slot: number): number {
  return membership.role(slot) === Role.none ? 0 : (membership.map?.joinedAt(slot, membership.nodeId) ?? 0);
}

/**
 * Or it may have forgotten it: what is older than the last few conditional writes, or went with a tombstone that was dropped,
 * after which the key may have been written anew.
 */
function knows(
  { store, world }: NodeProcess,
  slot: number,
  key: string,
  { clientId, number }: { readonly clientId: number; readonly number: number },
): boolean {
  const record = store.get(slot, key);
  if (world.coverage.seen.has('tombstoneDropped')) return true;
  if (record === noRecord) return false;
  const applied = store.appliedOf(record);
  return (
    findApplied(applied, clientId, number, { ...versionZero }) ||
    (applied !== null && applied.length === appliedLengthMax)
  );
}
