#!/usr/bin/env node
/** `gtstore`: launches clusters and talks to them. Each command has a file of its own; here is what they share. */
import { createRequire } from 'node:module';
import yargs, { type CommandModule } from 'yargs';
import { hideBin } from 'yargs/helpers';
import { oddSwitch } from '../terminal/switches.js';
import { workingDirectoryProblem } from '../terminal/working-directory.js';
import { addNodeCommand } from './add-node-command.js';
import { benchCommand } from './bench-command.js';
import { cancelCommand } from './cancel-command.js';
import { drainCommand } from './drain-command.js';
import { UsageError, guardProcess, reportFailure } from './exit.js';
import { exportCommand } from './export-command.js';
import { importCommand } from './import-command.js';
import { deleteCommand, getCommand, locateCommand, putCommand } from './key-commands.js';
import { nodeCommand } from './node-command.js';
import { markTexts, unmarkTexts, withoutMark } from './options.js';
import { rebalanceCommand } from './rebalance-command.js';
import { recoverCommand } from './recover-command.js';
import { restartCommand } from './restart-command.js';
import { setReplicasCommand } from './set-replicas-command.js';
import { restoreCommand } from './restore-command.js';
import { snapshotCommand } from './snapshot-command.js';
import { startCommand } from './start-command.js';
import { startNodeCommand } from './start-node-command.js';
import { statusCommand } from './status-command.js';

const lineWidthMax = 110;

guardProcess((text) => {
  process.stderr.write(`gtstore: ${text}\n`);
});

const problem = workingDirectoryProblem();
if (problem !== undefined) {
  reportFailure(new UsageError(problem));
  process.exit();
}

const commands = [
  startCommand,
  nodeCommand,
  statusCommand,
  putCommand,
  getCommand,
  deleteCommand,
  locateCommand,
  benchCommand,
  addNodeCommand,
  startNodeCommand,
  drainCommand,
  rebalanceCommand,
  setReplicasCommand,
  restartCommand,
  cancelCommand,
  recoverCommand,
  snapshotCommand,
  restoreCommand,
  exportCommand,
  importCommand,
] as const;

// Left to itself, yargs takes the package it is installed in for ours: that of whoever uses gtstore.
const { version } = createRequire(import.meta.url)('gtstore/package.json') as { readonly version: string };

const written = hideBin(process.argv);
const args = markTexts(written);
const parser = yargs(args)
  .scriptName('gtstore')
  .version(version)
  .usage('GTStore, a replicated key-value store.\n\n$0 <command>; $0 <command> --help shows its options.')
  .demandCommand(1, 'a command is missing')
  .example('$0 start -n 7 -k 3', 'then, in another terminal:')
  .example('$0 put greeting hello', '')
  .example('$0 get greeting', 'prints hello')
  .parserConfiguration({ 'dot-notation': false, 'duplicate-arguments-array': false })
  .strict()
  .middleware((options) => {
    unmarkTexts(options);
    const odd = oddSwitch(written, options);
    if (odd !== undefined) throw new UsageError(mend(odd));
  }, true)
  .detectLocale(false)
  .wrap(Math.min(lineWidthMax, process.stdout.isTTY ? process.stdout.columns : lineWidthMax))
  .updateStrings({
    'Unknown argument: %s': countless("unknown option or argument '%s'"),
    'Not enough arguments following: %s': "option '%s' needs a value",
    'Not enough non-option arguments: got %s, need at least %s': countless(
      'an argument is missing, %s of %s given',
    ),
    'Invalid values:': 'no such choice:',
    'Argument: %s, Given: %s, Choices: %s': '--%s %s, but one of %s',
  })
  // Without a message it is an error of a command; all others are about the command line.
  .fail((message: string | null, error: Error | undefined) => {
    if (message === null && error !== undefined) throw error;
    throw new UsageError(
      mend(withoutMark(message ?? 'the command line cannot be understood').replaceAll(/\s+/g, ' ')),
    );
  });
for (const command of commands) parser.command(command as CommandModule);

/** yargs declares these as strings, but those with a plural are objects of two. */
function countless(text: string): string {
  return { one: text, other: text } as unknown as string;
}

/** The message and what to do. */
function mend(message: string): string {
  const first = withoutMark(args[0] ?? '');
  const signatures = commands.map(({ command }) => String(command));
  const signature = signatures.find((each) => each.split(' ')[0] === first);
  if (signature !== undefined)
    return `${message}; usage: gtstore ${signature}, options by gtstore ${first} --help`;
  const isCommand = first !== '' && !first.startsWith('-');
  const names = signatures.map((each) => each.split(' ')[0]).join(', ');
  return `${isCommand ? `unknown command '${first}'` : message}; one of ${names}, or --help`;
}

try {
  await parser.parseAsync();
} catch (error) {
  reportFailure(error);
}
