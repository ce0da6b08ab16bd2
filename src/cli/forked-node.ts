/**
 * What the manager forks: one storage node. Its only argument is a `NodeArgument` in JSON, so that no time goes into
 * parsing a command line: a cluster is ready when the last of its nodes is.
 *
 * Ctrl-C in the terminal is the manager's affair, who ends the nodes in order. SIGTERM is for this process alone.
 */
import type { NodeArgument } from '../manager/index.js';
import { startNode } from '../node/index.js';
import type { NodeServer } from '../node/index.js';
import { exitFailed, exitUsage, guardProcess } from './exit.js';
import { createLogger } from './logger.js';
import type { LogLevel } from './options.js';

/** What `start` adds to it through `ManagerOptions.nodeExtras`. */
export interface NodeExtras {
  readonly logLevel: LogLevel;
}

for (const signal of ['SIGINT', 'SIGHUP'] as const) process.on(signal, () => undefined);
// A second one, of a manager that has taken over meanwhile, must not end a node that is still saving.
const stopWanted = new Promise((resolve) => process.on('SIGTERM', resolve));

const [, , json] = process.argv;
if (json === undefined) {
  process.stderr.write('gtstore: this file is run by gtstore start; to add a node, run gtstore node\n');
  process.exit(exitUsage);
}
const argument = JSON.parse(json) as NodeArgument & NodeExtras;
const log = createLogger(`node ${argument.nodeId}`, argument.logLevel);
guardProcess((text) => {
  log.error(text);
});

try {
  let node: NodeServer | null = null;
  // Until it serves there is nothing to be ended in order.
  void stopWanted.then(() => node?.stop('SIGTERM') ?? process.exit(0));
  node = await startNode({ ...argument, port: 0, log });
  log.debug(`ends: ${await node.ended}`);
  if (node.fault !== null) throw new Error(`this node ${node.fault}`);
  process.exit(0);
} catch (error) {
  log.error(error instanceof Error ? error.message : String(error));
  process.exit(exitFailed);
}
