/** The journal of a node on its disk. */
import { Buffer } from 'node:buffer';
import { setTimeout as pause } from 'node:timers/promises';
import type { DiskContent } from '../../protocol/cold-messages.js';
import type { Logger } from '../../protocol/logger.js';
import type { Journal } from '../core/journal.js';
import type { KeyStore, RecordId } from '../core/store.js';
import type { Batch } from './disk/batch.js';
import { Compactor } from './disk/compactor.js';
import { identityContent } from './disk/database.js';
import type { DiskIdentity, SlotState } from './disk/database.js';
import { openDirectory, setAside } from './disk/directory.js';
import type { OpenDirectory } from './disk/directory.js';
import {
  Corruption,
  formatKey,
  formatVersion,
  identityKey,
  metaValue,
  slotKey,
  withSum,
} from './disk/format.js';
import { FreeSpace } from './disk/free-space.js';
import { readRecords } from './disk/load.js';
import type { Visit } from './disk/load.js';
import type { SavedMark } from './disk/saved-mark.js';
import { Sweeper } from './disk/sweeper.js';
import { BatchWriter } from './disk/writer.js';

/** With `interval`, as often at most: a few syncs for thousands of changes. */
const intervalMs = 20;
/** With `interval`, answers wait once a change has waited for so long: no more than what was acknowledged in that time is lost. */
const lateMsMax = 500;
const markMsMax = 1000;
/**
 * What waits for the disk may be 64 MiB, beside as much of each other node on the same disk. The manager waits longer
 * before it kills (`nodes-end.ts`).
 */
export const closeMsDefault = 25_000;

export interface DiskJournalOptions {
  readonly directory: string;
  /** Whose records are saved. */
  readonly store: KeyStore;
  readonly durability: 'interval' | 'always';
  readonly log: Logger;
  /** `saved` has moved. */
  readonly onSaved: () => void;
  /** What is on the disk is not what was saved: nothing is saved any more, and the node has to end. */
  readonly onCorrupt?: () => void;
  /** `close` gives up what it could not save in that time; default: 25 seconds. */
  readonly closeMsMax?: number;
}

function everyMsOf(durability: 'interval' | 'always'): number {
  return durability === 'always' ? 0 : intervalMs;
}

export class DiskJournal implements Journal {
  #durability: 'interval' | 'always';
  readonly #options: DiskJournalOptions;
  #writer: BatchWriter;
  #mark: SavedMark;
  #sweeper: Sweeper;
  readonly #space: FreeSpace;
  readonly #compactor: Compactor;
  #slots: Map<number, SlotState>;
  #identity: DiskIdentity | null;
  /** Slots of whose present generation there is a record, or was. */
  readonly #used = new Set<number>();
  #noted = 0;
  #labelled = 0;
  #saved = 0;
  #isClosed = false;

