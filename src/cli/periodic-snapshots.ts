/**
 * `gtstore start --snapshot-every`: a snapshot now and then, each in a directory named by its time, the oldest ones removed
 * when a new one is whole. The directory is this cluster's alone. Nothing that goes wrong here ends the cluster.
 */
import { type ChildProcess, fork } from 'node:child_process';
import { constants, access, readdir, rm, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { setTimeout as pause } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import type { Argv } from 'yargs';
import { makeSyncedDirectory } from '../files/directories.js';
import type { Logger } from '../protocol/logger.js';
import { UsageError } from './exit.js';
import type { SnapshotOrder, SnapshotReport } from './forked-snapshot.js';
import { wholeNumber } from './options.js';
import { amount, systemText } from './transfer.js';

export interface SnapshotFlags {
  'snapshot-every': string | undefined;
  'snapshot-dir': string | undefined;
  'snapshot-keep': number;
}

export interface SnapshotPlan {
  readonly everyMs: number;
  /** Exists. */
  readonly directory: string;
  readonly keep: number;
}

const keepDefault = 7;
const keepMax = 10_000;
const everyMsMin = 1_000;
/** A timer cannot wait longer. */
const everyMsMax = 24 * 24 * 3_600_000;
const msPerUnit: Readonly<Record<string, number>> = { s: 1_000, m: 60_000, h: 3_600_000, d: 86_400_000 };
/** Whoever brings back a snapshot to a cluster that has lost its data has so long before one without it may take its place. */
const firstMsMin = 3_600_000;
/** How long one that is told to end may take to clean up. */
export const stopMsMax = 5_000;
/** And one that was killed to be gone. */
const killedMsMax = 1_000;

export function snapshotFlags<T>(command: Argv<T>): Argv<T & SnapshotFlags> {
  return command
    .option('snapshot-every', {
      type: 'string',
      requiresArg: true,
      describe: 'Save all keys that often: 30m, 1h, 1d; needs --snapshot-dir',
    })
    .option('snapshot-dir', {
      type: 'string',
      requiresArg: true,
      describe: 'Where these snapshots are put, each in a directory of its own',
    })
    .option('snapshot-keep', {
      type: 'number',
      requiresArg: true,
      default: keepDefault,
      describe: 'How many of them to keep',
    });
}

/** @returns undefined if no snapshots are wanted. @throws UsageError */
export async function snapshotPlan(
  every: string | undefined,
  directory: string | undefined,
  keep: number,
): Promise<SnapshotPlan | undefined> {
  if (every === undefined && directory === undefined) return undefined;
  if (every === undefined) throw new UsageError('--snapshot-dir needs --snapshot-every, such as 1h');
  if (directory === undefined) throw new UsageError('--snapshot-every needs --snapshot-dir, a directory');
  if (directory === '') throw new UsageError('--snapshot-dir must name a directory');
  const plan = {
    everyMs: everyMsOf(every),
    directory,
    keep: wholeNumber('--snapshot-keep', keep, 1, keepMax),
  };
  try {
    await makeSyncedDirectory(directory);
    await access(directory, constants.W_OK);
  } catch (error) {
    throw new UsageError(`--snapshot-dir ${directory} cannot be written: ${systemText(error)}`);
  }
  return plan;
}

function everyMsOf(text: string): number {
  const [, count = '', unit = ''] = /^(\d+)([smhd])$/.exec(text) ?? [];
  const ms = Number(count) * (msPerUnit[unit] ?? NaN);
  if (ms >= everyMsMin && ms <= everyMsMax) return ms;
  throw new UsageError(
    `--snapshot-every must be a time from 1s to 24d, such as 30m, 1h or 1d, not '${text}'`,
  );
}

export class PeriodicSnapshots {
  readonly #plan: SnapshotPlan;
  readonly #manager: string;
  readonly #log: Logger;
  #dueAtMs = 0;
  #timer: NodeJS.Timeout | undefined;
  #child: ChildProcess | undefined;
  #running: Promise<void> | undefined;
  #isStopped = false;

  /** @param manager - its address */
  constructor(plan: SnapshotPlan, manager: string, log: Logger) {
    this.#plan = plan;
    this.#manager = manager;
    this.#log = log;
    void this.#begin();
  }

  async #begin(): Promise<void> {
    const { directory, everyMs } = this.#plan;
    // What is wrong with it is told when a snapshot is taken.
    const names = await readdir(directory).catch(() => []);
    this.#dueAtMs = performance.now() + firstWaitMs(names, everyMs, Date.now());
    this.#schedule();
  }

  /** One that takes longer than the time between two leaves the next one out. */
  #schedule(): void {
    if (this.#isStopped) return;
    const { everyMs } = this.#plan;
    const lateMs = performance.now() - this.#dueAtMs;
    if (lateMs > 0) this.#dueAtMs += Math.ceil(lateMs / everyMs) * everyMs;
    const waitMs = this.#dueAtMs - performance.now();
    this.#timer = setTimeout(() => {
      this.#dueAtMs += everyMs;
      this.#running = this.#run().finally(() => {
        this.#running = undefined;
        this.#schedule();
      });
    }, waitMs);
  }

  /** One that is under way is given up. */
  async stop(): Promise<void> {
    this.#isStopped = true;
    clearTimeout(this.#timer);
    this.#child?.kill('SIGTERM');
    const timer = setTimeout(() => this.#child?.kill('SIGKILL'), stopMsMax);
    // Of a directory that hangs nothing comes back, and a process in it cannot be killed.
    await Promise.race([this.#running, pause(stopMsMax + killedMsMax, undefined, { ref: false })]);
    clearTimeout(timer);
  }

  /** Never throws: what goes wrong is logged. */
  async #run(): Promise<void> {
    const { directory, keep } = this.#plan;
    const name = nameAt(new Date());
    const to = join(directory, name);
    const log = this.#log;
    try {
      await makeSyncedDirectory(directory);
      await removeLeftovers(directory, log);
      const startedAtMs = performance.now();
      const { keys, bytes } = await this.#take({ manager: this.#manager, to });
      const seconds = ((performance.now() - startedAtMs) / 1000).toFixed(1);
      const removed = await removeOldest(directory, { keep, taken: name, log });
      const old = removed === 0 ? '' : `; old ones removed: ${removed}`;
      log.info(`snapshot ${to}: ${amount(keys, bytes)}, ${seconds} s${old}`);
    } catch (error) {
      if (this.#isStopped) this.#log.info('snapshot given up');
      else
        this.#log.error(`no snapshot in ${directory}: ${systemText(error)}; the next one is tried in time`);
    }
  }

  async #take(order: SnapshotOrder): Promise<SnapshotReport> {
    if (this.#isStopped) throw new Error('stopped');
    const child = fork(
      fileURLToPath(new URL('forked-snapshot.js', import.meta.url)),
      [JSON.stringify(order)],
      {
        // Ctrl-C in the terminal is for the command, who tells the child; stdout is the command's.
        detached: true,
        stdio: ['ignore', 'ignore', 'inherit', 'ipc'],
      },
    );
    this.#child = child;
    try {
      const { problem, ...report } = await reportOf(child);
      if (problem !== undefined) throw new Error(problem);
      return { problem, ...report };
    } finally {
      this.#child = undefined;
    }
  }
}

/** Fulfilled when the process has ended. */
function reportOf(child: ChildProcess): Promise<SnapshotReport> {
  return new Promise((resolve, reject) => {
    let report: SnapshotReport | undefined;
    child.on('message', (message) => {
      report = message as SnapshotReport;
    });
    child.once('error', reject);
    child.once('exit', (code, signal) => {
      if (report === undefined)
        reject(new Error(`its process ended with ${signal ?? `exit ${String(code)}`}`));
      else resolve(report);
    });
  });
}

/** Sorts by time, and can be a name of a directory anywhere. */
export function nameAt(time: Date): string {
  return time.toISOString().replaceAll(':', '-');
}

/**
 * Until the first one after a start. The time counts from the newest that is there: counted from the start there would never be
 * one where managers live for less.
 * @param names - what the directory holds
 */
export function firstWaitMs(names: readonly string[], everyMs: number, nowMs: number): number {
  const now = nameAt(new Date(nowMs));
  // What seems later is of a clock that ran ahead.
  const newest = names
    .filter((name) => snapshotName.test(name) && name <= now)
    .sort()
    .at(-1);
  const dueInMs = newest === undefined ? 0 : timeOf(newest) + everyMs - nowMs;
  return Math.max(dueInMs, Math.min(firstMsMin, everyMs));
}

function timeOf(name: string): number {
  return Date.parse(name.replace(/T(\d\d)-(\d\d)-/, 'T$1:$2:'));
}

const snapshotName = /^\d{4}-\d\d-\d\dT\d\d-\d\d-\d\d\.\d{3}Z$/;
const leftoverName = /^\d{4}-\d\d-\d\dT\d\d-\d\d-\d\d\.\d{3}Z\.unfinished-\w+$/;
const manifestName = 'manifest.json';

/** What processes left behind that were killed: none is at work here at present. What cannot be removed is told. */
export async function removeLeftovers(directory: string, log: Logger): Promise<void> {
  for (const name of await readdir(directory))
    await tried(`${join(directory, name)} cannot be removed`, log, async () => {
      const path = join(directory, name);
      // One is put in its place as a whole: without a manifest it was being removed.
      const isHalf = snapshotName.test(name) && !(await isThere(join(path, manifestName)));
      if (isHalf || leftoverName.test(name)) await rm(path, { recursive: true, force: true });
    });
}

export interface RemoveOptions {
  readonly keep: number;
  /** The name of the one that has just been taken. */
  readonly taken: string;
  readonly log: Logger;
}

/** What cannot be removed is told. @returns how many were removed; throws nothing: there is a new one in any case */
export async function removeOldest(directory: string, { keep, taken, log }: RemoveOptions): Promise<number> {
  let count = 0;
  await tried(`old snapshots in ${directory} cannot be removed`, log, async () => {
    for (const name of oldestFirst(await readdir(directory), taken).slice(0, -keep)) {
      const path = join(directory, name);
      const isRemoved = await tried(`${path} cannot be removed`, log, async () => {
        // First what makes it a snapshot.
        await rm(join(path, manifestName), { force: true });
        await rm(path, { recursive: true, force: true });
      });
      if (isRemoved) count++;
    }
  });
  return count;
}

/** What seems later than the one just taken is of a clock that ran ahead, and older than all that it has named since. */
function oldestFirst(names: readonly string[], taken: string): string[] {
  const others = names.filter((name) => snapshotName.test(name) && name !== taken).sort();
  return [...others.filter((name) => name > taken), ...others.filter((name) => name < taken), taken];
}

/** @returns false if it could not be done */
async function tried(failure: string, log: Logger, act: () => Promise<void>): Promise<boolean> {
  try {
    await act();
    return true;
  } catch (error) {
    log.warn(`${failure}: ${systemText(error)}`);
    return false;
  }
}

async function isThere(path: string): Promise<boolean> {
  try {
    await stat(path);
    return true;
  } catch (error) {
    if (error instanceof Error && 'code' in error && error.code === 'ENOENT') return false;
    throw error;
  }
}
