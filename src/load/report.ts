/**
 * The report of a run: one HTML page that needs nothing else, neither scripts nor fonts nor a network, so that it can be
 * mailed and looked at in ten years.
 */
import type { Histogram } from './histogram.js';
import { type LatencySummary, type LoadDocument, type LoadResult, documentOf } from './result.js';
import {
  type Axis,
  type Series,
  barPlot,
  countAxis,
  escapeText,
  formatCount,
  formatNumber,
  linePlot,
  secondsAxis,
  type Tick,
} from './svg.js';
import { caveatOf, kinds } from './workloads.js';

export function reportHtml(result: LoadResult): string {
  const document = documentOf(result);
  const { name } = document.workload;
  const headline = `${formatCount(document.opsPerSecond)} operations per second`;
  return `<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="color-scheme" content="light dark">
<title>${escapeText(`gtstore bench: ${name}, ${headline}`)}</title>
<style>${style}</style>
</head>
<body>
<main>
<h1>gtstore bench: ${escapeText(name)}</h1>
<p class="lead"><strong>${headline}</strong> over ${document.measuredSeconds} s; the seconds lie between ${formatCount(document.opsPerSecondMin)} and ${formatCount(document.opsPerSecondMax)}.</p>
${notes(result, document)}
<h2>Throughput over time</h2>
${throughputPlot(document)}
<h2>Latency</h2>
${latencyPlot(result)}
${latencyTable(document)}
${errorTable(document)}
<h2>Keys over nodes</h2>
${nodePlot(document)}
${nodeTable(document)}
<h2>Parameters and circumstances</h2>
${parameterTable(document)}
</main>
</body>
</html>
`;
}

/** What must be known before the figures are believed. */
function notes(result: LoadResult, document: LoadDocument): string {
  const caveat = caveatOf(result.plan.workload);
  const { endedEarly, absent, unfinished, notBegun, clientCpuShareMax, cluster } = document;
  const failed = Object.values(document.errors).reduce((sum, count) => sum + count, 0);
  const texts = [
    endedEarly === 'interrupted' ? 'The run was interrupted; this is what was measured until then.' : '',
    endedEarly === 'cluster-gone' ? 'The cluster went away; this is what was measured until then.' : '',
    failed > 0 ? `${formatCount(failed)} operations failed; see below.` : '',
    absent > 0
      ? `${formatCount(absent)} gets found nothing: somebody else deletes keys of this prefix, or data was lost.`
      : '',
    unfinished > 0 ? `${formatCount(unfinished)} operations did not end.` : '',
    notBegun > 0
      ? `${formatCount(notBegun)} operations were due and never begun: the rate was more than was served.`
      : '',
    cluster.epochAfter === cluster.epochBefore
      ? ''
      : 'Nodes came or went meanwhile: the cluster map changed.',
    clientCpuShareMax > 0.9
      ? 'A client process had no core to spare: more processes might measure more.'
      : '',
    caveat === undefined ? '' : `In this workload, ${caveat}.`,
  ].filter((text) => text !== '');
  if (texts.length === 0) return '';
  return `<ul class="notes">${texts.map((text) => `<li>${escapeText(text)}</li>`).join('')}</ul>`;
}

function throughputPlot(document: LoadDocument): string {
  const { opsPerSecondEach: each, measuredSeconds } = document;
  const points = each.map((value, index): [number, number] => [
    // In the middle of its interval.
    (index + Math.min(index + 1, measuredSeconds)) / 2,
    value,
  ]);
  const x = secondsAxis('seconds since the measurement began', measuredSeconds);
  const description = `From ${formatCount(document.opsPerSecondMin)} to ${formatCount(document.opsPerSecondMax)} operations per second, ${formatCount(document.opsPerSecond)} on average.`;
  return linePlot(
    { id: 'throughput', title: 'Operations per second, second by second', description },
    x,
    countAxis('operations per second', Math.max(...each)),
    [{ name: 'all operations', points }],
  );
}

/** The further to the right, the rarer: from the median to one operation of 100,000, as far as there are so many. */
const latencyTicks: readonly Tick[] = [
  { at: 2, label: '50 %' },
  { at: 10, label: '90 %' },
  { at: 100, label: '99 %' },
  { at: 1000, label: '99.9 %' },
  { at: 10_000, label: '99.99 %' },
  { at: 100_000, label: '99.999 %' },
];

