/**
 * What the shop uses of the public client, and no more: so that its logic runs in tests on a store in memory.
 * `GTStoreClient` has all of this; only main.ts knows that class.
 */

/** What a key may hold. */
export type StoredValue =
  | string
  | number
  | boolean
  | null
  | Uint8Array
  | readonly StoredValue[]
  | { readonly [name: string]: StoredValue };

/** One session with the store. Every method rejects with an error that carries a `code`. */
export interface CartStore {
  /** The value, or undefined if the key is absent. */
  get(key: string): Promise<unknown>;
  /** Stores the value, whatever was there. */
  put(key: string, value: StoredValue): Promise<unknown>;
  /** Stores the value if the key is at that version (`null`: absent). */
  compareAndSet(
    key: string,
    expectedVersion: null,
    value: StoredValue,
  ): Promise<{ readonly applied: boolean }>;
  /**
   * Reads, calls `mutate`, stores what it returns if nobody wrote in between; else begins again with the newer
   * value. An error thrown by `mutate` ends it, with nothing stored.
   */
  update(key: string, mutate: (current: unknown) => StoredValue): Promise<unknown>;
  /** True if the key existed. */
  delete(key: string): Promise<boolean>;
  /** The state of the cluster, as `gtstore status --json` prints it. */
  status(): Promise<ClusterStatus>;
  /** Ends the session. */
  finalize(): Promise<void>;
}

export interface ClusterStatus {
  /** Copies of each key, K. */
  readonly replicas: number;
  /** Slots that have fewer full replicas than that just now. */
  readonly underReplicatedSlots: number;
  readonly nodes: readonly NodeStatus[];
}

export interface NodeStatus {
  readonly id: number | string;
  readonly host: string;
  readonly pid: number;
  readonly state: 'up' | 'suspect' | 'down' | 'joining' | 'leaving';
  readonly primarySlots: number;
}

/** Opens a session that is ready for use; whoever opens it finalizes it. */
export type Connect = () => Promise<CartStore>;
