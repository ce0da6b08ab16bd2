/**
 * Drops tombstones and expired values that no late message can need any more (PROTOCOL W10): VALID, stored long
 * ago, and with a version older than any plain write that is still accepted. Goes through the slots a few records a
 * tick, so that it never holds up the node.
 */
import type { ClusterMap } from '../../protocol/cluster-map.js';
import type { Lease } from './lease.js';
import { Role } from './membership.js';
import type { Membership } from './membership.js';
import type { NodePorts } from './ports.js';
import type { Replica } from './replica.js';
import { noRecord } from './store.js';
import type { RecordId, RecordWalk } from './store.js';

/** A round through all records takes this share of `tombstoneMs`: for so much longer is kept what is spent. */
const roundRatio = 0.1;
/**
 * With more than some 1,400,000 records a round takes longer. And no more of them than that can go: of keys that are
 * deleted or expire, a node keeps up with 16,000 a second at the very most, and with half of that well.
 */
const stepsPerMsMax = 16;
/** However long the last tick was ago. */
const stepsPerTickMax = 800;
/** Beyond those at its records, a slot takes one to enter and one to leave. */
const stepsPerSlot = 2;

export class Sweeper {
  readonly #ports: NodePorts;
  readonly #membership: Membership;
  readonly #lease: Lease;
  readonly #replica: Replica;
  #slot = 0;
  #walk: RecordWalk | null = null;
  #tickedAtMs = 0;
  /** Steps to be taken, of which the fraction is carried over to the next tick. */
  #due = 0;

  constructor(ports: NodePorts, membership: Membership, lease: Lease, replica: Replica) {
    this.#ports = ports;
    this.#membership = membership;
    this.#lease = lease;
    this.#replica = replica;
  }

  tick(): void {
    const map = this.#membership.map;
    if (map === null || !this.#lease.clock.isKnown) return;
    this.#due = Math.min(stepsPerTickMax, this.#due + this.#elapsedMs() * this.#stepsPerMs(map));
    for (; this.#due >= 1; this.#due--) {
      if (this.#walk === null) {
        if (this.#membership.role(this.#slot) === Role.full)
          this.#walk = this.#replica.store.walk(this.#slot);
        else if (!this.#nextSlot(map.slots.length)) return;
        continue;
      }
      const record = this.#walk.next();
      if (record === noRecord) {
        this.#walk = null;
        if (!this.#nextSlot(map.slots.length)) return;
      } else if (this.#isSpent(record, map.settings.tombstoneMs)) {
        this.#replica.remove(record);
      }
    }
  }

  #elapsedMs(): number {
    const nowMs = this.#ports.nowMs();
    const elapsedMs = nowMs - this.#tickedAtMs;
    this.#tickedAtMs = nowMs;
    return elapsedMs;
  }

  #stepsPerMs({ slots, settings }: ClusterMap): number {
    const steps = this.#replica.store.keys + stepsPerSlot * slots.length;
    return Math.min(stepsPerMsMax, steps / (roundRatio * settings.tombstoneMs));
  }

  /** @returns false at the end of a round: enough for this tick. */
  #nextSlot(slotCount: number): boolean {
    this.#slot = (this.#slot + 1) % slotCount;
    return this.#slot !== 0;
  }

  #isSpent(record: RecordId, tombstoneMs: number): boolean {
    const { store } = this.#replica;
    if (!store.isValid(record) || store.isHeld(record)) return false;
    if (this.#membership.role(store.slotOf(record)) !== Role.full) return false;
    // The earliest that the manager's clock may show.
    const { clock } = this.#lease;
    const clockUs = clock.nowUs() - clock.errorUs;
    if (store.hasValue(record)) {
      const expiresAtMs = store.expiresAtMs(record);
      if (expiresAtMs === 0 || (expiresAtMs + tombstoneMs) * 1000 > clockUs) return false;
    }
    const spentUs = clockUs - tombstoneMs * 1000;
    return store.storedAtMs(record) + tombstoneMs < this.#ports.nowMs() && store.hlcOf(record) < spentUs;
  }
}
