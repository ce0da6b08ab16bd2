export { NodeServer, startNode } from './node-server.js';
export type { NodeOptions } from './node-server.js';
