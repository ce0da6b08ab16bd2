/** The status document; `gtstore status --json` prints it without `clusterId` and `warnings`. */

export type NodeState = 'up' | 'suspect' | 'down' | 'joining' | 'leaving';

export interface NodeStatus {
  readonly id: number;
  /** 0: not running. */
  readonly incarnation: number;
  readonly host: string;
  readonly port: number;
  /** 0: unknown. */
  readonly pid: number;
  readonly state: NodeState;
  /** Slots it is the primary of. */
  readonly primarySlots: number;
  /** Slots it is a full replica of, those of `primarySlots` included. */
  readonly replicaSlots: number;
  readonly keys: number;
  /** Bytes of keys and values, without overhead. */
  readonly bytes: number;
}

export interface ClusterStatus {
  readonly clusterId: string;
  /** 0: the cluster is still starting. */
  readonly epoch: number;
  readonly replicas: number;
  readonly slots: number;
  readonly partitioner: string;
  readonly manager: { readonly host: string; readonly port: number; readonly pid: number };
  readonly nodes: readonly NodeStatus[];
  /** Slots with fewer than `replicas` full replicas. */
  readonly underReplicatedSlots: number;
  /** What the owner of the cluster should know, a sentence each; absent: nothing. */
  readonly warnings?: readonly string[];
}
