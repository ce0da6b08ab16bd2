/** The results as one page: a table of each section with its ranges drawn, and its plots. */
import type { Row } from './benchmark.js';
import { draw, escaped } from './plot.js';
import { cellsOf, describe } from './report.js';
import type { Results } from './report.js';
import { largest, median } from './stats.js';

const barWidth = 240;
const barHeight = 14;

export function formatHtml(all: readonly Results[]): string {
  const parts = all.flatMap(formatResults);
  return `<!doctype html>
<html lang="en">
<meta charset="utf-8">
<title>GTStore benchmarks</title>
<style>
body { font: 15px/1.5 system-ui, sans-serif; max-width: 60rem; margin: 2rem auto; padding: 0 1rem; color: #222; background: #fff }
table { border-collapse: collapse; margin: .5rem 0 }
td { padding: .15rem .7rem; border-bottom: 1px solid #eee }
td:nth-child(2), td:nth-child(3) { text-align: right; font-variant-numeric: tabular-nums }
.met { color: #2a7d46 } .missed { color: #b3261e; font-weight: 600 } .note { color: #666; margin: .2rem 0 }
</style>
<h1>GTStore benchmarks</h1>
<p>Medians; the dark stripe in a bar is the range of the runs.</p>
${parts.join('\n')}
</html>
`;
}

function formatResults({ circumstances, sections }: Results): string[] {
  const where = `<p class="note">${escaped(describe(circumstances))}</p>`;
  return sections.map(({ title, rows, notes, figures = [] }) => {
    const tables = unitsOf(rows).map((unit) => table(rows.filter((row) => row.unit === unit)));
    const told = notes.map((note) => `<p class="note">${escaped(note)}</p>`);
    const plots = figures.map(({ chart }) => draw(chart));
    return [`<h2>${escaped(title)}</h2>`, ...tables, ...told, where, ...plots].join('\n');
  });
}

/** Bars of one table share a scale, so a table holds rows of one unit. */
function unitsOf(rows: readonly Row[]): string[] {
  return [...new Set(rows.map(({ unit }) => unit))];
}

function table(rows: readonly Row[]): string {
  const most = largest(rows.flatMap(({ runs }) => runs.filter(Number.isFinite)));
  const lines = rows.map((row) => {
    const cells = cellsOf(row);
    const met = row.target === undefined ? '' : row.target.isMet ? 'met' : 'missed';
    return (
      `<tr><td>${escaped(cells.name)}</td><td>${escaped(cells.median)}</td><td>${escaped(cells.range)}</td>` +
      `<td>${bar(row, most)}</td><td class="${met}">${escaped(cells.target)}</td></tr>`
    );
  });
  return `<table>\n${lines.join('\n')}\n</table>`;
}

function bar({ runs }: Row, most: number): string {
  if (!(most > 0) || runs.length === 0) return '';
  const x = (value: number): number => Math.round((barWidth * value) / most);
  const least = -largest(runs.map((value) => -value));
  const range = largest(runs) - least;
  return (
    `<svg width="${barWidth}" height="${barHeight}"><rect width="${x(median(runs))}" height="${barHeight}" fill="#9dbce3"/>` +
    `<rect x="${x(least)}" y="5" width="${Math.max(1, x(range))}" height="4" fill="#33568a"/></svg>`
  );
}
