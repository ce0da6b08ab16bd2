/**
 * What the client publishes through `node:diagnostics_channel`, for tracing and metrics. Nothing is computed while
 * nobody subscribes.
 */
import type { GTStoreError } from '../protocol/errors.js';

export const diagnosticsChannelNames = {
  /** Every operation that began while somebody was subscribed, when it ends: an `OperationEvent`. */
  operation: 'gtstore:operation',
  /** Every new cluster map: a `MapEvent`. */
  map: 'gtstore:map',
} as const;

export interface OperationEvent {
  /** 'condition': compareAndSet, delete, update and increment. */
  readonly operation: 'get' | 'put' | 'condition';
  readonly key: string;
  /** 1: no failure was met. */
  readonly attempts: number;
  readonly durationMs: number;
  readonly error: GTStoreError | undefined;
}

export interface MapEvent {
  readonly epoch: number;
  /** 0: this is the first. */
  readonly previousEpoch: number;
}
