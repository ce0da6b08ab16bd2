/**
 * First attempts that come behind a later one of the same operation (PROTOCOL RMW5). A client that has given a connection up tries
 * again on another one, and what it had sent may still be on its way: the network delivers it seconds later, as long as
 * this node keeps its end open. The key's list then need not name the operation any more.
 *
 * Only a put-if-absent can do harm by that: a version that was expected once never comes back, but a key is absent again and again.
 */
import type { ConditionMessage } from '../../protocol/messages.js';
import type { NodePorts } from './ports.js';

/** A connection on which nothing comes is closed long before. */
const rememberedMs = 60_000;
const rememberedMax = 65_536;

export class LateFirsts {
  readonly #ports: Pick<NodePorts, 'nowMs'>;
  /** When an attempt came that was not the first, by operation, the longest ago first. */
  readonly #retriedAtMs = new Map<string, number>();

  constructor(ports: Pick<NodePorts, 'nowMs'>) {
    this.#ports = ports;
  }

  /** Call for every attempt. @returns whether it is the first one, and a later one has come before */
  isLate({ expectAbsent, retried, opClientId, opNumber }: ConditionMessage): boolean {
    if (!expectAbsent || (!retried && this.#retriedAtMs.size === 0)) return false;
    const operation = `${opClientId} ${opNumber}`;
    const isKnown = this.#retriedAtMs.has(operation);
    if (retried) this.#note(operation);
    return !retried && isKnown;
  }

  #note(operation: string): void {
    const nowMs = this.#ports.nowMs();
    this.#retriedAtMs.delete(operation);
    for (const [each, atMs] of this.#retriedAtMs) {
      if (nowMs - atMs <= rememberedMs && this.#retriedAtMs.size < rememberedMax) break;
      this.#retriedAtMs.delete(each);
    }
    this.#retriedAtMs.set(operation, nowMs);
  }
}
