/** All benchmarks, in the order in which they run and are shown. */
import type { Benchmark } from './benchmark.js';
import { catchUp } from './catch-up.js';
import { classProject } from './class-project.js';
import { connections } from './connections.js';
import { journal } from './journal.js';
import { durability } from './durability.js';
import { largeValues } from './large-values.js';
import { memory } from './memory.js';
import { millionKeys } from './million-keys.js';
import { failover, pause } from './outage.js';
import { etcd, memcached, redis } from './peers/benchmarks.js';
import { ready } from './ready.js';
import { rebalance } from './rebalance.js';
import { replay } from './replay.js';
import { restart } from './restart.js';
import { restore } from './restore.js';
import { readAny, skew } from './skew.js';
import { store } from './store.js';
import { clients, emptyStore, floor, latency, payload, replication, throughput } from './throughput.js';

export const benchmarks: readonly Benchmark[] = [
  floor,
  throughput,
  emptyStore,
  latency,
  payload,
  clients,
  replication,
  skew,
  readAny,
  connections,
  largeValues,
  memory,
  millionKeys,
  store,
  journal,
  redis,
  etcd,
  memcached,
  classProject,
  failover,
  pause,
  restore,
  durability,
  catchUp,
  restart,
  rebalance,
  ready,
  replay,
];
