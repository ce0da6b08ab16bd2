/** `gtstore start`: a manager and its nodes in the foreground, until Ctrl-C. */
import { fileURLToPath } from 'node:url';
import type { ArgumentsCamelCase, CommandModule } from 'yargs';
import type { ManagerOptions, ManagerServer } from '../manager/index.js';
import { partitionerNames } from '../protocol/partition.js';
import { defaultSettings, replicasMax } from '../protocol/settings.js';
import { UsageError, reportFailure } from './exit.js';
import type { NodeExtras } from './forked-node.js';
import { isAnyAddress, resolveHost } from './hosts.js';
import { createLogger } from './logger.js';
import {
  type LogLevel,
  formatAddress,
  logLevelOption,
  portDefault,
  portNumber,
  wholeNumber,
} from './options.js';
import { PeriodicSnapshots, type SnapshotFlags, snapshotFlags, snapshotPlan } from './periodic-snapshots.js';
import { StopRequest } from './stop-request.js';

const nodesMax = 256;
/** Longest that still fits into a frame with the largest value. */
const keyBytesMaxMax = 64 * 1024;
const valueBytesMaxMax = 64 * 1024 * 1024;
/** Below this, a busy machine loses leases without any fault. */
const leaseMsMin = 100;
const leaseMsMax = 60_000;

interface StartOptions extends SnapshotFlags {
  nodes: number;
  replicas: number;
  host: string;
  port: number;
  'data-dir': string | undefined;
  partitioner: string;
  'max-key-bytes': number;
  'max-value-bytes': number;
  'lease-ms': number;
  respawn: boolean;
  'log-level': LogLevel;
  'end-without-manager-ms': number | undefined;
  'end-with-stdin': boolean;
}

type StartArguments = ArgumentsCamelCase<StartOptions>;

export const startCommand: CommandModule<object, StartOptions> = {
  command: 'start',
  describe: 'Launch a manager and its nodes, until Ctrl-C',
  builder: (command) =>
    snapshotFlags(command)
      .option('nodes', {
        alias: 'n',
        type: 'number',
        requiresArg: true,
        default: 7,
        describe: 'How many nodes',
      })
      .option('replicas', {
        alias: 'k',
        type: 'number',
        requiresArg: true,
        default: defaultSettings.replicas,
        describe: 'Copies of each key, each on another node',
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
        describe: "Where the manager's state is kept while it runs, to take over its nodes after a crash",
        defaultDescription: 'a temporary directory for host and port',
      })
      .option('partitioner', {
        choices: partitionerNames,
        requiresArg: true,
        default: defaultSettings.partitioner,
        describe: 'Hash from key to slot',
      })
      .option('max-key-bytes', {
        type: 'number',
        requiresArg: true,
        default: defaultSettings.keyBytesMax,
        describe: 'Longest key, in bytes of UTF-8',
      })
      .option('max-value-bytes', {
        type: 'number',
        requiresArg: true,
        default: defaultSettings.valueBytesMax,
        describe: 'Largest value, in bytes as stored',
      })
      .option('lease-ms', {
        type: 'number',
        requiresArg: true,
        default: defaultSettings.leaseMs,
        describe: 'How long a silent node keeps its place; shorter notices sooner',
      })
      .option('respawn', {
        type: 'boolean',
        default: true,
        describe: 'Start a node again when it dies; --no-respawn: do not',
      })
      .option('log-level', logLevelOption)
      // For programs that run a cluster: src/testing.
      .option('end-without-manager-ms', { type: 'number', requiresArg: true, hidden: true })
      .option('end-with-stdin', { type: 'boolean', default: false, hidden: true })
      .example('$0 start -n 7 -k 3', 'seven nodes, three copies of each key')
      .example('$0 start --port 0', 'a second cluster beside it, on a free port'),
  handler: start,
};

