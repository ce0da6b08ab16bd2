/**
 * How often each slot is read and written here, and the report of it to the manager (SLOT_LOADS): about once a second
 * the slots that this node is a full replica of and that were asked or changed; nothing if there are none. Every slot
 * is told anew to a manager that is new to this node, and by a new incarnation.
 */
import { MessageType } from '../../protocol/messages.js';
import type { Link, SlotLoad } from '../../protocol/messages.js';
import { Role } from './membership.js';
import type { Membership } from './membership.js';
import type { NodePorts } from './ports.js';
import type { KeyStore } from './store.js';

const reportEveryMs = 1000;

/** On the path of every read and write: two increments each, and nothing more. */
export class SlotCounts {
  #reads = new Uint32Array(0);
  #writes = new Uint32Array(0);
  /** Reads and writes of all slots, never reset. */
  total = 0;

  read(slot: number): void {
    this.total++;
    this.#reads[slot] = (this.#reads[slot] ?? 0) + 1;
  }

  wrote(slot: number): void {
    this.total++;
    this.#writes[slot] = (this.#writes[slot] ?? 0) + 1;
  }

  readsOf(slot: number): number {
    return this.#reads[slot] ?? 0;
  }

  writesOf(slot: number): number {
    return this.#writes[slot] ?? 0;
  }

  /** Begins anew from zero. */
  reset(slotCount: number): void {
    if (this.#reads.length === slotCount) {
      this.#reads.fill(0);
      this.#writes.fill(0);
    } else {
      this.#reads = new Uint32Array(slotCount);
      this.#writes = new Uint32Array(slotCount);
    }
  }
}

/** What a slot held when it was last told; -1: never. */
interface Told {
  keys: Float64Array;
  bytes: Float64Array;
}

export class LoadReporter {
  readonly #ports: NodePorts;
  readonly #membership: Membership;
  readonly #store: KeyStore;
  readonly #counts: SlotCounts;
  #told: Told = { keys: new Float64Array(0), bytes: new Float64Array(0) };
  /** Whom it was told, and in which life. */
  #toldTo: Link | undefined;
  #toldAs = 0;
  #reportedAtMs = -Infinity;

  constructor(ports: NodePorts, membership: Membership, store: KeyStore, counts: SlotCounts) {
    this.#ports = ports;
    this.#membership = membership;
    this.#store = store;
    this.#counts = counts;
  }

  tick(): void {
    const nowMs = this.#ports.nowMs();
    const { map } = this.#membership;
    if (map === null || nowMs - this.#reportedAtMs < reportEveryMs) return;
    this.#reportedAtMs = nowMs;
    this.#report(map.slots.length);
    // What was counted while there was nobody to tell is no rate of the next second.
    this.#counts.reset(map.slots.length);
  }

  #report(slotCount: number): void {
    const { nodeId, incarnation } = this.#membership;
    const manager = this.#ports.manager();
    if (manager === undefined || incarnation === 0) return;
    if (manager !== this.#toldTo || incarnation !== this.#toldAs || slotCount !== this.#told.keys.length) {
      this.#toldTo = manager;
      this.#toldAs = incarnation;
      this.#told = {
        keys: new Float64Array(slotCount).fill(-1),
        bytes: new Float64Array(slotCount).fill(-1),
      };
    }
    const loads: SlotLoad[] = [];
    for (let slot = 0; slot < slotCount; slot++) this.#take(slot, loads);
    if (loads.length > 0) manager.send({ type: MessageType.slotLoads, nodeId, incarnation, loads });
  }

  #take(slot: number, loads: SlotLoad[]): void {
    if (this.#membership.role(slot) !== Role.full) {
      // Should it come back, it is told whatever it holds then.
      this.#told.keys[slot] = -1;
      return;
    }
    const keys = this.#store.keysIn(slot);
    const bytes = this.#store.bytesIn(slot);
    const reads = this.#counts.readsOf(slot);
    const writes = this.#counts.writesOf(slot);
    const isKnown = this.#told.keys[slot] === keys && this.#told.bytes[slot] === bytes;
    if (isKnown && reads === 0 && writes === 0) return;
    this.#told.keys[slot] = keys;
    this.#told.bytes[slot] = bytes;
    loads.push({ slot, keys, bytes, reads, writes });
  }
}
