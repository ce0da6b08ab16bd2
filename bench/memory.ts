/**
 * What a key costs in resident memory, and whether a store that is overwritten with values of other sizes gives back
 * what it no longer needs. One node, K = 1, so that every byte is that of one copy; filled through the client.
 */
import { setTimeout as sleep } from 'node:timers/promises';
import { GTStoreClient } from '../src/client/index.js';
import { rowAtLeast, rowAtMost } from './benchmark.js';
import type { BenchOptions, Benchmark, Row } from './benchmark.js';
import { fill, forEachKey } from './fill.js';
import { ProbedNode } from './node-probe.js';
import { Random, keyBytes, makeValue, valueBytes } from './workload.js';

const keyCount = 1_000_000;
const quickKeyCount = 2_000;
const bytesPerKeyMax = 175;
/** Keys that are there before, so that code and buffers are not counted as keys. */
const warmKeyCount = 1000;
const warmRounds = 100;
const settleMs = 3000;
const quickSettleMs = 50;
const churnRounds = 2;
const churnValueBytesMax = 3 * valueBytes;
const deletedRatio = 0.2;
/** Resident set after the churn, of that before: the same keys and values lie there. */
const churnedRatioMax = 1.25;

export const memory: Benchmark = {
  name: 'memory',
  purpose: 'resident bytes per key at 1,000,000 keys, and after a churn of other sizes and deletes',
  async run(options) {
    const count = options.keys ?? (options.isQuick ? quickKeyCount : keyCount);
    await using node = await ProbedNode.start();
    await using store = new GTStoreClient({ manager: node.cluster.url });
    await store.init();
    const resident = new Resident(node, options);
    await warmUp(store, options);
    const empty = await resident.settled();
    options.progress('memory: filling');
    await fill(store, count);
    const full = await resident.settled();
    const collectedFull = await resident.collected();
    await churn(store, count, options);
    const churned = await resident.settled();
    const collected = await resident.collected();
    const perKey = (bytes: number): number[] => [(bytes - empty) / count];
    const rows: Row[] = [
      rowAtMost('resident, of one key', 'B', perKey(full), bytesPerKeyMax),
      rowAtMost('resident, of one key, after a forced collection', 'B', perKey(collectedFull)),
      rowAtLeast('resident set, empty', 'MiB', [empty / 2 ** 20]),
      rowAtLeast('resident set, full', 'MiB', [full / 2 ** 20]),
      rowAtLeast('resident set, full again after the churn', 'MiB', [churned / 2 ** 20]),
      rowAtMost('after the churn to before it', '', [churned / full], churnedRatioMax),
      rowAtMost('after the churn and a forced collection to before it', '', [collected / collectedFull]),
    ];
    const title = `Memory: ${count.toLocaleString('en')} keys of ${keyBytes} B, values of ${valueBytes} B, one node`;
    const churnNote =
      `churn: ${churnRounds} times every value replaced by one of 1 to ${churnValueBytesMax} B and ` +
      `${Math.round(100 * deletedRatio)} % of the keys deleted; then every value as it was`;
    return [
      { title, rows, notes: ['difference of VmRSS of the node process, divided by the keys', churnNote] },
    ];
  },
};

class Resident {
  readonly #node: ProbedNode;
  readonly #waitMs: number;

  constructor(node: ProbedNode, { isQuick }: BenchOptions) {
    this.#node = node;
    this.#waitMs = isQuick ? quickSettleMs : settleMs;
  }

  /** When the node has had a while of its own. */
  async settled(): Promise<number> {
    await sleep(this.#waitMs);
    return this.#node.residentBytes();
  }

  async collected(): Promise<number> {
    await this.#node.ask('collect');
    return this.settled();
  }
}

async function warmUp(store: GTStoreClient, { isQuick }: BenchOptions): Promise<void> {
  const rounds = isQuick ? 1 : warmRounds;
  for (let round = 0; round < rounds; round++) await fill(store, warmKeyCount);
}

async function churn(store: GTStoreClient, count: number, { progress }: BenchOptions): Promise<void> {
  const random = new Random(1);
  const values = Array.from({ length: churnValueBytesMax }, (_, index) => makeValue(index + 1));
  for (let round = 0; round < churnRounds; round++) {
    progress(`memory: churn ${round + 1} of ${churnRounds}`);
    await forEachKey(count, (key) => store.put(key, values[random.next() % values.length] ?? ''));
    await forEachKey(Math.floor(count * deletedRatio), (key) => store.delete(key));
  }
  progress('memory: filling again');
  await fill(store, count);
}
