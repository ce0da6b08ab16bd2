/**
 * GETs that wait at one INVALID key (R2): each until the version that it found, or a later one, is known to be committed.
 *
 * While they wait another write may take that version's place. Whoever waited for that one, too, and for the next, might
 * wait for ever where several clients write one key all the time. So what is overwritten is kept for those who found it, and
 * given to them when its VALIDATE comes. That is a state the key was in while they waited: whatever was committed before a
 * GET came is no later than what it found, since this replica has a share in every commit.
 */
import type { Link } from '../../protocol/messages.js';
import { compareVersions } from '../../protocol/version.js';
import type { Version } from '../../protocol/version.js';

/** Bytes of overwritten values that a node keeps. Beyond, readers wait for the version that came instead, too. */
const keptBytesMax = 16 * 1024 * 1024;

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

interface Kept {
  readonly entry: FormerEntry;
  readonly readers: readonly Reader[];
}

/** What all keys of a node keep together. */
export class KeptBytes {
  bytes = 0;

  hasRoomFor(bytes: number): boolean {
    return this.bytes + bytes <= keptBytesMax;
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

  /** Whether a value of so many bytes, about to be overwritten, is to be kept for somebody. */
  wants(valueBytes: number): boolean {
    return this.#latest.length > 0 && this.#keptBytes.hasRoomFor(valueBytes);
  }

  /** Keeps what is about to be overwritten for those who found it. */
  keep(entry: FormerEntry): void {
    this.#keptBytes.bytes += entry.value?.length ?? 0;
    this.#kept.push({ entry, readers: this.#latest });
    this.#latest = [];
  }

  /** That version is committed. Hands out those who found it, or an earlier one, with what it was; unless it was not kept. */
  takeUpTo(version: Version, serve: (reader: Reader, entry: FormerEntry) => void): void {
    const last = this.#kept.findIndex(({ entry }) => compareVersions(entry.version, version) === 0);
    const entry = this.#kept[last]?.entry;
    if (entry === undefined) return;
    const due = this.#kept.splice(0, last + 1);
    this.#letGo(due);
    for (const { readers } of due) for (const reader of readers) serve(reader, entry);
  }

  /** All of them, those who came first first. */
  takeAll(): Reader[] {
    const all = [...this.#kept.flatMap(({ readers }) => readers), ...this.#latest];
    this.#letGo(this.#kept);
    this.#kept = [];
    this.#latest = [];
    return all;
  }

  #letGo(kept: readonly Kept[]): void {
    for (const { entry } of kept) this.#keptBytes.bytes -= entry.value?.length ?? 0;
  }
}
