/** One session with the store around one command. */
import type { GTStoreClient } from '../client/index.js';
import { print } from '../terminal/stdout.js';
import { codeOf } from './exit.js';
import { managerOrDefault } from './options.js';

/** A person waits: shorter than an operation's deadline, long enough for a manager that is just starting. */
const initMsMax = 5_000;

/** @param manager - as given on the command line */
export async function withClient(
  manager: string,
  work: (store: GTStoreClient) => Promise<void>,
): Promise<void> {
  // Only here: `start` and `--help` need no client.
  const { GTStoreClient } = await import('../client/index.js');
  const store = new GTStoreClient({ manager: managerOrDefault(manager) });
  try {
    await init(store);
    await work(store);
  } finally {
    await store.finalize();
  }
}

async function init(store: GTStoreClient): Promise<void> {
  try {
    await store.init({ timeoutMs: initMsMax });
  } catch (error) {
    if (codeOf(error) !== 'UNAVAILABLE' || !(error instanceof Error)) throw error;
    throw new Error(`${error.message}; launch one with gtstore start, or say with --manager where it is`, {
      cause: error,
    });
  }
}

export function printLine(text: string): void {
  print(`${text}\n`);
}

/** One line of JSON. */
export function printJson(document: unknown): void {
  printLine(JSON.stringify(document));
}