function latencyPlot({ latencies }: LoadResult): string {
  const counts = [...latencies.values()].map(({ count }) => count);
  const rarest = Math.min(100_000, Math.max(10, ...counts));
  const series = [...latencies].map(([kind, histogram]): Series => ({
    name: kind,
    points: percentileCurve(histogram, rarest),
  }));
  const times = series.flatMap(({ points }) => points.map(([, ms]) => ms));
  if (times.length === 0) return '<p>No operation succeeded.</p>';
  const x: Axis = {
    label: 'share of the operations that were as fast or faster',
    from: 2,
    to: rarest,
    isLog: true,
    ticks: latencyTicks.filter(({ at }) => at <= rarest),
  };
  const summary = [...latencies]
    .map(
      ([kind, histogram]) =>
        `${kind}: median ${formatMs(histogram.percentileMs(0.5))}, 99 % ${formatMs(histogram.percentileMs(0.99))}, longest ${formatMs(histogram.maxMs)}`,
    )
    .join('; ');
  return linePlot(
    { id: 'latency', title: 'Latency percentiles by kind of operation', description: summary },
    x,
    timeAxis(times),
    series,
  );
}

function percentileCurve(histogram: Histogram, rarest: number): [number, number][] {
  const points: [number, number][] = [];
  const last = Math.max(2, Math.min(rarest, histogram.count));
  for (let rarity = 2; rarity < last; rarity *= 1.12) {
    points.push([rarity, histogram.percentileMs(1 - 1 / rarity)]);
  }
  points.push([last, histogram.percentileMs(1 - 1 / last)]);
  return points;
}

/** Powers of ten around all of them, with 2 and 5 between. */
function timeAxis(times: readonly number[]): Axis {
  const from = 10 ** Math.floor(Math.log10(Math.max(0.001, Math.min(...times))));
  const to = Math.max(10 * from, 10 ** Math.ceil(Math.log10(Math.max(0.001, ...times))));
  const ticks: Tick[] = [];
  for (let power = from; power <= to * 1.001; power *= 10) {
    for (const factor of [1, 2, 5]) {
      const at = factor * power;
      if (at <= to * 1.001) ticks.push({ at, label: formatMs(at) });
    }
  }
  return { label: 'latency', from, to, isLog: true, ticks: ticks.length > 12 ? everyThird(ticks) : ticks };
}

function everyThird(ticks: readonly Tick[]): Tick[] {
  return ticks.filter((_, index) => index % 3 === 0);
}

function formatMs(ms: number): string {
  if (ms >= 999.5) return `${digits(ms / 1000)} s`;
  return ms >= 0.9995 ? `${digits(ms)} ms` : `${digits(ms * 1000)} µs`;
}

/** Three of them, without zeros that say nothing. */
function digits(value: number): string {
  return String(Number(value.toPrecision(3)));
}

function nodePlot({ nodes }: LoadDocument): string {
  const most = Math.max(0, ...nodes.map(({ replicaKeys }) => replicaKeys));
  const primaries = nodes.map(({ primaryKeys }) => primaryKeys);
  const description = `Each of ${nodes.length} nodes is the primary of ${formatCount(Math.min(...primaries))} to ${formatCount(Math.max(...primaries))} keys.`;
  return barPlot(
    { id: 'nodes', title: 'Bench keys on each node', description },
    'node',
    countAxis('keys', most),
    nodes.map(({ id, primaryKeys, replicaKeys }) => ({
      label: String(id),
      values: [primaryKeys, replicaKeys],
    })),
    ['as primary', 'as replica, primary included'],
  );
}

function latencyTable({ latencyUs }: LoadDocument): string {
  const columns: readonly (readonly [string, keyof LatencySummary])[] = [
    ['mean', 'mean'],
    ['50 %', 'p50'],
    ['90 %', 'p90'],
    ['99 %', 'p99'],
    ['99.9 %', 'p999'],
    ['longest', 'max'],
  ];
  const rows = kinds.flatMap((kind) => {
    const summary = latencyUs[kind];
    if (summary === undefined) return [];
    const times = columns.map(([, field]) => formatMs(summary[field] / 1000));
    return [[kind, formatCount(summary.count), ...times]];
  });
  return table(['operation', 'count', ...columns.map(([title]) => title)], rows);
}

function errorTable({ errors }: LoadDocument): string {
  const rows = Object.entries(errors).map(([code, count]) => [code, formatCount(count)]);
  if (rows.length === 0) return '<p>No operation failed.</p>';
  return `<h3>Operations that failed</h3>${table(['code', 'count'], rows)}`;
}

function nodeTable({ nodes }: LoadDocument): string {
  const rows = nodes.map(({ id, primaryKeys, replicaKeys }) => [
    String(id),
    formatCount(primaryKeys),
    formatCount(replicaKeys),
  ]);
  return `<details><summary>As a table</summary>${table(['node', 'keys as primary', 'keys as replica'], rows)}</details>`;
}

