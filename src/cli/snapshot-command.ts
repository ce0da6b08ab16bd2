/** `gtstore snapshot`: all keys of a cluster into a directory, while it serves. */
import type { CommandModule } from 'yargs';
import { UsageError } from './exit.js';
import { jsonOption, managerOption } from './options.js';
import { amount, countKeys, keyCount, stopwatch, transferBar, withTransfer } from './transfer.js';
import { printJson, printLine } from './with-client.js';

interface SnapshotOptions {
  to: string;
  manager: string;
  json: boolean;
}

export const snapshotCommand: CommandModule<object, SnapshotOptions> = {
  command: 'snapshot',
  describe: 'Save all keys in a directory, while the cluster serves',
  builder: (command) =>
    command
      .option('to', {
        type: 'string',
        requiresArg: true,
        demandOption: true,
        describe: 'The directory to make; it may exist if it is empty',
      })
      .option('manager', managerOption)
      .option('json', jsonOption)
      .example('$0 snapshot --to backup/monday', 'gtstore restore backup/monday brings it back')
      .example('$0 start --snapshot-every 1h --snapshot-dir backup', 'takes them by itself'),
  handler: async ({ to, manager, json }) => {
    // Only here, so that the other commands need not load it.
    const { placeProblem, takeSnapshot } = await import('../snapshot/index.js');
    const problem = await placeProblem(to);
    if (problem !== undefined)
      throw new UsageError(`--to ${to === '' ? "''" : to} ${problem}; give a new directory`);
    const seconds = stopwatch();
    await withTransfer(manager, async (store, stop, reached) => {
      let saved = 0;
      reached.text = () =>
        `${keyCount(saved)} had been saved, and are removed again; there is no snapshot in ${to}`;
      const bar = transferBar('saving keys', await countKeys(store));
      try {
        const { keys, bytes, parts } = await takeSnapshot(store, to, {
          signal: stop.signal,
          onProgress: (done) => {
            saved = done;
            bar.show(done);
          },
          onStarted: (discard) => {
            stop.killAtOnce = discard;
          },
        });
        bar.clear();
        if (json) printJson({ keys, bytes, parts: parts.length, seconds: seconds(), to });
        else printLine(`saved ${amount(keys, bytes)}, in ${to}`);
      } finally {
        bar.clear();
      }
    });
  },
};
