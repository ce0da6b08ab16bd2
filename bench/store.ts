/**
 * The store of a node by itself, beside a `Map<string, Buffer>`, each in a process of its own, at a few numbers of keys: memory
 * by key, time by look-up and by overwrite, and what a load of both, half and half, meets of the garbage collector.
 * Keys come as bytes, as they do from a connection, so that no string has its hash already; making the string is not
 * counted. A value that is looked up is copied out, as it is into an answer.
 */
import { Buffer } from 'node:buffer';
import { fork } from 'node:child_process';
import { once } from 'node:events';
import { setImmediate as turn } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { PerformanceObserver } from 'node:perf_hooks';
import { noRecord } from '../src/node/core/store.js';
import { ArenaStore } from '../src/node/storage/arena-store.js';
import type { Benchmark, Row } from './benchmark.js';
import { answerOf } from './child-answer.js';
import { largest, percentile } from './stats.js';

const keyCounts = [10_000, 1_000_000, 5_000_000];
const keyBytes = 20;
const valueBytes = 100;
const slots = 256;
/** Operations between two turns of the event loop: what one batch of frames brings. */
const batch = 500;

interface Figures {
  readonly bytesPerKey: number;
  readonly getNs: number;
  readonly putNs: number;
  readonly mixedPerSecond: number;
  readonly gcMsMax: number;
  readonly gcs: number;
  readonly batchP99Us: number;
  readonly batchP999Us: number;
}

export const store: Benchmark = {
  name: 'store',
  purpose: 'memory and time by key of the store by itself, beside a Map, up to 5 million keys',
  async run({ progress, seconds, runs = 1 }) {
    const sections = [];
    const bySize = new Map<number, number[]>();
    for (const count of keyCounts) {
      const rows: Row[] = [];
      for (const kind of ['map', 'arena'] as const) {
        const all: Figures[] = [];
        for (let run = 0; run < runs; run++) {
          progress(`${kind}, ${count} keys`);
          all.push(await measureApart(kind, count, seconds));
        }
        if (kind === 'arena')
          bySize.set(
            count,
            all.map(({ mixedPerSecond }) => mixedPerSecond),
          );
        rows.push(...rowsOf(kind === 'map' ? 'Map' : 'GTStore', kind === 'arena', count, all));
      }
      const few = bySize.get(keyCounts[0] ?? 0) ?? [];
      const ratios = (bySize.get(count) ?? []).map((each, run) => each / (few[run] ?? NaN));
      rows.push({
        name: `GTStore, half and half, share of ${keyCounts[0] ?? 0} keys`,
        unit: '',
        runs: ratios,
      });
      sections.push({ title: `Store: ${count.toLocaleString('en')} keys`, rows, notes });
    }
    return sections;
  },
};

const notes = [
  `keys of ${keyBytes} B, values of ${valueBytes} B, one process without network; batches of ${batch} operations`,
  'times of look-ups and overwrites, and the rate of both, are CPU time; pauses and batches are by the clock',
];

function rowsOf(name: string, isOurs: boolean, count: number, all: readonly Figures[]): Row[] {
  const row = (what: string, unit: string, field: keyof Figures, most?: number): Row => {
    const runs = all.map((figures) => figures[field]);
    const plain = { name: `${name}, ${what}`, unit, runs };
    if (most === undefined || !isOurs) return plain;
    return { ...plain, target: { text: `<= ${most}`, isMet: largest(runs) <= most } };
  };
  return [
    row('resident by key', 'B', 'bytesPerKey', count === 1_000_000 ? 175 : undefined),
    row('look-up', 'ns', 'getNs'),
    row('overwrite', 'ns', 'putNs'),
    row('half and half', 'op/s', 'mixedPerSecond'),
    row('longest collection', 'ms', 'gcMsMax', count === 5_000_000 ? 5 : undefined),
    row('collections', '', 'gcs'),
    row('batch p99', 'us', 'batchP99Us'),
    row('batch p99.9', 'us', 'batchP999Us'),
  ];
}

async function measureApart(kind: string, count: number, seconds: number): Promise<Figures> {
  const child = fork(fileURLToPath(import.meta.url), [kind, String(count), String(seconds)], {
    execArgv: ['--expose-gc', '--max-old-space-size=8192'],
  });
  const closed = once(child, 'close');
  const figures = (await answerOf(child)) as Figures;
  await closed;
  return figures;
}

// --- in the child ----------------------------------------------------------------------------------------------------

interface Subject {
  get(slot: number, key: string, into: Buffer): void;
  put(slot: number, key: string, value: Buffer, round: number): void;
}

function arena(): Subject {
  const records = new ArenaStore();
  const version = { hlc: 1e15, clientId: 2 ** 47, seq: 0, epoch: 0 };
  return {
    get: (slot, key, into) => {
      const record = records.get(slot, key);
      const value = record !== noRecord && records.isValid(record) ? records.valueOf(record) : null;
      if (value !== null) into.set(value);
    },
    put: (slot, key, value, round) => {
      const record = records.getOrInsert(slot, key);
      version.hlc = 1e15 + round;
      if (records.compareVersion(version, record) > 0) records.write(record, version, value, 0, round);
      records.setValid(record);
    },
  };
}

