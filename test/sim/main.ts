/**
 * The simulator from the command line.
 *
 *     npm run sim                                       1,000 schedules, two workers
 *     npm run sim -- --help                             what there is besides
 *     npm run sim -- --seed 4711 --schedules 1 --trace  one schedule, every message of it
 *
 * One seed is one schedule, the same on every machine and in every run. A campaign prints what it covered, warns of
 * situations that no schedule reached, and exits with 1 when a schedule found something wrong; it then says which
 * seed, what, and how to see it.
 */
import { fork } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { situations } from './coverage.js';
import type { Situation } from './coverage.js';
import type { FrameMode } from './frames.js';
import { kindNames, readOptions } from './options.js';
import type { Bias } from './plan.js';
import { runSchedule, usualKind } from './schedule.js';
import type { Kind } from './schedule.js';

const options = readOptions(process.argv.slice(2));

/** What a worker tells: so far, since it began. */
interface Report {
  readonly schedules: number;
  readonly operations: number;
  readonly messages: number;
  readonly virtualMs: number;
  readonly counts: Partial<Record<Situation, number>>;
  readonly failures: readonly { seed: number; violation: string }[];
}

const { seed, schedules, bias } = options;
const workers = Math.max(1, Math.min(options.workers, schedules));
const kinds = [
  'disks',
  'interval',
  'elsewhere',
  'calm',
  'expiry',
  'managerDisk',
  'turns',
] as const satisfies readonly (keyof Kind)[];

/** What that schedule is like, as far as the seed alone does not say. */
function kindOf(scheduleSeed: number): Kind & { bias: Bias | undefined; frames: FrameMode } {
  const usual = usualKind(scheduleSeed);
  const isWanted = (kind: keyof Kind): boolean => {
    const word = options[kindNames[kind]];
    return word === undefined ? usual[kind] : word === 'always';
  };
  return {
    bias,
    disks: isWanted('disks'),
    interval: isWanted('interval'),
    elsewhere: isWanted('elsewhere'),
    calm: isWanted('calm'),
    expiry: isWanted('expiry'),
    managerDisk: isWanted('managerDisk'),
    turns: isWanted('turns'),
    frames: options.frames ?? 'mixed',
  };
}

/** The options that make it so again. */
function kindArguments(scheduleSeed: number): string[] {
  const is = kindOf(scheduleSeed);
  const leaned = bias === undefined ? [] : ['--bias', bias];
  const offered = options.frames === undefined ? [] : ['--frames', options.frames];
  const kind = kinds.flatMap((each) => [`--${kindNames[each]}`, is[each] ? 'always' : 'never']);
  return [...leaned, ...kind, ...offered];
}

/** Most mutants need a few hundred. */
const mutantSchedulesMax = 60_000;

if (options.hunt) {
  hunt();
} else if (options.mutants) {
  const { runMutants } = await import('./mutation-run.js');
  process.exitCode = (await runMutants(options.only, mutantSchedulesMax)) ? 0 : 1;
} else if (options.worker) {
  work();
} else if (options.trace) {
  const result = runSchedule(seed, {
    ...kindOf(seed),
    trace: (line) => process.stdout.write(`${line}\n`),
  });
  console.log(result.violation ?? 'nothing is wrong');
  process.exitCode = result.violation === null ? 0 : 1;
} else {
  await campaign();
}

/** Seeds from `--seed` on, a report now and then and at the end. */
function work(): void {
  const counts: Partial<Record<Situation, number>> = {};
  const failures: { seed: number; violation: string }[] = [];
  let [operations, messages, virtualMs, count] = [0, 0, 0, 0];
  let reportedAt = Date.now();
  const report = (): void => {
    const full: Report = { schedules: count, operations, messages, virtualMs, counts, failures };
    process.send?.(full);
    reportedAt = Date.now();
  };
  for (let i = 0; i < schedules; i++) {
    const result = runSchedule(seed + i, kindOf(seed + i));
    count++;
    operations += result.operations;
    messages += result.messages;
    virtualMs += result.virtualMs;
    for (const situation of result.seen) counts[situation] = (counts[situation] ?? 0) + 1;
    if (result.violation !== null) {
      failures.push({ seed: result.seed, violation: result.violation });
      if (!options.all) break;
    }
    if (Date.now() - reportedAt > 2000) report();
  }
  report();
  process.disconnect();
}

