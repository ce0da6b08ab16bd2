/** The command line of `gtstore bench`, and the plan that it means. */
import type { ArgumentsCamelCase, Argv } from 'yargs';
// Not the room's index: the other commands need neither the client nor the report.
import { type Distribution, distributionNames } from '../load/choosers.js';
import type { LoadPlan } from '../load/plan.js';
import { type Workload, getPutWorkload, runLengthMax, workloadNamed } from '../load/workloads.js';
import { UsageError } from './exit.js';
import { jsonOption, managerOption, managerOrDefault, wholeNumber } from './options.js';

export interface BenchOptions {
  manager: string;
  workload: string | undefined;
  'get-ratio': number | undefined;
  distribution: Distribution | undefined;
  keys: number;
  'key-bytes': number;
  'value-bytes': number;
  clients: number;
  processes: number;
  'in-flight': number;
  seconds: number;
  'warm-up': number;
  rate: number | undefined;
  'read-from': 'primary' | 'any';
  seed: number;
  prefix: string;
  keep: boolean;
  json: boolean;
  report: string | undefined;
}

const keysMax = 10_000_000;
const bytesMax = 64 * 1024 * 1024;
const clientsMax = 1_000;
const processesMax = 256;
/** As many as a client may have under way. */
const inFlightMax = 16_384;
/** Of all clients together; each is a promise or two, and a place in a queue. */
const inFlightMaxTogether = 1_000_000;
/** Values of all operations under way: they may all be in memory, several times. */
const underWayBytesMax = 4 * 1024 ** 3;
const secondsMin = 0.1;
const secondsMax = 24 * 3600;
const rateMax = 10_000_000;
const getRatioDefault = 0.5;

const number = { type: 'number', requiresArg: true } as const;
const text = { type: 'string', requiresArg: true } as const;

export function benchOptions(command: Argv): Argv<BenchOptions> {
  return command
    .option('manager', managerOption)
    .option('workload', {
      ...text,
      describe: 'YCSB core workload, ycsb-a to ycsb-f or a to f, instead of gets and puts',
    })
    .option('get-ratio', {
      ...number,
      describe: 'Share of gets, 0 to 1; the rest are puts',
      defaultDescription: String(getRatioDefault),
    })
    .option('distribution', {
      choices: distributionNames,
      requiresArg: true,
      describe: 'How keys are chosen; hotcold: 90 % of the requests go to 10 % of the keys',
      defaultDescription: "uniform, or the workload's own",
    })
    .option('keys', { ...number, default: 10_000, describe: 'How many keys are stored before' })
    .option('key-bytes', { ...number, default: 20, describe: 'Length of a key, its prefix included' })
    .option('value-bytes', { ...number, default: 100, describe: 'Length of a value, a text' })
    .option('clients', { ...number, default: 1, describe: 'Clients, each with its own connections' })
    .option('processes', { ...number, default: 1, describe: 'Processes that the clients are spread over' })
    .option('in-flight', { ...number, default: 64, describe: 'Operations that each client keeps under way' })
    .option('seconds', { ...number, default: 10, describe: 'How long to measure' })
    .option('warm-up', { ...number, default: 2, describe: 'How many seconds to run before' })
    .option('rate', {
      ...number,
      describe:
        'Operations per second to begin, however long they take; latency counts from when each was due',
      defaultDescription: 'none: each begins when one has ended',
    })
    .option('read-from', {
      choices: ['primary', 'any'] as const,
      requiresArg: true,
      default: 'primary' as const,
      describe: 'Which replicas answer gets',
    })
    .option('seed', { ...number, default: 1, describe: 'Same seed, same sequence of operations' })
    .option('prefix', { ...text, default: 'bench:', describe: 'With what the keys begin' })
    .option('keep', {
      type: 'boolean',
      default: false,
      describe: 'Leave the keys in the store at the end',
    })
    .option('json', jsonOption)
    .option('report', { ...text, describe: 'Write a page with plots to this file' })
    .example('$0 bench', 'gets and puts half and half for ten seconds')
    .example('$0 bench --workload ycsb-b --clients 4 --processes 2', 'mostly reads, from two processes')
    .example('$0 bench --rate 5000 --report out.html', 'at a fixed rate, with plots')
    .epilogue(
      'YCSB: A 50 % get, 50 % put; B 95/5; C gets only; D 95 % get of the latest (of those that the same process ' +
        'has inserted), 5 % insert; E 95 % scan, 5 % insert; F 50 % get, 50 % update (read-modify-write). The store ' +
        `has no ordered range scan: a scan of E is done as getMany of 1 to ${runLengthMax} consecutive keys. ` +
        'Clients run in processes of their own on this machine; Ctrl-C ends the run and shows what was measured.',
    );
}

