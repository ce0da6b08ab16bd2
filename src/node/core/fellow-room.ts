/**
 * Which other nodes have no room for new values (PROTOCOL D4). Each says so of itself, so that all members of a slot refuse them
 * together. *[found: what one of them refused others had stored by then, and settled at all of them (R3); so a node without
 * room took in all that it refused, until nothing was left of what is kept for deletes and replays]*
 */
import { ProtocolError } from '../../protocol/errors.js';
import { MessageType } from '../../protocol/messages.js';
import type { Link, RefusedReason, RoomMessage } from '../../protocol/messages.js';
import type { Journal } from './journal.js';
import type { Membership } from './membership.js';
import type { NodePorts } from './ports.js';
import { ownRoomFault } from './room.js';
import type { KeyStore } from './store.js';

/** Said anew so often as long as it is so. */
const tellEveryMs = 200;
/** What was said counts for so long. */
const countsMs = 1000;

interface Full {
  readonly reason: RefusedReason;
  readonly untilMs: number;
}

export class FellowRoom {
  readonly #ports: NodePorts;
  readonly #membership: Membership;
  readonly #journal: Journal;
  readonly #store: KeyStore;
  readonly #full = new Map<number, Full>();
  /** What the others were told last, and when; -1: nothing, or that there is room. */
  #told: RefusedReason | -1 = -1;
  #toldAtMs = -Infinity;

  constructor(ports: NodePorts, membership: Membership, journal: Journal, store: KeyStore) {
    this.#ports = ports;
    this.#membership = membership;
    this.#journal = journal;
    this.#store = store;
  }

  onRoom(link: Link, { nodeId, reason }: RoomMessage): void {
    if (!link.isOfNode) throw new ProtocolError('only a node may say that a node has no room');
    if (reason === null || this.#membership.map?.node(nodeId) === undefined) this.#full.delete(nodeId);
    else this.#full.set(nodeId, { reason, untilMs: this.#ports.nowMs() + countsMs });
  }

  /** Whether the quick way may be gone without a look at the slot. */
  get isNone(): boolean {
    return this.#full.size === 0;
  }

  /** Why this node takes no values; null: it does. */
  get ownFault(): RefusedReason | null {
    const fault = ownRoomFault(this.#journal, this.#store);
    return fault === -1 ? null : fault;
  }

  /** Why another member of the slot takes no values; -1: none has said so. */
  fault(slot: number): RefusedReason | -1 {
    if (this.#full.size === 0) return -1;
    for (const id of this.#membership.map?.members(slot) ?? []) {
      const full = this.#full.get(id);
      if (full !== undefined) return full.reason;
    }
    return -1;
  }

  tick(): void {
    const nowMs = this.#ports.nowMs();
    for (const [id, { untilMs }] of this.#full) if (nowMs >= untilMs) this.#full.delete(id);
    const own = ownRoomFault(this.#journal, this.#store);
    if (own === this.#told && (own === -1 || nowMs - this.#toldAtMs < tellEveryMs)) return;
    this.#told = own;
    this.#toldAtMs = nowMs;
    const { map, nodeId } = this.#membership;
    const message = { type: MessageType.room, nodeId, reason: own === -1 ? null : own } as const;
    for (const { id } of map?.nodes ?? []) if (id !== nodeId) this.#ports.peer(id)?.send(message);
  }
}
