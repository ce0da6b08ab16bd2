/** `gtstore put`, `get`, `delete` and `locate`: one operation on one key. */
import type { Argv, CommandModule } from 'yargs';
import type { Entry } from '../client/index.js';
import { print } from '../terminal/stdout.js';
import { UsageError, exitFailed } from './exit.js';
import { formatAddress, jsonOption, managerOption, operand, wholeNumber } from './options.js';
import { printJson, printLine, withClient } from './with-client.js';

interface KeyOptions {
  key: string;
  manager: string;
  json: boolean;
}

interface PutOptions extends KeyOptions {
  value: string;
  'json-value': boolean;
  'ttl-ms': number | undefined;
}

const ttlMsMax = 100 * 365 * 24 * 3_600_000;

function keyOptions(command: Argv): Argv<KeyOptions> {
  return command
    .positional('key', { ...operand, describe: 'The key' })
    .option('manager', managerOption)
    .option('json', jsonOption);
}

export const putCommand: CommandModule<object, PutOptions> = {
  command: 'put <key> <value>',
  describe: 'Store VALUE, as text, under KEY',
  builder: (command) =>
    keyOptions(command)
      .positional('value', { ...operand, describe: 'The value; after -- if it begins with -' })
      .option('json-value', {
        type: 'boolean',
        default: false,
        describe: 'VALUE is JSON: store the number, list, object, ... that it means',
      })
      .option('ttl-ms', {
        type: 'number',
        requiresArg: true,
        describe: 'Let it vanish after so many milliseconds',
      })
      .example('$0 put greeting hello', 'stores the text hello')
      .example(`$0 put cart '{"apple":2}' --json-value`, 'stores an object')
      .example('$0 put -- --verbose off', 'a key that begins with a dash')
      .example('$0 put seat-12 held --ttl-ms 60000', 'for a minute'),
  handler: async ({ key, value, jsonValue, ttlMs, manager, json }) => {
    const options = ttlMs === undefined ? {} : { ttlMs: wholeNumber('--ttl-ms', ttlMs, 1, ttlMsMax) };
    const stored = jsonValue ? parseJson(value) : value;
    await withClient(manager, async (store) => {
      const { version } = await store.put(key, stored, options);
      if (json) printJson({ version });
      else printLine('stored');
    });
  },
};

export const getCommand: CommandModule<object, KeyOptions> = {
  command: 'get <key>',
  describe: 'Print the value of KEY; exit 1 if there is none',
  builder: (command) =>
    keyOptions(command)
      .example('$0 get greeting', 'prints hello')
      .example('$0 get cart --json', 'prints {"value":{"apple":2},"version":{...}}'),
  handler: async ({ key, manager, json }) => {
    await withClient(manager, async (store) => {
      const entry = await store.getEntry(key);
      if (entry === undefined) {
        process.stderr.write(`gtstore: no value for ${key}\n`);
        process.exitCode = exitFailed;
      } else {
        print(await formatEntry(entry, json));
      }
    });
  },
};

export const deleteCommand: CommandModule<object, KeyOptions> = {
  command: 'delete <key>',
  describe: 'Delete KEY; that there is none is no error',
  builder: (command) => keyOptions(command).example('$0 delete greeting', 'prints deleted, or absent'),
  handler: async ({ key, manager, json }) => {
    await withClient(manager, async (store) => {
      const existed = await store.delete(key);
      if (json) printJson({ existed });
      else printLine(existed ? 'deleted' : 'absent');
    });
  },
};

export const locateCommand: CommandModule<object, KeyOptions> = {
  command: 'locate <key>',
  describe: 'Print the slot of KEY, its primary and its replicas',
  builder: (command) =>
    keyOptions(command).example('$0 locate greeting', 'with 7 nodes: slot 76, primary node 6, ...'),
  handler: async ({ key, manager, json }) => {
    await withClient(manager, async (store) => {
      const { slot, primary, replicas } = await store.locate(key);
      if (json) {
        printJson({ slot, primary, replicas });
        return;
      }
      const { nodes } = await store.status();
      const named = (id: number): string => {
        const node = nodes.find((each) => each.id === id);
        return node === undefined || node.port === 0 ? `node ${id}` : `node ${id} (${formatAddress(node)})`;
      };
      printLine(`slot      ${slot}`);
      printLine(`primary   ${primary === null ? 'none at present' : named(primary)}`);
      printLine(`replicas  ${replicas.length === 0 ? 'none at present' : replicas.map(named).join(', ')}`);
    });
  },
};

/** What `get` prints: text as it is, bytes as they are, anything else as JSON. What JSON has not is spelled as in an export. */
export async function formatEntry(
  { value, version }: Pick<Entry, 'value' | 'version'>,
  json: boolean,
): Promise<string | Uint8Array> {
  // Only here, so that the other commands need not load it.
  const { toJson } = await import('../snapshot/json-value.js');
  if (json) return `${JSON.stringify({ value: toJson(value), version })}\n`;
  if (value instanceof Uint8Array) return value;
  return `${typeof value === 'string' ? value : JSON.stringify(toJson(value))}\n`;
}

/** The JSON types are all among the values that can be stored. */
type Json = string | number | boolean | null | Json[] | { [name: string]: Json };

function parseJson(text: string): Json {
  try {
    return JSON.parse(text) as Json;
  } catch {
    throw new UsageError(`VALUE is no JSON: '${text}'; without --json-value it is stored as text`);
  }
}
