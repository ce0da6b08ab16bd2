/** `gtstore recover --accept-loss`: goes on without data that nobody can bring back. */
import type { CommandModule } from 'yargs';
import { order } from './admin-options.js';
import { UsageError } from './exit.js';
import { jsonOption, managerOption } from './options.js';
import { printJson, printLine, withClient } from './with-client.js';

interface RecoverOptions {
  manager: string;
  json: boolean;
  'accept-loss': boolean;
}

export const recoverCommand: CommandModule<object, RecoverOptions> = {
  command: 'recover',
  describe: 'With --accept-loss: serve slots again, with what is left, whose nodes will not come back',
  builder: (command) =>
    command
      .option('manager', managerOption)
      .option('json', jsonOption)
      .option('accept-loss', {
        type: 'boolean',
        default: false,
        describe:
          'Give up the data of slots that wait for a node to come back with them, or whose nodes have been silent for 30 s',
      })
      .example('$0 recover --accept-loss', 'when the disks of those nodes are gone for good'),
  handler: async ({ manager, json, acceptLoss }) => {
    if (!acceptLoss) {
      throw new UsageError(
        'say gtstore recover --accept-loss to give up the data of slots that wait for nodes; as long as those nodes can be started again, do that instead',
      );
    }
    await withClient(manager, async (store) => {
      const { slots = 0 } = await order(store, { command: 'accept-loss' });
      if (json) printJson({ slots });
      else
        printLine(
          slots === 0
            ? 'no slot waits for its data, or for a node that has been silent for 30 s'
            : `slots given up: ${slots}; each goes on with what a node that is there has of it, or empty`,
        );
    });
  },
};
