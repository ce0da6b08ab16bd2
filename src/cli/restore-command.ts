/** `gtstore restore`: a snapshot into a cluster, which may have other numbers of nodes and replicas. */
import { stat } from 'node:fs/promises';
import type { CommandModule } from 'yargs';
import type { RestorePhase } from '../snapshot/index.js';
import type { ProgressBar } from '../terminal/progress-bar.js';
import { UsageError } from './exit.js';
import { jsonOption, managerOption, operand } from './options.js';
import {
  Unreadable,
  amount,
  expiredNote,
  skipUnreadableOption,
  stopwatch,
  systemText,
  transferBar,
  withTransfer,
} from './transfer.js';
import { printJson, printLine } from './with-client.js';

interface RestoreCommandOptions {
  dir: string;
  overwrite: boolean;
  'skip-unreadable': boolean;
  manager: string;
  json: boolean;
}

const labels: Readonly<Record<RestorePhase, string>> = {
  checking: 'checking the snapshot',
  storing: 'restoring keys',
  counting: 'counting keys',
};

export const restoreCommand: CommandModule<object, RestoreCommandOptions> = {
  command: 'restore <dir>',
  describe: 'Bring back the keys of a snapshot, into an empty cluster',
  builder: (command) =>
    command
      .positional('dir', { ...operand, describe: 'The directory of the snapshot' })
      .option('overwrite', {
        type: 'boolean',
        default: false,
        describe: 'Into a cluster that has keys: those that the snapshot has, too, are overwritten',
      })
      .option('skip-unreadable', skipUnreadableOption)
      .option('manager', managerOption)
      .option('json', jsonOption)
      .example('$0 restore backup/monday', 'what gtstore snapshot --to backup/monday saved'),
  handler: async ({ dir, overwrite, skipUnreadable, manager, json }) => {
    await checkDirectory(dir);
    // Only here, so that the other commands need not load it.
    const { openSnapshot, restoreSnapshot } = await import('../snapshot/index.js');
    const snapshot = await openSnapshot(dir);
    const { bytes } = snapshot.manifest;
    const seconds = stopwatch();
    await withTransfer(manager, async (store, { signal }, reached) => {
      let bar: ProgressBar | undefined;
      let shown: RestorePhase | undefined;
      reached.text = () =>
        shown === 'counting' ? 'all keys are stored, but not counted' : 'nothing had been stored';
      const onProgress = (phase: RestorePhase, done: number, total: number): void => {
        if (phase !== shown) bar = transferBar(labels[phase], total);
        shown = phase;
        bar?.show(done);
      };
      const unreadable = new Unreadable();
      const skipping = skipUnreadable ? { onUnreadable: unreadable.tell } : {};
      try {
        const options = { overwrite, signal, onProgress, ...skipping };
        const { keys, expired } = await restoreSnapshot(store, snapshot, options);
        bar?.clear();
        const { count, note } = unreadable;
        if (json) printJson({ keys, expired, unreadable: count, bytes, seconds: seconds(), from: dir });
        else printLine(`restored ${amount(keys, bytes)}, from ${dir}${expiredNote(expired)}${note}`);
      } finally {
        bar?.clear();
      }
    });
  },
};

/** @throws UsageError */
async function checkDirectory(dir: string): Promise<void> {
  if (dir === '') throw new UsageError('DIR must name the directory of a snapshot');
  let found;
  try {
    found = await stat(dir);
  } catch (error) {
    throw new UsageError(`${dir} cannot be read: ${systemText(error)}; give the directory of a snapshot`);
  }
  if (!found.isDirectory()) throw new UsageError(`${dir} is not a directory; give that of a snapshot`);
}
