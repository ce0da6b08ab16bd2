/** `gtstore import`: stores what lines of JSON say, from a file or a pipe. */
import { createReadStream, openSync } from 'node:fs';
import { stat } from 'node:fs/promises';
import { type Readable, addAbortSignal } from 'node:stream';
import type { CommandModule } from 'yargs';
import { UsageError } from './exit.js';
import { endWaitFor } from './named-pipe.js';
import { jsonOption, managerOption } from './options.js';
import {
  amount,
  expiredNote,
  fileOperand,
  stopwatch,
  systemText,
  transferBar,
  withTransfer,
} from './transfer.js';
import { printJson, printLine } from './with-client.js';

interface ImportOptions {
  file: string | undefined;
  manager: string;
  json: boolean;
}

export const importCommand: CommandModule<object, ImportOptions> = {
  command: 'import [file]',
  describe: 'Store the keys that lines of JSON speak of, from FILE or stdin',
  builder: (command) =>
    command
      .positional('file', { ...fileOperand, describe: 'The file to read; none, or -: stdin' })
      .option('manager', managerOption)
      .option('json', jsonOption)
      .example('$0 import keys.jsonl', 'what gtstore export wrote; keys that are there are overwritten')
      .example(`echo '{"key":"greeting","value":"hello"}' | $0 import`, ''),
  handler: async ({ file, manager, json }) => {
    const input = await openInput(file);
    // Only here, so that the other commands need not load it.
    const { importLines } = await import('../snapshot/index.js');
    const seconds = stopwatch();
    await withTransfer(manager, async (store, { signal }) => {
      // Who is asked to stop while nothing comes does not wait for it.
      addAbortSignal(signal, input.stream);
      const endWait = input.pipe === undefined ? () => undefined : endWaitFor(input.pipe, signal);
      const bar = transferBar('bytes read', input.bytes);
      const onProgress = (bytes: number): void => {
        bar.show(bytes);
      };
      try {
        const result = await importLines(store, input.stream, file ?? 'stdin', { signal, onProgress });
        const { keys, expired, bytes } = result;
        bar.clear();
        if (json) printJson({ keys, expired, bytes, seconds: seconds() });
        else printLine(`stored ${amount(keys, bytes)}${expiredNote(expired)}`);
      } finally {
        endWait();
        bar.clear();
      }
    });
  },
};

interface Input {
  readonly stream: Readable;
  /** 0: not known. */
  readonly bytes: number;
  /** Its name, if it has one. */
  readonly pipe?: string;
}

/** @throws UsageError */
async function openInput(file: string | undefined): Promise<Input> {
  if (file === undefined) return { stream: process.stdin, bytes: 0 };
  try {
    const found = await stat(file);
    if (found.isDirectory()) throw new Error('it is a directory');
    // That of a pipe waits for somebody who writes, and is no mistake.
    if (found.isFIFO()) return { stream: createReadStream(file), bytes: 0, pipe: file };
    const fd = openSync(file, 'r');
    return { stream: createReadStream(file, { fd }), bytes: found.isFile() ? found.size : 0 };
  } catch (error) {
    throw new UsageError(`${file} cannot be read: ${systemText(error)}`);
  }
}
