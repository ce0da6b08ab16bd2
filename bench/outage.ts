/**
 * Nodes that die (kill -9) or hang (SIGSTOP) under load: how long until every slot they served takes writes again,
 * and whether anything acknowledged was lost.
 *
 * At the moment of the outage one write is begun on each slot that the node is a replica of; the time is that of the
 * last acknowledgement. A second key in each of those slots was written and acknowledged just before, and is read
 * just after: what it held must still be there. Between two outages the cluster becomes whole again.
 */
import { setTimeout as sleep } from 'node:timers/promises';
import { startCluster } from '../src/testing/index.js';
import type { NodeStatus, TestCluster } from '../src/testing/index.js';
import type { BenchOptions, Benchmark, Row, Section } from './benchmark.js';
import { Shoppers } from './shoppers.js';
import type { Place } from './shoppers.js';
import { largest, median } from './stats.js';

const nodes = 7;
const replicas = 3;
const leaseMs = 1000;
const failoverMsMax = 100;
const pauseMsMax = leaseMs + 500;
const pausesDefault = 5;
/** Load before each outage. */
const loadMs = 300;
/** And before the first, until the code of puts and gets is compiled; that of an outage is as new as it is when a node fails. */
const warmUpMs = 8000;

export const failover: Benchmark = {
  name: 'failover',
  purpose: 'kill -9 one of 7 nodes under load, again and again: time until its keys take writes',
  async run(options) {
    const kill = (_cluster: TestCluster, { pid }: NodeStatus): void => {
      process.kill(pid, 'SIGKILL');
    };
    const { outages, notes } = await outagesOf('kill', options.kills, kill, whole, options);
    const writes = outages.map((outage) => outage.writesMs);
    const rows: Row[] = [
      {
        name: 'a client sees the connection end',
        unit: 'ms',
        runs: outages.map((outage) => outage.noticedMs),
      },
      { name: 'a client has the newer map', unit: 'ms', runs: outages.map((outage) => outage.mapMs) },
      {
        name: 'all slots of the node take writes, median',
        unit: 'ms',
        runs: writes,
        target: { text: `<= ${failoverMsMax} ms`, isMet: median(writes) <= failoverMsMax },
      },
      {
        name: 'all slots of the node take writes, worst',
        unit: 'ms',
        runs: [largest(writes)],
        target: { text: `<= ${failoverMsMax} ms`, isMet: largest(writes) <= failoverMsMax },
      },
      { name: 'longest operation of the load', unit: 'ms', runs: outages.map((outage) => outage.worstMs) },
      ...lossRows(outages),
    ];
    return [section(`Failover: ${outages.length} kills, ${nodes} nodes, K = ${replicas}`, rows, notes)];
  },
};

export const pause: Benchmark = {
  name: 'pause',
  purpose: 'SIGSTOP one of 7 nodes under load: time until its keys take writes',
  async run(options) {
    const stop = (_cluster: TestCluster, { pid }: NodeStatus): void => {
      process.kill(pid, 'SIGSTOP');
    };
    const resume = async (cluster: TestCluster, { id }: NodeStatus): Promise<void> => {
      await cluster.resume(id);
      await cluster.untilHealthy();
    };
    const count = options.runs ?? pausesDefault;
    const { outages, notes } = await outagesOf('pause', count, stop, resume, options);
    const writes = outages.map((outage) => outage.writesMs);
    const rows: Row[] = [
      {
        name: `all slots of the node take writes (lease ${leaseMs} ms)`,
        unit: 'ms',
        runs: writes,
        target: { text: `<= ${pauseMsMax} ms`, isMet: largest(writes) <= pauseMsMax },
      },
      { name: 'longest operation of the load', unit: 'ms', runs: outages.map((outage) => outage.worstMs) },
      ...lossRows(outages),
    ];
    return [section(`Pause: ${outages.length} times SIGSTOP, ${nodes} nodes, K = ${replicas}`, rows, notes)];
  },
};

