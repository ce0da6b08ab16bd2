/**
 * What the clients do: lanes of operations, one after the other, on a few keys. Every value is written once, so that
 * the checker can tell the writes apart.
 */
import { Outcome } from '../../src/client/core/operation.js';
import type { Operation, Wants } from '../../src/client/core/operation.js';
import { cloneVersion } from '../../src/protocol/version.js';
import type { Version } from '../../src/protocol/version.js';
import type { ClientProcess, OperationContext } from './client-process.js';
import { SimHistory } from './history.js';
import type { Record } from './history.js';
import { decodeWriteId, encodeWriteId } from './wire.js';
import type { World } from './world.js';

/** As the client library has it. */
const conflictsBeforeTurn = 2;
/** An update beside puts without a pause. A third of that is usual, several times that without turns. */
const updateMsMax = 600;

/** Told whether the operation was done. */
export type Done = (isDone: boolean) => void;

export class Workload {
  readonly history: SimHistory;
  readonly #world: World;
  /** Versions that some client has seen, by key; the last is the freshest. */
  readonly #seen = new Map<string, Version[]>();
  #left: number;
  #nextId = 0;

  constructor(world: World) {
    this.#world = world;
    this.history = new SimHistory(world);
    this.#left = world.plan.operations;
  }

  /** Lets a client's lanes run until the operations of the plan are used up. */
  start(client: ClientProcess): void {
    const { plan, prng, queue } = this.#world;
    for (let lane = 0; lane < plan.lanes; lane++) {
      const next = (): void => {
        if (!client.alive || this.#world.calm || this.#left <= 0) return;
        client.post(() => {
          if (this.#left-- <= 0 || this.#world.calm) return;
          this.#random(client, () => queue.after(prng.around(plan.thinkMs), next));
        });
      };
      queue.after(prng.between(0, 60), next);
    }
  }

  #random(client: ClientProcess, done: Done): void {
    const { plan, prng } = this.#world;
    const key = prng.pick(plan.keys);
    let left = prng.next() * plan.mix.reduce((sum, weight) => sum + weight, 0);
    const kind = plan.mix.findIndex((weight) => (left -= weight) < 0);
    if (kind === 0) this.put(client, key, done);
    else if (kind === 2 && plan.bias === 'turns') this.#update(client, key, done);
    else if (kind === 2) this.#compareAndSet(client, key, done);
    else if (kind === 3) this.putIf(client, key, null, this.#newId(), done);
    else if (kind === 4) this.remove(client, key, done);
    else if (kind === 5) this.#blindDelete(client, key, done);
    else this.get(client, key, prng.chance(0.2), done);
  }

  /** On the freshest version that anybody saw, on an older one, or on one it reads now. */
  #compareAndSet(client: ClientProcess, key: string, done: Done): void {
    const { prng } = this.#world;
    const seen = this.#seen.get(key) ?? [];
    const choice = prng.next();
    const version = choice < 0.4 ? seen.at(-1) : choice < 0.5 ? seen.at(-1 - prng.below(3)) : undefined;
    if (version !== undefined) {
      this.putIf(client, key, version, this.#newId(), done);
      return;
    }
    this.get(client, key, false, (isDone) => {
      const fresh = this.#seen.get(key)?.at(-1) ?? null;
      if (isDone && client.alive) this.putIf(client, key, fresh, this.#newId(), done);
      else done(false);
    });
  }

  /** As the client library updates: until nobody came between. RMW7: that is soon, if no fault comes between, and no disk. */
  #update(client: ClientProcess, key: string, done: Done): void {
    const { plan, queue } = this.#world;
    const startedMs = queue.nowMs;
    const isSmooth = plan.faultCount === 0 && !plan.hasDisks && plan.calmTicks === 1;
    const attempt = (expected: Version | null, conflicts: number): void => {
      if (isSmooth && queue.nowMs - startedMs > updateMsMax)
        this.#world.fail(`RMW7: an update of ${key} has not got its turn in ${updateMsMax} ms`);
      const wants = { value: true, turn: conflicts > conflictsBeforeTurn };
      this.#conditional(client, key, expected, this.#newId(), wants, (isDone, found) => {
        if (!isDone && isSmooth && !this.#world.calm)
          this.#world.fail(`RMW7: an update of ${key} has not been answered in time`);
        const isRefused = isDone && found !== undefined;
        if (isRefused && client.alive && !this.#world.calm) attempt(found, conflicts + 1);
        else done(isDone);
      });
    };
    this.get(client, key, true, (isDone) => {
      if (isDone && client.alive) attempt(this.#seen.get(key)?.at(-1) ?? null, 1);
      else done(isDone);
    });
  }

  #newId(): number {
    return ++this.#nextId;
  }

  #deadline(client: ClientProcess): number {
    const { calm, plan } = this.#world;
    return client.nowMs() + (calm ? Math.max(plan.deadlineMs, 300) : plan.deadlineMs);
  }

  // --- single operations ----------------------------------------------------------------------------------------------

  put(client: ClientProcess, key: string, done: Done): void {
    const record = this.history.begin('put', key, client.name);
    record.value = this.#newId();
    this.#write(client, record, encodeWriteId(record.value), this.#expiry(client, record.value), done);
  }

  #blindDelete(client: ClientProcess, key: string, done: Done): void {
    this.#write(client, this.history.begin('remove', key, client.name), null, 0, done);
  }

