/**
 * The disk of one simulated node. What is noted reaches it in batches, each whole or not at all. A crash of the process
 * loses what was not written; so does a loss of power, for every batch is synced.
 */
import type { Attic } from '../../src/node/core/attic.js';
import type { Journal } from '../../src/node/core/journal.js';
import type { KeyStore, RecordId } from '../../src/node/core/store.js';
import type { AppliedList } from '../../src/protocol/applied-list.js';
import type { Version } from '../../src/protocol/version.js';
import { cloneVersion, versionZero } from '../../src/protocol/version.js';
import type { NodeProcess } from './node-process.js';
import type { World } from './world.js';

interface SavedRecord {
  readonly version: Version;
  readonly value: Uint8Array | null;
  readonly expiresAtMs: number;
  readonly applied: AppliedList | null;
}

type Change = (content: DiskImage) => void;

/** What a process finds on the disk. */
class DiskImage {
  readonly slots = new Map<number, Map<string, SavedRecord>>();
  readonly labels = new Map<number, number>();
  /** Microseconds: the latest write in it, or that was. */
  clockUs = 0;
  /** Slots as they were when they were last cleared, each with its label. */
  readonly former = new Map<number, readonly [joinedAt: number, records: Map<string, SavedRecord>]>();

  clear(slot: number): void {
    const joinedAt = this.labels.get(slot);
    if (joinedAt !== undefined) this.former.set(slot, [joinedAt, this.slots.get(slot) ?? new Map()]);
    this.slots.delete(slot);
    this.labels.delete(slot);
  }
}

export class SimDisk {
  image = new DiskImage();
  /** What it holds while it is not mounted, and another directory is in its place; null: it is. */
  #aside: { readonly image: DiskImage; readonly isUsed: boolean } | null = null;
  /** It has been in use: it belongs to the cluster. */
  isUsed = false;
  /** Virtual time until which a batch takes hundreds of milliseconds. */
  slowUntilMs = 0;
  /** Virtual time at which the last batch was begun. */
  begunAtMs = -Infinity;
  /** One process at a time. */
  owner: NodeProcess | null = null;
  /** What it was about to do when it began to hang; null: it does not. */
  #held: (() => void)[] | null = null;

  /** Nothing gets on it until `goOn`. */
  hang(): void {
    this.#held ??= [];
  }

  goOn(): void {
    const held = this.#held ?? [];
    this.#held = null;
    for (const run of held) run();
  }

  unlessItHangs(run: () => void): void {
    if (this.#held === null) run();
    else this.#held.push(run);
  }

  /** What a process that starts finds. */
  load(attic: Attic, nowMs: number): void {
    const { slots, labels } = this.image;
    for (const [slot, records] of slots) {
      for (const [key, { version, value, expiresAtMs, applied }] of records)
        attic.add(slot, key, version, value, expiresAtMs, applied, nowMs);
    }
    const clusterId = this.isUsed ? 'sim' : '';
    attic.loaded({ clusterId, slots: [...labels], clockUs: this.image.clockUs });
  }

  get isAside(): boolean {
    return this.#aside !== null;
  }

  /** It is not mounted when the next process starts: that finds an empty directory. */
  setAside(): void {
    this.#aside ??= { image: this.image, isUsed: this.isUsed };
    this.image = new DiskImage();
    this.isUsed = false;
  }

  /** It is there again, as it was. What was written without it is hidden. */
  mount(): void {
    if (this.#aside === null) return;
    ({ image: this.image, isUsed: this.isUsed } = this.#aside);
    this.#aside = null;
  }

  /** By that label, mounted or not. */
  holds(slot: number, joinedAt: number): boolean {
    return [this.image, this.#aside?.image].some((image) => image?.labels.get(slot) === joinedAt);
  }

  /** It was replaced by an empty one. */
  wipe(): void {
    this.image.slots.clear();
    this.image.labels.clear();
    this.image.clockUs = 0;
    this.isUsed = false;
  }

  /** An old copy of it came back in its place: of every slot what an earlier membership had, if there was one. */
  putOldBack(): void {
    const { slots, labels, former } = this.image;
    slots.clear();
    labels.clear();
    for (const [slot, [joinedAt, records]] of former) {
      labels.set(slot, joinedAt);
      slots.set(slot, new Map(records));
    }
  }
}

/** So many changes that wait hold up a learner. */
const behindChanges = 8;
/** With `interval`, as in disk-journal.ts. */
const intervalMs = 20;
/** The same, but for a fifth of the time: schedules are short. */
export const lateMsMax = 100;

/** One process's way to its disk. */
export class SimJournal implements Journal {
  readonly isCrowded = false;
  readonly isOverfull = false;
  isFull = false;
  isSpent = false;
  hasNoRoom = false;
  noted = 0;
  labelled = 0;
  saved = 0;
  readonly #world: World;
  readonly #disk: SimDisk;
  readonly #store: KeyStore;
  /** Hands the news to the process, when it runs. */
  readonly #post: (run: () => void) => void;
  /** By slot: which change its last label was. */
  readonly #labelledAs = new Map<number, number>();
  #gathering: Change[] = [];
  #writing: Change[] = [];
  /** Virtual time of the first change of either. */
  #gatheredAtMs = 0;
  #oldestAtMs = 0;
  /** The batch is on the disk, though the process may not have heard of it. */
  #isApplied = false;

  constructor(world: World, disk: SimDisk, store: KeyStore, post: (run: () => void) => void) {
    this.#world = world;
    this.#disk = disk;
    this.#store = store;
    this.#post = post;
  }

  get isAwaited(): boolean {
    const { plan, queue } = this.#world;
    if (plan.settings.durability === 'always') return true;
    return this.#writing.length > 0 && queue.nowMs - this.#oldestAtMs > lateMsMax;
  }

  get isBehind(): boolean {
    return this.#gathering.length >= behindChanges;
  }

  save(slot: number, record: RecordId): void {
    const store = this.#store;
    const key = store.keyOf(record);
    const version = { ...versionZero };
    store.copyVersion(record, version);
    const value = store.valueOf(record);
    const saved: SavedRecord = {
      version: cloneVersion(version),
      value: value === null ? null : Uint8Array.from(value),
      expiresAtMs: store.expiresAtMs(record),
      applied: store.appliedOf(record),
    };
    this.#note((image) => {
      const { slots } = image;
      image.clockUs = Math.max(image.clockUs, saved.version.hlc);
      let records = slots.get(slot);
      if (records === undefined) slots.set(slot, (records = new Map<string, SavedRecord>()));
      records.set(key, saved);
    });
  }

  remove(slot: number, key: string): void {
    this.#note(({ slots }) => slots.get(slot)?.delete(key));
  }

  label(slot: number, joinedAt: number): void {
    this.#note(({ labels }) => labels.set(slot, joinedAt));
    this.labelled = this.noted;
    this.#labelledAs.set(slot, this.noted);
  }

  unlabel(slot: number): void {
    this.#note(({ labels }) => labels.delete(slot));
  }

  clear(slot: number): void {
    const { owner } = this.#disk;
    if (owner !== null) this.#world.observer.clears(owner.givenId, slot);
    this.#note((image) => {
      image.clear(slot);
    });
  }

