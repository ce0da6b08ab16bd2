/** `gtstore node`: one more node, on this machine or any other, for a cluster that runs. */
import { join } from 'node:path';
import type { ArgumentsCamelCase, CommandModule } from 'yargs';
import type { NodeServer } from '../node/index.js';
import { prepareDataDirectory } from './data-directory.js';
import { expectEnoughFiles } from './enough-files.js';
import { exitSurely, reportFailure, UsageError } from './exit.js';
import { addressTowards, isAnyAddress, resolveHost } from './hosts.js';
import { createLogger } from './logger.js';
import { maxMemoryOption, memoryBytesMax } from './max-memory.js';
import {
  type Address,
  type LogLevel,
  checkHostBytes,
  defined,
  formatAddress,
  logLevelOption,
  managerOption,
  managerOrDefault,
  parseAddress,
  portNumber,
  label,
} from './options.js';
import { StopRequest } from './stop-request.js';

interface NodeOptions {
  manager: string;
  host: string | undefined;
  port: number;
  advertise: string | undefined;
  'data-dir': string | undefined;
  'host-label': string | undefined;
  'max-memory': string | undefined;
  'log-level': LogLevel;
}

export const nodeCommand: CommandModule<object, NodeOptions> = {
  command: 'node',
  describe: 'Let a further node join a cluster, until Ctrl-C',
  builder: (command) =>
    command
      .option('manager', managerOption)
      .option('host', {
        type: 'string',
        requiresArg: true,
        describe: 'Address of this machine to listen on',
        defaultDescription: 'the one that faces the manager',
      })
      .option('port', {
        type: 'number',
        requiresArg: true,
        default: 0,
        describe: 'Port to listen on, 0: a free one',
      })
      .option('advertise', {
        type: 'string',
        requiresArg: true,
        describe: 'host:port by which others reach this node, if not by the above',
      })
      .option('data-dir', {
        type: 'string',
        requiresArg: true,
        describe: 'Where this node keeps what it stores, if the cluster is one that does',
        defaultDescription: 'in memory only; a cluster that keeps its data on disks refuses that',
      })
      .option('host-label', {
        type: 'string',
        requiresArg: true,
        describe: 'Name of this host: copies of a key go to nodes of different labels where there are enough',
        defaultDescription: 'none: it stands alone',
      })
      .option('max-memory', { ...maxMemoryOption, defaultDescription: 'none' })
      .option('log-level', logLevelOption)
      .example('$0 node --manager 192.168.1.10:7400', 'on another machine of that network'),
  handler: runNode,
};

async function runNode(args: ArgumentsCamelCase<NodeOptions>): Promise<void> {
  const stop = new StopRequest();
  expectEnoughFiles();
  if (args.dataDir === '') throw new UsageError('--data-dir must name a directory');
  const manager = parseAddress('--manager', managerOrDefault(args.manager));
  const port = portNumber('--port', args.port);
  const advertise = args.advertise === undefined ? undefined : parseAddress('--advertise', args.advertise);
  checkHostBytes('the host of --advertise', advertise?.host);
  const hostLabel = label('--host-label', args.hostLabel);
  const bytesMax = memoryBytesMax(args.maxMemory);
  const host = await hostToListenOn(args.host, manager, advertise);
  if (args.dataDir !== undefined) await prepareDataDirectory(args.dataDir, 'node');
  const log = createLogger('node', args.logLevel);
  const { startNode } = await import('../node/index.js');
  let node: NodeServer | null = null;
  void stop.requested.then((reason) => node?.stop(reason) ?? exitSurely(0));
  node = await startNode({
    manager,
    host,
    port,
    log,
    ...(args.dataDir === undefined ? {} : { dataDir: join(args.dataDir, 'node') }),
    ...defined({
      advertise,
      hostLabel,
      memoryBytesMax: bytesMax === 0 ? undefined : bytesMax,
    }),
  });
  log.info(`listening on ${formatAddress(node.address)}, joining by ${formatAddress(manager)}`);
  log.info(`ended: ${await node.ended}`);
  if (node.fault !== null) reportFailure(new Error(`this node ${node.fault}`));
  exitSurely();
}

async function hostToListenOn(
  host: string | undefined,
  manager: Address,
  advertise: Address | undefined,
): Promise<string> {
  if (host === undefined) return addressTowards(manager);
  const address = await resolveHost('--host', host);
  if (isAnyAddress(address) && advertise === undefined) {
    throw new UsageError(
      `--host ${host} says not how others reach this node; give --advertise host:port, too`,
    );
  }
  return address;
}
