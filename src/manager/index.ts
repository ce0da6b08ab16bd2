export type { ManagerOptions, NodeArgument } from './manager-options.js';
export { ManagerServer } from './manager-server.js';
export { startManager } from './start-manager.js';
export { UsageError } from './stored-cluster.js';
