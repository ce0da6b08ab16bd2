/** Writes all keys of a cluster as lines of JSON, and stores what is in such lines. */
import { type GTStoreClient, GTStoreError, type StoredEntry } from '../client/index.js';
import { IncompleteError, SnapshotError, lineError, skipUnreadable } from './errors.js';
import { type TextLine, formatLine, parseLine, textLines } from './json-lines.js';
import { type KeyToPut, type PutTarget, PutWindow } from './put-window.js';

export interface TransferOptions {
  readonly signal?: AbortSignal;
  /** Told now and then how far it is: keys of an export, bytes read of an import. */
  readonly onProgress?: (done: number) => void;
}

export interface ExportOptions extends TransferOptions {
  /** Told of each value that cannot be read: its key is left out. Default: the first one ends it. */
  readonly onUnreadable?: (error: Error) => void;
}

/** Where lines go. */
export interface LineOutput {
  /** Fulfilled when more can be written; false: nobody reads it any more. */
  write(text: string): Promise<boolean>;
}

export interface ExportResult {
  readonly keys: number;
  /** Of the lines. */
  readonly bytes: number;
}

export interface ImportResult {
  /** Stored. */
  readonly keys: number;
  /** Not stored: their time was over. */
  readonly expired: number;
  /** Of the input. */
  readonly bytes: number;
}

/** Lines are handed on in pieces of about so many characters. */
const chunkCharsAimed = 64 * 1024;
/** A byte of a value takes up to seven characters in JSON (`{"$bytes":""}`), and the names of the fields take a few. */
const charsPerByteMax = 7;
const lineBytesExtra = 4096;

/**
 * Writes until all keys are written, or nobody reads them any more, which is no error.
 * @throws GTStoreError, errors of the output, the signal's reason
 */
export async function exportLines(
  store: Pick<GTStoreClient, 'storedEntries'>,
  output: LineOutput,
  { signal, onProgress, onUnreadable }: ExportOptions = {},
): Promise<ExportResult> {
  let chunk = '';
  let keys = 0;
  let bytes = 0;
  for await (const entry of store.storedEntries()) {
    signal?.throwIfAborted();
    const line = lineOf(entry, onUnreadable);
    if (line === undefined) continue;
    chunk += `${line}\n`;
    keys++;
    onProgress?.(keys);
    if (chunk.length < chunkCharsAimed) continue;
    bytes += Buffer.byteLength(chunk);
    if (!(await output.write(chunk))) return { keys, bytes };
    chunk = '';
  }
  bytes += Buffer.byteLength(chunk);
  if (chunk !== '') await output.write(chunk);
  return { keys, bytes };
}

/**
 * @returns undefined if its value cannot be read, and `onUnreadable` has been told
 * @throws SnapshotError that names the key
 */
function lineOf(entry: StoredEntry, onUnreadable: ExportOptions['onUnreadable']): string | undefined {
  try {
    return formatLine(entry);
  } catch (error) {
    if (!(error instanceof GTStoreError)) throw error;
    if (onUnreadable === undefined)
      throw new SnapshotError(`${error.message}; ${skipUnreadable}`, { cause: error });
    onUnreadable(error);
    return undefined;
  }
}

/**
 * Stores what the lines say, later ones over earlier ones.
 * @param name - of the input, for messages
 * @throws IncompleteError at the first line that cannot be stored
 */
export async function importLines(
  store: PutTarget & Pick<GTStoreClient, 'clusterMap'>,
  input: AsyncIterable<Uint8Array>,
  name: string,
  { signal, onProgress }: TransferOptions = {},
): Promise<ImportResult> {
  const numbers = new WeakMap<KeyToPut, number>();
  const describe = (error: unknown, item: KeyToPut): unknown =>
    error instanceof GTStoreError ? lineError(name, numbers.get(item) ?? 0, error.message, error) : error;
  const window = new PutWindow(store, { describe, ...(signal === undefined ? {} : { signal }) });
  const counter = new ByteCounter(input, onProgress);
  try {
    for await (const line of textLines(counter, name, lineBytesMax(store))) {
      signal?.throwIfAborted();
      const entry = { ...parsed(line, name), bytes: line.text.length };
      numbers.set(entry, line.number);
      await window.add(entry);
    }
    await window.drain();
  } catch (error) {
    await window.settle();
    throw new IncompleteError(window.stored, error);
  }
  return { keys: window.stored, expired: window.expired, bytes: counter.bytes };
}

function lineBytesMax({ clusterMap }: Pick<GTStoreClient, 'clusterMap'>): number {
  const { keyBytesMax = 0, valueBytesMax = 0 } = clusterMap?.settings ?? {};
  return charsPerByteMax * (keyBytesMax + valueBytesMax) + lineBytesExtra;
}

function parsed({ number, text }: TextLine, name: string): ReturnType<typeof parseLine> {
  try {
    return parseLine(text);
  } catch (cause) {
    throw lineError(name, number, cause instanceof Error ? cause.message : String(cause), cause);
  }
}

class ByteCounter implements AsyncIterable<Uint8Array> {
  bytes = 0;
  readonly #input: AsyncIterable<Uint8Array>;
  readonly #onProgress: TransferOptions['onProgress'];

  constructor(input: AsyncIterable<Uint8Array>, onProgress: TransferOptions['onProgress']) {
    this.#input = input;
    this.#onProgress = onProgress;
  }

  async *[Symbol.asyncIterator](): AsyncGenerator<Uint8Array> {
    for await (const chunk of this.#input) {
      this.bytes += chunk.length;
      yield chunk;
      this.#onProgress?.(this.bytes);
    }
  }
}