/** @throws UsageError, one line */
export function planOf(args: ArgumentsCamelCase<BenchOptions>): LoadPlan {
  const clients = wholeNumber('--clients', args.clients, 1, clientsMax);
  const processes = wholeNumber('--processes', args.processes, 1, processesMax);
  if (processes > clients) {
    throw new UsageError(
      `--processes ${processes}: there are only ${clients} clients to spread; give --clients ${processes} or more`,
    );
  }
  const workload = workloadOf(args);
  const inFlight = wholeNumber('--in-flight', args.inFlight, 1, inFlightMax);
  if (workload.mix.getMany !== undefined && inFlight * runLengthMax > inFlightMax) {
    throw new UsageError(
      `--in-flight ${inFlight}: each scan of ${workload.name} is up to ${runLengthMax} gets at once; give ${Math.floor(inFlightMax / runLengthMax)} or less`,
    );
  }
  const valueBytes = wholeNumber('--value-bytes', args.valueBytes, 0, bytesMax);
  expectRoom(clients, inFlight, workload, valueBytes);
  if (args.prefix === '') throw new UsageError('--prefix must not be empty: the keys are deleted at the end');
  return {
    manager: managerOrDefault(args.manager),
    workload,
    keys: wholeNumber('--keys', args.keys, 1, keysMax),
    keyBytes: wholeNumber('--key-bytes', args.keyBytes, 1, bytesMax),
    valueBytes,
    prefix: args.prefix,
    clients,
    processes,
    inFlight,
    seconds: numberWithin('--seconds', args.seconds, secondsMin, secondsMax),
    warmUpSeconds: numberWithin('--warm-up', args.warmUp, 0, secondsMax),
    readFrom: args.readFrom,
    seed: wholeNumber('--seed', args.seed, 0, 2 ** 32 - 1),
    ratePerSecond: args.rate === undefined ? null : numberWithin('--rate', args.rate, 0.1, rateMax),
    keep: args.keep,
  };
}

/** @throws UsageError if no machine could hold all that would be under way */
function expectRoom(clients: number, inFlight: number, { mix }: Workload, valueBytes: number): void {
  const together = clients * inFlight;
  if (together > inFlightMaxTogether) {
    throw new UsageError(
      `--clients ${clients} with --in-flight ${inFlight} each are ${together} operations under way; give at most ${inFlightMaxTogether} together`,
    );
  }
  const values = together * (mix.getMany === undefined ? 1 : runLengthMax);
  if (values * valueBytes > underWayBytesMax) {
    const gibibytes = Math.ceil((values * valueBytes) / 1024 ** 3);
    throw new UsageError(
      `--value-bytes ${valueBytes}: with ${values} values under way (--clients, --in-flight) that is ${gibibytes} GiB at once; give less, ${underWayBytesMax / 1024 ** 3} GiB at most`,
    );
  }
}

function workloadOf(args: ArgumentsCamelCase<BenchOptions>): Workload {
  const { workload: name, getRatio, distribution } = args;
  if (name === undefined) {
    const ratio = numberWithin('--get-ratio', getRatio ?? getRatioDefault, 0, 1);
    return getPutWorkload(ratio, distribution ?? 'uniform');
  }
  const workload = workloadNamed(name);
  if (workload === undefined) {
    throw new UsageError(`--workload must be one of ycsb-a to ycsb-f, or a to f, not '${name}'`);
  }
  if (getRatio !== undefined) {
    throw new UsageError(`--get-ratio: ${workload.name} has its own mix; leave one of the two out`);
  }
  return distribution === undefined ? workload : { ...workload, distribution };
}

/** @throws UsageError */
function numberWithin(name: string, value: number, min: number, max: number): number {
  if (value >= min && value <= max) return value;
  const wrong = Number.isNaN(value) ? 'that is no number' : `not ${value}`;
  throw new UsageError(`${name} must be from ${min} to ${max}, ${wrong}`);
}