function parameterTable({ workload, load, cluster, circumstances, ...rest }: LoadDocument): string {
  const mix = Object.entries(workload.mix).map(
    ([kind, share]) => `${kind} ${Math.round(share * 1000) / 10} %`,
  );
  const rows: readonly (readonly [string, string])[] = [
    ['workload', `${workload.name}: ${mix.join(', ')}`],
    ['choice of keys', workload.distribution],
    [
      'keys',
      `${formatCount(workload.keys)} of ${workload.keyBytes} B, beginning with '${workload.prefix}', seed ${workload.seed}`,
    ],
    ['values', `${formatCount(workload.valueBytes)} B`],
    [
      'clients',
      `${load.clients} in ${load.processes} ${load.processes === 1 ? 'process' : 'processes'}, each with ${load.inFlight} operations under way`,
    ],
    ['rate', load.ratePerSecond === null ? 'closed loop' : `${formatNumber(load.ratePerSecond)} per second`],
    ['reads from', load.readFrom],
    ['time', `${load.seconds} s after ${load.warmUpSeconds} s of warm-up`],
    ['CPU of the busiest client process', `${Math.round(rest.clientCpuShareMax * 100)} % of a core`],
    ['cluster', `${cluster.nodes} nodes, ${cluster.replicas} replicas, manager ${cluster.manager}`],
    ['slots', `${cluster.slots} by ${cluster.partitioner}`],
    ['started', circumstances.startedAt],
    ['clients ran on', `${circumstances.cpus} x ${circumstances.cpuModel}, ${circumstances.platform}`],
    ['Node.js', circumstances.nodeVersion],
  ];
  return `<div class="wide"><table class="facts"><tbody>${rows
    .map(([name, value]) => `<tr><th scope="row">${escapeText(name)}</th><td>${escapeText(value)}</td></tr>`)
    .join('')}</tbody></table></div>`;
}

function table(titles: readonly string[], rows: readonly (readonly string[])[]): string {
  const head = titles.map((title) => `<th scope="col">${escapeText(title)}</th>`).join('');
  const body = rows.map(([first = '', ...cells]) => {
    const tail = cells.map((cell) => `<td>${escapeText(cell)}</td>`).join('');
    return `<tr><th scope="row">${escapeText(first)}</th>${tail}</tr>`;
  });
  return `<div class="wide"><table><thead><tr>${head}</tr></thead><tbody>${body.join('')}</tbody></table></div>`;
}

/** Colours that those who see red and green alike can tell apart (Okabe and Ito), darker on light, lighter on dark. */
const style = `
:root { color-scheme: light dark; --ink: #1b1f24; --dim: #59636e; --page: #ffffff; --line: #d5dae0;
  --c0: #0067a5; --c1: #c14d00; --c2: #00795a; --c3: #a3477f; --c4: #8a6a00; }
@media (prefers-color-scheme: dark) {
  :root { --ink: #e7eaee; --dim: #a3adb8; --page: #14171b; --line: #343b44;
    --c0: #5cb3ec; --c1: #f39c4d; --c2: #3cc79b; --c3: #e39ac4; --c4: #e6cf4f; }
}
body { margin: 0; background: var(--page); color: var(--ink); font: 16px/1.5 system-ui, sans-serif; }
main { max-width: 60rem; margin: 0 auto; padding: 1.5rem 1rem 3rem; }
h1 { font-size: 1.6rem; margin: 0 0 .5rem; } h2 { font-size: 1.2rem; margin: 2.2rem 0 .5rem; }
h3 { font-size: 1rem; margin: 1.2rem 0 .4rem; }
.lead { font-size: 1.1rem; margin: 0; }
.notes { border-left: 4px solid var(--c1); margin: 1rem 0; padding: .4rem 1rem .4rem 2rem; }
svg { display: block; width: 100%; min-width: 36rem; height: auto; }
svg text { fill: var(--ink); font-size: 13px; } svg .tick { font-size: 12px; fill: var(--dim); }
svg .grid { stroke: var(--line); } svg .axis { stroke: var(--dim); }
svg polyline { fill: none; stroke-width: 2; } svg line[class^="s"] { stroke-width: 3; }
${[0, 1, 2, 3, 4].map((n) => `.s${n} { stroke: var(--c${n}); } .f${n} { fill: var(--c${n}); }`).join('\n')}
.s1 { stroke-dasharray: 7 3; } .s2 { stroke-dasharray: 2 3; } .s3 { stroke-dasharray: 9 3 2 3; }
.wide { overflow-x: auto; }
table { border-collapse: collapse; margin: .8rem 0; font-variant-numeric: tabular-nums; }
th, td { padding: .25rem .9rem .25rem 0; border-bottom: 1px solid var(--line); text-align: right; white-space: nowrap; }
th:first-child, .facts td { text-align: left; } th { font-weight: 600; } .facts th, .facts td { white-space: normal; vertical-align: top; }
summary { cursor: pointer; color: var(--dim); }
@media print { details > :not(summary) { display: block; } }
`;
