/**
 * A store in memory with the semantics that the shop relies on: versions, conditional writes, `update` that begins
 * again when it lost. Each operation takes a few turns of the event loop, so concurrent clients really interleave,
 * and any write can be made to fail: before it is applied, after it, or - the nasty one - applied later, if its
 * condition still holds then.
 */
import { setImmediate as turn } from 'node:timers/promises';
import { type CartStore, type ClusterStatus, type StoredValue } from '../../src/shop/store.js';

export type FakeFault =
  /** OUTCOME_UNKNOWN, and it was not applied. */
  | 'unknown-not-applied'
  /** OUTCOME_UNKNOWN, and it was applied. */
  | 'unknown-applied'
  /** OUTCOME_UNKNOWN, and it arrives after a while. */
  | 'unknown-late'
  | 'UNAVAILABLE'
  | 'TIMEOUT'
  | 'VALUE_TOO_LARGE';

export type FakeOperation = 'get' | 'put' | 'compareAndSet' | 'update' | 'delete' | 'status';

/**
 * Decides how an operation fails; undefined: it does not. Asked once for each get and once for each attempt to
 * write. A get takes no notice of faults that only a write can have.
 */
export type FaultChooser = (operation: FakeOperation, key: string) => FakeFault | undefined;

export class FakeStoreError extends Error {
  readonly code: string;

  constructor(code: string) {
    super(`fake ${code}`);
    this.code = code;
  }
}

interface Entry {
  readonly value: StoredValue;
  readonly version: number;
}

/** The data, and the sessions that were opened on it. */
export class FakeCluster {
  readonly entries = new Map<string, Entry>();
  /** Set this to inject faults. */
  chooseFault: FaultChooser = () => undefined;
  /** What `status` answers. */
  status: ClusterStatus = { replicas: 3, underReplicatedSlots: 0, nodes: [] };
  /** Called between the read and the write of each `update`, e.g. to let another one win. */
  betweenReadAndWrite: (key: string) => void = () => undefined;
  /** Attempts to write by `update`. */
  updateAttempts = 0;
  opened = 0;
  finalized = 0;
  /** How many operations on the cluster later a late write arrives. */
  lateness = 3;
  /** Longer keys are refused. */
  keyBytesMax = 250;
  #lastVersion = 0;
  #lateWrites: { operationsLeft: number; readonly apply: () => void }[] = [];

  readonly connect = async (): Promise<FakeStore> => {
    await turn();
    this.opened += 1;
    return new FakeStore(this);
  };

  value(key: string): StoredValue | undefined {
    return this.entries.get(key)?.value;
  }

  /** Writes at once, bypassing sessions and faults. */
  set(key: string, value: StoredValue): void {
    this.#lastVersion += 1;
    this.entries.set(key, { value: structuredClone(value), version: this.#lastVersion });
  }

  /** For the sessions: applies the write when `lateness` more reads and writes have been asked for. */
  applyLater(apply: () => void): void {
    this.#lateWrites.push({ operationsLeft: this.lateness, apply });
  }

  /** For the sessions: a read or a write was asked for. */
  countOperation(): void {
    const arriving = this.#lateWrites.filter((write) => --write.operationsLeft === 0);
    this.#lateWrites = this.#lateWrites.filter((write) => write.operationsLeft > 0);
    for (const { apply } of arriving) apply();
  }

  /** Fails the next `count` attempts of one operation in that way. */
  failNext(operation: FakeOperation, fault: FakeFault, count = 1): void {
    const before = this.chooseFault;
    let left = count;
    this.chooseFault = (asked, key) => {
      if (asked !== operation || left === 0) return before(asked, key);
      left -= 1;
      return fault;
    };
  }
}

export class FakeStore implements CartStore {
  readonly #cluster: FakeCluster;
  #isClosed = false;

  constructor(cluster: FakeCluster) {
    this.#cluster = cluster;
  }

  async get(key: string): Promise<unknown> {
    await this.#begin(key);
    const fault = this.#cluster.chooseFault('get', key);
    if (fault !== undefined && !fault.startsWith('unknown')) throw new FakeStoreError(fault);
    return structuredClone(this.#cluster.entries.get(key)?.value);
  }

  async put(key: string, value: StoredValue): Promise<void> {
    await this.#begin(key);
    await this.#write('put', key, () => {
      this.#cluster.set(key, value);
      return true;
    });
  }

  async compareAndSet(
    key: string,
    _expectedVersion: null,
    value: StoredValue,
  ): Promise<{ readonly applied: boolean }> {
    await this.#begin(key);
    return { applied: await this.#write('compareAndSet', key, () => this.#setIfAt(key, undefined, value)) };
  }

  async update(key: string, mutate: (current: unknown) => StoredValue): Promise<void> {
    for (;;) {
      await this.#begin(key);
      const entry = this.#cluster.entries.get(key);
      const next = mutate(structuredClone(entry?.value));
      await turn();
      this.#cluster.betweenReadAndWrite(key);
      this.#cluster.updateAttempts += 1;
      if (await this.#write('update', key, () => this.#setIfAt(key, entry?.version, next))) return;
    }
  }

  async delete(key: string): Promise<boolean> {
    await this.#begin(key);
    return this.#write('delete', key, () => this.#cluster.entries.delete(key));
  }

  async status(): Promise<ClusterStatus> {
    await this.#begin();
    const fault = this.#cluster.chooseFault('status', '');
    if (fault !== undefined) throw new FakeStoreError(fault);
    return structuredClone(this.#cluster.status);
  }

  async finalize(): Promise<void> {
    if (!this.#isClosed) this.#cluster.finalized += 1;
    this.#isClosed = true;
  }

  async #begin(key = ''): Promise<void> {
    await turn();
    if (Buffer.byteLength(key) > this.#cluster.keyBytesMax) throw new FakeStoreError('KEY_TOO_LARGE');
    if (this.#isClosed) throw new FakeStoreError('CLOSED');
    this.#cluster.countOperation();
  }

  async #write(operation: FakeOperation, key: string, apply: () => boolean): Promise<boolean> {
    this.#cluster.countOperation();
    switch (this.#cluster.chooseFault(operation, key)) {
      case undefined:
        return apply();
      case 'unknown-applied':
        apply();
        throw new FakeStoreError('OUTCOME_UNKNOWN');
      case 'unknown-late':
        this.#cluster.applyLater(apply);
        throw new FakeStoreError('OUTCOME_UNKNOWN');
      case 'unknown-not-applied':
        throw new FakeStoreError('OUTCOME_UNKNOWN');
      case 'UNAVAILABLE':
        throw new FakeStoreError('UNAVAILABLE');
      case 'TIMEOUT':
        throw new FakeStoreError('TIMEOUT');
      case 'VALUE_TOO_LARGE':
        throw new FakeStoreError('VALUE_TOO_LARGE');
    }
  }

  #setIfAt(key: string, version: number | undefined, value: StoredValue): boolean {
    if (this.#cluster.entries.get(key)?.version !== version) return false;
    this.#cluster.set(key, value);
    return true;
  }
}

/** Numbers from 0 to below 1, the same for the same seed. */
export function seededRandom(seed: number): () => number {
  let state = seed >>> 0;
  return () => {
    state = (Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0;
    return state / 2 ** 32;
  };
}
