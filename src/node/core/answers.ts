/**
 * What a replica answers, as messages. The objects are scratch: `send` encodes them before they are used again, so
 * that an answer costs no garbage.
 */
import { FencedReason, MessageType, WriteKind } from '../../protocol/messages.js';
import type { Link, RefusedReason, WriteMessage } from '../../protocol/messages.js';
import { copyVersion, versionZero } from '../../protocol/version.js';
import type { KeyRecord } from './store.js';

export class Answers {
  readonly #ack = { type: MessageType.ack, rid: 0 };
  readonly #fenced = {
    type: MessageType.fenced,
    rid: 0,
    epoch: 0,
    reason: FencedReason.oldEpoch as FencedReason,
  };
  readonly #value = {
    type: MessageType.value,
    rid: 0,
    present: false,
    version: { ...versionZero },
    value: null as Uint8Array | null,
  };

  ack(link: Link, rid: number): void {
    this.#ack.rid = rid;
    link.send(this.#ack);
  }

  fenced(link: Link, rid: number, epoch: number, reason: FencedReason): void {
    this.#fenced.rid = rid;
    this.#fenced.epoch = epoch;
    this.#fenced.reason = reason;
    link.send(this.#fenced);
  }

  refused(link: Link, rid: number, reason: RefusedReason): void {
    link.send({ type: MessageType.refused, rid, reason });
  }

  /** To a client the version is enough; a fellow node gets the whole entry, to take it over (R3). */
  stale(link: Link, message: WriteMessage, record: KeyRecord): void {
    const hasEntry = message.kind !== WriteKind.plain;
    link.send({
      type: MessageType.stale,
      rid: message.rid,
      version: record,
      hasEntry,
      value: hasEntry ? record.value : null,
      expiresAtMs: hasEntry ? record.expiresAtMs : 0,
      applied: hasEntry ? record.applied : null,
    });
  }

  /** @param live the record if the key is present, else undefined */
  value(link: Link, rid: number, live: KeyRecord | undefined, versionOnly: boolean): void {
    const answer = this.#value;
    answer.rid = rid;
    answer.present = live !== undefined;
    copyVersion(live ?? versionZero, answer.version);
    answer.value = live === undefined || versionOnly ? null : live.value;
    link.send(answer);
  }
}
