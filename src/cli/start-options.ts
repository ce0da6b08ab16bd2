/** What `gtstore start` can be told. */
import type { Argv } from 'yargs';
import { partitionerNames } from '../protocol/partition.js';
import { type Durability, defaultSettings, durabilities, replicasMax } from '../protocol/settings.js';
import { maxMemoryOption } from './max-memory.js';
import { type LogLevel, logLevelOption, portDefault } from './options.js';
import { type SnapshotFlags, snapshotFlags } from './periodic-snapshots.js';

export const nodesMax = 256;
/** Longest that still fits into a frame with the largest value. */
export const keyBytesMaxMax = 64 * 1024;
export const valueBytesMaxMax = 64 * 1024 * 1024;
/** Below this, a busy machine loses leases without any fault. */
export const leaseMsMin = 100;
export const leaseMsMax = 60_000;

export interface StartOptions extends SnapshotFlags {
  nodes: number | undefined;
  replicas: number | undefined;
  host: string;
  port: number;
  'data-dir': string | undefined;
  durability: Durability | undefined;
  'host-label': string | undefined;
  partitioner: string | undefined;
  'max-key-bytes': number | undefined;
  'max-value-bytes': number | undefined;
  'max-memory': string | undefined;
  'lease-ms': number | undefined;
  respawn: boolean;
  'log-level': LogLevel;
  'end-without-manager-ms': number | undefined;
  'end-with-stdin': boolean;
  supervise: boolean;
  life: number | undefined;
  'state-dir': string | undefined;
}

/** In the order in which the help lists them. */
export function startOptions(command: Argv): Argv<StartOptions> {
  return (
    snapshotFlags(
      clusterOptions(command).option('respawn', {
        type: 'boolean',
        default: true,
        describe: 'Start a node again when it dies; --no-respawn: do not',
      }),
    )
      .option('log-level', logLevelOption)
      // For programs that run a cluster: src/testing.
      .option('end-without-manager-ms', { type: 'number', requiresArg: true, hidden: true })
      .option('end-with-stdin', { type: 'boolean', default: false, hidden: true })
      // For run.sh: a supervisor that starts the manager, and the manager again when it has crashed.
      .option('supervise', { type: 'boolean', default: false, hidden: true })
      // From the supervisor to its manager: which one it is.
      .option('life', { type: 'number', requiresArg: true, hidden: true })
      .option('state-dir', { type: 'string', requiresArg: true, hidden: true })
      .example('$0 start -n 7 -k 3', 'seven nodes, three copies of each key')
      .example('$0 start --port 0', 'a second cluster beside it, on a free port')
  );
}

/** Settings of the cluster, and where it serves and stores. */
function clusterOptions(command: Argv) {
  return command
    .option('nodes', {
      alias: 'n',
      type: 'number',
      requiresArg: true,
      defaultDescription: '7, or as stored',
      describe: `How many nodes, up to ${nodesMax}`,
    })
    .option('replicas', {
      alias: 'k',
      type: 'number',
      requiresArg: true,
      defaultDescription: `${defaultSettings.replicas}, or as stored`,
      describe: `Copies of each key on different nodes, up to ${replicasMax}`,
    })
    .option('host', {
      type: 'string',
      requiresArg: true,
      default: '127.0.0.1',
      describe: 'Address of this machine to serve on; also how others reach it',
    })
    .option('port', {
      type: 'number',
      requiresArg: true,
      default: portDefault,
      describe: 'Port of the manager, 0: a free one; nodes take free ports',
    })
    .option('data-dir', {
      type: 'string',
      requiresArg: true,
      describe: 'Where the cluster is kept on disk, to go on from there the next time',
      defaultDescription: 'in memory only',
    })
    .option('durability', {
      choices: durabilities,
      requiresArg: true,
      describe:
        'Whether writes are on disk: not at all, within half a second, or before they are acknowledged',
      defaultDescription: 'interval with --data-dir, else none',
    })
    .option('host-label', {
      type: 'string',
      requiresArg: true,
      describe: 'Name of this host: copies of a key go to nodes of different labels where there are enough',
      defaultDescription: 'none: each node stands alone',
    })
    .option('partitioner', {
      choices: partitionerNames,
      requiresArg: true,
      defaultDescription: `${defaultSettings.partitioner}, or as stored`,
      describe: 'Hash from key to slot',
    })
    .option('max-key-bytes', {
      type: 'number',
      requiresArg: true,
      defaultDescription: `${defaultSettings.keyBytesMax}, or as stored`,
      describe: `Longest key, in bytes of UTF-8, up to ${keyBytesMaxMax}`,
    })
    .option('max-value-bytes', {
      type: 'number',
      requiresArg: true,
      defaultDescription: `${defaultSettings.valueBytesMax}, or as stored`,
      describe: `Largest value, in bytes as stored, up to ${valueBytesMaxMax}`,
    })
    .option('max-memory', { ...maxMemoryOption, defaultDescription: 'as stored, or none' })
    .option('lease-ms', {
      type: 'number',
      requiresArg: true,
      defaultDescription: `${defaultSettings.leaseMs}, or as stored`,
      describe: `How long a silent node keeps its place, ${leaseMsMin} to ${leaseMsMax}; shorter notices sooner`,
    });
}
