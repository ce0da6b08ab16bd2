/** `gtstore/testing`: a real cluster inside a test. */
/// <reference types="node" preserve="true" />
export { TestCluster, startCluster } from './cluster.js';
export type { ClusterOptions } from './options.js';
export type { ClusterStatus, NodeState, NodeStatus } from '../protocol/status.js';
