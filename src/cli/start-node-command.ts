/** `gtstore start-node`: starts a node again that has died in a cluster that does not do so by itself. */
import type { CommandModule } from 'yargs';
import { type AdminOptions, adminOptions, nodeIdOf, nodeOperand, order } from './admin-options.js';
import { isStopped } from './run-task.js';
import { StopRequest } from './stop-request.js';
import { areUp, named } from './until-up.js';
import { printJson, printLine, withClient } from './with-client.js';

interface StartNodeOptions extends AdminOptions {
  node: number;
}

export const startNodeCommand: CommandModule<object, StartNodeOptions> = {
  command: 'start-node <node>',
  describe: 'Start NODE again, with its disk if it has one, where dead nodes stay down (--no-respawn)',
  builder: (command) =>
    adminOptions(command)
      .positional('node', nodeOperand)
      .example('$0 start-node 3', 'it gets its slots back; with a disk only what has changed is copied'),
  handler: async ({ manager, json, wait, node }) => {
    const nodeId = nodeIdOf(node);
    const stop = new StopRequest();
    await withClient(manager, async (store) => {
      if (await isStopped(stop, 'nothing was begun')) return;
      await order(store, { command: 'start-node', nodeId });
      if (wait && !(await areUp(store, [nodeId], stop.signal)))
        await isStopped(stop, `not waited for any more; ${named([nodeId])} will start, see gtstore status`);
      else if (json) printJson({ state: wait ? 'done' : 'running', nodeIds: [nodeId] });
      else printLine(`${named([nodeId])} is ${wait ? 'up' : 'starting'}`);
    });
  },
};
