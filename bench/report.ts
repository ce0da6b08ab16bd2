/** Tables for people, markdown for the documentation, JSON for later comparison. */
import { execFileSync } from 'node:child_process';
import { existsSync, mkdirSync, readFileSync, readdirSync, writeFileSync } from 'node:fs';
import { availableParallelism, cpus, loadavg, release, totalmem, type } from 'node:os';
import { join } from 'node:path';
import type { Row, Section } from './benchmark.js';
import { largest, median } from './stats.js';

/** Where and when, without which a figure says little. */
export interface Circumstances {
  readonly date: string;
  readonly commit: string;
  readonly node: string;
  readonly system: string;
  readonly cpu: string;
  readonly cores: number;
  readonly memoryGiB: number;
  /** Processes that wanted to run, on average over the minute before the first benchmark. */
  readonly loadBefore: number;
  /** How often each measurement was to be made; undefined: as often as each benchmark finds fit, or not kept then. */
  readonly runs?: number | undefined;
  /** Length of a throughput run; older files lack it. */
  readonly seconds?: number | undefined;
}

export function circumstances(asked: Pick<Circumstances, 'runs' | 'seconds'>): Circumstances {
  return {
    ...asked,
    date: new Date().toISOString(),
    commit: commitOf(),
    node: process.version,
    system: `${type()} ${release()}`,
    cpu: cpus()[0]?.model ?? 'unknown',
    cores: availableParallelism(),
    memoryGiB: Math.round(totalmem() / 2 ** 30),
    loadBefore: loadavg()[0] ?? 0,
  };
}

/** With a plus if the checkout has changes. */
function commitOf(): string {
  const git = (...args: string[]): string =>
    execFileSync('git', args, { encoding: 'utf8', stdio: ['ignore', 'pipe', 'ignore'] }).trim();
  try {
    const isClean = git('status', '--porcelain', '--untracked-files=no') === '';
    return git('rev-parse', '--short', 'HEAD') + (isClean ? '' : '+');
  } catch {
    return 'unknown';
  }
}

/** Above this share of the cores before the start, somebody else is at work. */
const busyRatio = 0.3;

export function describe(where: Circumstances): string {
  const { cpu, cores, memoryGiB, node, system, date, commit, loadBefore, runs, seconds } = where;
  const busy = loadBefore > busyRatio * cores ? '; the machine was busy with other things' : '';
  return (
    `${cores} cores of ${cpu}, ${memoryGiB} GiB, ${system}, Node ${node}, ${date.slice(0, 10)}, ` +
    `commit ${commit}, load before ${loadBefore.toFixed(2)}${lengthOf(runs, seconds)}${busy}`
  );
}

function lengthOf(runs: number | undefined, seconds: number | undefined): string {
  if (seconds === undefined) return '';
  return `, ${runs === undefined ? 'runs' : `${runs} ${runs === 1 ? 'run' : 'runs'}`} of ${seconds} s`;
}

export interface Cells {
  readonly name: string;
  readonly median: string;
  readonly range: string;
  readonly target: string;
}

export function cellsOf({ name, unit, runs, target }: Row): Cells {
  const least = -largest(runs.map((value) => -value));
  const suffix = unit === '' ? '' : ` ${unit}`;
  return {
    name,
    median: `${format(median(runs))}${suffix}`,
    range: runs.length > 1 ? `${format(least)} .. ${format(largest(runs))}` : '',
    target: target === undefined ? '' : `${target.text} ${target.isMet ? 'met' : 'MISSED'}`,
  };
}

/** Three digits that count, at least. */
function format(value: number): string {
  if (!Number.isFinite(value)) return '-';
  const size = Math.abs(value);
  const digits = Number.isInteger(value) || size >= 100 ? 0 : size >= 10 ? 1 : size >= 1 ? 2 : 3;
  return value.toLocaleString('en', { minimumFractionDigits: digits, maximumFractionDigits: digits });
}

export function formatTable({ title, rows, notes }: Section): string {
  const head: Cells = { name: '', median: 'median', range: 'min .. max', target: 'target' };
  const all = [head, ...rows.map(cellsOf)];
  const width = (cell: keyof Cells): number => Math.max(...all.map((cells) => cells[cell].length));
  const lines = all.map((cells) =>
    [
      cells.name.padEnd(width('name')),
      cells.median.padStart(width('median')),
      cells.range.padStart(width('range')),
      cells.target,
    ]
      .join('  ')
      .trimEnd(),
  );
  return [title, ...lines, ...notes.map((note) => `(${note})`), ''].join('\n');
}

/** A table of one section, for documentation. */
export function formatMarkdown({ title, rows, notes }: Section): string {
  const lines = rows.map((row) => {
    const { name, median: middle, range, target } = cellsOf(row);
    return `| ${name} | ${middle} | ${range} | ${target} |`;
  });
  const head = ['| measurement | median | min .. max | target |', '| --- | ---: | ---: | --- |'];
  const told = notes.map((note) => `- ${note}`);
  const table = rows.length === 0 ? [] : ['', ...head, ...lines];
  return [`### ${title}`, ...table, ...(told.length === 0 ? [] : ['', ...told])].join('\n');
}

export interface Results {
  readonly circumstances: Circumstances;
  readonly sections: readonly (Omit<Section, 'rows'> & {
    readonly rows: readonly (Row & { readonly median: number })[];
  })[];
}

export function resultsOf(sections: readonly Section[], where: Circumstances): Results {
  return {
    circumstances: where,
    sections: sections.map((section) => ({
      ...section,
      rows: section.rows.map((row) => ({ ...row, median: median(row.runs) })),
    })),
  };
}

/** Name of a benchmark to what it gave. */
export type ResultsByName = ReadonlyMap<string, Results>;

/** One file for each benchmark, so that each can be measured again alone. @returns their paths */
export function save(results: ResultsByName, folder: string): string[] {
  mkdirSync(folder, { recursive: true });
  return [...results].map(([name, each]) => {
    const path = join(folder, `${name}.json`);
    writeFileSync(path, `${JSON.stringify(each, undefined, 2)}\n`);
    return path;
  });
}

/** What `save` has written there. */
export function load(folder: string): ResultsByName {
  const files = existsSync(folder) ? readdirSync(folder).sort() : [];
  return new Map(
    files
      .filter((file) => file.endsWith('.json'))
      .map((file) => [
        file.slice(0, -'.json'.length),
        JSON.parse(readFileSync(join(folder, file), 'utf8')) as Results,
      ]),
  );
}
