/** `gtstore export`: all keys as lines of JSON, to a file or into a pipe. */
import type { CommandModule } from 'yargs';
import { jsonOption, managerOption } from './options.js';
import {
  Unreadable,
  amount,
  countKeys,
  fileOperand,
  keyCount,
  skipUnreadableOption,
  stopwatch,
  transferBar,
  withTransfer,
} from './transfer.js';
import { printJson, printLine } from './with-client.js';

interface ExportOptions {
  file: string | undefined;
  'skip-unreadable': boolean;
  manager: string;
  json: boolean;
}

export const exportCommand: CommandModule<object, ExportOptions> = {
  command: 'export [file]',
  describe: 'Write all keys as lines of JSON, to FILE or stdout',
  builder: (command) =>
    command
      .positional('file', { ...fileOperand, describe: 'The file to write; none, or -: stdout' })
      .option('skip-unreadable', skipUnreadableOption)
      .option('manager', managerOption)
      .option('json', {
        ...jsonOption,
        describe: 'Print the sums as JSON; on stderr if the keys go to stdout',
      })
      .example('$0 export keys.jsonl', 'one line a key: {"key":"greeting","value":"hello"}')
      .example('$0 export | $0 import --manager other:7400', 'copies all keys to another cluster'),
  handler: async ({ file, skipUnreadable, manager, json }) => {
    // Only here, so that the other commands need not load them.
    const { exportLines } = await import('../snapshot/index.js');
    const { openOutput } = await import('./export-output.js');
    const seconds = stopwatch();
    await withTransfer(manager, async (store, stop, reached) => {
      let read = 0;
      const left = file === undefined ? 'what was written is not all' : `${file} is as it was before`;
      reached.text = () => `${keyCount(read)} had been read; ${left}`;
      const output = await openOutput(file, stop.signal);
      stop.killAtOnce = () => {
        output.discard();
      };
      // Lines on the screen say themselves how far it is.
      const isShown = file !== undefined || !process.stdout.isTTY;
      const bar = transferBar('writing keys', isShown ? await countKeys(store) : 0);
      const onProgress = (keys: number): void => {
        read = keys;
        bar.show(keys);
      };
      const unreadable = new Unreadable();
      const skipping = skipUnreadable ? { onUnreadable: unreadable.tell } : {};
      try {
        const options = { signal: stop.signal, onProgress, ...skipping };
        const { keys, bytes } = await exportLines(store, output, options);
        if (!(await output.finish())) return;
        bar.clear();
        const { count, note } = unreadable;
        if (json) printSums({ keys, unreadable: count, bytes, seconds: seconds() }, file);
        else if (file !== undefined) printLine(`wrote ${amount(keys, bytes)}, to ${file}${note}`);
      } finally {
        bar.clear();
        output.discard();
      }
    });
  },
};

function printSums(sums: object, file: string | undefined): void {
  if (file === undefined) process.stderr.write(`${JSON.stringify(sums)}\n`);
  else printJson({ ...sums, to: file });
}
