/** `gtstore start`: a manager and its nodes in the foreground, until Ctrl-C. */
import { resolve } from 'node:path';
import { fileURLToPath } from 'node:url';
import type { ArgumentsCamelCase, CommandModule } from 'yargs';
import type { ManagerOptions, ManagerServer } from '../manager/index.js';
import { replicasMax } from '../protocol/settings.js';
import { prepareDataDirectory } from './data-directory.js';
import { expectEnoughFiles } from './enough-files.js';
import { UsageError, exitSurely, reportFailure } from './exit.js';
import type { NodeExtras } from './forked-node.js';
import { isAnyAddress, resolveHost } from './hosts.js';
import { createLogger } from './logger.js';
import { memoryBytesMax } from './max-memory.js';
import { formatAddress, defined, portNumber, label, wholeNumberIfGiven } from './options.js';
import { PeriodicSnapshots, snapshotPlan } from './periodic-snapshots.js';
import {
  keyBytesMaxMax,
  leaseMsMax,
  leaseMsMin,
  nodesMax,
  type StartOptions,
  startOptions,
  valueBytesMaxMax,
} from './start-options.js';
import { StopRequest } from './stop-request.js';
import { SupervisorLink } from './supervisor-link.js';

type StartArguments = ArgumentsCamelCase<StartOptions>;

export const startCommand: CommandModule<object, StartOptions> = {
  command: 'start',
  describe: 'Launch a manager and its nodes, until Ctrl-C',
  builder: startOptions,
  handler: start,
};

async function start(args: StartArguments): Promise<void> {
  const stop = new StopRequest();
  expectEnoughFiles();
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
  // Side by side: a directory of snapshots that hangs is no reason for the nodes to go on.
  await Promise.all([snapshots?.stop(), manager.stop()]);
  exitSurely();
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
