#!/usr/bin/env node
/** `test_app`: a shopping cart on GTStore. The command line, the environment and the exit code are dealt with here only. */
import { randomBytes } from 'node:crypto';
import yargs from 'yargs';
import { hideBin } from 'yargs/helpers';
import { GTStoreClient, type StoreValue } from '../client/index.js';
import { InterruptedError, UsageError, codeOf } from './errors.js';
import { isProcessOf } from './node-process.js';
import { runReplay } from './replay-command.js';
import { runShop } from './shop-command.js';
import { checkUserName } from './shop-commands.js';
import { toJson } from '../snapshot/json-value.js';
import { print } from '../terminal/stdout.js';
import { oddSwitch } from '../terminal/switches.js';
import { workingDirectoryProblem } from '../terminal/working-directory.js';

const exitFailed = 1;
const exitUsage = 2;
const exitSigint = 130;
const exitSigterm = 143;

/** The most clients that one process is asked to run; each has its own connections. */
const clientsMax = 1_000;

/** Declared as a number, blank text would be 0. */
const number = {
  requiresArg: true,
  coerce: (value: string | number) => (String(value).trim() === '' ? NaN : Number(value)),
} as const;

async function main(): Promise<void> {
  guardOutput();
  const problem = workingDirectoryProblem();
  if (problem !== undefined) {
    report(new UsageError(problem));
    return;
  }
  const managerFromEnvironment = process.env['GTSTORE_URL'] ?? '';
  const args = hideBin(process.argv);
  const parser = yargs(args)
    .scriptName('test_app')
    .usage('A shopping cart on GTStore.')
    .option('manager', {
      type: 'string',
      requiresArg: true,
      describe: 'host:port of the manager; also from GTSTORE_URL',
      default: managerFromEnvironment === '' ? '127.0.0.1:7400' : managerFromEnvironment,
    })
    .command(
      'shop',
      'Log in, fill a cart, check out; at a terminal or as a script on stdin',
      (command) =>
        command
          .option('user', { type: 'string', requiresArg: true, describe: 'Log in as this user at once' })
          .example('$0 shop --user alice', 'type help for the commands')
          .example("printf 'add apple 2\\ncheckout\\n' | $0 shop --user alice", 'the same as a script'),
      async ({ manager, user }) => {
        if (user !== undefined) checkUserName(user);
        await withStore(connector(manager), async (store) => {
          process.exitCode = await runShop({
            store,
            user,
            newId: () => randomBytes(4).toString('hex'),
            input: process.stdin,
            output: process.stdout,
            print,
            errors: process.stderr,
          });
        });
      },
    )
    .command(
      'replay <file>',
      'Replay invoice lines from a CSV file with many clients, then compare every cart with the file',
      (command) =>
        command
          .positional('file', {
            type: 'string',
            demandOption: true,
            describe: 'Columns InvoiceNo, StockCode, Quantity, UnitPrice, by name; others are ignored',
          })
          .option('clients', { ...number, default: 16, describe: 'Clients at once' })
          .option('kill', {
            ...number,
            default: 0,
            describe: 'End so many nodes of this machine with kill -9 while it runs',
          })
          .option('json', { type: 'boolean', default: false, describe: 'Print one JSON object' })
          .example('$0 replay examples/online-retail-2010-12-01.csv --clients 16 --kill 2', ''),
      async ({ manager, file, clients, kill, json }) => {
        await replayUntilStopped({
          file,
          clients: wholeNumber('--clients', clients, 1, clientsMax),
          kill: { count: wholeNumber('--kill', kill, 0, clientsMax), isProcessOf, endProcess: killAtOnce },
          json,
          connect: connector(manager),
          output: { write: print },
          errors: process.stderr,
        });
      },
    )
    .command(
      '$0',
      'Store or read one key',
      (command) =>
        command
          .option('put', { type: 'string', requiresArg: true, describe: 'Store --val under this key' })
          .option('val', { type: 'string', requiresArg: true, describe: 'The value of --put' })
          .option('get', { type: 'string', requiresArg: true, describe: 'Print the value of this key' })
          .example('$0 --put greeting --val hello', '')
          .example('$0 --get greeting', 'prints hello; exits 1 if the key is absent'),
      async ({ manager, put, val, get }) => {
        if (put !== undefined && get === undefined && val !== undefined) {
          await withStore(connector(manager), (store) => store.put(put, val));
        } else if (get !== undefined && put === undefined && val === undefined) {
          await withStore(connector(manager), async (store) => {
            printValue(get, await store.get(get));
          });
        } else {
          throw new UsageError('one of: shop, replay FILE, --put KEY --val VALUE, --get KEY; see --help');
        }
      },
    )
    .parserConfiguration({
      'boolean-negation': false,
      'dot-notation': false,
      'duplicate-arguments-array': false,
    })
    .strict()
    .middleware((options) => {
      const odd = oddSwitch(args, options);
      if (odd !== undefined) throw new UsageError(`${odd}; see --help`);
    }, true)
    .version(false)
    .detectLocale(false)
    .updateStrings({
      // Declared as a string; what has a plural form is an object of two.
      'Not enough non-option arguments: got %s, need at least %s': {
        one: 'replay needs a file (got %s of %s)',
        other: 'replay needs a file (got %s of %s)',
      } as unknown as string,
    })
    // Without a message it is an error of a command; all others are about the command line.
    .fail((message: string | null, error: Error | undefined) => {
      if (message === null && error !== undefined) throw error;
      throw new UsageError(`${message ?? 'cannot be understood'}; see --help`);
    });

  try {
    await parser.parseAsync();
  } catch (error) {
    report(error);
  }
}

