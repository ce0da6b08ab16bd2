/** What the benchmarks write: plots, the page, the tables in the documentation. */
import { expect } from 'chai';
import { mkdtempSync, readdirSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { rowAtLeast, rowAtMost } from '../../bench/benchmark.js';
import type { Section } from '../../bench/benchmark.js';
import { benchmarks } from '../../bench/benchmarks.js';
import { formatTables, replaceTables } from '../../bench/docs.js';
import { formatHtml } from '../../bench/html-report.js';
import { draw, scale } from '../../bench/plot.js';
import {
  circumstances,
  describe as describeWhere,
  formatTable,
  load,
  resultsOf,
  save,
} from '../../bench/report.js';
import type { Circumstances } from '../../bench/report.js';

const where: Circumstances = {
  date: '2026-01-02T03:04:05Z',
  commit: 'abc',
  node: 'v20',
  system: 'Linux',
  cpu: 'one',
  cores: 2,
  memoryGiB: 4,
  loadBefore: 0,
};
const chart = {
  kind: 'bars',
  title: 'a < b',
  xLabel: 'x',
  yLabel: 'y',
  categories: ['one', 'two'],
  series: [{ name: 'ours', values: [5, NaN] }],
} as const;
const section: Section = {
  title: 'Speed <fast>',
  rows: [
    rowAtLeast('many', 'op/s', [3, 1, 2], 2),
    rowAtMost('late', 'ms', [7], 5),
    rowAtLeast('other', '', [1]),
  ],
  notes: ['a note'],
  figures: [{ name: 'speed', chart }],
};
const results = resultsOf([section], where);

describe('benchmark report', () => {
  it('a target is met by the median', () => {
    const [many, late] = section.rows;
    expect(many?.target).to.deep.equal({ text: '>= 2', isMet: true });
    expect(late?.target).to.deep.equal({ text: '<= 5', isMet: false });
    expect(rowAtLeast('none', '', [NaN], 1).target?.isMet).to.equal(false);
    expect(formatTable(section)).to.include('MISSED').and.include('1 .. 3');
  });

  it('a line says where, when, and how many runs of what length, if that was kept', () => {
    const before = '2 cores of one, 4 GiB, Linux, Node v20, 2026-01-02, commit abc, load before 0.00';
    expect(describeWhere(where), 'of an older file').to.equal(before);
    expect(describeWhere({ ...where, seconds: 2 })).to.equal(`${before}, runs of 2 s`);
    const busy = describeWhere({ ...where, runs: 1, seconds: 0.5, loadBefore: 3 });
    expect(busy).to.match(/load before 3\.00, 1 run of 0\.5 s; the machine was busy with other things$/);
    const kept = JSON.parse(JSON.stringify(circumstances({ runs: 7, seconds: 2 }))) as Circumstances;
    expect(describeWhere(kept)).to.include(', 7 runs of 2 s');
  });

  it('every benchmark has a name of its own', () => {
    const names = benchmarks.map(({ name }) => name);
    expect(new Set(names).size).to.equal(names.length);
  });

  it('results are kept one file a benchmark, and read back', () => {
    const folder = mkdtempSync(join(tmpdir(), 'gtstore-report-'));
    try {
      save(new Map([['floor', results]]), folder);
      save(new Map([['skew', results]]), folder);
      expect(readdirSync(folder).sort()).to.deep.equal(['floor.json', 'skew.json']);
      // JSON knows no NaN.
      expect([...load(folder).keys()]).to.deep.equal(['floor', 'skew']);
      expect(load(folder).get('floor')?.sections[0]?.rows).to.deep.equal(results.sections[0]?.rows);
      expect(load(join(folder, 'none')).size).to.equal(0);
    } finally {
      rmSync(folder, { recursive: true });
    }
  });

  it('tables for the documentation: all targets first, then each benchmark that was measured', () => {
    const text = formatTables(
      new Map([
        ['floor', results],
        ['gone', results],
      ]),
      'figures',
    );
    expect(text).to.include('1 of 2 are met.');
    expect(text).to.match(/\| Speed <fast> \| late \| 7 ms \| <= 5 MISSED \|/);
    expect(text).to.include('## floor').and.include('![a < b](figures/speed.svg)');
    expect(text, 'no benchmark of that name').not.to.include('## gone');
  });

  it('only what stands between the marks is written anew', () => {
    const begin = '<!-- begin of what npm run bench:docs writes -->';
    const end = '<!-- end of what npm run bench:docs writes -->';
    const page = replaceTables(`before\n${begin}\nold\n${end}\nafter\n`, 'new');
    expect(page).to.equal(`before\n${begin}\n\nnew\n\n${end}\nafter\n`);
    expect(replaceTables(page, 'new'), 'the same again').to.equal(page);
    expect(() => replaceTables('no marks', 'new')).to.throw('begin of what');
  });

  it('the page holds every row and plot, with the text escaped', () => {
    const page = formatHtml([results]);
    expect(page).to.include('Speed &#60;fast&#62;').and.include('<svg').and.include('class="missed"');
    expect(page).not.to.include('NaN');
  });

  it('axes end at a round number above all values', () => {
    expect(scale([7])).to.deep.equal({ max: 7, step: 1 });
    expect(scale([99_500, 3])).to.deep.equal({ max: 100_000, step: 20_000 });
    expect(scale([0.013]).max).to.be.closeTo(0.0135, 0.0015);
    expect(scale([]).max).to.be.greaterThan(0);
    expect(scale([0]).max).to.be.greaterThan(0);
  });

  it('bars: one for each value that there is; lines: a dot for each point', () => {
    const bars = draw(chart);
    expect(bars.match(/fill="#3b78c3"/g), 'a bar and the legend').to.have.length(2);
    expect(bars).to.include('a &#60; b').and.not.include('NaN');
    const points = [
      [1, 2],
      [3, 4],
    ] as const;
    const lines = draw({ kind: 'lines', title: '', xLabel: '', yLabel: '', series: [{ name: 's', points }] });
    expect(lines.match(/<circle/g)).to.have.length(2);
    expect(lines).to.match(/<polyline points="[\d.]+,[\d.]+ [\d.]+,[\d.]+"/);
  });
});
