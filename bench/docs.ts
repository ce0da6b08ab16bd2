/**
 * npm run bench:docs: writes the tables in docs/BENCHMARKS.md anew from the results in bench/results/. All that
 * stands outside the two marks is left as it is.
 */
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { benchmarks } from './benchmarks.js';
import { checkout } from './checkout.js';
import { cellsOf, describe, formatMarkdown, load } from './report.js';
import type { Results, ResultsByName } from './report.js';

const beginMark = '<!-- begin of what npm run bench:docs writes -->';
const endMark = '<!-- end of what npm run bench:docs writes -->';

/** What stands between the marks. */
export function formatTables(results: ResultsByName, figuresFolder: string): string {
  const known = benchmarks.flatMap(({ name }) => {
    const found = results.get(name);
    return found === undefined ? [] : [{ name, found }];
  });
  const parts = known.map(({ name, found }) => formatBenchmark(name, found, figuresFolder));
  return [formatTargets(known.map(({ found }) => found)), ...parts].join('\n\n');
}

function formatBenchmark(name: string, { circumstances, sections }: Results, figuresFolder: string): string {
  const tables = sections.flatMap((section) => [
    formatMarkdown(section),
    ...(section.figures ?? []).map(
      ({ name: file, chart }) => `![${chart.title}](${figuresFolder}/${file}.svg)`,
    ),
  ]);
  return [
    `## ${name}`,
    `\`npm run bench -- ${name}\``,
    ...tables,
    `Measured on ${describe(circumstances)}.`,
  ].join('\n\n');
}

/** Met and missed, in one table. */
function formatTargets(all: readonly Results[]): string {
  const rows = all.flatMap(({ sections }) =>
    sections.flatMap((section) =>
      section.rows
        .filter(({ target }) => target !== undefined)
        .map((row) => ({ title: section.title, cells: cellsOf(row), isMet: row.target?.isMet === true })),
    ),
  );
  const met = rows.filter(({ isMet }) => isMet).length;
  return [
    '## Targets',
    '',
    `${met} of ${rows.length} are met.`,
    '',
    '| benchmark | measurement | median | target |',
    '| --- | --- | ---: | --- |',
    ...rows.map(({ title, cells }) => `| ${title} | ${cells.name} | ${cells.median} | ${cells.target} |`),
  ].join('\n');
}

/** @throws Error if the marks are not there */
export function replaceTables(page: string, tables: string): string {
  const begin = page.indexOf(beginMark);
  const end = page.indexOf(endMark);
  if (begin < 0 || end < begin) throw new Error(`there is no '${beginMark}' before a '${endMark}'`);
  return `${page.slice(0, begin + beginMark.length)}\n\n${tables}\n\n${page.slice(end)}`;
}

/** @returns the path of the page */
export function writeDocs(): string {
  const root = checkout();
  const path = join(root, 'docs', 'BENCHMARKS.md');
  const tables = formatTables(load(join(root, 'bench', 'results')), 'figures');
  writeFileSync(path, replaceTables(readFileSync(path, 'utf8'), tables));
  return path;
}
