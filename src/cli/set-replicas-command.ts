/** `gtstore set-replicas`: more copies of each key, or fewer. */
import type { CommandModule } from 'yargs';
import { replicasMax } from '../protocol/settings.js';
import { type MoveOptions, moveOptions, speedOf } from './admin-options.js';
import { numberOperand, wholeNumber } from './options.js';
import { runTask } from './run-task.js';
import { slots } from './task-display.js';

interface SetReplicasOptions extends MoveOptions {
  replicas: number;
}

export const setReplicasCommand: CommandModule<object, SetReplicasOptions> = {
  command: 'set-replicas <replicas>',
  describe: 'Change how many copies of each key there are, each on another node',
  builder: (command) =>
    moveOptions(
      command.positional('replicas', {
        ...numberOperand,
        describe: `Copies of each key, 1 to ${replicasMax}`,
      }),
    )
      .example('$0 set-replicas 4', 'copies while reads and writes go on')
      .example('$0 set-replicas 2 --no-wait', 'returns at once'),
  handler: async ({ manager, json, wait, replicas: asked, mbPerSecond }) => {
    const replicas = wholeNumber('REPLICAS', asked, 1, replicasMax);
    await runTask({
      ...{ manager, json, wait, task: 'set-replicas' },
      request: { command: 'set-replicas', replicas, ...speedOf(mbPerSecond) },
      done: ({ total }) =>
        `every key has ${replicas} ${replicas === 1 ? 'copy' : 'copies'}, ${slots(total)} changed`,
    });
  },
};
