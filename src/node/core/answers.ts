/**
 * What a replica answers, as messages. The objects are scratch: `send` encodes them before they are used again, so
 * that an answer costs no garbage.
 */
import type { AppliedList } from '../../protocol/applied-list.js';
import { FencedReason, MessageType, WriteKind } from '../../protocol/messages.js';
import type { Link, RefusedReason } from '../../protocol/messages.js';
import { copyVersion, versionZero } from '../../protocol/version.js';
import { noRecord } from './store.js';
import type { KeyStore, RecordId } from './store.js';
import type { FormerEntry } from './waiting-readers.js';

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
  readonly #stale = {
    type: MessageType.stale,
    rid: 0,
    version: { ...versionZero },
    hasEntry: false,
    value: null as Uint8Array | null,
    expiresAtMs: 0,
    applied: null as AppliedList | null,
  };
  readonly #store: KeyStore;

  constructor(store: KeyStore) {
    this.#store = store;
  }

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
  stale(link: Link, rid: number, kind: WriteKind, record: RecordId): void {
    const store = this.#store;
    const answer = this.#stale;
    const hasEntry = kind !== WriteKind.plain;
    answer.rid = rid;
    store.copyVersion(record, answer.version);
    answer.hasEntry = hasEntry;
    answer.value = hasEntry ? store.valueOf(record) : null;
    answer.expiresAtMs = hasEntry ? store.expiresAtMs(record) : 0;
    answer.applied = hasEntry ? store.appliedOf(record) : null;
    link.send(answer);
  }

  /** @param live the record if the key is present, else `noRecord` */
  value(link: Link, rid: number, live: RecordId, versionOnly: boolean): void {
    const answer = this.#value;
    answer.rid = rid;
    answer.present = live !== noRecord;
    if (live === noRecord) copyVersion(versionZero, answer.version);
    else this.#store.copyVersion(live, answer.version);
    answer.value = live === noRecord || versionOnly ? null : this.#store.valueOf(live);
    link.send(answer);
  }

  /** What the key held before it was overwritten. */
  former(link: Link, rid: number, { version, value }: FormerEntry, versionOnly: boolean): void {
    const answer = this.#value;
    answer.rid = rid;
    answer.present = value !== null;
    copyVersion(value === null ? versionZero : version, answer.version);
    answer.value = versionOnly ? null : value;
    link.send(answer);
  }
}
