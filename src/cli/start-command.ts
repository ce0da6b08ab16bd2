/** `gtstore start`: a manager and its nodes in the foreground, until Ctrl-C. */
import { resolve } from 'node:path';
import { fileURLToPath } from 'node:url';
import type { ArgumentsCamelCase, CommandModule } from 'yargs';
import type { ManagerOptions, ManagerServer } from '../manager/index.js';
import { partitionerNames } from '../protocol/partition.js';
import { type Durability, defaultSettings, durabilities, replicasMax } from '../protocol/settings.js';
import { prepareDataDirectory } from './data-directory.js';
import { UsageError, reportFailure } from './exit.js';
import type { NodeExtras } from './forked-node.js';
import { isAnyAddress, resolveHost } from './hosts.js';
import { createLogger } from './logger.js';
import { maxMemoryOption, memoryBytesMax } from './max-memory.js';
import {
  type LogLevel,
  formatAddress,
  defined,
  logLevelOption,
  portDefault,
  portNumber,
  label,
  wholeNumberIfGiven,
} from './options.js';
import { PeriodicSnapshots, type SnapshotFlags, snapshotFlags, snapshotPlan } from './periodic-snapshots.js';
import { StopRequest } from './stop-request.js';
import { SupervisorLink } from './supervisor-link.js';

const nodesMax = 256;
/** Longest that still fits into a frame with the largest value. */
const keyBytesMaxMax = 64 * 1024;
const valueBytesMaxMax = 64 * 1024 * 1024;
/** Below this, a busy machine loses leases without any fault. */
const leaseMsMin = 100;
const leaseMsMax = 60_000;

interface StartOptions extends SnapshotFlags {
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
        describe: 'Whether writes are on disk: not at all, within a second, or before they are acknowledged',
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
      // For run.sh: a supervisor that starts the manager, and the manager again when it has crashed.
      .option('supervise', { type: 'boolean', default: false, hidden: true })
      // From the supervisor to its manager: which one it is.
      .option('life', { type: 'number', requiresArg: true, hidden: true })
      .option('state-dir', { type: 'string', requiresArg: true, hidden: true })
      .example('$0 start -n 7 -k 3', 'seven nodes, three copies of each key')
      .example('$0 start --port 0', 'a second cluster beside it, on a free port'),
  handler: start,
};

async function start(args: StartArguments): Promise<void> {
  const stop = new StopRequest();
  const options = await managerOptions(args);
  const plan = await snapshotPlan(args.snapshotEvery, args.snapshotDir, args.snapshotKeep);
  if (args.supervise) {
    const { supervise } = await import('./supervisor.js');
    const { port, dataDir } = options;
    const log = createLogger('run', args.logLevel, true);
    const ownArgs = process.argv.slice(2).filter((arg) => arg !== '--supervise');
    process.exit(await supervise({ stop, args: ownArgs, port, dataDir, log }));
  }
  let snapshots: PeriodicSnapshots | undefined;
  if (args.endWithStdin) stopWithStdin(stop);
  // Only here, so that the other commands need not load it.
  const { startManager } = await import('../manager/index.js');
  // A later life first finds its nodes, to end them, too.
  if (stop.signal.aborted && !isLaterLife(args)) process.exit(0);
  let manager: ManagerServer;
  try {
    manager = await startManager(options);
  } catch (error) {
    // It would keep the process for as long as its parent lives.
    if (args.endWithStdin) process.stdin.destroy();
    throw mendable(error, args);
  }
  stop.killAtOnce = () => {
    manager.kill();
  };
  const supervisor = args.life === undefined ? undefined : new SupervisorLink(options.log);
  supervisor?.tell({ kind: 'listening', port: manager.address.port });
  try {
    const isReady = await Promise.race([
      manager.whenReady().then(() => true),
      stop.requested.then(() => false),
    ]);
    if (isReady) {
      const line = readyLine(manager);
      if (supervisor === undefined) process.stdout.write(`${line}\n`);
      else supervisor.tell({ kind: 'ready', line });
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

function isLaterLife({ life = 1 }: StartArguments): boolean {
  return life > 1;
}

async function managerOptions(args: StartArguments): Promise<ManagerOptions> {
  const { nodes, replicas, dataDir, durability, stateDir } = args;
  wholeNumberIfGiven('-n (nodes)', nodes, 1, nodesMax);
  wholeNumberIfGiven('-k (replicas)', replicas, 1, replicasMax);
  if (dataDir === '') throw new UsageError('--data-dir must name a directory');
  if (dataDir === undefined && durability !== undefined && durability !== 'none') {
    throw new UsageError(`--durability ${durability} needs a disk: give --data-dir, too`);
  }
  const hostLabel = label('--host-label', args.hostLabel);
  const port = portNumber('--port', args.port);
  const host = await resolveHost('--host', args.host);
  if (isAnyAddress(host)) {
    throw new UsageError(`--host must be an address that nodes and clients can dial, not ${args.host}`);
  }
  // Only what was given: what is stored otherwise is not overruled by a default.
  const settings = defined({
    replicas,
    durability,
    partitioner: args.partitioner,
    keyBytesMax: wholeNumberIfGiven('--max-key-bytes', args.maxKeyBytes, 1, keyBytesMaxMax),
    valueBytesMax: wholeNumberIfGiven('--max-value-bytes', args.maxValueBytes, 1, valueBytesMaxMax),
    leaseMs: wholeNumberIfGiven('--lease-ms', args.leaseMs, leaseMsMin, leaseMsMax),
  });
  // A later life goes on with what there is: its nodes serve, and its state is saved when that can be done again.
  if (dataDir !== undefined && !isLaterLife(args)) await prepareDataDirectory(dataDir, 'manager-state.json');
  const nodeExtras: NodeExtras = { logLevel: args.logLevel };
  return {
    ...defined({
      nodes,
      hostLabel,
      stateDir,
      endWithoutManagerMs: args.endWithoutManagerMs,
    }),
    ...defined({ memoryBytesMax: memoryBytesMax(args.maxMemory) }),
    ...(dataDir === undefined ? {} : { dataDir: resolve(dataDir) }),
    host,
    port,
    settings,
    respawn: args.respawn,
    isRestart: isLaterLife(args),
    nodeEntry: fileURLToPath(new URL('forked-node.js', import.meta.url)),
    nodeExtras,
    nodeEnv: { ...nodeEnvDefaults, ...process.env },
    log: createLogger('manager', args.logLevel),
  };
}

/**
 * glibc gives every thread a heap of its own. A node has one thread that matters; those of the compiler and the collector
 * would keep some 4 MiB of what they have freed (measured). Other C libraries do not know the variable.
 */
const nodeEnvDefaults = { MALLOC_ARENA_MAX: '1' };

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

function readyLine(manager: ManagerServer): string {
  const { nodes, replicas } = manager.counts;
  const { missing } = manager;
  const present = missing === 0 ? '' : `${nodes - missing} of `;
  const counts = `${present}${plural(nodes, 'node')}, ${plural(replicas, 'replica')}`;
  return `GTStore ready: ${counts}, manager gtstore://${formatAddress(manager.address)}`;
}

function plural(count: number, noun: string): string {
  return `${count} ${noun}${count === 1 ? '' : 's'}`;
}
