/** `gtstore restart --rolling`: every node anew, one after the other, while the cluster serves. */
import type { CommandModule } from 'yargs';
import { type AdminOptions, adminOptions } from './admin-options.js';
import { UsageError } from './exit.js';
import { runTask } from './run-task.js';

interface RestartOptions extends AdminOptions {
  rolling: boolean;
}

export const restartCommand: CommandModule<object, RestartOptions> = {
  command: 'restart',
  describe: "With --rolling: restart the manager's nodes one after the other, without a failed operation",
  builder: (command) =>
    adminOptions(command)
      .option('rolling', {
        type: 'boolean',
        default: false,
        describe: 'One after the other, each once every key has all its copies',
      })
      .example('$0 restart --rolling', 'after a start with another --max-memory, say'),
  handler: async ({ manager, json, wait, rolling }) => {
    if (!rolling)
      throw new UsageError('say gtstore restart --rolling; to restart all at once, end gtstore start');
    await runTask({
      ...{ manager, json, wait, task: 'restart-rolling' },
      request: { command: 'restart-rolling' },
      done: ({ total }) => `${total} ${total === 1 ? 'node was' : 'nodes were'} restarted`,
    });
  },
};