/** Who read the output may have gone (`test_app shop | head -1`): that is no reason to leave a script half done. */
function guardOutput(): void {
  process.stdout.on('error', (error: NodeJS.ErrnoException) => {
    if (error.code === 'EPIPE' || error.code === 'EIO') return;
    report(new Error(`cannot write output: ${error.message}`));
  });
  process.stderr.on('error', () => undefined);
}

/** Says in one line what went wrong, and sets the exit code. */
function report(error: unknown): void {
  const text = error instanceof Error ? error.message : String(error);
  process.stderr.write(
    `test_app: ${text
      .trim()
      .split(/\s*\n\s*/)
      .join('; ')}\n`,
  );
  const isUsage = error instanceof UsageError || codeOf(error) === 'INVALID_ARGUMENT';
  process.exitCode = isUsage ? exitUsage : exitFailed;
}

function connector(manager: string): () => Promise<GTStoreClient> {
  return async () => {
    const client = new GTStoreClient({ manager });
    try {
      await client.init();
    } catch (error) {
      await client.finalize();
      throw error;
    }
    return client;
  };
}

async function withStore(
  connect: () => Promise<GTStoreClient>,
  work: (store: GTStoreClient) => Promise<unknown>,
): Promise<void> {
  const store = await connect();
  try {
    await work(store);
  } finally {
    await store.finalize();
  }
}

/** What JSON has not is spelled as in an export. */
function printValue(key: string, value: StoreValue | undefined): void {
  if (value === undefined) throw new Error(`no value for ${key}`);
  if (value instanceof Uint8Array) print(value);
  else print(`${typeof value === 'string' ? value : JSON.stringify(toJson(value))}\n`);
}

/** A first Ctrl-C or SIGTERM ends the replay between two rows, a second one at once. */
async function replayUntilStopped(options: Parameters<typeof runReplay>[0]): Promise<void> {
  const stop = new AbortController();
  let exitCode = exitSigint;
  const onSignal = (signal: NodeJS.Signals): void => {
    exitCode = signal === 'SIGTERM' ? exitSigterm : exitSigint;
    if (stop.signal.aborted) process.exit(exitCode);
    process.stderr.write('\nstopping when the rows under way are done; once more to stop at once\n');
    stop.abort();
  };
  process.on('SIGINT', onSignal).on('SIGTERM', onSignal);
  try {
    process.exitCode = await runReplay({ ...options, signal: stop.signal });
  } catch (error) {
    if (!(error instanceof InterruptedError)) throw error;
    report(error);
    process.exitCode = exitCode;
  } finally {
    process.off('SIGINT', onSignal).off('SIGTERM', onSignal);
  }
}

function killAtOnce(pid: number): void {
  process.kill(pid, 'SIGKILL');
}

function wholeNumber(name: string, value: number, min: number, max: number): number {
  if (Number.isInteger(value) && value >= min && value <= max) return value;
  throw new UsageError(`${name} must be a whole number from ${min} to ${max}`);
}

await main();
