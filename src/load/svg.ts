/** Plots as SVG text: no scripts, no fonts of their own, colours from the page's style sheet. */

/** Text for HTML and SVG, also within an attribute. */
export function escapeText(text: string): string {
  return text
    .replaceAll('&', '&amp;')
    .replaceAll('<', '&lt;')
    .replaceAll('>', '&gt;')
    .replaceAll('"', '&quot;')
    .replaceAll("'", '&#39;');
}

export interface Tick {
  readonly at: number;
  readonly label: string;
}

export interface Axis {
  readonly label: string;
  readonly from: number;
  readonly to: number;
  readonly isLog: boolean;
  readonly ticks: readonly Tick[];
}

export interface Series {
  readonly name: string;
  readonly points: readonly (readonly [x: number, y: number])[];
}

export interface PlotText {
  /** Unique on the page. */
  readonly id: string;
  readonly title: string;
  /** What a reader who does not see it should know. */
  readonly description: string;
}

const width = 840;
const height = 320;
const left = 76;
/** Half of the longest label of a tick, 99.999 %, and some. */
const right = 32;
const top = 36;
const bottom = 52;
const plotWidth = width - left - right;
const plotHeight = height - top - bottom;

export function linePlot(text: PlotText, x: Axis, y: Axis, series: readonly Series[]): string {
  const lines = series.map(({ points }, index) => {
    const coordinates = points.map(([px, py]) => `${round(xOf(x, px))},${round(yOf(y, py))}`);
    const dots =
      points.length > 40
        ? []
        : points.map(
            ([px, py]) =>
              `<circle class="f${index}" cx="${round(xOf(x, px))}" cy="${round(yOf(y, py))}" r="3"/>`,
          );
    return `<polyline class="s${index}" points="${coordinates.join(' ')}"/>${dots.join('')}`;
  });
  return frame(text, [
    yAxis(y),
    xAxis(x),
    ...lines,
    legend(
      series.map(({ name }) => name),
      's',
    ),
  ]);
}

export interface BarGroup {
  readonly label: string;
  /** One a series. */
  readonly values: readonly number[];
}

/** Bars side by side, one group a label. */
export function barPlot(
  text: PlotText,
  xLabel: string,
  y: Axis,
  groups: readonly BarGroup[],
  names: readonly string[],
): string {
  const groupWidth = plotWidth / Math.max(1, groups.length);
  const barWidth = Math.min(48, (groupWidth * 0.8) / Math.max(1, names.length));
  const labelEvery = Math.ceil(groups.length / 32);
  const bars = groups.map(({ label, values }, group) => {
    const middle = left + (group + 0.5) * groupWidth;
    const shapes = values.map((value, index) => {
      const x = middle + (index - values.length / 2) * barWidth;
      const yTop = yOf(y, value);
      const tip = `<title>${escapeText(`${label}, ${names[index] ?? ''}: ${formatCount(value)}`)}</title>`;
      return `<rect class="f${index}" x="${round(x)}" y="${round(yTop)}" width="${round(Math.max(0.5, barWidth - 1))}" height="${round(top + plotHeight - yTop)}">${tip}</rect>`;
    });
    const caption =
      group % labelEvery === 0
        ? `<text class="tick" x="${round(middle)}" y="${top + plotHeight + 18}" text-anchor="middle">${escapeText(label)}</text>`
        : '';
    return shapes.join('') + caption;
  });
  return frame(text, [yAxis(y), axisLabel(xLabel), ...bars, legend(names, 'f')]);
}

function frame({ id, title, description }: PlotText, parts: readonly string[]): string {
  return [
    `<div class="wide"><svg viewBox="0 0 ${width} ${height}" role="img" aria-labelledby="${id}-title ${id}-desc">`,
    `<title id="${id}-title">${escapeText(title)}</title>`,
    `<desc id="${id}-desc">${escapeText(description)}</desc>`,
    ...parts,
    '</svg></div>',
  ].join('\n');
}

