/** The result of a run for people. */
import { type LoadDocument, type LoadResult, caveatOf, documentOf } from '../load/index.js';
import { alignColumns } from './columns.js';

export function formatResult(result: LoadResult): string {
  const document = documentOf(result);
  return [
    ...head(document),
    '',
    ...latencies(document),
    ...failures(document),
    '',
    ...nodes(document),
    ...remarks(result, document).map((text) => `\n${text}`),
  ].join('\n');
}

function head({ workload, load, ...rest }: LoadDocument): string[] {
  const mix = Object.entries(workload.mix).map(([kind, share]) => `${kind} ${percent(share)}`);
  const rate = load.ratePerSecond === null ? '' : `, ${count(load.ratePerSecond)} op/s wanted`;
  return [
    `workload  ${workload.name}: ${mix.join(', ')}; ${workload.distribution}`,
    `keys      ${count(workload.keys)} of ${workload.keyBytes} B, values of ${count(workload.valueBytes)} B`,
    `clients   ${load.clients} in ${plural(load.processes, 'process', 'processes')}, ${load.inFlight} in flight each${rate}`,
    `measured  ${rest.measuredSeconds} s, ${count(rest.operations)} operations`,
    `op/s      ${count(rest.opsPerSecond)}, by the second ${count(rest.opsPerSecondMin)}..${count(rest.opsPerSecondMax)}`,
  ];
}

function latencies({ latencyUs }: LoadDocument): string[] {
  const rows = Object.entries(latencyUs).map(([kind, { count: times, p50, p90, p99, p999, max }]) => [
    kind,
    count(times),
    ...[p50, p90, p99, p999, max].map((us) => (us / 1000).toFixed(us < 100_000 ? 3 : 1)),
  ]);
  const titles = ['latency, ms', 'count', 'p50', 'p90', 'p99', 'p99.9', 'max'];
  return alignColumns([titles, ...rows], (column) => column > 0);
}

function failures({ errors }: LoadDocument): string[] {
  const rows = Object.entries(errors).map(([code, times]) => [code, count(times)]);
  if (rows.length === 0) return ['', 'failed operations: none'];
  return ['', ...alignColumns([['failed operations', 'count'], ...rows], (column) => column > 0)];
}

function nodes({ nodes: all }: LoadDocument): string[] {
  const keys = all.reduce((sum, { primaryKeys }) => sum + primaryKeys, 0);
  const rows = all.map(({ id, primaryKeys, replicaKeys }) => [
    String(id),
    count(primaryKeys),
    percent(keys === 0 ? 0 : primaryKeys / keys),
    count(replicaKeys),
  ]);
  return alignColumns([['node', 'primary of keys', 'share', 'replica of keys'], ...rows], () => true);
}

/** What must be known before the figures are believed. */
function remarks(result: LoadResult, document: LoadDocument): string[] {
  const { endedEarly, absent, unfinished, notBegun, clientCpuShareMax, cluster, keysLeft } = document;
  const caveat = caveatOf(result.plan.workload);
  const texts: string[] = [];
  if (endedEarly !== null) {
    const why = endedEarly === 'interrupted' ? 'it was interrupted' : 'the cluster went away';
    texts.push(`ended early: ${why}; the figures are of what was measured until then`);
  }
  const late = Object.values(document.latencyUs).reduce(
    (sum, each) => sum + each.count,
    -document.operations,
  );
  if (late > 0) {
    texts.push(
      `the latencies count ${plural(late, 'operation', 'operations')} besides that began within the measured time and ended after it`,
    );
  }
  if (absent > 0) texts.push(`${count(absent)} gets found nothing: does somebody else delete these keys?`);
  if (unfinished > 0) texts.push(`${count(unfinished)} operations did not end`);
  if (notBegun > 0) {
    texts.push(`${count(notBegun)} operations were due and never begun: --rate is more than was served`);
  }
  if (cluster.epochAfter !== cluster.epochBefore) {
    texts.push('nodes came or went meanwhile: the cluster map changed');
  }
  if (clientCpuShareMax > 0.9) {
    const share = percent(clientCpuShareMax);
    texts.push(
      `a client process took ${share} of a core: it may be the limit; more --clients and --processes may give more`,
    );
  }
  if (caveat !== undefined) texts.push(`note: ${caveat}`);
  if (result.plan.keep && !result.hasClusterGone)
    texts.push(`${count(keysLeft)} keys are left in the store, as --keep says`);
  return texts.length === 0 ? [] : [texts.join('\n')];
}

function count(amount: number): string {
  return amount.toLocaleString('en');
}

function percent(share: number): string {
  return `${Math.round(1000 * share) / 10} %`;
}

function plural(amount: number, one: string, many: string): string {
  return `${amount} ${amount === 1 ? one : many}`;
}