function map(): Subject {
  const values = new Map<string, Buffer>();
  return {
    get: (_slot, key, into) => {
      const value = values.get(key);
      if (value !== undefined) into.set(value);
    },
    put: (_slot, key, value) => {
      values.set(key, Buffer.from(value));
    },
  };
}

/** Keys by chance, each written into the same bytes. */
class Keys {
  readonly #bytes = Buffer.from('key:0000000000000000');
  readonly #count: number;
  #state = 12_345;
  slot = 0;

  constructor(count: number) {
    this.#count = count;
  }

  at(n: number): string {
    this.slot = n % slots;
    for (let i = keyBytes - 1; i >= 4; i--) {
      this.#bytes[i] = 48 + (n % 10);
      n = Math.floor(n / 10);
    }
    return this.#bytes.toString('latin1', 0, keyBytes);
  }

  any(): string {
    this.#state = (Math.imul(this.#state, 1_664_525) + 1_013_904_223) >>> 0;
    return this.at(Math.floor((this.#state / 2 ** 32) * this.#count));
  }
}

function subjectOf(kind: string): Subject {
  return kind === 'arena' ? arena() : map();
}

/** Until the compiler and the heap have what they need: that is not the memory of the keys. */
async function warmUp(kind: string, value: Buffer, into: Buffer): Promise<void> {
  const keys = new Keys(50_000);
  const subject = subjectOf(kind);
  await timeOf(1, () => {
    const key = keys.any();
    subject.put(keys.slot, key, value, 1);
    subject.get(keys.slot, key, into);
  });
}

async function measure(kind: string, count: number, seconds: number): Promise<Figures> {
  const keys = new Keys(count);
  const value = Buffer.alloc(valueBytes, 7);
  const into = Buffer.alloc(valueBytes);
  await warmUp(kind, value, into);
  const residentBefore = await resident();
  const subject = subjectOf(kind);
  for (let n = 0; n < count; n++) {
    const key = keys.at(n);
    subject.put(keys.slot, key, value, 1);
    if (n % 20_000 === 0) await turn();
  }
  const bytesPerKey = ((await resident()) - residentBefore) / count;
  let round = 1;
  const keyNs = await timeOf(seconds, () => keys.any());
  const getNs = await timeOf(seconds, () => {
    const key = keys.any();
    subject.get(keys.slot, key, into);
  });
  const putNs = await timeOf(seconds, () => {
    const key = keys.any();
    subject.put(keys.slot, key, value, ++round);
  });
  const pauses: number[] = [];
  const observer = new PerformanceObserver((list) => {
    for (const { duration } of list.getEntries()) pauses.push(duration);
  });
  observer.observe({ entryTypes: ['gc'] });
  const batchesUs: number[] = [];
  const mixedNs = await timeOf(
    5 * seconds,
    () => {
      const key = keys.any();
      if ((++round & 1) === 0) subject.put(keys.slot, key, value, round);
      else subject.get(keys.slot, key, into);
    },
    batchesUs,
  );
  await turn();
  observer.disconnect();
  return {
    bytesPerKey,
    getNs: getNs - keyNs,
    putNs: putNs - keyNs,
    mixedPerSecond: 1e9 / mixedNs,
    gcMsMax: Math.max(0, largest(pauses)),
    gcs: pauses.length,
    batchP99Us: percentile(batchesUs, 0.99),
    batchP999Us: percentile(batchesUs, 0.999),
  };
}

/** Mean CPU time of one call, in nanoseconds, after a warm-up; the event loop turns between batches. */
async function timeOf(seconds: number, work: () => void, batchesUs: number[] = []): Promise<number> {
  let cpu = process.cpuUsage();
  for (const length of [Math.min(seconds, 0.5), seconds]) {
    batchesUs.length = 0;
    cpu = process.cpuUsage();
    const untilMs = performance.now() + 1000 * length;
    for (let startMs = performance.now(); startMs < untilMs; startMs = performance.now()) {
      for (let i = 0; i < batch; i++) work();
      batchesUs.push(1000 * (performance.now() - startMs));
      await turn();
    }
  }
  const { user, system } = process.cpuUsage(cpu);
  return (1000 * (user + system)) / (batchesUs.length * batch);
}

async function resident(): Promise<number> {
  for (let i = 0; i < 3; i++) {
    globalThis.gc?.();
    await turn();
  }
  return process.memoryUsage.rss();
}

if (process.argv[1] === fileURLToPath(import.meta.url)) {
  const [, , kind = '', count = '', seconds = ''] = process.argv;
  process.send?.(await measure(kind, Number(count), Number(seconds)));
  process.disconnect();
}
