/**
 * Whom a learner may ask, what it has asked, and when it gives an answer up: as soon as the connection has ended, or if
 * nothing at all has come on it for a while and another replica may be asked instead. What is asked of the same one again
 * would only come after it, on the same connection, and from the slot's first key on.
 */
import type { Link } from '../../protocol/messages.js';
import { CopyLine } from './copy-line.js';
import type { Membership } from './membership.js';
import type { NodePorts } from './ports.js';
import type { SlotCopy } from './slot-copy.js';

/** Answers come in the order of the questions, so this is for a source that has lost one, not for a slow line. */
const answerMsMax = 60_000;
/** Patience is twice as long after each answer given up, this often: not everybody can tell that a long one is coming in. */
const timeoutsCountedMax = 4;
const warnEveryMs = 10_000;

export class CopySources {
  readonly #ports: NodePorts;
  readonly #membership: Membership;
  readonly #byRid = new Map<number, SlotCopy>();
  /** By source, as long as its connection lasts. */
  readonly #lines = new Map<number, CopyLine>();
  #warnedAtMs = -Infinity;

  constructor(ports: NodePorts, membership: Membership) {
    this.#ports = ports;
    this.#membership = membership;
  }

  /** Requests. */
  get underWay(): number {
    return this.#byRid.size;
  }

  /** The copy whose request that is; undefined: it was given up, or is none of these. */
  find(rid: number): SlotCopy | undefined {
    return this.#byRid.get(rid);
  }

  /** A full replica that can be reached, another one after each failure; -1: none. */
  choose({ slot, failures }: SlotCopy): number {
    const reachable = this.#reachable(slot);
    return reachable[(slot + failures) % Math.max(1, reachable.length)] ?? -1;
  }

  #reachable(slot: number): number[] {
    const replicas = this.#membership.map?.slots[slot]?.replicas ?? [];
    return replicas.filter((id) => this.#ports.peer(id) !== undefined);
  }

  /** Its source's line takes one more request. */
  hasRoom(copy: SlotCopy): boolean {
    return this.#lines.get(copy.source)?.hasRoom ?? true;
  }

  /** @param bytes of the request, if it is a long one */
  asked(copy: SlotCopy, rid: number, link: Link, bytes: number): void {
    copy.rid = rid;
    copy.linkId = link.id;
    copy.sentMs = this.#ports.nowMs();
    this.#byRid.set(rid, copy);
    let line = this.#lines.get(copy.source);
    if (line === undefined) this.#lines.set(copy.source, (line = new CopyLine()));
    line.asked(bytes);
  }

  /** @param bytes of the answer */
  answered(copy: SlotCopy, bytes: number): void {
    this.#lines.get(copy.source)?.answered(bytes, copy.sentMs, this.#ports.nowMs());
    this.forget(copy);
  }

  /** Nothing is under way for it any more. */
  forget(copy: SlotCopy): void {
    if (this.#byRid.delete(copy.rid)) this.#lines.get(copy.source)?.ended();
    copy.rid = 0;
  }

  /** Tells of each copy whose request is given up. */
  watch(nowMs: number, failed: (copy: SlotCopy) => void, batchTimeoutMs: number): void {
    for (const [source, line] of this.#lines) line.look(this.#ports.peer(source), nowMs);
    for (const copy of this.#byRid.values()) {
      const hasEnded = this.#ports.peer(copy.source)?.id !== copy.linkId;
      if (!hasEnded && !this.#isLost(copy, nowMs, batchTimeoutMs)) continue;
      if (!hasEnded) this.#timedOut(copy, nowMs);
      failed(copy);
    }
    for (const source of this.#lines.keys())
      if (this.#ports.peer(source) === undefined) this.#lines.delete(source);
  }

  #isLost({ slot, source, sentMs, timeouts }: SlotCopy, nowMs: number, batchTimeoutMs: number): boolean {
    const patience = 2 ** Math.min(timeouts, timeoutsCountedMax);
    if (nowMs - sentMs > answerMsMax * patience) return true;
    const quietMs = this.#lines.get(source)?.quietMs(sentMs, nowMs) ?? 0;
    return quietMs > batchTimeoutMs * patience && this.#reachable(slot).some((id) => id !== source);
  }

  #timedOut(copy: SlotCopy, nowMs: number): void {
    copy.timeouts++;
    if (nowMs - this.#warnedAtMs < warnEveryMs) return;
    this.#warnedAtMs = nowMs;
    const { slot, source, sentMs } = copy;
    const ms = Math.round(nowMs - sentMs);
    this.#ports.log('warn', `no answer of node ${source} for ${ms} ms: begins to copy slot ${slot} again`);
  }

  /** Its connection has ended. */
  lost(nodeId: number, failed: (copy: SlotCopy) => void): void {
    for (const copy of this.#byRid.values()) if (copy.source === nodeId) failed(copy);
    this.#lines.delete(nodeId);
  }
}