  /** Until when the value is to live; 0: for ever. */
  #expiry(client: ClientProcess, id: number): number {
    const { plan, expiryPrng, calm, observer } = this.#world;
    if (calm || plan.ttlShare === 0 || !expiryPrng.chance(plan.ttlShare)) return 0;
    const expiresAtMs = client.expiryOf(expiryPrng.between(1, plan.ttlMsMax));
    observer.noteExpiry(id, expiresAtMs);
    return expiresAtMs;
  }

  #write(
    client: ClientProcess,
    record: Record,
    bytes: Uint8Array | null,
    expiresAtMs: number,
    done: Done,
  ): void {
    const { coverage } = this.#world;
    let firstHlc = -1;
    const context: OperationContext = {
      completed: (operation) => {
        if (operation.outcome === Outcome.done) {
          this.#world.observer.checkDone(record.key, operation.version);
          this.#remember(record.key, operation.version, bytes !== null);
        }
        if (operation.outcome === Outcome.unknown) coverage.note('putUnknown');
        if (operation.outcome === Outcome.timedOut) coverage.note('putTimedOut');
        if (operation.attempts > 1) coverage.note('putRetried');
        if (firstHlc >= 0 && operation.version.hlc !== firstHlc) coverage.note('putRaised');
        this.#ended(client, record, operation, done);
        bytes?.fill(0xee);
      },
    };
    this.#trace(client, record);
    const operation = client.core.put(record.key, bytes, expiresAtMs, this.#deadline(client), context);
    if (operation === undefined) this.#world.fail('the client takes no more operations');
    firstHlc = operation.version.hlc;
  }

  get(client: ClientProcess, key: string, versionOnly: boolean, done: Done): void {
    const record = this.history.begin('get', key, client.name);
    const context: OperationContext = {
      completed: (operation) => {
        if (operation.outcome === Outcome.done) this.#noteSeen(record, operation, !versionOnly);
        this.#ended(client, record, operation, done);
      },
    };
    this.#trace(client, record);
    client.core.get(key, versionOnly, this.#deadline(client), context);
  }

  #noteSeen(record: Record, { key, present, version, value }: Operation, hasValue: boolean): void {
    record.seen = present ? undefined : null;
    if (!present) return;
    record.seenVersion = cloneVersion(version);
    this.#remember(key, version, true);
    if (!hasValue) return;
    record.seen = value === null ? -1 : decodeWriteId(value);
    if (record.seen < 0) this.#world.fail(`a read of ${key} returned bytes that nobody wrote`);
  }

  /** Compare-and-set, put-if-absent (`expected` null), conditional delete (`id` null). */
  putIf(client: ClientProcess, key: string, expected: Version | null, id: number | null, done: Done): void {
    const { prng, turnPrng } = this.#world;
    const value = prng.chance(0.5);
    const turn = turnPrng?.chance(0.5) ?? false;
    this.#conditional(client, key, expected, id, { value, turn }, (isDone, found) => {
      // Who asks for a turn comes back at once, as a rule.
      const comesBack = turn && found !== undefined && id !== null && turnPrng?.chance(0.8) === true;
      if (comesBack && client.alive) this.putIf(client, key, found, this.#newId(), done);
      else done(isDone);
    });
  }

  /** @param then also told of the version that was in the way: null: the key is absent; undefined: none was */
  #conditional(
    client: ClientProcess,
    key: string,
    expected: Version | null,
    id: number | null,
    wants: Wants,
    then: (isDone: boolean, found: Version | null | undefined) => void,
  ): void {
    const { coverage } = this.#world;
    const record = this.history.begin('cas', key, client.name);
    record.value = id;
    record.expected = expected === null ? null : cloneVersion(expected);
    const bytes = id === null ? null : encodeWriteId(id);
    let found: Version | null | undefined;
    const context: OperationContext = {
      completed: (operation) => {
        if (operation.outcome === Outcome.done) {
          record.applied = operation.applied;
          coverage.note(operation.applied ? 'conditionalApplied' : 'conditionalRefused');
          if (operation.applied && wants.turn) coverage.note('turnTaken');
          const isRefused = !operation.applied && expected === null && !operation.present;
          if (isRefused)
            this.#world.fail(`RMW1: ${key} is told to be absent, which is why nothing was written`);
          if (!operation.applied) {
            this.#noteSeen(record, operation, wants.value);
            found = operation.present ? cloneVersion(operation.version) : null;
          } else if (id !== null) this.#remember(key, operation.version, true);
        }
        this.#ended(client, record, operation, (isDone) => {
          then(isDone, found);
        });
        bytes?.fill(0xee);
      },
    };
    this.#trace(client, record);
    const expiresAtMs = id === null ? 0 : this.#expiry(client, id);
    client.core.putIf(key, expected, bytes, expiresAtMs, wants, this.#deadline(client), context);
  }

  /** As the client library deletes: reads the version, then writes a tombstone on it. */
  remove(client: ClientProcess, key: string, done: Done): void {
    const record = this.history.begin('get', key, client.name);
    let version: Version | null = null;
    const context: OperationContext = {
      completed: (operation) => {
        if (operation.outcome === Outcome.done) {
          this.#noteSeen(record, operation, false);
          if (operation.present) version = cloneVersion(operation.version);
        }
        this.#ended(client, record, operation, (isDone) => {
          if (!isDone || version === null || !client.alive) done(isDone);
          else this.putIf(client, key, version, null, done);
        });
      },
    };
    this.#trace(client, record);
    client.core.get(key, true, this.#deadline(client), context);
  }

  #remember(key: string, version: Version, isValue: boolean): void {
    if (!isValue) return;
    const seen = this.#seen.get(key) ?? [];
    seen.push(cloneVersion(version));
    this.#seen.set(key, seen);
  }

  #trace(client: ClientProcess, { kind, key, value }: Record): void {
    const { world } = { world: this.#world };
    if (world.isTracing) world.trace(`${client.name}: ${kind} ${key} ${value ?? ''}`);
  }

  /** The follow-up runs in a turn of its own, after the core has released the operation. */
  #ended(client: ClientProcess, record: Record, operation: Operation, done: Done): void {
    const world = this.#world;
    const { outcome } = operation;
    if (world.isTracing) {
      world.trace(
        `${client.name}: ${record.kind} ${record.key} ${record.value ?? ''} ends with outcome ${outcome}`,
      );
    }
    if (outcome === Outcome.refused) world.coverage.note('putRefused');
    const isKnown = outcome === Outcome.done;
    this.history.end(record, isKnown ? 'ok' : outcome === Outcome.unknown ? 'unknown' : 'failed');
    world.queue.after(0, () => {
      client.post(() => {
        done(isKnown);
      });
    });
  }
}
