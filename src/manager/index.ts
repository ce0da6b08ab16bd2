export { ManagerServer, startManager, UsageError } from './manager-server.js';
export type { ManagerOptions, NodeArgument } from './manager-server.js';
export { isNodeAlive } from './spawner.js';
