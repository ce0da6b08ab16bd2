/**
 * Drops tombstones and expired values that no late message can need any more (PROTOCOL W10): VALID, stored long
 * ago, and with a version older than any plain write that is still accepted. Goes through the slots a few records a
 * tick, so that it never holds up the node.
 */
import type { Lease } from './lease.js';
import { Role } from './membership.js';
import type { Membership } from './membership.js';
import type { NodePorts } from './ports.js';
import type { Replica } from './replica.js';
import type { KeyRecord } from './store.js';

const recordsPerTick = 256;

export class Sweeper {
  readonly #ports: NodePorts;
  readonly #membership: Membership;
  readonly #lease: Lease;
  readonly #replica: Replica;
  #slot = 0;
  #records: IterableIterator<KeyRecord> | null = null;

  constructor(ports: NodePorts, membership: Membership, lease: Lease, replica: Replica) {
    this.#ports = ports;
    this.#membership = membership;
    this.#lease = lease;
    this.#replica = replica;
  }

  tick(): void {
    const map = this.#membership.map;
    if (map === null || !this.#lease.knowsClock) return;
    for (let step = 0; step < recordsPerTick; step++) {
      if (this.#records === null) {
        if (this.#membership.role(this.#slot) === Role.full)
          this.#records = this.#replica.store.records(this.#slot);
        else if (!this.#nextSlot(map.slots.length)) return;
        continue;
      }
      const next = this.#records.next();
      if (next.done === true) {
        this.#records = null;
        if (!this.#nextSlot(map.slots.length)) return;
      } else if (this.#isSpent(next.value, map.settings.tombstoneMs)) {
        this.#replica.store.remove(next.value);
      }
    }
  }

  /** @returns false at the end of a round: enough for this tick. */
  #nextSlot(slotCount: number): boolean {
    this.#slot = (this.#slot + 1) % slotCount;
    return this.#slot !== 0;
  }

  #isSpent(record: KeyRecord, tombstoneMs: number): boolean {
    if (!record.valid || record.work !== null || record.settleAtMs !== 0) return false;
    if (this.#membership.role(record.slot) !== Role.full) return false;
    const clockUs = this.#lease.clockUs();
    if (record.value !== null) {
      if (record.expiresAtMs === 0 || (record.expiresAtMs + tombstoneMs) * 1000 > clockUs) return false;
    }
    return record.storedAtMs + tombstoneMs < this.#ports.nowMs() && record.hlc + tombstoneMs * 1000 < clockUs;
  }
}