function xAxis(x: Axis): string {
  const y = top + plotHeight;
  const ticks = x.ticks.map(({ at, label }) => {
    const px = round(xOf(x, at));
    return `<line class="axis" x1="${px}" y1="${y}" x2="${px}" y2="${y + 5}"/><text class="tick" x="${px}" y="${y + 18}" text-anchor="middle">${escapeText(label)}</text>`;
  });
  return `${ticks.join('')}${axisLabel(x.label)}`;
}

function axisLabel(label: string): string {
  return `<text class="label" x="${left + plotWidth / 2}" y="${height - 10}" text-anchor="middle">${escapeText(label)}</text>`;
}

function yAxis(y: Axis): string {
  const ticks = y.ticks.map(({ at, label }) => {
    const py = round(yOf(y, at));
    return `<line class="grid" x1="${left}" y1="${py}" x2="${left + plotWidth}" y2="${py}"/><text class="tick" x="${left - 8}" y="${py}" dy="0.35em" text-anchor="end">${escapeText(label)}</text>`;
  });
  const base = top + plotHeight;
  return `${ticks.join('')}<line class="axis" x1="${left}" y1="${base}" x2="${left + plotWidth}" y2="${base}"/><text class="label" transform="translate(16 ${top + plotHeight / 2}) rotate(-90)" text-anchor="middle">${escapeText(y.label)}</text>`;
}

/** In one row above the plot. @param kind - of the colour: a stroke or a fill */
function legend(names: readonly string[], kind: 's' | 'f'): string {
  let x = left;
  return names
    .map((name, index) => {
      const mark =
        kind === 'f'
          ? `<rect class="f${index}" x="${x}" y="11" width="14" height="10"/>`
          : `<line class="s${index}" x1="${x}" y1="16" x2="${x + 18}" y2="16"/>`;
      const text = `<text class="tick" x="${x + 24}" y="16" dy="0.35em">${escapeText(name)}</text>`;
      x += 48 + name.length * 8;
      return mark + text;
    })
    .join('');
}

function share({ from, to, isLog }: Axis, value: number): number {
  if (to === from) return 0;
  const raw = isLog
    ? (Math.log(value) - Math.log(from)) / (Math.log(to) - Math.log(from))
    : (value - from) / (to - from);
  return Math.min(1, Math.max(0, raw));
}

function xOf(axis: Axis, value: number): number {
  return left + plotWidth * share(axis, value);
}

function yOf(axis: Axis, value: number): number {
  return top + plotHeight * (1 - share(axis, value));
}

function round(value: number): number {
  return Math.round(value * 10) / 10;
}

export function formatCount(value: number): string {
  return Math.round(value).toLocaleString('en');
}

/** Of a rate or a time, which may be less than one: three digits behind the point at most. */
export function formatNumber(value: number): string {
  return value.toLocaleString('en', { maximumFractionDigits: 3 });
}

/** From 0 to `max`, which is where the plot ends; of less than two seconds, also parts have a tick. */
export function secondsAxis(label: string, max: number): Axis {
  const scale = max < 2 ? 1000 : 1;
  const { ticks } = countAxis(label, max * scale);
  const within = ticks.map(({ at }) => at / scale).filter((at) => at <= max);
  return {
    label,
    from: 0,
    to: max,
    isLog: false,
    ticks: within.map((at) => ({ at, label: formatNumber(at) })),
  };
}

/** From 0 to a round number above `max`, some five steps. */
export function countAxis(label: string, max: number): Axis {
  const step = roundStep(Math.max(1, max) / 5);
  const count = Math.max(1, Math.ceil(max / step));
  const ticks = Array.from({ length: count + 1 }, (_, index) => ({
    at: index * step,
    label: formatCount(index * step),
  }));
  return { label, from: 0, to: count * step, isLog: false, ticks };
}

/** 1, 2 or 5 times a power of ten, at least 1 and at least `value`. */
function roundStep(value: number): number {
  const power = 10 ** Math.max(0, Math.floor(Math.log10(value)));
  const factor = [1, 2, 5, 10].find((each) => each * power >= value) ?? 10;
  return factor * power;
}
