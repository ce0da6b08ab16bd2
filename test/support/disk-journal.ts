/** A journal in a directory of its own, with the store it saves, and what a load of it yields. */
import { ClassicLevel } from 'classic-level';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { AppliedList } from '../../src/protocol/applied-list.js';
import type { DiskContent } from '../../src/protocol/cold-messages.js';
import type { Logger } from '../../src/protocol/logger.js';
import type { Version } from '../../src/protocol/version.js';
import { noRecord } from '../../src/node/core/store.js';
import { ArenaStore } from '../../src/node/storage/arena-store.js';
import { DiskJournal } from '../../src/node/storage/disk-journal.js';
import type { DiskJournalOptions } from '../../src/node/storage/disk-journal.js';
import { until } from './until.js';

/** Records by `slot key`, each as `version value expiry applied`. */
export type Content = Map<string, string>;

export function describeRecord(
  version: Version,
  value: Uint8Array | null,
  expiresAtMs = 0,
  applied: AppliedList | null = null,
): string {
  const { hlc, clientId, seq, epoch } = version;
  const bytes = value === null ? 'none' : Buffer.from(value).toString('hex');
  return `${hlc}.${clientId}.${seq}.${epoch} ${bytes} ${expiresAtMs} ${String(applied)}`;
}

export class LogLines implements Logger {
  readonly lines: string[] = [];
  readonly error = (text: string): number => this.lines.push(`error ${text}`);
  readonly warn = (text: string): number => this.lines.push(`warn ${text}`);
  readonly info = (text: string): number => this.lines.push(`info ${text}`);
  readonly debug = (): void => undefined;
}

type MakeBatch = (this: ClassicLevel) => ReturnType<ClassicLevel['batch']>;

/** Of all databases here, what is written waits. @returns to let it go on */
export function holdDisks(): () => void {
  const { prototype } = ClassicLevel as unknown as { prototype: { batch: MakeBatch } };
  const { batch } = prototype;
  let release = (): void => undefined;
  const released = new Promise<void>((resolve) => (release = resolve));
  prototype.batch = function () {
    const chained = batch.call(this);
    const write = chained.write.bind(chained);
    chained.write = async (options?: object) => {
      await released;
      await write(options ?? {});
    };
    return chained;
  };
  return () => {
    prototype.batch = batch;
    release();
  };
}

/** Directories that are removed after each test, and journals that are closed before. */
export function useDisks(): Disks {
  const disks = new Disks();
  afterEach(() => disks.clear());
  return disks;
}

export class Disks {
  readonly #directories: string[] = [];
  readonly #open: Disk[] = [];

  directory(parent = tmpdir()): string {
    const directory = mkdtempSync(join(parent, 'gtstore-disk-'));
    this.#directories.push(directory);
    return join(directory, 'node-1');
  }

  async open(directory: string, options: Partial<DiskJournalOptions> = {}): Promise<Disk> {
    const disk = await Disk.open(directory, options);
    this.#open.push(disk);
    return disk;
  }

  async clear(): Promise<void> {
    for (const disk of this.#open.splice(0)) await disk.journal.close();
    for (const each of this.#directories.splice(0)) rmSync(each, { recursive: true, force: true });
  }
}

/** A store whose changes are noted in a journal. */
export class Disk {
  readonly journal: DiskJournal;
  readonly store: ArenaStore;
  readonly log: LogLines;
  /** What it held when it was opened. */
  readonly content: Content;
  readonly held: DiskContent;
  /** What must be found once all is saved. */
  readonly expected: Content;
  /** `saved` after each time it moved. */
  readonly savedNumbers: number[] = [];
  #hlc = 1;

  private constructor(
    journal: DiskJournal,
    store: ArenaStore,
    log: LogLines,
    content: Content,
    held: DiskContent,
  ) {
    this.journal = journal;
    this.store = store;
    this.log = log;
    this.content = content;
    this.expected = new Map(content);
    this.held = held;
  }

  static async open(directory: string, options: Partial<DiskJournalOptions> = {}): Promise<Disk> {
    const store = new ArenaStore();
    const log = new LogLines();
    const onSaved = (): void => {
      disk?.savedNumbers.push(journal.saved);
      options.onSaved?.();
    };
    let disk: Disk | undefined = undefined as Disk | undefined;
    const journal = await DiskJournal.open({
      directory,
      store,
      durability: 'always',
      log,
      ...options,
      onSaved,
    });
    const content: Content = new Map();
    const held = await journal.load((slot, key, version, value, expiresAtMs, applied) => {
      content.set(`${slot} ${key}`, describeRecord(version, value, expiresAtMs, applied));
    });
    disk = new Disk(journal, store, log, content, held);
    return disk;
  }

  /** Stores and notes it. */
  write(
    slot: number,
    key: string,
    value: Uint8Array | string | null,
    {
      version = { hlc: ++this.#hlc, clientId: 7, seq: 0, epoch: 0 },
      expiresAtMs = 0,
      applied = null,
    }: {
      readonly version?: Version;
      readonly expiresAtMs?: number;
      readonly applied?: AppliedList | null;
    } = {},
  ): void {
    const bytes = typeof value === 'string' ? Buffer.from(value) : value;
    const record = this.store.getOrInsert(slot, key);
    this.store.write(record, version, bytes, expiresAtMs, 0);
    if (applied !== null) this.store.setApplied(record, applied);
    this.journal.save(slot, record);
    const all = this.store.appliedOf(record);
    this.expected.set(`${slot} ${key}`, describeRecord(version, bytes, expiresAtMs, all));
  }

  remove(slot: number, key: string): void {
    const record = this.store.get(slot, key);
    if (record !== noRecord) this.store.remove(record);
    this.journal.remove(slot, key);
    this.expected.delete(`${slot} ${key}`);
  }

  clear(slot: number): void {
    this.store.clearSlot(slot);
    this.journal.clear(slot);
    for (const each of this.expected.keys()) if (each.startsWith(`${slot} `)) this.expected.delete(each);
  }

  /** Until all that was noted is on the disk. */
  async saved(timeoutMs = 5000): Promise<void> {
    const { noted } = this.journal;
    await until(() => this.journal.saved >= noted, { timeoutMs, what: `${noted} changes saved` });
  }
}

/** The same on both sides, whatever the order. */
export function sorted(content: Content): [string, string][] {
  return [...content].sort(([a], [b]) => (a < b ? -1 : 1));
}
