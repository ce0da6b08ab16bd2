/**
 * How much every slot holds and how often it is asked, as its replicas report about every second. Rates are smoothed
 * over some reports, so that a short burst moves nothing; what a report leaves out has not been asked since.
 */
import type { SlotLoadsMessage } from '../../protocol/messages.js';

interface Load {
  bytes: number;
  readsPerSecond: number;
  writesPerSecond: number;
}

/** Share of the newest report in a rate. */
const newestShare = 0.3;
/** A report counts for at least this long; the first one for about a second. */
const reportMsMin = 100;
const firstReportMs = 1000;

export class SlotLoads {
  /** By node, by slot. */
  readonly #nodes = new Map<number, { atMs: number; readonly slots: Map<number, Load> }>();

  onReport({ nodeId, loads }: SlotLoadsMessage, nowMs: number): void {
    const node = this.#nodes.get(nodeId) ?? { atMs: nowMs - firstReportMs, slots: new Map<number, Load>() };
    const seconds = Math.max(reportMsMin, nowMs - node.atMs) / 1000;
    node.atMs = nowMs;
    this.#nodes.set(nodeId, node);
    for (const load of node.slots.values()) {
      load.readsPerSecond *= 1 - newestShare;
      load.writesPerSecond *= 1 - newestShare;
    }
    for (const { slot, bytes, reads, writes } of loads) {
      const load = node.slots.get(slot) ?? { bytes, readsPerSecond: 0, writesPerSecond: 0 };
      load.bytes = bytes;
      load.readsPerSecond += (newestShare * reads) / seconds;
      load.writesPerSecond += (newestShare * writes) / seconds;
      node.slots.set(slot, load);
    }
  }

  /** This life of it is over. */
  forget(nodeId: number): void {
    this.#nodes.delete(nodeId);
  }

  /** Notes on slots that a node does not hold any more are dropped. */
  keepHeld(isReplica: (slot: number, nodeId: number) => boolean): void {
    for (const [id, { slots }] of this.#nodes)
      for (const slot of slots.keys()) if (!isReplica(slot, id)) slots.delete(slot);
  }

  /** Of keys and values of one replica; 0: unknown. */
  bytes(slot: number): number {
    return Math.max(0, ...this.#of(slot).map((load) => load.bytes));
  }

  /** At all replicas together, for a read asks one. */
  readsPerSecond(slot: number): number {
    return this.#of(slot).reduce((sum, load) => sum + load.readsPerSecond, 0);
  }

  /** At each replica, for a write asks all. */
  writesPerSecond(slot: number): number {
    return Math.max(0, ...this.#of(slot).map((load) => load.writesPerSecond));
  }

  #of(slot: number): Load[] {
    return [...this.#nodes.values()].flatMap((node) => node.slots.get(slot) ?? []);
  }
}
