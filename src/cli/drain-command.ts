/** `gtstore drain`: moves everything off a node, which then leaves the cluster. */
import type { CommandModule } from 'yargs';
import { type MoveOptions, moveOptions, nodeIdOf, nodeOperand, speedOf } from './admin-options.js';
import { runTask } from './run-task.js';
import { slots } from './task-display.js';

interface DrainOptions extends MoveOptions {
  node: number;
}

export const drainCommand: CommandModule<object, DrainOptions> = {
  command: 'drain <node>',
  describe: 'Move everything off NODE, without a failed operation; then it leaves and ends',
  builder: (command) =>
    moveOptions(command.positional('node', nodeOperand))
      .example('$0 drain 3', 'shows how far it is; Ctrl-C stops the showing only')
      .example('$0 drain 3 --mb-per-second 20', 'slowly, to spare reads and writes'),
  handler: async ({ manager, json, wait, node, mbPerSecond }) => {
    const nodeId = nodeIdOf(node);
    await runTask({
      ...{ manager, json, wait, task: 'drain' },
      request: { command: 'drain', nodeId, ...speedOf(mbPerSecond) },
      done: ({ total }) => `node ${nodeId} is drained, ${slots(total)} moved, and has left the cluster`,
    });
  },
};
