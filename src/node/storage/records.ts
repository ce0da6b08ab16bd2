/**
 * Records with all their fields, outside the JS heap. A record is a number with 32 fixed bytes (record-table.ts) and
 * one block (arena.ts), which holds in words of 4 bytes
 *
 *     1              number of the record
 *     8 + 2 n        only if there is anything in it: seq, epoch, expiry (a float of 64 bits each), bytes of the key,
 *                    n, and the n numbers of the list of conditional writes
 *     as it takes    the key, then at once the value
 *
 * so that reading one touches the fixed part and one stretch of memory. A block above 64 KiB is a buffer of its own.
 * What is handed in is copied once, into the block; what is handed out is a view of the block.
 */
import { Buffer } from 'node:buffer';
import { appliedHeadLength, compareApplied } from '../../protocol/applied-list.js';
import type { AppliedList } from '../../protocol/applied-list.js';
import { cloneVersion, versionZero } from '../../protocol/version.js';
import type { MutableVersion, Version } from '../../protocol/version.js';
import type { Hold, RecordId } from '../core/store.js';
import { Arena, blockWordsMax, classOf } from './arena.js';
import type { HeldMemory } from './memory/held-memory.js';
import { copyWords } from './pages.js';
import type { Memory } from './pages.js';
import { Flag, keyLengthMask, keyLengthShift, RecordTable, Word } from './record-table.js';
import type { SoughtKey } from './sought-key.js';

/** Words before the key: of a plain block, and of an extended one without the list. */
export const plainWords = 1;
const extendedWords = 9;
/** Words of the extension. */
const seqAt = 1;
const epochAt = 3;
const expiresAt = 5;
const keyLengthAt = 7;
const appliedCountAt = 8;
/** Keys from here on have their length in the extension. */
const longKeyBytes = 255;

/** Without these a block is a plain one in the arena, as nearly all are. */
export const unusual = Flag.extended | Flag.large;

/** Where a key is copied to become a string: a view of its own on a page takes ten times as long. */
const keyText = Buffer.allocUnsafeSlow(256);

/** A float of 64 bits as two words. */
const float = new Float64Array(1);
const floatWords = new Uint32Array(float.buffer);

export class Records {
  protected readonly held: HeldMemory;
  protected readonly table: RecordTable;
  protected readonly blocks: Arena;
  /** Blocks too large for the arena, by record. */
  readonly #large = new Map<RecordId, Memory>();

  /** @param held where all its memory is counted; @param pagesMax pages of blocks; default as many as can be told apart */
  constructor(held: HeldMemory, pagesMax?: number) {
    const table = new RecordTable(held);
    this.held = held;
    this.table = table;
    const moved = (record: number, ref: number): void => {
      table.setBlock(record, ref);
    };
    this.blocks = new Arena({ moved }, held, pagesMax);
  }

  // --- coming and going --------------------------------------------------------------------------------------------

