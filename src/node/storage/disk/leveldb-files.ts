/**
 * The files of LevelDB, read to see whether they are whole: logs (also the manifest is one), and tables. LevelDB itself
 * passes over damaged pieces of a log in silence, and looks at the sums in a table only if told to, which its
 * binding cannot. Formats: doc/log_format.md and doc/table_format.md of LevelDB.
 */
import { Buffer } from 'node:buffer';
import { maskedCrc32c } from './crc32c.js';
import { Corruption } from './format.js';

const blockBytes = 32 * 1024;
const headerBytes = 7;
const Piece = { full: 1, first: 2, middle: 3, last: 4 } as const;

/** What a log holds where it is damaged, or ends in the middle of a record. */
export const damage = null;

/** The records of a log, as LevelDB would find them, and `damage` where it would find none. */
export function* recordsOfLog(log: Buffer): Generator<Buffer | typeof damage> {
  let begun: Buffer[] | null = null;
  for (let pos = 0; pos < log.length;) {
    const blockEnd = Math.min(log.length, pos - (pos % blockBytes) + blockBytes);
    const end = pieceEnd(log, pos, blockEnd);
    if (end === 0) {
      // The rest of a block that has no room for a header is no damage; the rest of the file is.
      if (blockEnd - pos >= headerBytes || blockEnd === log.length) {
        yield damage;
        begun = null;
      }
      pos = blockEnd;
      continue;
    }
    const type = log[pos + 6];
    const content = log.subarray(pos + headerBytes, end);
    pos = end;
    const isBeginning = type === Piece.full || type === Piece.first;
    if (isBeginning !== (begun === null)) yield damage;
    if (isBeginning) begun = [content];
    else begun?.push(content);
    if (begun !== null && (type === Piece.full || type === Piece.last)) {
      yield begun.length === 1 ? content : Buffer.concat(begun);
      begun = null;
    }
  }
  if (begun !== null) yield damage;
}

/** Where the piece that begins there ends; 0: there is none. */
function pieceEnd(log: Buffer, pos: number, blockEnd: number): number {
  if (blockEnd - pos < headerBytes) return 0;
  const end = pos + headerBytes + log.readUInt16LE(pos + 4);
  if (end > blockEnd || maskedCrc32c(log, pos + 6, end) !== log.readUInt32LE(pos)) return 0;
  const type = log[pos + 6] ?? 0;
  return type >= Piece.full && type <= Piece.last ? end : 0;
}

/** Reads on from a place. @throws Corruption at the end */
export class Fields {
  readonly #buf: Buffer;
  #pos: number;
  readonly #end: number;

  constructor(buf: Buffer, pos = 0, end = buf.length) {
    this.#buf = buf;
    this.#pos = pos;
    this.#end = end;
  }

  get isAtEnd(): boolean {
    return this.#pos >= this.#end;
  }

  varint(): number {
    let value = 0;
    for (let factor = 1; factor < 2 ** 56; factor *= 128) {
      const byte = this.bytes(1)[0] ?? 0;
      value += (byte & 0x7f) * factor;
      if (byte < 0x80) return value;
    }
    throw new Corruption('a number that is too large');
  }

  bytes(count: number): Buffer {
    const from = this.#pos;
    if (count > this.#end - from) throw new Corruption('a field beyond the end');
    this.#pos += count;
    return this.#buf.subarray(from, from + count);
  }

  lengthPrefixed(): Buffer {
    return this.bytes(this.varint());
  }
}

const footerBytes = 48;
const trailerBytes = 5;
const magic = Buffer.from('57fb808b247547db', 'hex');

interface Handle {
  readonly offset: number;
  readonly size: number;
}

/** Every byte of it but the padding of its end is protected by some sum. @throws Corruption */
export function checkTable(table: Buffer): void {
  const footerAt = table.length - footerBytes;
  if (footerAt < 0 || !table.subarray(-magic.length).equals(magic))
    throw new Corruption('a table without end');
  const footer = new Fields(table, footerAt);
  const metaIndex = handleOf(footer);
  const index = handleOf(footer);
  const blocks = [...handlesIn(table, index), ...handlesIn(table, metaIndex), metaIndex, index];
  let expected = 0;
  for (const block of blocks) {
    if (block.offset !== expected) throw new Corruption(`a hole in a table at ${expected}`);
    checkBlock(table, block);
    expected += block.size + trailerBytes;
  }
  if (expected !== footerAt) throw new Corruption(`a hole in a table at ${expected}`);
}

function handleOf(fields: Fields): Handle {
  return { offset: fields.varint(), size: fields.varint() };
}

function checkBlock(table: Buffer, { offset, size }: Handle): void {
  const end = offset + size;
  if (end + trailerBytes > table.length - footerBytes) throw new Corruption('a block beyond the end');
  // The type of the block, which follows it, is part of the sum.
  if (maskedCrc32c(table, offset, end + 1) !== table.readUInt32LE(end + 1))
    throw new Corruption(`a wrong sum at ${offset} of a table`);
}

/** The blocks that an index names. */
function handlesIn(table: Buffer, index: Handle): Handle[] {
  checkBlock(table, index);
  const block = table.subarray(index.offset, index.offset + index.size);
  if (table[index.offset + index.size] !== 0 || block.length < 4)
    throw new Corruption('an index of a form unknown here');
  const entriesEnd = block.length - 4 * (1 + block.readUInt32LE(block.length - 4));
  const fields = new Fields(block, 0, entriesEnd);
  const handles: Handle[] = [];
  while (!fields.isAtEnd) {
    fields.varint();
    const keyBytes = fields.varint();
    const valueBytes = fields.varint();
    fields.bytes(keyBytes);
    handles.push(handleOf(new Fields(fields.bytes(valueBytes))));
  }
  return handles;
}
