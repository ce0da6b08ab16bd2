/** A learner on a table, and the source that it copies its slots from. */
import { MessageType, WriteKind } from '../../src/protocol/messages.js';
import type { CopyMessage, Entry } from '../../src/protocol/messages.js';
import { KeepingLink, NodeOnTable, self } from './node-core.js';

const source = 2;

export interface CopyingOptions {
  readonly slots: number;
  /** What the source has of each. */
  readonly batchesPerSlot: number;
  readonly batchBytes: number;
  /** Bytes in a second; default: none. */
  readonly limit?: number;
  /** How long a question and its answer are on their way; default: a tick. */
  readonly answerMs?: number;
  /** Bytes in a second that the line from the source carries, answers one after the other; default: any number. */
  readonly lineBytesPerSecond?: number;
  /** Other full replicas of each slot. */
  readonly others?: readonly number[];
  readonly node?: NodeOnTable;
}

/** As a connection of the transport it counts what has come on it. */
class CountingKeepingLink extends KeepingLink {
  bytesReceived = 0;
}

export class Copying {
  readonly node: NodeOnTable;
  readonly link = new CountingKeepingLink();
  /** Bytes that the source has sent so far. */
  bytes = 0;
  asked: CopyMessage[] = [];
  mostUnderWay = 0;
  readonly #batches = new Map<number, number>();
  readonly #options: CopyingOptions;
  readonly #askedAtMs = new WeakMap<CopyMessage, number>();
  #serial = 0;
  /** Of the answer that is on the line, or to be its next: bytes that the line could have carried. */
  #carried = 0;

  constructor(options: CopyingOptions) {
    this.#options = options;
    this.node = options.node ?? new NodeOnTable();
    this.node.peers.set(source, this.link);
    this.limit(options.limit ?? 0);
  }

  /** The same members, another limit. */
  limit(copyBytesPerSecondMax: number): void {
    const slot = { replicas: [source, ...(this.#options.others ?? [])], learners: [self], changedAt: 1 };
    this.node.map(
      Array.from({ length: this.#options.slots }, () => slot),
      { copyBytesPerSecondMax, durability: 'interval' },
    );
  }

  pass(ms: number, each: () => void = () => undefined): void {
    const { answerMs = 0 } = this.#options;
    this.node.pass(ms, () => {
      const { nowMs } = this.node;
      const isDue = (message: CopyMessage): boolean => (this.#askedAtMs.get(message) ?? 0) + answerMs < nowMs;
      const due = this.#carry(this.asked.filter(isDue));
      this.asked = this.asked.filter((message) => !due.includes(message));
      for (const message of due) this.answer(message);
      for (const message of this.link.take(MessageType.copy)) {
        this.#askedAtMs.set(message, nowMs);
        this.asked.push(message);
      }
      this.mostUnderWay = Math.max(this.mostUnderWay, this.asked.length);
      each();
    });
  }

  /** @returns those of which the answers have come in whole after one more tick */
  #carry(waiting: CopyMessage[]): CopyMessage[] {
    const { lineBytesPerSecond, batchBytes } = this.#options;
    if (lineBytesPerSecond === undefined || waiting.length === 0) return waiting;
    const bytes = lineBytesPerSecond / 100;
    this.#carried += bytes;
    this.link.bytesReceived += bytes;
    const due = waiting.slice(0, Math.floor(this.#carried / batchBytes));
    this.#carried = due.length === waiting.length ? 0 : this.#carried - due.length * batchBytes;
    return due;
  }

  answer({ rid, slot, first }: CopyMessage): void {
    const sent = first ? 1 : (this.#batches.get(slot) ?? 0) + 1;
    this.#batches.set(slot, sent);
    const { batchBytes, batchesPerSlot } = this.#options;
    const key = `key-${++this.#serial}`;
    const value = new Uint8Array(batchBytes - key.length);
    const version = { hlc: this.#serial, clientId: 1, seq: 0, epoch: 0 };
    const entry: Entry = { key, version, valid: true, value, expiresAtMs: 0, applied: null };
    this.bytes += batchBytes;
    const done = sent === batchesPerSlot;
    this.node.core.onPeerMessage(source, { type: MessageType.copyBatch, rid, entries: [entry], done });
  }

  /** A client's WRITE. @returns what it was answered */
  put(rid: number): number {
    const client = new KeepingLink();
    const version = { hlc: this.node.nowMs * 1000, clientId: 3, seq: 0, epoch: 0 };
    const { epoch } = this.node.core.membership;
    const common = { rid, epoch, kind: WriteKind.plain, key: 'put', expiresAtMs: 0, applied: null };
    const value = new Uint8Array(10);
    this.node.core.onRequest(client, { type: MessageType.write, ...common, version, value });
    return client.sent[0]?.type ?? -1;
  }

  /** Slots of which the learner has told that it has them. */
  get filled(): number {
    return new Set(
      this.node.manager
        ?.take(MessageType.copyDone)
        .at(-1)
        ?.slots.map(([slot]) => slot),
    ).size;
  }
}
