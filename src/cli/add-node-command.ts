/** `gtstore add-node`: the manager forks further nodes on its host. */
import type { CommandModule } from 'yargs';
import { type AdminOptions, adminOptions, order } from './admin-options.js';
import { wholeNumber } from './options.js';
import { isStopped } from './run-task.js';
import { StopRequest } from './stop-request.js';
import { areUp, named } from './until-up.js';
import { printJson, printLine, withClient } from './with-client.js';

interface AddNodeOptions extends AdminOptions {
  count: number;
}

const countMax = 64;

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
        const [is, holds] = nodeIds.length === 1 ? ['is', 'holds'] : ['are', 'hold'];
        printLine(
          `${named(nodeIds)} ${is} ${wait ? 'up' : 'starting'} and ${holds} nothing yet: gtstore rebalance moves slots to new nodes`,
        );
      }
    });
  },
};
