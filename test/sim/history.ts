/**
 * What the clients saw, key by key, in the words of the checker. A version stands for the value written under it; the
 * observer has seen every stored version, so a version that a client got without its value can be looked up.
 */
import { checkKey, formatHistory } from '../support/linearizability.js';
import type { Operation } from '../support/linearizability.js';
import { formatVersion } from '../../src/protocol/version.js';
import type { Version } from '../../src/protocol/version.js';
import { withEnds } from './expiry-history.js';
import { lateMsMax } from './disk.js';
import { tombstoneId } from './observer.js';
import type { World } from './world.js';

export interface Record {
  readonly kind: 'put' | 'remove' | 'get' | 'cas';
  readonly key: string;
  readonly client: string;
  readonly call: number;
  /** Virtual time of the call, and of the return. */
  readonly calledAtMs: number;
  endedAtMs: number;
  return: number;
  outcome: 'ok' | 'unknown' | 'failed';
  /** Put, cas: what is written; null: delete. */
  value: number | null;
  /** Cas: the version that is expected; null: absent. */
  expected: Version | null;
  /** Get: what was read. Undefined: see `seenVersion`. */
  seen: number | null | undefined;
  seenVersion: Version | null;
  /** Cas: was it applied? */
  applied: boolean;
}

export class SimHistory {
  readonly records: Record[] = [];
  readonly #world: World;

  constructor(world: World) {
    this.#world = world;
  }

  begin(kind: Record['kind'], key: string, client: string): Record {
    const record: Record = {
      kind,
      key,
      client,
      call: this.#world.nextStep(),
      calledAtMs: this.#world.queue.nowMs,
      endedAtMs: Infinity,
      return: Infinity,
      outcome: 'unknown',
      value: null,
      expected: null,
      seen: undefined,
      seenVersion: null,
      applied: false,
    };
    this.records.push(record);
    return record;
  }

  end(record: Record, outcome: Record['outcome']): void {
    record.return = outcome === 'unknown' ? Infinity : this.#world.nextStep();
    record.endedAtMs = this.#world.queue.nowMs;
    record.outcome = outcome;
  }

  /** @throws Violation with the smallest part of the history that is wrong by itself. */
  check(): void {
    for (const key of this.#world.plan.keys) {
      let servedAt = 0;
      for (const loss of this.#world.observer.lossesOf(this.#world.slotOf(key))) {
        this.#checkPart(key, servedAt, loss.lostAt);
        servedAt = loss.servedAt;
      }
      if (servedAt < Infinity) this.#checkPart(key, servedAt, Infinity);
    }
  }

  /** Between two losses of the key's slot. Whatever was written before the first may still be there, or come late. */
  #checkPart(key: string, servedAt: number, lostAt: number): void {
    const written = this.records
      .filter((record) => record.key === key && record.call < lostAt)
      .flatMap((record) =>
        record.call < servedAt ? this.#remains(record) : this.#operations(record, lostAt),
      );
    const operations = this.#withEnds(key, written);
    const verdict = checkKey(operations, null, { explain: false });
    if (verdict.ok) return;
    const explained = checkKey(operations, null);
    const text = explained.ok ? '' : `${explained.reason}\n${formatHistory(explained.operations)}`;
    this.#world.fail(`key ${key} is not linearizable: ${text}`);
  }

  /** W11: of values that were to live for a time. */
  #withEnds(key: string, operations: readonly Operation[]): readonly Operation[] {
    const { plan, observer } = this.#world;
    if (plan.ttlShare === 0) return operations;
    const told = withEnds(operations, {
      expiryOf: (id) => observer.expiryOf(id),
      stepAt: (clockMs) => this.#world.stepAt(clockMs),
      slackMs: observer.clockSlackMs,
    });
    if (typeof told === 'string') this.#world.fail(`W11: key ${key}: ${told}`);
    return told;
  }

  /** What may have come of an operation from before a loss, as a write of unknown outcome unless it was on every disk. */
  #remains(record: Record): Operation[] {
    const { kind, client, call, outcome, value, applied } = record;
    if (kind === 'get' || outcome === 'failed' || (kind === 'cas' && outcome === 'ok' && !applied)) return [];
    const timed: Pick<Operation, 'client' | 'call' | 'return' | 'outcome'> = this.#wasSaved(record)
      ? { client, call, return: record.return, outcome: 'ok' }
      : { client, call, return: Infinity, outcome: 'unknown' };
    return [value === null ? { ...timed, kind: 'remove' } : { ...timed, kind: 'put', value }];
  }

  /**
   * D1, of `interval`: whatever all replicas lose together was acknowledged within half a second, and nothing after it. So a write
   * is not lost if another one of its slot, begun so much later, was acknowledged as well. Where one of its last replicas has brought it back.
   */
  #wasSaved({ key, call, outcome, return: end, endedAtMs }: Record): boolean {
    const world = this.#world;
    const slot = world.slotOf(key);
    const losses = world.observer.lossesOf(slot).filter(({ servedAt }) => call < servedAt);
    const [first] = losses;
    if (outcome !== 'ok' || first === undefined || end > first.lostAt) return false;
    if (
      losses.some(({ isFromDisk, isGivenUp, servedAt }) => isGivenUp || (!isFromDisk && servedAt < Infinity))
    )
      return false;
    return this.records.some(
      (later) =>
        later.kind !== 'get' &&
        later.outcome === 'ok' &&
        (later.kind !== 'cas' || later.applied) &&
        later.return < first.lostAt &&
        later.calledAtMs > endedAtMs + lateMsMax &&
        world.slotOf(later.key) === slot,
    );
  }

  /** An operation that ended after the slot was lost may have been applied or not. */
  #operations(record: Record, lostAt: number): Operation[] {
    const { client, call } = record;
    const isCutOff = record.return > lostAt && record.outcome === 'ok';
    const outcome = isCutOff ? 'unknown' : record.outcome;
    if (outcome === 'failed') return [];
    const timed = { client, call, return: outcome === 'ok' ? record.return : Infinity, outcome };
    switch (record.kind) {
      case 'put':
        return [{ ...timed, kind: 'put', value: record.value ?? 0 }];
      case 'remove':
        return [{ ...timed, kind: 'remove' }];
      case 'get': {
        const result = this.#seen(record);
        return outcome !== 'ok' || result === undefined ? [] : [{ ...timed, kind: 'get', result }];
      }
      case 'cas': {
        const { value, applied } = record;
        const expected = record.expected === null ? null : this.#idOf(record.key, record.expected);
        // A version that no replica was ever seen with cannot be matched.
        if (expected === undefined) {
          if (applied)
            this.#world.fail(`a write on version ${formatVersion(record.expected ?? zero)} was applied`);
          return [];
        }
        const written: Operation = { ...timed, kind: 'cas', expected, value, result: applied };
        const result = this.#seen(record);
        if (outcome !== 'ok' || applied || result === undefined) return [written];
        return [written, { ...timed, kind: 'get', result }];
      }
    }
  }

  #seen(record: Record): number | null | undefined {
    if (record.seen !== undefined || record.seenVersion === null) return record.seen;
    return this.#idOf(record.key, record.seenVersion) ?? undefined;
  }

  #idOf(key: string, version: Version): number | undefined {
    const id = this.#world.observer.writeIdOf(key, version);
    return id === tombstoneId ? undefined : id;
  }
}

const zero = { hlc: 0, clientId: 0, seq: 0, epoch: 0 };
