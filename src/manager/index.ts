export { ManagerServer, startManager } from './manager-server.js';
export type { ManagerOptions, NodeArgument } from './manager-server.js';
export { UsageError } from './stored-cluster.js';