  private constructor(options: DiskJournalOptions, opened: OpenDirectory) {
    this.#options = options;
    this.#durability = options.durability;
    this.#slots = new Map(opened.meta.slots);
    this.#identity = opened.meta.identity;
    this.#writer = this.#writerOf(opened);
    this.#mark = opened.mark;
    this.#sweeper = new Sweeper(this.#writer, options.log);
    this.#space = new FreeSpace(options.directory, options.log);
    this.#compactor = new Compactor({
      writer: () => this.#writer,
      isLow: () => this.#space.isLow,
      log: options.log,
    });
  }

  /**
   * Opens what the directory holds, or begins an empty database there. One that is damaged is set aside for it. Then,
   * before anything is noted, `load` is to be called.
   *
   * @throws an error that says what is wrong with the directory and how to mend it
   */
  static async open(options: DiskJournalOptions): Promise<DiskJournal> {
    return new DiskJournal(options, await openDirectory(options.directory, options.log));
  }

  get #closeMsMax(): number {
    return this.#options.closeMsMax ?? closeMsDefault;
  }

  #writerOf({ db, meta }: OpenDirectory): BatchWriter {
    const { directory, log } = this.#options;
    const writer = new BatchWriter({
      directory,
      db,
      number: meta.batch,
      clockUs: meta.clockUs,
      everyMs: everyMsOf(this.#durability),
      log,
      onWritten: (batch) => this.#onWritten(batch),
      onCorrupt: ({ message }) => {
        log.error(`${directory} is not what was saved there (${message}): nothing more is written to it`);
        this.#options.onCorrupt?.();
      },
    });
    if (meta.isNew) writer.batch.put(formatKey, metaValue(formatKey, [formatVersion]));
    return writer;
  }

  #onWritten({ number, last, bytes }: Batch): void {
    this.#space.onTaken(bytes);
    this.#mark.set(number);
    this.#sweeper.onWritten(number);
    this.#compactor.onWritten(number);
    if (last <= this.#saved) return;
    this.#saved = last;
    this.#options.onSaved();
  }

  get isBehind(): boolean {
    return this.#writer.isBehind;
  }

  get isCrowded(): boolean {
    return this.#writer.isCrowded;
  }

  get isOverfull(): boolean {
    return this.#writer.isOverfull;
  }

  /** Hardly any room on the disk, or none. What is noted nevertheless is kept in memory and saved later. */
  get isFull(): boolean {
    return this.#space.isLow || this.#writer.isFull;
  }

  /** What deletes may take of the reserve is gone, too. */
  get isSpent(): boolean {
    return this.#space.isSpent || this.#writer.isFull;
  }

  get hasNoRoom(): boolean {
    return this.#writer.hasNoRoom;
  }

  get noted(): number {
    return this.#noted;
  }

  get labelled(): number {
    return this.#labelled;
  }

  get saved(): number {
    return this.#saved;
  }

  get isAwaited(): boolean {
    return this.#durability === 'always' || this.#writer.lateMs > lateMsMax;
  }

  /** What the cluster asks for; a node that joins from elsewhere learns it with its first map. */
  setDurability(durability: 'interval' | 'always'): void {
    this.#durability = durability;
    this.#writer.everyMs = everyMsOf(durability);
  }

  /** Whether no records of cleared slots are left to be removed. */
  get isSwept(): boolean {
    return this.#sweeper.isDone;
  }

  /** Whose data it is; null: nobody's yet. */
  get identity(): DiskIdentity | null {
    return this.#identity;
  }

  setIdentity(clusterId: string, nodeId: number): void {
    this.#identity = { clusterId, nodeId };
    const content = Buffer.from(identityContent(this.#identity), 'utf8');
    this.#put(identityKey, withSum(identityKey, content));
  }

  /**
   * Hands over every record, slot by slot, and says what the disk holds. If a record turns out to be damaged, the
   * database is set aside, and nothing is held; records that were handed over before are sound, each by itself.
   */
  async load(visit: Visit): Promise<DiskContent> {
    const held = await this.#load(visit);
    this.#compactor.begin();
    return held;
  }

  async #load(visit: Visit): Promise<DiskContent> {
    const db = this.#writer.db;
    if (db === undefined) throw new Error('load comes before anything is noted');
    try {
      const { clockUs, stale } = await readRecords(db, this.#slots, this.#used, visit);
      for (const slot of stale) this.#sweeper.add(slot, this.#generation(slot), 0);
      const slots = [...this.#slots]
        .filter(([, { joinedAt }]) => joinedAt !== -1)
        .map(([slot, { joinedAt }]) => [slot, joinedAt] as const);
      return {
        clusterId: this.#identity?.clusterId ?? '',
        slots,
        clockUs: Math.max(clockUs, this.#writer.clockUs),
      };
    } catch (error) {
      if (!(error instanceof Corruption)) throw error;
      await this.#beginAnew(error);
      return { clusterId: '', slots: [], clockUs: 0 };
    }
  }

  async #beginAnew(reason: Corruption): Promise<void> {
    const { directory, log } = this.#options;
    await this.#writer.close(this.#closeMsMax);
    await this.#mark.close();
    await setAside(directory, reason, log);
    const opened = await openDirectory(directory, log);
    this.#slots.clear();
    this.#used.clear();
    this.#identity = null;
    this.#writer = this.#writerOf(opened);
    this.#mark = opened.mark;
    this.#sweeper = new Sweeper(this.#writer, log);
  }

  save(slot: number, record: RecordId): void {
    if (this.#isClosed) return;
    this.#used.add(slot);
    const { batch } = this.#writer;
    batch.save(slot, this.#generation(slot), this.#options.store, record);
    batch.last = ++this.#noted;
    if (!this.#options.store.hasValue(record)) this.#compactor.onDeleted(slot, batch.number);
  }

  remove(slot: number, key: string): void {
    if (this.#isClosed) return;
    const { batch } = this.#writer;
    batch.remove(slot, this.#generation(slot), key);
    batch.last = ++this.#noted;
    this.#compactor.onDeleted(slot, batch.number);
  }

  label(slot: number, joinedAt: number): void {
    this.#setSlot(slot, { generation: this.#generation(slot), joinedAt });
    this.#labelled = this.#noted;
  }

  unlabel(slot: number): void {
    const { generation, joinedAt } = this.#slots.get(slot) ?? { generation: 0, joinedAt: -1 };
    if (joinedAt !== -1) this.#setSlot(slot, { generation, joinedAt: -1 });
  }

  /** At once, however much there is: records of earlier generations do not count, and are removed bit by bit. */
  clear(slot: number): void {
    const isUsed = this.#used.delete(slot);
    if (!isUsed && (this.#slots.get(slot)?.joinedAt ?? -1) === -1) return;
    const generation = this.#generation(slot) + 1;
    const number = this.#setSlot(slot, { generation, joinedAt: -1 });
    if (isUsed) this.#sweeper.add(slot, generation, number);
  }

  #generation(slot: number): number {
    return this.#slots.get(slot)?.generation ?? 0;
  }

  #setSlot(slot: number, state: SlotState): number {
    this.#slots.set(slot, state);
    const key = slotKey(slot);
    return this.#put(key, metaValue(key, [state.generation, state.joinedAt + 1]));
  }

  /** @returns the number of the batch */
  #put(key: Buffer, value: Buffer): number {
    if (this.#isClosed) return 0;
    const { batch } = this.#writer;
    batch.put(key, value);
    batch.last = ++this.#noted;
    return batch.number;
  }

  /** Saves all that was noted, for as long as that may take. What is noted from here on is not saved. */
  async close(): Promise<void> {
    if (this.#isClosed) return;
    this.#isClosed = true;
    this.#space.close();
    this.#sweeper.stop();
    this.#compactor.stop();
    const isSaved = await this.#writer.close(this.#closeMsMax);
    // On a disk that hangs it would wait for ever; what it says is older than it could be then, no more.
    await Promise.race([this.#mark.close(), pause(markMsMax, undefined, { ref: false })]);
    if (isSaved) return;
    const { directory, log } = this.#options;
    const lost = this.#noted - this.#saved;
    log.error(`${directory}: ${lost} changes could not be saved`);
  }
}
