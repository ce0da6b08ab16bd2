/** The status document for people: a summary, then one row a node. */
import type { HotSlot, TaskProgress } from '../protocol/admin.js';
import type { ClusterStatus, NodeState, NodeStatus } from '../protocol/status.js';
import { formatBytes } from './bytes.js';
import { alignColumns } from './columns.js';
import { formatAddress } from './options.js';
import { describeProgress } from './task-display.js';

interface Column {
  readonly title: string;
  readonly isNumber: boolean;
  readonly cell: (node: NodeStatus) => string;
}

const columns: readonly Column[] = [
  { title: 'node', isNumber: true, cell: ({ id }) => String(id) },
  { title: 'state', isNumber: false, cell: ({ state }) => state },
  { title: 'address', isNumber: false, cell: (node) => (node.port === 0 ? '-' : formatAddress(node)) },
  { title: 'pid', isNumber: true, cell: ({ pid }) => known(pid) },
  { title: 'incarnation', isNumber: true, cell: ({ incarnation }) => known(incarnation) },
  { title: 'primary of', isNumber: true, cell: ({ primarySlots }) => String(primarySlots) },
  { title: 'replica of', isNumber: true, cell: ({ replicaSlots }) => String(replicaSlots) },
  { title: 'keys', isNumber: true, cell: ({ keys }) => String(keys) },
  { title: 'bytes', isNumber: true, cell: ({ bytes }) => formatBytes(bytes) },
];

export function formatStatus(status: ClusterStatus, task?: TaskProgress): string {
  const underWay = task === undefined ? [] : [`task      ${describeProgress(task)}`];
  return [...summary(status), ...underWay, '', ...table(status.nodes)].join('\n');
}

function summary({
  epoch,
  replicas,
  slots,
  partitioner,
  manager,
  nodes,
  underReplicatedSlots,
  warnings = [],
}: ClusterStatus): string[] {
  const health =
    underReplicatedSlots === 0
      ? 'every slot has all its replicas'
      : `${underReplicatedSlots} of ${slots} slots lack a replica`;
  return [
    `manager   gtstore://${formatAddress(manager)}, pid ${manager.pid}, epoch ${epoch}`,
    `nodes     ${states(nodes)}`,
    `slots     ${slots} by ${partitioner}, ${replicas} replicas each`,
    `health    ${health}`,
    ...warnings.map((warning) => `warning   ${warning}`),
  ];
}

/** `2 of 3 up, 1 joining`. */
function states(nodes: readonly NodeStatus[]): string {
  const count = (wanted: NodeState): number => nodes.filter(({ state }) => state === wanted).length;
  const others = (['joining', 'leaving', 'suspect', 'down'] as const).flatMap((state) => {
    const nodesThere = count(state);
    return nodesThere === 0 ? [] : [`${nodesThere} ${state}`];
  });
  return [`${count('up')} of ${nodes.length} up`, ...others].join(', ');
}

function table(nodes: readonly NodeStatus[]): string[] {
  const rows = [
    columns.map(({ title }) => title),
    ...nodes.map((node) => columns.map(({ cell }) => cell(node))),
  ];
  return alignColumns(rows, (index) => columns[index]?.isNumber === true);
}

/** 0 stands for what is not known. */
function known(count: number): string {
  return count === 0 ? '-' : String(count);
}

/** The slots that are asked most, one row each. */
export function formatHot(hot: readonly HotSlot[]): string {
  if (hot.length === 0) return 'no slot has told of its load yet; it takes a second or two';
  const rows = hot.map(({ slot, readsPerSecond, writesPerSecond, keys, bytes, replicas }) => [
    String(slot),
    formatRate(readsPerSecond),
    formatRate(writesPerSecond),
    String(keys),
    formatBytes(bytes),
    replicas.join(' '),
  ]);
  const titles = ['slot', 'reads/s', 'writes/s', 'keys', 'bytes', 'replicas, primary first'];
  return alignColumns([titles, ...rows], (index) => index < titles.length - 1).join('\n');
}

/** Rates are smoothed: below 10 a digit more says that there is something. */
function formatRate(perSecond: number): string {
  return perSecond < 10 ? perSecond.toFixed(1) : String(Math.round(perSecond));
}
