/** One session with the store around one command. */
import type { GTStoreClient } from '../client/index.js';
import { codeOf } from './exit.js';
import { managerOrDefault } from './options.js';
import { print } from './stdout.js';

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
  // Failures reach the operation that meets them; without a listener this event would end the process.
  store.on('error', () => undefined);
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

/** One line of JSON. Bytes, which JSON does not have, become `{"base64": "..."}`. */
export function printJson(document: unknown): void {
  printLine(JSON.stringify(document, bytesAsBase64));
}

/** Text as it is, bytes as they are, anything else as JSON. */
export function printValue(value: unknown): void {
  if (value instanceof Uint8Array) print(value);
  else if (typeof value === 'string') printLine(value);
  else printJson(value);
}

function bytesAsBase64(this: unknown, key: string, value: unknown): unknown {
  // `value` has been through Buffer's own toJSON; the holder still has the bytes.
  const held: unknown = (this as Record<string, unknown>)[key];
  return held instanceof Uint8Array ? { base64: Buffer.from(held).toString('base64') } : value;
}
