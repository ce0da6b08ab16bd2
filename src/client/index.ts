/** The public client library: `import { GTStoreClient } from 'gtstore'`. */
/// <reference types="node" preserve="true" />
export type { EntriesOptions, OperationOptions, WriteOptions } from './arguments.js';
export type { CompareAndSetResult, Entry } from './calls.js';
export { diagnosticsChannelNames } from './diagnostics.js';
export type { MapEvent, OperationEvent } from './diagnostics.js';
export type { ClientEvents, ClientOptions, KeyLocation } from './client-options.js';
export { GTStoreClient } from './gtstore-client.js';
export type {
  AdminRequest,
  AdminResult,
  HotSlot,
  RebalanceMeasure,
  SlotMove,
  TaskProgress,
} from '../protocol/admin.js';
export type { Mutate } from './read-modify-write.js';
export type { NotStorable, Storable } from './storable.js';
export type { StoredEntry } from './stored-entries.js';
export type { ClusterMap, MemberNode, SlotAssignment } from '../protocol/cluster-map.js';
export { GTStoreError } from '../protocol/errors.js';
export type { ErrorCode, WriteOutcome } from '../protocol/errors.js';
export type { ClusterSettings } from '../protocol/settings.js';
export type { ClusterStatus, NodeState, NodeStatus } from '../protocol/status.js';
export type { StoreValue } from '../protocol/value-codec.js';
export { compareVersions } from '../protocol/version.js';
export type { Version } from '../protocol/version.js';
