/**
 * GETs that wait at one INVALID key (R2): each until the version that it found, or a later one, is known to be committed.
 *
 * While they wait another write may take that version's place. Whoever waited for that one, too, and for the next, might
 * wait for ever where several clients write one key all the time. So what is overwritten is kept for those who found it, and
 * given to them when it turns out to be committed. That is a state the key was in while they waited: whatever was committed before a
 * GET came is no later than what it found, since this replica has a share in every commit.
 */
import { copyBytes } from '../../protocol/copy-bytes.js';
import type { Link } from '../../protocol/messages.js';
import { compareVersions } from '../../protocol/version.js';
import type { Version } from '../../protocol/version.js';

/** Bytes of overwritten entries that a node keeps, and one more. Beyond, readers wait for the version that came instead, too. */
const keptBytesMax = 16 * 1024 * 1024;
/** Of an entry, beside its value, about. */
const entryBytes = 256;

/** A GET that found the key INVALID. */
export interface Reader {
  readonly link: Link;
  readonly rid: number;
  readonly versionOnly: boolean;
}

/** What a key held before it was overwritten. */
export interface FormerEntry {
  readonly version: Version;
  /** null: it was absent, or expired by then. */
  readonly value: Uint8Array | null;
}

/** An entry, and those who are to be told of it. */
interface Kept {
  readonly entry: FormerEntry;
  readonly readers: readonly Reader[];
}

/** What all keys of a node keep together. */
export class KeptBytes {
  sum = 0;

  get isFull(): boolean {
    return this.sum >= keptBytesMax;
  }
}

export class WaitingReaders {
  readonly #keptBytes: KeptBytes;
  /** Those who found the version that is there now. */
  #latest: Reader[] = [];
  /** Those who found what has been overwritten since, oldest version first. */
  #kept: Kept[] = [];

  constructor(keptBytes: KeptBytes) {
    this.#keptBytes = keptBytes;
  }

  get isEmpty(): boolean {
    return this.#latest.length === 0 && this.#kept.length === 0;
  }

  add(reader: Reader): void {
    this.#latest.push(reader);
  }

  /**
   * Whether what is about to be overwritten is to be kept: somebody found it, or this node is writing it to the others, which may
   * be the only commit that is left to those who found something earlier.
   */
  wantsEntry(isUnderWay: boolean): boolean {
    if (this.#latest.length === 0 && !(isUnderWay && this.#kept.length > 0)) return false;
    return !this.#keptBytes.isFull;
  }

  /** A copy of what is about to be overwritten. */
  keep({ version, value }: FormerEntry): void {
    const entry = { version, value: copyBytes(value) };
    this.#keptBytes.sum += bytesOf(entry);
    this.#kept.push({ entry, readers: this.#latest });
    this.#latest = [];
  }

  /** That version is committed: what it was, if it was kept, and those who found it or an earlier one. */
  takeUpTo(version: Version): Kept | null {
    const last = this.#kept.findIndex(({ entry }) => compareVersions(entry.version, version) === 0);
    const entry = this.#kept[last]?.entry;
    if (entry === undefined) return null;
    let count = last + 1;
    // What nobody is left to be told of goes along.
    while (this.#kept[count]?.readers.length === 0) count++;
    const due = this.#kept.splice(0, count);
    this.#letGo(due);
    return { entry, readers: due.flatMap(({ readers }) => readers) };
  }

  /** All of them, those who came first first. */
  takeAll(): readonly Reader[] {
    const all = this.#kept.length === 0 ? this.#latest : this.#kept.flatMap(({ readers }) => readers);
    if (all !== this.#latest) all.push(...this.#latest);
    this.#letGo(this.#kept);
    this.#kept = [];
    this.#latest = [];
    return all;
  }

  #letGo(kept: readonly Kept[]): void {
    for (const { entry } of kept) this.#keptBytes.sum -= bytesOf(entry);
  }
}

function bytesOf({ value }: FormerEntry): number {
  return entryBytes + (value?.length ?? 0);
}
