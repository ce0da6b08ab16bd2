/**
 * What nodes report of their slots (SLOT_LOADS): keys and bytes as of the last report, and how often each slot is read
 * and written, smoothed over some seconds. Kept per node and slot, so that what a node said goes when the node does.
 *
 * A node counts for about a second and sends what is not nothing: a slot that a report leaves out was not asked.
 */
import type { HotSlot } from '../../protocol/admin.js';
import type { SlotLoad, SlotLoadsMessage } from '../../protocol/messages.js';

/** An old rate is worth a third of what it was after this long. */
const smoothingMs = 3000;
/** What one report counts, if the one before is not known or long ago. */
const countedMs = 1000;
/** The next report may be this late before its slots count as not asked. */
const lateMsMax = 1500;

/** One node's last word on one slot. The rates are as of `atMs`. */
interface Noted {
  keys: number;
  bytes: number;
  readsPerSecond: number;
  writesPerSecond: number;
  atMs: number;
}

interface NodeNotes {
  heardAtMs: number;
  /** Of all slots, not smoothed. */
  requestsPerSecond: number;
  readonly bySlot: Map<number, Noted>;
}

export type SlotRate = Omit<HotSlot, 'replicas'>;

export class SlotLoads {
  readonly #slotCount: number;
  readonly #nodes = new Map<number, NodeNotes>();
  #heardAtMs = -Infinity;

  constructor(slotCount: number) {
    this.#slotCount = slotCount;
  }

  /** The sender is known to be a member. */
  note({ nodeId, loads }: Pick<SlotLoadsMessage, 'nodeId' | 'loads'>, nowMs: number): void {
    const notes = this.#nodes.get(nodeId) ?? newNotes();
    this.#nodes.set(nodeId, notes);
    const sinceMs = nowMs - notes.heardAtMs;
    const spanMs = sinceMs > lateMsMax ? countedMs : Math.max(1, sinceMs);
    let requests = 0;
    for (const load of loads) {
      if (load.slot >= this.#slotCount) continue;
      this.#noteSlot(notes, load, spanMs, nowMs);
      requests += load.reads + load.writes;
    }
    notes.requestsPerSecond = requests * (1000 / spanMs);
    notes.heardAtMs = nowMs;
    this.#heardAtMs = Math.max(this.#heardAtMs, nowMs);
  }

  #noteSlot({ bySlot }: NodeNotes, load: SlotLoad, spanMs: number, nowMs: number): void {
    const before = bySlot.get(load.slot);
    const old = before === undefined ? 0 : fading(nowMs - before.atMs);
    const fresh = (1 - fading(spanMs)) * (1000 / spanMs);
    bySlot.set(load.slot, {
      keys: load.keys,
      bytes: load.bytes,
      readsPerSecond: (before?.readsPerSecond ?? 0) * old + load.reads * fresh,
      writesPerSecond: (before?.writesPerSecond ?? 0) * old + load.writes * fresh,
      atMs: nowMs,
    });
  }

  /** Whether any node has told of the slot. */
  knows(slot: number): boolean {
    for (const { bySlot } of this.#nodes.values()) if (bySlot.has(slot)) return true;
    return false;
  }

  /** Bytes of keys and values of one replica, without overhead; 0: none, or not known. */
  bytesOf(slot: number): number {
    return this.#mostOf(slot, (noted) => noted.bytes);
  }

  keysOf(slot: number): number {
    return this.#mostOf(slot, (noted) => noted.keys);
  }

  #mostOf(slot: number, figure: (noted: Noted) => number): number {
    let most = 0;
    for (const { bySlot } of this.#nodes.values()) {
      const noted = bySlot.get(slot);
      if (noted !== undefined) most = Math.max(most, figure(noted));
    }
    return most;
  }

  /** Reads and writes a second. @param nowMs - default: when a node was last heard */
  rateOf(slot: number, nowMs = this.#heardAtMs): number {
    const { readsPerSecond, writesPerSecond } = this.of(slot, nowMs);
    return readsPerSecond + writesPerSecond;
  }

  /** A read goes to one replica, a write to all. */
  of(slot: number, nowMs = this.#heardAtMs): SlotRate {
    let readsPerSecond = 0;
    let writesPerSecond = 0;
    for (const { heardAtMs, bySlot } of this.#nodes.values()) {
      const noted = bySlot.get(slot);
      if (noted === undefined) continue;
      const left = fading(Math.max(heardAtMs, nowMs - lateMsMax) - noted.atMs);
      readsPerSecond += noted.readsPerSecond * left;
      writesPerSecond = Math.max(writesPerSecond, noted.writesPerSecond * left);
    }
    return { slot, readsPerSecond, writesPerSecond, keys: this.keysOf(slot), bytes: this.bytesOf(slot) };
  }

  /** Of all nodes, as of their last reports: a put counts for each replica. */
  requestsPerSecond(nowMs: number): number {
    let sum = 0;
    for (const { heardAtMs, requestsPerSecond } of this.#nodes.values())
      if (nowMs - heardAtMs <= lateMsMax) sum += requestsPerSecond;
    return sum;
  }

  /** Slots that hold or held something, those most asked for first. */
  hottest(count: number, nowMs = this.#heardAtMs): SlotRate[] {
    const slots = new Set<number>();
    for (const { bySlot } of this.#nodes.values()) for (const slot of bySlot.keys()) slots.add(slot);
    const rates = [...slots].map((slot) => this.of(slot, nowMs));
    const heat = (rate: SlotRate): number => rate.readsPerSecond + rate.writesPerSecond;
    return rates.sort((a, b) => heat(b) - heat(a) || b.bytes - a.bytes || a.slot - b.slot).slice(0, count);
  }

  /** The node is gone, or begins a new life. */
  forget(nodeId: number): void {
    this.#nodes.delete(nodeId);
  }

  /** Drops what nodes said of slots that they no longer are full replicas of. */
  keep(isReplica: (slot: number, nodeId: number) => boolean): void {
    for (const [nodeId, { bySlot }] of this.#nodes) {
      for (const slot of bySlot.keys()) if (!isReplica(slot, nodeId)) bySlot.delete(slot);
      if (bySlot.size === 0) this.#nodes.delete(nodeId);
    }
  }
}

function newNotes(): NodeNotes {
  return { heardAtMs: -Infinity, requestsPerSecond: 0, bySlot: new Map() };
}

/** What is left of a rate after that time. */
function fading(ms: number): number {
  return ms <= 0 ? 1 : Math.exp(-ms / smoothingMs);
}