async function whole(cluster: TestCluster): Promise<void> {
  await cluster.untilHealthy();
}

/** All times count from the signal. */
interface Outage {
  readonly noticedMs: number;
  readonly mapMs: number;
  readonly writesMs: number;
  readonly worstMs: number;
  readonly slots: number;
  /** Of all outages so far. */
  readonly wrong: number;
  readonly failed: number;
}

async function outagesOf(
  what: string,
  count: number,
  strike: (cluster: TestCluster, victim: NodeStatus) => void,
  recover: (cluster: TestCluster, victim: NodeStatus) => Promise<void>,
  { progress }: BenchOptions,
): Promise<{ outages: Outage[]; notes: string[] }> {
  await using cluster = await startCluster({ nodes, replicas, leaseMs });
  await using shoppers = await Shoppers.start(cluster.url);
  const outages: Outage[] = [];
  for (let turn = 0; turn < count; turn++) {
    progress(`${what} ${turn + 1} of ${count}`);
    await sleep(turn === 0 ? warmUpMs : loadMs);
    const { nodes: present } = await cluster.status();
    const victim = present[turn % nodes];
    if (victim === undefined) throw new Error('a node is missing');
    outages.push(await outage(cluster, shoppers, victim, strike));
    await recover(cluster, victim);
  }
  await shoppers.finish();
  const last = outages.at(-1);
  if (last !== undefined) {
    outages[outages.length - 1] = { ...last, wrong: shoppers.wrong.length, failed: shoppers.failed.length };
  }
  const notes = [...shoppers.wrong, ...shoppers.failed].slice(0, 5);
  if (shoppers.wrong.length > 0) process.exitCode = 1;
  return { outages, notes };
}

async function outage(
  cluster: TestCluster,
  shoppers: Shoppers,
  victim: NodeStatus,
  strike: (cluster: TestCluster, victim: NodeStatus) => void,
): Promise<Outage> {
  const struck = shoppers.places.filter((place) => isReplica(shoppers, place, victim.id));
  await Promise.all(struck.map(({ store, kept }) => shoppers.write(store, kept)));
  shoppers.resetWorst();
  const startedAtMs = performance.now();
  const since = (): number => performance.now() - startedAtMs;
  const [observer] = shoppers.stores;
  if (observer === undefined) throw new Error('no client');
  let noticedMs = NaN;
  let mapMs = NaN;
  observer.once('node-down', () => (noticedMs = since()));
  observer.once('map', () => (mapMs = since()));
  strike(cluster, victim);
  await Promise.all(struck.map(({ store, probe }) => shoppers.write(store, probe)));
  const writesMs = since();
  await Promise.all(struck.map(({ store, kept }) => shoppers.check(store, kept)));
  observer.removeAllListeners();
  // One that waits for the outage to pass may be the longest of all.
  await shoppers.turnsEnded();
  const { worstMs, wrong, failed } = shoppers;
  return {
    noticedMs,
    mapMs,
    writesMs,
    worstMs,
    slots: struck.length,
    wrong: wrong.length,
    failed: failed.length,
  };
}

function isReplica({ map }: Shoppers, { slot }: Place, nodeId: number): boolean {
  return map?.members(slot).includes(nodeId) === true;
}

function lossRows(outages: readonly Outage[]): Row[] {
  const wrong = outages.at(-1)?.wrong ?? 0;
  const failed = outages.at(-1)?.failed ?? 0;
  return [
    { name: 'slots struck', unit: '', runs: outages.map((outage) => outage.slots) },
    {
      name: 'acknowledged writes lost',
      unit: '',
      runs: [wrong],
      target: { text: '0', isMet: wrong === 0 },
    },
    { name: 'calls that failed', unit: '', runs: [failed], target: { text: '0', isMet: failed === 0 } },
  ];
}

function section(title: string, rows: readonly Row[], notes: readonly string[]): Section {
  const load = '16 clients write and read keys in every slot all the while, one operation at a time each';
  return { title, rows, notes: [load, ...notes] };
}
