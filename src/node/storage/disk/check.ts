/**
 * Whether the files in a directory are all that was written: before LevelDB opens them, since it opens what is left,
 * and what it has merged has sums that are right again.
 *
 * Only the end of the last log may be missing: a batch that was under way when the power failed. That it was
 * none that had been synced says the mark (saved-mark.ts).
 */
import type { Buffer } from 'node:buffer';
import { readdir, readFile, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { batchKey, Corruption, readMeta } from './format.js';
import { checkTable, damage, Fields, recordsOfLog } from './leveldb-files.js';

/**
 * @param tables - whether every byte of the tables is looked at, too; otherwise that they are there, as long as they shall be
 * @throws Corruption
 */
export async function checkFiles(directory: string, { tables: readsTables = true } = {}): Promise<void> {
  const files = new Files(directory, await readdir(directory));
  const contents = await contentsIn(files);
  if (contents === null) return;
  const { tables, log, logBefore } = contents;
  for (const [number, bytes] of tables) {
    const name = nameOf(number, 'ldb');
    if ((await files.bytes(name)) !== bytes) throw new Corruption(`${name} is missing or not whole`);
    const table = readsTables ? await files.read(name) : null;
    if (table !== null) checkTable(table);
  }
  const logs = files.numbers('log').filter((number) => number >= log || number === logBefore);
  if (log > 0 && !logs.includes(log)) throw new Corruption(`${nameOf(log, 'log')} is missing`);
  const numbers = new BatchNumbers();
  for (const number of logs) {
    const content = await files.read(nameOf(number, 'log'));
    if (content !== null) numbers.follow(content);
  }
}

/**
 * Tables in which LevelDB has nothing: it has merged them, or had no room to finish them. It removes them itself once it is open.
 *
 * @throws Corruption
 */
export async function tablesUnused(directory: string): Promise<string[]> {
  const files = new Files(directory, await readdir(directory));
  const contents = await contentsIn(files);
  if (contents === null) return [];
  return files
    .numbers('ldb')
    .filter((number) => !contents.tables.has(number))
    .map((number) => nameOf(number, 'ldb'));
}

/** How long the manifest in use has become. */
export async function manifestBytesIn(directory: string): Promise<number> {
  const name = await readFile(join(directory, 'CURRENT'), 'latin1');
  return (await stat(join(directory, name.trimEnd()))).size;
}

/** @returns null: nothing has been written yet */
async function contentsIn(files: Files): Promise<Contents | null> {
  const current = await files.read('CURRENT');
  if (current === null) {
    if (files.numbers('log').length + files.numbers('ldb').length > 0)
      throw new Corruption('CURRENT is missing');
    return null;
  }
  const name = current.toString('latin1');
  const manifest = /^MANIFEST-\d+\n$/.test(name) ? await files.read(name.slice(0, -1)) : null;
  if (manifest === null) throw new Corruption('CURRENT does not name a manifest');
  return contentsOf(manifest);
}

class Files {
  readonly #directory: string;
  readonly #names: readonly string[];

  constructor(directory: string, names: readonly string[]) {
    this.#directory = directory;
    this.#names = names;
  }

  async read(name: string): Promise<Buffer | null> {
    return this.#names.includes(name) ? readFile(join(this.#directory, name)) : null;
  }

  async bytes(name: string): Promise<number> {
    return this.#names.includes(name) ? (await stat(join(this.#directory, name))).size : -1;
  }

  /** Of the files with that ending, ascending. */
  numbers(ending: string): number[] {
    const pattern = new RegExp(`^(\\d+)\\.${ending}$`);
    return this.#names
      .flatMap((name) => pattern.exec(name)?.[1] ?? [])
      .map(Number)
      .sort((a, b) => a - b);
  }
}

function nameOf(number: number, ending: string): string {
  return `${String(number).padStart(6, '0')}.${ending}`;
}

const Tag = {
  comparator: 1,
  log: 2,
  nextFile: 3,
  lastSequence: 4,
  compactPointer: 5,
  deletedFile: 6,
  newFile: 7,
  logBefore: 9,
} as const;

interface Contents {
  /** Bytes by number. */
  readonly tables: ReadonlyMap<number, number>;
  /** Number of the first log that is not in a table yet. */
  readonly log: number;
  readonly logBefore: number;
}

/** What the manifest says there is, each of its records being a change of that. */
function contentsOf(manifest: Buffer): Contents {
  const tables = new Map<number, number>();
  const numbers = { log: 0, logBefore: 0 };
  let isDamaged = false;
  for (const record of recordsOfLog(manifest)) {
    // Its very end may be missing: what that change was about is then there in its older form, or found missing.
    if (isDamaged) throw new Corruption('the manifest is damaged');
    if (record === damage) isDamaged = true;
    else applyEdit(new Fields(record), tables, numbers);
  }
  return { tables, ...numbers };
}

function applyEdit(
  edit: Fields,
  tables: Map<number, number>,
  numbers: { log: number; logBefore: number },
): void {
  while (!edit.isAtEnd) {
    const tag = edit.varint();
    switch (tag) {
      case Tag.comparator:
        edit.lengthPrefixed();
        break;
      case Tag.log:
        numbers.log = edit.varint();
        break;
      case Tag.logBefore:
        numbers.logBefore = edit.varint();
        break;
      case Tag.nextFile:
      case Tag.lastSequence:
        skipVarint(edit);
        break;
      case Tag.compactPointer:
        edit.varint();
        edit.lengthPrefixed();
        break;
      case Tag.deletedFile:
        edit.varint();
        tables.delete(edit.varint());
        break;
      case Tag.newFile: {
        edit.varint();
        const number = edit.varint();
        tables.set(number, edit.varint());
        edit.lengthPrefixed();
        edit.lengthPrefixed();
        break;
      }
      default:
        throw new Corruption(`the manifest has an entry of type ${tag}, unknown here`);
    }
  }
}

/** Sequence numbers have up to 56 bits, and are of no interest. */
function skipVarint(edit: Fields): void {
  while (((edit.bytes(1)[0] ?? 0) & 0x80) !== 0);
}

const sequenceAndCountBytes = 12;
const putTag = 1;

/** Follows the batches through the logs: every one must be there up to the last. */
class BatchNumbers {
  #last = -1;
  #isDamaged = false;

  /** @throws Corruption */
  follow(log: Buffer): void {
    for (const record of recordsOfLog(log)) {
      if (record === damage) {
        this.#isDamaged = true;
        continue;
      }
      const number = numberOf(record);
      const isNext = this.#last === -1 || number === this.#last + 1 || number === this.#last;
      if (this.#isDamaged || !isNext) throw new Corruption(`something is missing before batch ${number}`);
      this.#last = number;
    }
  }
}

/** Every batch begins with its number. */
function numberOf(record: Buffer): number {
  const fields = new Fields(record, sequenceAndCountBytes);
  const isPut = fields.bytes(1)[0] === putTag;
  const key = fields.lengthPrefixed();
  if (!isPut || !key.equals(batchKey)) throw new Corruption('a batch without number');
  return readMeta(key, fields.lengthPrefixed(), 1)[0] ?? 0;
}
