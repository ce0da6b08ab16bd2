/** `gtstore add-node`: the manager forks further nodes on its host. */
import type { CommandModule } from 'yargs';
import type { GTStoreClient } from '../client/index.js';
import { type AdminOptions, adminOptions, order } from './admin-options.js';
import { codeOf } from './exit.js';
import { wholeNumber } from './options.js';
import { isStopped, pauseUnless } from './run-task.js';
import { StopRequest } from './stop-request.js';
import { printJson, printLine, withClient } from './with-client.js';

interface AddNodeOptions extends AdminOptions {
  count: number;
}

const countMax = 64;
const pollMs = 200;
/** Starting a process takes a second or so, many at once on a small machine longer. */
const upMsMax = 60_000;

export const addNodeCommand: CommandModule<object, AddNodeOptions> = {
  command: 'add-node',
  describe: "Start further nodes on the manager's host; gtstore rebalance moves slots to them",
  builder: (command) =>
    adminOptions(command)
      .option('count', { type: 'number', requiresArg: true, default: 1, describe: 'How many' })
      .example('$0 add-node', 'one more; then: gtstore rebalance')
      .example('$0 add-node --count 3 --json', 'prints {"state":"done","nodeIds":[7,8,9]}'),
  handler: async ({ manager, json, wait, count: asked }) => {
    const count = wholeNumber('--count', asked, 1, countMax);
    const stop = new StopRequest();
    await withClient(manager, async (store) => {
      if (await isStopped(stop, 'nothing was begun')) return;
      const { nodeIds = [] } = await order(store, { command: 'add-nodes', count });
      if (wait && !(await areUp(store, nodeIds, stop.signal))) {
        await isStopped(stop, `not waited for any more; ${named(nodeIds)} will start, see gtstore status`);
      } else if (json) {
        printJson({ state: wait ? 'done' : 'running', nodeIds });
      } else {
        const state = `${nodeIds.length === 1 ? 'is' : 'are'} ${wait ? 'up' : 'starting'}`;
        printLine(
          `${named(nodeIds)} ${state} and holds nothing yet: gtstore rebalance moves slots to new nodes`,
        );
      }
    });
  },
};

/** @returns false if the waiting was given up. @throws Error if they do not come up in time */
async function areUp(
  store: GTStoreClient,
  nodeIds: readonly number[],
  signal: AbortSignal,
): Promise<boolean> {
  const untilMs = performance.now() + upMsMax;
  for (;;) {
    if (signal.aborted) return false;
    const missing = await notUp(store, nodeIds);
    if (missing.length === 0) return true;
    if (performance.now() > untilMs) {
      throw new Error(
        `${named(missing)} did not come up within ${upMsMax / 1000} s; the manager's log says why`,
      );
    }
    await pauseUnless(signal, pollMs);
  }
}

/** All of them while the manager is away. */
async function notUp(store: GTStoreClient, nodeIds: readonly number[]): Promise<readonly number[]> {
  try {
    const { nodes } = await store.status();
    return nodeIds.filter((id) => nodes.find((node) => node.id === id)?.state !== 'up');
  } catch (error) {
    const code = codeOf(error);
    if (code === 'UNAVAILABLE' || code === 'TIMEOUT') return nodeIds;
    throw error;
  }
}

function named(nodeIds: readonly number[]): string {
  return `${nodeIds.length === 1 ? 'node' : 'nodes'} ${nodeIds.join(', ')}`;
}
