/**
 * The disk behind a node by itself: records of 100 B, synced, at a few sizes of batches, of which one is under way at a time;
 * as many as it takes while others are under way; and what a restart needs to load a million of them.
 */
import { Buffer } from 'node:buffer';
import { setImmediate as turn } from 'node:timers/promises';
import { ArenaStore } from '../src/node/storage/arena-store.js';
import { DiskJournal } from '../src/node/storage/disk-journal.js';
import type { Benchmark, Row } from './benchmark.js';
import { rowAtLeast, rowAtMost } from './benchmark.js';
import { percentile } from './stats.js';
import { TemporaryFolder } from './temporary-folder.js';

const batchSizes = [1, 64, 512];
const valueBytes = 100;
const slots = 256;
const keyCount = 1_000_000;
const keyCountQuick = 5000;
/** Records under way in the run without pauses. */
const aheadMax = 4096;
const perTurn = 256;

export const journal: Benchmark = {
  name: 'journal',
  purpose: 'the disk behind a node: synced records a second by size of batch, and loading a million keys',
  async run({ progress, seconds, isQuick, runs = 1, keys = isQuick ? keyCountQuick : keyCount }) {
    const rates = batchSizes.map((): number[] => []);
    const p50s = batchSizes.map((): number[] => []);
    const streams: number[] = [];
    const loads: number[] = [];
    for (let run = 0; run < runs; run++) {
      using folder = new TemporaryFolder();
      const writer = await Writer.open(folder.path, keys);
      for (const [i, size] of batchSizes.entries()) {
        progress(`journal: batches of ${size}`);
        const { perSecond, msP50 } = await writer.inBatches(size, seconds);
        rates[i]?.push(perSecond);
        p50s[i]?.push(msP50);
      }
      progress('journal: without pauses');
      streams.push(await writer.stream(seconds));
      progress(`journal: load of ${keys} keys`);
      await writer.fill();
      await writer.close();
      loads.push(await loadSeconds(folder.path, keys));
    }
    const rows: Row[] = batchSizes.flatMap((size, i) => [
      { name: `batches of ${size}`, unit: 'records/s', runs: rates[i] ?? [] },
      { name: `batches of ${size}, time of one, p50`, unit: 'ms', runs: p50s[i] ?? [] },
    ]);
    rows.push(
      rowAtLeast('without pauses', 'records/s', streams, isQuick ? undefined : 100_000),
      rowAtMost(`load of ${keys.toLocaleString('en')} keys`, 's', loads, isQuick ? undefined : 5),
    );
    return [{ title: 'Journal', rows, notes }];
  },
};

const notes = [
  `records of 20 B key and ${valueBytes} B value, durability always: every batch is synced`,
  'loading includes the check of all files and storing the records; the folder for temporary files decides on the disk',
];

const log = { error: console.error, warn: console.error, info: () => undefined, debug: () => undefined };

class Writer {
  readonly #journal: DiskJournal;
  readonly #store: ArenaStore;
  readonly #keys: number;
  readonly #value = Buffer.alloc(valueBytes, 7);
  readonly #version = { hlc: 1e15, clientId: 2 ** 47, seq: 0, epoch: 0 };
  #written = 0;
  #wake: () => void = () => undefined;

  private constructor(of: DiskJournal, store: ArenaStore, keys: number) {
    this.#journal = of;
    this.#store = store;
    this.#keys = keys;
  }

  static async open(directory: string, keys: number): Promise<Writer> {
    const store = new ArenaStore();
    const onSaved = (): void => writer.#wake();
    const opened = await DiskJournal.open({ directory, store, durability: 'always', log, onSaved });
    await opened.load(() => undefined);
    const writer = new Writer(opened, store, keys);
    return writer;
  }

  #write(count: number): void {
    for (let i = 0; i < count; i++) {
      const n = this.#written++ % this.#keys;
      const slot = n % slots;
      // Spread over the whole range, as hashed names are.
      const key = `key:${String(Math.imul(n, 2_654_435_761) >>> 0).padStart(16, '0')}`;
      const record = this.#store.getOrInsert(slot, key);
      this.#version.hlc++;
      this.#store.write(record, this.#version, this.#value, 0, 0);
      this.#journal.save(slot, record);
    }
  }

  async #saved(upTo: number): Promise<void> {
    while (this.#journal.saved < upTo) await new Promise<void>((resolve) => (this.#wake = resolve));
  }

  async inBatches(size: number, seconds: number): Promise<{ perSecond: number; msP50: number }> {
    const times: number[] = [];
    const startMs = performance.now();
    let nowMs = startMs;
    while (nowMs < startMs + 1000 * seconds) {
      this.#write(size);
      await this.#saved(this.#journal.noted);
      times.push(-nowMs + (nowMs = performance.now()));
    }
    return { perSecond: (1000 * size * times.length) / (nowMs - startMs), msP50: percentile(times, 0.5) };
  }

  async stream(seconds: number): Promise<number> {
    const startMs = performance.now();
    const before = this.#written;
    while (performance.now() < startMs + 1000 * seconds) await this.#more();
    await this.#saved(this.#journal.noted);
    return (1000 * (this.#written - before)) / (performance.now() - startMs);
  }

  /** Until every key has been written. */
  async fill(): Promise<void> {
    while (this.#written < this.#keys) await this.#more();
  }

  async #more(): Promise<void> {
    this.#write(perTurn);
    await turn();
    await this.#saved(this.#journal.noted - aheadMax);
  }

  close(): Promise<void> {
    return this.#journal.close();
  }
}

async function loadSeconds(directory: string, keys: number): Promise<number> {
  const startMs = performance.now();
  const store = new ArenaStore();
  const opened = await DiskJournal.open({
    directory,
    store,
    durability: 'always',
    log,
    onSaved: () => undefined,
  });
  await opened.load((slot, key, version, value, expiresAtMs) => {
    store.write(store.getOrInsert(slot, key), version, value, expiresAtMs, 0);
  });
  const seconds = (performance.now() - startMs) / 1000;
  await opened.close();
  if (store.keys < keys) throw new Error(`${store.keys} keys of ${keys} were found`);
  return seconds;
}