/** Until the first violation. */
function hunt(): void {
  let violation: string | null = null;
  let count = 0;
  while (violation === null && count < schedules) {
    const next = seed + count++;
    violation = runSchedule(next, kindOf(next)).violation;
  }
  process.stdout.write(JSON.stringify({ schedules: count, violation }));
}

async function campaign(): Promise<void> {
  const startedAt = Date.now();
  const reports = new Map<number, Report>();
  const share = Math.ceil(schedules / workers);
  const runs = Array.from({ length: workers }, (_, i) => {
    const count = Math.min(share, schedules - i * share);
    if (count <= 0) return Promise.resolve();
    const args = ['--worker', '--seed', String(seed + i * share), '--schedules', String(count)];
    if (bias !== undefined) args.push('--bias', bias);
    for (const name of Object.values(kindNames)) {
      const word = options[name];
      if (word !== undefined) args.push(`--${name}`, word);
    }
    if (options.frames !== undefined) args.push('--frames', options.frames);
    if (options.all) args.push('--all');
    const child = fork(fileURLToPath(import.meta.url), args);
    child.on('message', (report: Report) => {
      reports.set(i, report);
      if (options.verbose) progress(reports, startedAt);
    });
    return new Promise<void>((resolve, reject) => {
      child.on('error', reject);
      child.on('exit', (code) => {
        if (code === 0) resolve();
        else reject(new Error(`worker ${i} ended with ${code ?? 'a signal'}`));
      });
    });
  });
  await Promise.all(runs);
  summary([...reports.values()], (Date.now() - startedAt) / 1000);
}

function progress(reports: ReadonlyMap<number, Report>, startedAt: number): void {
  const done = [...reports.values()].reduce((sum, report) => sum + report.schedules, 0);
  const failed = [...reports.values()].reduce((sum, report) => sum + report.failures.length, 0);
  const seconds = (Date.now() - startedAt) / 1000;
  console.log(`${done} of ${schedules}, ${Math.round(done / seconds)} schedules/s, ${failed} violations`);
}

function summary(reports: readonly Report[], seconds: number): void {
  const sum = (of: (report: Report) => number): number =>
    reports.reduce((total, each) => total + of(each), 0);
  const count = sum((r) => r.schedules);
  const failures = reports.flatMap((r) => r.failures);
  console.log(
    `${count} schedules in ${seconds.toFixed(1)} s (${Math.round(count / seconds)}/s), seeds from ${seed}; ` +
      `${sum((r) => r.operations)} operations, ${sum((r) => r.messages)} messages, ` +
      `${Math.round(sum((r) => r.virtualMs) / 1000)} virtual seconds; ${failures.length} violations`,
  );
  const missing: string[] = [];
  const covered = situations.map((situation) => {
    const times = sum((r) => r.counts[situation] ?? 0);
    if (times === 0) missing.push(situation);
    return `${situation} ${times}`;
  });
  console.log(`seen in so many schedules: ${covered.join(', ')}`);
  if (missing.length > 0 && count >= 1000) console.log(`WARNING: never seen: ${missing.join(', ')}`);
  for (const failure of failures) {
    console.log(`\nseed ${failure.seed}: ${failure.violation}`);
    console.log(
      `  again, with every message: npm run sim -- --seed ${failure.seed} --schedules 1 --trace ${kindArguments(failure.seed).join(' ')}`,
    );
  }
  if (failures.length > 0) process.exitCode = 1;
}
