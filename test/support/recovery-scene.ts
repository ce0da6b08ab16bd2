/** A manager and nodes that lose a slot, and bring it back. */
import type { ClusterSettings } from '../../src/protocol/settings.js';
import { ManagerHarness } from './manager-harness.js';
import type { HarnessOptions } from './manager-harness.js';

/** One slot. Nodes that have died are not heard of before they are found. */
export class RecoveryScene extends ManagerHarness {
  constructor(options: HarnessOptions, settings: Partial<ClusterSettings>) {
    super({ ...options, settings: { slotCount: 1, ...settings } });
  }

  kill(...ids: number[]): void {
    for (const id of ids) {
      this.lost.add(id);
      this.end(this.node(id));
    }
    this.pass(40);
  }

  /** It has the slot on its disk, since the cluster was created. */
  haveDisk(...ids: number[]): void {
    const diskClockUs = 1_000_000;
    this.diskOf = (id) =>
      ids.includes(id)
        ? { clusterId: 'c', slots: [[0, 1]], clockUs: diskClockUs }
        : { clusterId: '', slots: [], clockUs: 0 };
  }

  /** Of the states that are kept back, the first is saved, and no other ever will be. */
  saveFirst(): void {
    this.unsaved.length = 1;
    this.save();
  }

  get slot(): { replicas: readonly number[]; learners: readonly number[]; joinedAt: readonly number[] } {
    const { replicas = [], learners = [], joinedAt = [] } = this.core.map?.slots[0] ?? {};
    return { replicas, learners, joinedAt };
  }
}
