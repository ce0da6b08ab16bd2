/** Keys as lines of JSON: `{"key":"seat-12","value":"held","expiresAt":"2026-11-20T12:00:00.000Z"}`. */
import type { StoreValue, StoredEntry } from '../client/index.js';
import { type Json, fromJson, toJson } from './json-value.js';
import { type SnapshotError, lineError } from './errors.js';

export interface LineEntry {
  readonly key: string;
  readonly value: StoreValue;
  readonly expiresAtMs: number | undefined;
}

/** Line ends excluded. */
export function formatLine({ key, value, expiresAtMs }: Pick<StoredEntry, keyof LineEntry>): string {
  const expiresAt = expiresAtMs === undefined ? {} : { expiresAt: new Date(expiresAtMs).toISOString() };
  return JSON.stringify({ key, value: toJson(value), ...expiresAt });
}

/** @throws Error that says what is wrong */
export function parseLine(text: string): LineEntry {
  const { key, value, expiresAt, ...others } = parseObject(text);
  const [other] = Object.keys(others);
  if (other !== undefined) throw new Error(`the field ${JSON.stringify(other)} is unknown; ${form}`);
  if (typeof key !== 'string') throw new Error(`"key" must be a string; ${form}`);
  if (value === undefined) throw new Error(`"value" is missing; ${form}`);
  return {
    key,
    value: fromJson(value),
    expiresAtMs: expiresAt === undefined ? undefined : timeOf(expiresAt),
  };
}

const form = 'a line is {"key": "...", "value": ...}, and "expiresAt": "..." if it shall expire';

function parseObject(text: string): Record<string, Json> {
  let json: Json;
  try {
    json = JSON.parse(text) as Json;
  } catch (cause) {
    throw new Error(`it is no JSON; ${form}`, { cause });
  }
  if (typeof json === 'object' && json !== null && !Array.isArray(json)) return json;
  throw new Error(`it is no object; ${form}`);
}

const isoTime = /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?(Z|[+-]\d\d:\d\d)$/;

function timeOf(expiresAt: Json): number {
  const ms = typeof expiresAt === 'string' && isoTime.test(expiresAt) ? Date.parse(expiresAt) : NaN;
  if (!Number.isNaN(ms)) return ms;
  throw new Error('"expiresAt" must be a time such as "2026-11-20T12:00:00.000Z"');
}

export interface TextLine {
  /** From 1. */
  readonly number: number;
  readonly text: string;
}

const newline = 0x0a;

/**
 * The lines of UTF-8 text, blank ones left out; of the text no more is held than one line and one chunk.
 * @param name - of the text, for messages
 * @throws SnapshotError for a line that is longer than `bytesMax` or no UTF-8
 */
export async function* textLines(
  input: AsyncIterable<Uint8Array>,
  name: string,
  bytesMax: number,
): AsyncGenerator<TextLine> {
  const decoder = new TextDecoder('utf-8', { fatal: true });
  let pieces: Uint8Array[] = [];
  let bytes = 0;
  let number = 1;
  const tooLong = (): SnapshotError =>
    lineError(name, number, `it has more than ${bytesMax} bytes, more than any key this cluster takes`);
  const complete = (): TextLine => {
    try {
      // Drops a mark of byte order at the beginning of a line, where JSON has no use for it.
      return { number, text: decoder.decode(Buffer.concat(pieces)) };
    } catch {
      throw lineError(name, number, 'it is no UTF-8');
    }
  };
  const add = (piece: Uint8Array): void => {
    pieces.push(piece);
    bytes += piece.length;
    if (bytes > bytesMax) throw tooLong();
  };
  for await (const chunk of input) {
    let from = 0;
    for (let end = chunk.indexOf(newline); end >= 0; end = chunk.indexOf(newline, from)) {
      add(chunk.subarray(from, end));
      const line = complete();
      if (line.text.trim() !== '') yield line;
      from = end + 1;
      number++;
      pieces = [];
      bytes = 0;
    }
    add(chunk.subarray(from));
  }
  const last = complete();
  if (last.text.trim() !== '') yield last;
}
