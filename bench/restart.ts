/** A whole cluster is stopped and started again from its disks: how long until every slot serves. */
import { GTStoreClient } from '../src/client/index.js';
import { startCluster } from '../src/testing/index.js';
import type { ClusterOptions } from '../src/testing/index.js';
import { rowAtLeast, rowAtMost } from './benchmark.js';
import type { Benchmark } from './benchmark.js';
import { fill, forEachKey } from './fill.js';
import { TemporaryFolder } from './temporary-folder.js';
import { keyBytes, makeValue, valueBytes } from './workload.js';

const nodes = 3;
/** As many as nodes: each holds every key. */
const replicas = 3;
const keyCount = 1_000_000;
const quickKeyCount = 2_000;
const runsDefault = 3;
/** A busy machine may take long to read a million keys three times. */
const startTimeoutMs = 300_000;

export const restart: Benchmark = {
  name: 'restart',
  purpose: 'a cluster with 1,000,000 keys on each node is stopped and started again: seconds to ready',
  async run({ keys, runs, isQuick, progress }) {
    const count = keys ?? (isQuick ? quickKeyCount : keyCount);
    using folder = new TemporaryFolder();
    const dataDir = folder.path;
    const cluster = { nodes, replicas, durability: 'interval', dataDir, startTimeoutMs } as const;
    progress('restart: filling');
    const emptySeconds = await secondsToReady(cluster, (store) => fill(store, count));
    const seconds: number[] = [];
    for (let run = 0; run < (runs ?? (isQuick ? 1 : runsDefault)); run++) {
      progress(`restart, run ${run + 1}`);
      seconds.push(await secondsToReady(cluster, (store) => expectAll(store, count)));
    }
    const rows = [
      rowAtMost('a new cluster, empty', 's', [emptySeconds]),
      rowAtMost('from its disks', 's', seconds),
      rowAtLeast(
        'read',
        'keys/s of a node',
        seconds.map((each) => count / each),
      ),
    ];
    const title = `Restart: ${nodes} nodes with ${count.toLocaleString('en')} keys each, ${keyBytes} B and values of ${valueBytes} B`;
    const notes = [
      'from the command to the ready line; all processes had ended in good order, and files may be in the system’s cache',
    ];
    return [{ title, rows, notes }];
  },
};

/** Starts the cluster, uses it, stops it. */
async function secondsToReady(
  options: ClusterOptions,
  use: (store: GTStoreClient) => Promise<void>,
): Promise<number> {
  const startedAtMs = performance.now();
  await using cluster = await startCluster(options);
  const seconds = (performance.now() - startedAtMs) / 1000;
  await using store = new GTStoreClient({ manager: cluster.url });
  await store.init();
  await use(store);
  return seconds;
}

async function expectAll(store: GTStoreClient, count: number): Promise<void> {
  const value = makeValue();
  let lost = 0;
  await forEachKey(count, async (key) => {
    if ((await store.get(key)) !== value) lost++;
  });
  if (lost > 0) throw new Error(`restart: ${lost} of ${count} keys are not what they were`);
}