  /** A record of version zero: INVALID, without value. @param index number of the index it is in */
  protected create(index: number, key: SoughtKey): RecordId {
    const table = this.table;
    const record = table.add();
    const isLong = key.length >= longKeyBytes;
    table.setFlag(record, isLong ? Flag.present | Flag.extended : Flag.present);
    table.setIndex(record, index);
    table.setKeyLength(record, key.length);
    this.#place(record, blockWords(isLong ? extendedWords : plainWords, key.length, 0));
    if (isLong) this.#writeExtension(record, 0, 0, 0, key.length, 0);
    key.copyTo(this.#memoryOf(record).words, this.#keyAt(record) >>> 2);
    return record;
  }

  /** Its memory is free, and its number as soon as nobody holds it. */
  protected destroy(record: RecordId): void {
    if (this.table.has(record, Flag.large)) this.#freeLarge(record);
    else this.blocks.free(this.table.block(record), this.#blockWordsOf(record));
    this.table.remove(record);
  }

  protected isPresent(record: RecordId): boolean {
    return this.table.hasPage(record) && this.table.has(record, Flag.present);
  }

  protected indexNumberOf(record: RecordId): number {
    return this.table.index(record);
  }

  protected setIndexNumber(record: RecordId, index: number): void {
    this.table.setIndex(record, index);
  }

  hold(record: RecordId, by: Hold): void {
    this.table.setFlag(record, Flag.firstHold * by);
  }

  holdAnew(record: RecordId, by: Hold): boolean {
    return this.table.setFlagAnew(record, Flag.firstHold * by);
  }

  release(record: RecordId, by: Hold): void {
    this.table.release(record, Flag.firstHold * by);
  }

  holds(record: RecordId, by: Hold): boolean {
    return this.table.has(record, Flag.firstHold * by);
  }

  isHeld(record: RecordId): boolean {
    return this.table.isHeld(record);
  }

  // --- fields ------------------------------------------------------------------------------------------------------

  protected hasKey(record: RecordId, key: SoughtKey): boolean {
    const { words } = this.table.pageOf(record);
    const at = this.table.wordOf(record);
    const info = words[at + Word.keyAndFlags] ?? 0;
    if ((info & unusual) === 0) {
      if (((info >>> keyLengthShift) & keyLengthMask) !== key.length) return false;
      const ref = words[at + Word.block] ?? 0;
      return key.isAt(this.blocks.pageOf(ref).words, this.blocks.wordOf(ref) + plainWords);
    }
    if (this.#keyLength(record) !== key.length) return false;
    return key.isAt(this.#memoryOf(record).words, this.#keyAt(record) >>> 2);
  }

  /** @param by whatever key is sought: it knows how to hash */
  protected hashOf(record: RecordId, by: SoughtKey): number {
    return by.hashOf(this.#memoryOf(record).bytes, this.#keyAt(record), this.#keyLength(record));
  }

  keyOf(record: RecordId): string {
    const { bytes } = this.#memoryOf(record);
    const at = this.#keyAt(record);
    const length = this.#keyLength(record);
    if (length > keyText.length) return Buffer.from(bytes.buffer, at, length).toString('latin1');
    for (let i = 0; i < length; i++) keyText[i] = bytes[at + i] ?? 0;
    return keyText.toString('latin1', 0, length);
  }

  /** Bytes of key and value. */
  protected bytesOf(record: RecordId): number {
    return this.#keyLength(record) + this.table.valueLength(record);
  }

  protected valueLengthOf(record: RecordId): number {
    return this.table.valueLength(record);
  }

  compareVersion(version: Version, record: RecordId): number {
    const byHlc = version.hlc - this.table.hlc(record);
    if (byHlc !== 0) return byHlc;
    const byClient = version.clientId - this.table.clientId(record);
    if (byClient !== 0) return byClient;
    if (!this.table.has(record, Flag.extended)) return version.seq === 0 ? version.epoch : version.seq;
    const bySeq = version.seq - this.#extension(record, seqAt);
    return bySeq === 0 ? version.epoch - this.#extension(record, epochAt) : bySeq;
  }

  copyVersion(record: RecordId, to: MutableVersion): void {
    to.hlc = this.table.hlc(record);
    to.clientId = this.table.clientId(record);
    to.seq = this.#extension(record, seqAt);
    to.epoch = this.#extension(record, epochAt);
  }

  versionOf(record: RecordId): Version {
    const version = cloneVersion(versionZero);
    this.copyVersion(record, version);
    return version;
  }

  hlcOf(record: RecordId): number {
    return this.table.hlc(record);
  }

  isValid(record: RecordId): boolean {
    return this.table.has(record, Flag.valid);
  }

  setValid(record: RecordId): void {
    this.table.setFlag(record, Flag.valid);
  }

  hasValue(record: RecordId): boolean {
    return this.table.has(record, Flag.hasValue);
  }

  valueOf(record: RecordId): Uint8Array | null {
    const { words } = this.table.pageOf(record);
    const at = this.table.wordOf(record);
    const info = words[at + Word.keyAndFlags] ?? 0;
    if ((info & Flag.hasValue) === 0) return null;
    if ((info & unusual) === 0) {
      const ref = words[at + Word.block] ?? 0;
      const keyLength = (info >>> keyLengthShift) & keyLengthMask;
      const valueAt = 4 * (this.blocks.wordOf(ref) + plainWords) + keyLength;
      return new Uint8Array(this.blocks.pageOf(ref).buffer, valueAt, words[at + Word.valueLength]);
    }
    const { buffer } = this.#memoryOf(record).bytes;
    return new Uint8Array(buffer, this.#valueAt(record), this.table.valueLength(record));
  }

  expiresAtMs(record: RecordId): number {
    return this.#extension(record, expiresAt);
  }

  storedAtMs(record: RecordId): number {
    return this.table.storedAtMs(record);
  }

  appliedOf(record: RecordId): AppliedList | null {
    return this.#firstApplied(record, this.#appliedCount(record));
  }

  compareApplied(applied: AppliedList | null, record: RecordId): number {
    const count = Math.min(appliedHeadLength, this.#appliedCount(record));
    return compareApplied(applied, this.#firstApplied(record, count));
  }

  /** The first numbers of the list of conditional writes; null for none. */
  #firstApplied(record: RecordId, count: number): AppliedList | null {
    if (count === 0) return null;
    const { words } = this.#memoryOf(record);
    const from = this.#wordOf(record) + extendedWords;
    const applied: number[] = [];
    for (let i = 0; i < count; i++) applied.push(floatAt(words, from + 2 * i));
    return applied;
  }

  // --- writing -----------------------------------------------------------------------------------------------------

  write(
    record: RecordId,
    version: Version,
    value: Uint8Array | null,
    expiresAtMs: number,
    storedAtMs: number,
  ): void {
    const table = this.table;
    const { seq, epoch } = version;
    const length = value === null ? 0 : value.length;
    const isPlain = seq === 0 && epoch === 0 && expiresAtMs === 0;
    if (!isPlain || table.has(record, Flag.extended)) {
      this.#writeExtended(record, isPlain, version, length, expiresAtMs);
    } else if (length !== table.valueLength(record)) {
      this.#reshape(record, plainWords, length, false);
    }
    table.setWritten(record, version.hlc, version.clientId, storedAtMs, value !== null);
    if (value !== null) this.#memoryOf(record).bytes.set(value, this.#valueAt(record));
  }

  /** Makes room for a value in a block with an extension, or with one that is not needed any more. */
  #writeExtended(
    record: RecordId,
    isPlain: boolean,
    { seq, epoch }: Version,
    length: number,
    expiresAtMs: number,
  ): void {
    const keyLength = this.#keyLength(record);
    const count = this.#appliedCount(record);
    if (isPlain && count === 0 && keyLength < longKeyBytes) {
      this.#reshape(record, plainWords, length, false);
      return;
    }
    this.#reshape(record, extendedWords + 2 * count, length, false);
    this.#writeExtension(record, seq, epoch, expiresAtMs, keyLength, count);
  }

  setApplied(record: RecordId, applied: AppliedList): void {
    const seq = this.#extension(record, seqAt);
    const epoch = this.#extension(record, epochAt);
    const expiresAtMs = this.expiresAtMs(record);
    const keyLength = this.#keyLength(record);
    this.#reshape(record, extendedWords + 2 * applied.length, this.table.valueLength(record), true);
    this.#writeExtension(record, seq, epoch, expiresAtMs, keyLength, applied.length);
    const { words } = this.#memoryOf(record);
    const to = this.#wordOf(record) + extendedWords;
    for (let i = 0; i < applied.length; i++) putFloat(words, to + 2 * i, applied[i] ?? 0);
  }

  /**
   * Gives the record a block for so many words before the key and so long a value. The key goes along, the value if it is to
   * be kept, and a list of conditional writes if there is room for one as long; the rest of an extension is not filled in.
   */
  #reshape(record: RecordId, wordsBeforeKey: number, valueLength: number, keepsValue: boolean): void {
    const table = this.table;
    const keyLength = this.#keyLength(record);
    const keyBefore = this.#keyAt(record);
    const wordsBefore = this.#blockWordsOf(record);
    const words = blockWords(wordsBeforeKey, keyLength, valueLength);
    const isExtended = wordsBeforeKey !== plainWords;
    if (keyBefore !== this.#blockAt(record) + 4 * wordsBeforeKey || !isSameSize(words, wordsBefore)) {
      const before = this.#memoryOf(record).words;
      const kept = keyLength + (keepsValue ? valueLength : 0);
      const refBefore = table.block(record);
      const wasLarge = table.has(record, Flag.large);
      const listBefore = this.#wordOf(record) + extendedWords;
      const listWords = wordsBeforeKey === this.#wordsBeforeKey(record) ? wordsBeforeKey - extendedWords : 0;
      this.#place(record, words);
      const after = this.#memoryOf(record).words;
      const to = this.#wordOf(record) + wordsBeforeKey;
      copyWords(before, keyBefore >>> 2, after, to, (kept + 3) >>> 2);
      if (listWords > 0) copyWords(before, listBefore, after, to - listWords, listWords);
      // Last: it may move the new block.
      if (!wasLarge) this.blocks.free(refBefore, wordsBefore);
    }
    table.setValueLength(record, valueLength);
    if (isExtended) table.setFlag(record, Flag.extended);
    else table.clearFlag(record, Flag.extended);
  }

  // --- blocks ------------------------------------------------------------------------------------------------------

  /** Gives the record a new block, whose contents are anything. */
  #place(record: RecordId, words: number): void {
    const table = this.table;
    if (table.has(record, Flag.large)) this.#freeLarge(record);
    if (words > blockWordsMax) {
      const { buffer } = Buffer.allocUnsafeSlow(4 * words);
      this.held.changed(4 * words);
      this.#large.set(record, { bytes: new Uint8Array(buffer), words: new Uint32Array(buffer) });
      table.setFlag(record, Flag.large);
      table.setBlock(record, 0);
      return;
    }
    table.clearFlag(record, Flag.large);
    table.setBlock(record, this.blocks.allocate(words, record));
  }

  #freeLarge(record: RecordId): void {
    this.held.changed(-this.#largeOf(record).bytes.length);
    this.#large.delete(record);
  }

  /** The memory that the block lies in. */
  #memoryOf(record: RecordId): Memory {
    if (this.table.has(record, Flag.large)) return this.#largeOf(record);
    return this.blocks.pageOf(this.table.block(record));
  }

  #largeOf(record: RecordId): Memory {
    const memory = this.#large.get(record);
    if (memory === undefined) throw new RangeError(`record ${record} has no block`);
    return memory;
  }

  /** The word at which the block begins there; of one with a buffer of its own, 0. */
  #wordOf(record: RecordId): number {
    return this.blocks.wordOf(this.table.block(record));
  }

  #blockAt(record: RecordId): number {
    return 4 * this.#wordOf(record);
  }

