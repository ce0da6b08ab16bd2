/**
 * Runs the simulator on mutants: copies the compiled product and simulator into a temporary folder, changes one rule
 * there, and searches schedules in a child process until one fails.
 */
import { spawn } from 'node:child_process';
import { cpSync, mkdtempSync, readFileSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { diskMutants } from './disk-mutants.js';
import { mutants as ruleMutants } from './mutants.js';
import { expiryMutants } from './expiry-mutants.js';
import type { Edit, Mutant } from './mutant.js';
import { managerDiskMutants } from './manager-disk-mutants.js';
import { membershipMutants } from './membership-mutants.js';
import { plainMutants } from './plain-mutants.js';
import { turnMutants } from './turn-mutants.js';
import { taskMutants } from './task-mutants.js';
import { variants } from './variants.js';

const here = dirname(fileURLToPath(import.meta.url));
/** The folder with the compiled src/ and test/. */
const build = join(here, '..', '..');
const project = join(build, '..');

/** All that must be found. */
export const mutants: readonly Mutant[] = [
  ...ruleMutants,
  ...membershipMutants,
  ...diskMutants,
  ...taskMutants,
  ...plainMutants,
  ...turnMutants,
  ...expiryMutants,
  ...managerDiskMutants,
];

/** Schedules for a change that must go unnoticed. */
const variantSchedulesMax = 3000;

export interface MutantResult {
  readonly mutant: Mutant;
  /** Schedules until it was found; null: it was not. */
  readonly schedules: number | null;
  readonly violation: string;
  readonly seconds: number;
}

/** How often the text to be changed occurs in the compiled file. */
export function occurrences({ file, find }: Edit, folder = build): number {
  return readFileSync(join(folder, file), 'utf8').split(find).length - 1;
}

/** @throws Error if an edit of the mutant does not apply exactly once. */
export function mutate(mutant: Mutant, folder: string): void {
  for (const edit of mutant.edits) {
    const { file, find, replace } = edit;
    const path = join(folder, file);
    const source = readFileSync(path, 'utf8');
    const count = occurrences(edit, folder);
    if (count !== 1) throw new Error(`mutant '${mutant.name}': occurs ${count} times in ${file}: ${find}`);
    writeFileSync(
      path,
      source.replace(find, () => replace),
    );
  }
}

function makeFolder(mutant: Mutant): string {
  const folder = mkdtempSync(join(tmpdir(), 'gtstore-mutant-'));
  for (const part of [
    'src/protocol',
    'src/node/core',
    'src/node/storage',
    'src/manager/core',
    'src/client/core',
  ])
    cpSync(join(build, part), join(folder, part), { recursive: true });
  for (const part of ['test/sim', 'test/support'])
    cpSync(join(build, part), join(folder, part), { recursive: true });
  writeFileSync(join(folder, 'package.json'), '{"type":"module"}');
  symlinkSync(join(project, 'node_modules'), join(folder, 'node_modules'));
  mutate(mutant, folder);
  return folder;
}

/** Searches seeds from 1 on, or from where the mutant says. */
export async function hunt(mutant: Mutant, schedulesMax: number): Promise<MutantResult> {
  const folder = makeFolder(mutant);
  const startedAt = Date.now();
  try {
    const args = ['--hunt', '--schedules', String(schedulesMax), '--seed', String(mutant.firstSeed ?? 1)];
    args.push('--disks', mutant.disks === true ? 'always' : 'never', '--calm', 'never');
    args.push('--interval', mutant.interval === true ? 'always' : 'never');
    args.push('--elsewhere', mutant.elsewhere === true ? 'always' : 'never');
    args.push('--manager-disk', mutant.managerDisk === true ? 'always' : 'never');
    args.push('--turns', 'never');
    args.push('--expiry', mutant.expiry === true ? 'always' : 'never');
    if (mutant.bias !== undefined) args.push('--bias', mutant.bias);
    const output = await run([join(folder, 'test/sim/main.js'), ...args]);
    const found = JSON.parse(output) as { schedules: number; violation: string | null };
    const seconds = (Date.now() - startedAt) / 1000;
    const schedules = found.violation === null ? null : found.schedules;
    return { mutant, schedules, violation: found.violation ?? '', seconds };
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

function run(args: readonly string[]): Promise<string> {
  return new Promise((resolve, reject) => {
    const child = spawn(process.execPath, args, { stdio: ['ignore', 'pipe', 'inherit'] });
    let output = '';
    child.stdout.on('data', (chunk: Buffer) => (output += chunk.toString()));
    child.on('error', reject);
    child.on('close', (code) => {
      if (code === 0) resolve(output);
      else reject(new Error(`the simulator ended with ${code ?? 'a signal'}`));
    });
  });
}

/** `only`: words separated by commas, one of which is part of the name. */
function isWanted(name: string, only: string | undefined): boolean {
  return only === undefined || only.split(',').some((part) => name.includes(part));
}

/** All mutants, or those whose name contains a word of `only`, as a table. @returns whether every one was found. */
export async function runMutants(only: string | undefined, schedulesMax: number): Promise<boolean> {
  let isComplete = true;
  const wanted = mutants.filter(({ name }) => isWanted(name, only));
  console.log('| mutant | rule | bias | schedules | seconds | found as |');
  console.log('|---|---|---|---|---|---|');
  for (const mutant of wanted) {
    const { schedules, violation, seconds } = await hunt(mutant, schedulesMax);
    if (schedules === null) isComplete = false;
    const shown = violation.split('\n')[0]?.slice(0, 90).replaceAll('|', '/') ?? '';
    const found = schedules === null ? `NOT FOUND in ${schedulesMax}` : String(schedules);
    console.log(
      `| ${mutant.name} | ${mutant.rule} | ${mutant.bias ?? ''} | ${found} | ${seconds.toFixed(1)} | ${shown} |`,
    );
  }
  for (const variant of variants.filter(({ name }) => isWanted(name, only))) {
    const { schedules, violation, seconds } = await hunt(variant, variantSchedulesMax);
    if (schedules !== null) isComplete = false;
    const found = schedules === null ? `nothing in ${variantSchedulesMax}, as it must be` : String(schedules);
    console.log(
      `| (harmless) ${variant.name} | ${variant.rule} | ${variant.bias ?? ''} | ${found} | ${seconds.toFixed(1)} | ${violation} |`,
    );
  }
  return isComplete;
}
