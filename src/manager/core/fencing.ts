/**
 * A planned removal under way (PROTOCOL M4): the nodes that leave slots stop serving and say so; only then may the
 * map without them be published. Any other publication cancels the plan, for its map lifts every fence.
 */
import { MessageType } from '../../protocol/messages.js';
import type { Link } from '../../protocol/messages.js';

/** One replica that is to leave one slot. */
export interface Departure {
  readonly slot: number;
  readonly nodeId: number;
}

export class FencePlan {
  /** The epoch that will take the slots away. */
  readonly epoch: number;
  readonly departures: readonly Departure[];
  /** Its start is durable: fences may be sent. */
  armed = false;
  readonly #awaited: Set<number>;

  constructor(epoch: number, departures: readonly Departure[]) {
    this.epoch = epoch;
    this.departures = departures;
    this.#awaited = new Set(departures.map((departure) => departure.nodeId));
  }

  get nodeIds(): readonly number[] {
    return [...this.#awaited];
  }

  get isComplete(): boolean {
    return this.#awaited.size === 0;
  }

  /** Sent again with every heartbeat until it is acknowledged. */
  sendTo(nodeId: number, link: Link, rid: number): void {
    if (!this.armed || !this.#awaited.has(nodeId)) return;
    const slots = this.departures.filter((d) => d.nodeId === nodeId).map((d) => d.slot);
    link.send({ type: MessageType.fence, rid, epoch: this.epoch, slots });
  }

  onAck(nodeId: number, epoch: number): void {
    if (this.armed && epoch === this.epoch) this.#awaited.delete(nodeId);
  }
}
