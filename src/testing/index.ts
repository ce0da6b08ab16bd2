/** `gtstore/testing`: a real cluster inside a test. */
export { TestCluster, startCluster } from './cluster.js';
export type { ClusterOptions } from './options.js';
export type { ClusterStatus, NodeState, NodeStatus } from '../protocol/status.js';
