/** Plots as SVG text: groups of bars, or lines. Small on purpose; colours and letters suit light and dark pages. */

interface ChartBase {
  readonly title: string;
  readonly xLabel: string;
  readonly yLabel: string;
}

export interface BarChart extends ChartBase {
  readonly kind: 'bars';
  readonly categories: readonly string[];
  /** One value for each category. */
  readonly series: readonly { readonly name: string; readonly values: readonly number[] }[];
}

export interface LineChart extends ChartBase {
  readonly kind: 'lines';
  readonly series: readonly {
    readonly name: string;
    readonly points: readonly (readonly [number, number])[];
  }[];
}

export type Chart = BarChart | LineChart;

const width = 720;
const height = 400;
const left = 80;
const right = 40;
const top = 44;
const bottom = 84;
const plotWidth = width - left - right;
const plotHeight = height - top - bottom;
const colours = ['#3b78c3', '#d9822b', '#3a9a5f', '#a34fb0', '#c23b4b', '#6b7785'];
const ticksMin = 4;

export function draw(chart: Chart): string {
  const y = scale(chart.kind === 'bars' ? barValues(chart) : lineValues(chart));
  const marks = chart.kind === 'bars' ? drawBars(chart, y) : drawLines(chart, y);
  return [
    `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 ${width} ${height}" width="${width}" height="${height}"`,
    ` font-family="system-ui, sans-serif" font-size="12" fill="#444" role="img" aria-label="${escaped(chart.title)}">`,
    `<rect width="${width}" height="${height}" fill="#fff"/>`,
    text(left, 22, chart.title, 'font-size="15" font-weight="600"'),
    drawAxis(chart, y),
    marks,
    drawLegend(chart.series.map(({ name }) => name)),
    '</svg>\n',
  ].join('\n');
}

function barValues({ series }: BarChart): number[] {
  return series.flatMap(({ values }) => values);
}

function lineValues({ series }: LineChart): number[] {
  return series.flatMap(({ points }) => points.map(([, value]) => value));
}

/** From 0 to a round number that nothing is above. */
interface Scale {
  readonly max: number;
  readonly step: number;
}

export function scale(values: readonly number[]): Scale {
  const most = Math.max(...values.filter(Number.isFinite), 0) || 1;
  const rough = most / ticksMin;
  const power = 10 ** Math.floor(Math.log10(rough));
  const step = [1, 2, 2.5, 5, 10].map((factor) => factor * power).findLast((each) => each <= rough) ?? power;
  return { max: Math.ceil(most / step - 1e-9) * step, step };
}

function toY(value: number, { max }: Scale): number {
  return top + plotHeight * (1 - value / max);
}

function drawAxis({ xLabel, yLabel }: Chart, y: Scale): string {
  const lines: string[] = [];
  for (let tick = 0; tick <= y.max * (1 + 1e-9); tick += y.step) {
    const at = round(toY(tick, y));
    lines.push(`<line x1="${left}" x2="${width - right}" y1="${at}" y2="${at}" stroke="#ddd"/>`);
    lines.push(text(left - 8, at + 4, number(tick), 'text-anchor="end"'));
  }
  lines.push(text(left + plotWidth / 2, height - 34, xLabel, 'text-anchor="middle"'));
  const middle = top + plotHeight / 2;
  lines.push(text(16, middle, yLabel, `text-anchor="middle" transform="rotate(-90 16 ${middle})"`));
  return lines.join('\n');
}

function drawBars({ categories, series }: BarChart, y: Scale): string {
  const groupWidth = plotWidth / categories.length;
  const barWidth = (groupWidth * 0.8) / series.length;
  return categories
    .flatMap((category, group) => {
      const from = left + groupWidth * (group + 0.1);
      const bars = series.map(({ values }, index) => {
        const value = values[group] ?? NaN;
        if (!Number.isFinite(value)) return '';
        const at = toY(value, y);
        const x = from + index * barWidth;
        const bar = `<rect x="${round(x)}" y="${round(at)}" width="${round(barWidth * 0.94)}" height="${round(top + plotHeight - at)}" fill="${colour(index)}"/>`;
        const label =
          barWidth > 34
            ? text(x + barWidth / 2, at - 4, number(value), 'text-anchor="middle" font-size="11"')
            : '';
        return bar + label;
      });
      const middle = left + groupWidth * (group + 0.5);
      return [...bars, text(middle, top + plotHeight + 18, category, 'text-anchor="middle"')];
    })
    .join('\n');
}

function drawLines({ series }: LineChart, y: Scale): string {
  const xs = series.flatMap(({ points }) => points.map(([x]) => x));
  const x = scale(xs);
  const toX = (value: number): number => left + (plotWidth * value) / x.max;
  const ticks = [...new Set(xs)].map((each) =>
    text(toX(each), top + plotHeight + 18, number(each), 'text-anchor="middle"'),
  );
  const lines = series.map(({ points }, index) => {
    const path = points.map(([px, py]) => `${round(toX(px))},${round(toY(py, y))}`);
    const dots = path.map((at) => {
      const [cx = '', cy = ''] = at.split(',');
      return `<circle cx="${cx}" cy="${cy}" r="3.5" fill="${colour(index)}"/>`;
    });
    return `<polyline points="${path.join(' ')}" fill="none" stroke="${colour(index)}" stroke-width="2"/>${dots.join('')}`;
  });
  return [...ticks, ...lines].join('\n');
}

function drawLegend(names: readonly string[]): string {
  let x = left;
  return names
    .map((name, index) => {
      const at = x;
      x += 28 + name.length * 6.6;
      const box = `<rect x="${round(at)}" y="${height - 22}" width="12" height="12" fill="${colour(index)}"/>`;
      return box + text(at + 17, height - 12, name);
    })
    .join('\n');
}

function colour(index: number): string {
  return colours[index % colours.length] ?? '#444';
}

function text(x: number, y: number, content: string, attributes = ''): string {
  return `<text x="${round(x)}" y="${round(y)}" ${attributes}>${escaped(content)}</text>`;
}

function round(value: number): number {
  return Math.round(value * 10) / 10;
}

function number(value: number): string {
  return value.toLocaleString('en', { maximumSignificantDigits: 3 });
}

export function escaped(content: string): string {
  return content.replace(/[&<>"]/g, (character) => `&#${character.charCodeAt(0)};`);
}
