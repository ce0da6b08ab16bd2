/** `gtstore cancel`: ends the task under way, wherever it was begun. */
import type { CommandModule } from 'yargs';
import { order } from './admin-options.js';
import { jsonOption, managerOption } from './options.js';
import { describeProgress } from './task-display.js';
import { printJson, printLine, withClient } from './with-client.js';

interface CancelOptions {
  manager: string;
  json: boolean;
}

export const cancelCommand: CommandModule<object, CancelOptions> = {
  command: 'cancel',
  describe: 'End the task under way: what was moved stays moved, the rest is left',
  builder: (command) =>
    command
      .option('manager', managerOption)
      .option('json', jsonOption)
      .example('$0 cancel', 'prints how far it was; gtstore status shows the task under way'),
  handler: async ({ manager, json }) => {
    await withClient(manager, async (store) => {
      const { task = null } = await order(store, { command: 'cancel' });
      if (json) printJson(task);
      else printLine(task === null ? 'cancelled' : `cancelled; ${describeProgress(task)}`);
    });
  },
};