async function start(args: StartArguments): Promise<void> {
  const stop = new StopRequest();
  const options = await managerOptions(args);
  const plan = await snapshotPlan(args.snapshotEvery, args.snapshotDir, args.snapshotKeep);
  let snapshots: PeriodicSnapshots | undefined;
  if (args.endWithStdin) stopWithStdin(stop);
  // Only here, so that the other commands need not load it.
  const { startManager } = await import('../manager/index.js');
  if (stop.signal.aborted) process.exit(0);
  let manager: ManagerServer;
  try {
    manager = await startManager(options);
  } catch (error) {
    throw mendable(error, args);
  }
  stop.killAtOnce = () => {
    manager.kill();
  };
  try {
    const isReady = await Promise.race([
      manager.whenReady().then(() => true),
      stop.requested.then(() => false),
    ]);
    if (isReady) {
      process.stdout.write(`${readyLine(manager, args)}\n`);
      if (plan !== undefined)
        snapshots = new PeriodicSnapshots(plan, formatAddress(manager.address), options.log);
      options.log.info(`ending: ${await stop.requested}`);
    }
  } catch (error) {
    reportFailure(error);
  }
  await snapshots?.stop();
  await manager.stop();
  process.exit();
}

async function managerOptions(args: StartArguments): Promise<ManagerOptions> {
  const nodes = wholeNumber('-n (nodes)', args.nodes, 1, nodesMax);
  const replicas = wholeNumber('-k (replicas)', args.replicas, 1, replicasMax);
  if (nodes < replicas) {
    throw new UsageError(
      `-n ${nodes} -k ${replicas}: ${replicas} copies need ${replicas} nodes; give -n ${replicas} or more, or -k ${nodes}`,
    );
  }
  const port = portNumber('--port', args.port);
  const host = await resolveHost('--host', args.host);
  if (isAnyAddress(host)) {
    throw new UsageError(`--host must be an address that nodes and clients can dial, not ${args.host}`);
  }
  const settings = {
    replicas,
    partitioner: args.partitioner,
    keyBytesMax: wholeNumber('--max-key-bytes', args.maxKeyBytes, 1, keyBytesMaxMax),
    valueBytesMax: wholeNumber('--max-value-bytes', args.maxValueBytes, 1, valueBytesMaxMax),
    leaseMs: wholeNumber('--lease-ms', args.leaseMs, leaseMsMin, leaseMsMax),
  };
  const { endWithoutManagerMs } = args;
  const nodeExtras: NodeExtras = {
    logLevel: args.logLevel,
    ...(endWithoutManagerMs === undefined ? {} : { endWithoutManagerMs }),
  };
  return {
    host,
    port,
    nodes,
    settings,
    respawn: args.respawn,
    ...(args.dataDir === undefined ? {} : { dataDir: args.dataDir }),
    nodeEntry: fileURLToPath(new URL('forked-node.js', import.meta.url)),
    nodeExtras,
    log: createLogger('manager', args.logLevel),
  };
}

/** The commonest trouble gets advice in words of the command line. */
function mendable(error: unknown, { host, port }: StartArguments): unknown {
  if (!(error instanceof Error && 'code' in error && error.code === 'EADDRINUSE')) return error;
  return new UsageError(
    `port ${port} of ${host} is in use, perhaps by another cluster; choose another with --port, or --port 0 for a free one`,
  );
}

/** Whoever started this process holds the other end; it closes when that process ends, however it ends. */
function stopWithStdin(stop: StopRequest): void {
  process.stdin.on('end', () => {
    stop.request('stdin was closed');
  });
  process.stdin.on('error', () => {
    stop.request('stdin was lost');
  });
  process.stdin.resume();
}

function readyLine(manager: ManagerServer, { nodes, replicas }: StartArguments): string {
  const counts = `${plural(nodes, 'node')}, ${plural(replicas, 'replica')}`;
  return `GTStore ready: ${counts}, manager gtstore://${formatAddress(manager.address)}`;
}

function plural(count: number, noun: string): string {
  return `${count} ${noun}${count === 1 ? '' : 's'}`;
}