  /** The slot's label is on its way to the disk. */
  isLabelling(slot: number): boolean {
    return (this.#labelledAs.get(slot) ?? 0) > this.saved;
  }

  /** On the disk. */
  savedRecord(slot: number, key: string): SavedRecord | undefined {
    return this.#disk.image.slots.get(slot)?.get(key);
  }

  labelOf(slot: number): number | undefined {
    return this.#disk.image.labels.get(slot);
  }

  #note(change: Change): void {
    this.noted++;
    if (this.#gathering.length === 0) this.#gatheredAtMs = this.#world.queue.nowMs;
    this.#gathering.push(change);
    if (this.#writing.length === 0) this.#write();
  }

  #write(): void {
    const { queue, diskPrng, plan } = this.#world;
    this.#writing = this.#gathering;
    this.#oldestAtMs = this.#gatheredAtMs;
    this.#isApplied = false;
    this.#gathering = [];
    const isSlow = diskPrng.chance(0.02);
    const usualMs = diskPrng.around(plan.syncMs) + (isSlow ? diskPrng.between(20, 400) : 0);
    const isOverloaded = queue.nowMs < this.#disk.slowUntilMs;
    const restMs =
      plan.settings.durability === 'always'
        ? 0
        : Math.max(0, this.#disk.begunAtMs + intervalMs - queue.nowMs);
    this.#disk.begunAtMs = queue.nowMs + restMs;
    const tookMs = restMs + usualMs + (isOverloaded ? diskPrng.between(50, 800) : 0);
    // After the faults: quick enough for every time-out of the plan.
    queue.after(this.#world.calm ? Math.min(tookMs, 1) : tookMs, () => {
      this.#disk.unlessItHangs(() => {
        this.#written();
      });
    });
  }

  #written(): void {
    if (this.#disk.owner?.journal !== this) return;
    this.#apply();
    this.#post(() => {
      this.saved += this.#writing.length;
      this.#writing = [];
      if (this.#gathering.length > 0) this.#write();
    });
  }

  #apply(): void {
    this.#disk.isUsed = true;
    this.#isApplied = true;
    for (const change of this.#writing) change(this.#disk.image);
  }

  /** The process is dead: the batch on its way is on the disk, or it is not. */
  crash(): void {
    const { diskPrng, coverage } = this.#world;
    if (this.#writing.length > 0 && !this.#isApplied && diskPrng.chance(0.5)) this.#apply();
    if (this.noted > this.saved) coverage.note('unsavedLost');
    this.#disk.owner = null;
  }
}