  #blockWordsOf(record: RecordId): number {
    return blockWords(this.#wordsBeforeKey(record), this.#keyLength(record), this.table.valueLength(record));
  }

  #wordsBeforeKey(record: RecordId): number {
    if (!this.table.has(record, Flag.extended)) return plainWords;
    return extendedWords + 2 * this.#appliedCount(record);
  }

  #keyAt(record: RecordId): number {
    return this.#blockAt(record) + 4 * this.#wordsBeforeKey(record);
  }

  #valueAt(record: RecordId): number {
    return this.#keyAt(record) + this.#keyLength(record);
  }

  #keyLength(record: RecordId): number {
    const length = this.table.keyLength(record);
    if (length < longKeyBytes) return length;
    return this.#memoryOf(record).words[this.#wordOf(record) + keyLengthAt] ?? 0;
  }

  #appliedCount(record: RecordId): number {
    if (!this.table.has(record, Flag.extended)) return 0;
    return this.#memoryOf(record).words[this.#wordOf(record) + appliedCountAt] ?? 0;
  }

  /** A number of the extension, by its first word; 0 of a record without. */
  #extension(record: RecordId, at: number): number {
    if (!this.table.has(record, Flag.extended)) return 0;
    const { words } = this.#memoryOf(record);
    const word = this.#wordOf(record) + at;
    return floatAt(words, word);
  }

  #writeExtension(
    record: RecordId,
    seq: number,
    epoch: number,
    expiresAtMs: number,
    keyLength: number,
    appliedCount: number,
  ): void {
    const { words } = this.#memoryOf(record);
    const at = this.#wordOf(record);
    putFloat(words, at + seqAt, seq);
    putFloat(words, at + epochAt, epoch);
    putFloat(words, at + expiresAt, expiresAtMs);
    words[at + keyLengthAt] = keyLength;
    words[at + appliedCountAt] = appliedCount;
  }
}

function floatAt(words: Uint32Array, at: number): number {
  floatWords[0] = words[at] ?? 0;
  floatWords[1] = words[at + 1] ?? 0;
  return float[0] ?? 0;
}

function putFloat(words: Uint32Array, at: number, number: number): void {
  float[0] = number;
  words[at] = floatWords[0] ?? 0;
  words[at + 1] = floatWords[1] ?? 0;
}

function blockWords(wordsBeforeKey: number, keyLength: number, valueLength: number): number {
  return wordsBeforeKey + ((keyLength + valueLength + 3) >>> 2);
}

/** Whether blocks of so many words are the same in the arena, or each a buffer of one length. */
function isSameSize(a: number, b: number): boolean {
  if (a > blockWordsMax || b > blockWordsMax) return a === b;
  return classOf(a) === classOf(b);
}
